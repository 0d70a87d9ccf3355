from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="keyring-output",
    what="the lines that `keyring get` and `uv auth token` printed",
    source="keyring(1), with and without `--mode creds`; uv runs `keyring get URL USER`; `uv auth token --help`",
    literals=("keyring get", "keyring --mode", "uv auth token"),
    pattern=r"""
        (?: keyring [ ] (?:--mode[ =](?:password|(?P<both>creds))[ ])? get | uv [ ] auth [ ] token ) [ \t]{1,3}
          [^\r\n]{1,400} \r?\n
        (?: [A-Z]{4,5} [ ] keyring [ ] (?:stdout|output): [ ] )?
        (?![ \t]|[$>\#%][ ]|DEBUG|TRACE|INFO|WARN|ERROR|error|warning)
        (?(both) (?P<account> [^\s]{1,256} ) \r?\n )
        (?P<secret> [^\s]{1,1024} ) [ \t]{0,4} (?=\r?\n|$)
    """,
    removes=(
        ("$ keyring get h.example bot\nhunter2\n", "$ keyring get h.example bot\nredacted1\n"),
        (
            "$ keyring --mode creds get h.example bot\nbot7\nhunter2\n",
            "$ keyring --mode creds get h.example bot\naccount1\nredacted1\n",
        ),
        (
            "DEBUG keyring get h.example bot\nDEBUG keyring stdout: hunter2\n",
            "DEBUG keyring get h.example bot\nDEBUG keyring stdout: redacted1\n",
        ),
        ("$ uv auth token h.example\nhunter2\n", "$ uv auth token h.example\nredacted1\n"),
    ),
    keeps=("DEBUG running keyring get h.example bot\nDEBUG no password found", "keyring get failed\n"),
)
