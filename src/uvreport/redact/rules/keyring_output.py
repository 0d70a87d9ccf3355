from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="keyring-output",
    what="the line that `keyring get` printed",
    source="keyring(1); uv runs `keyring get URL USER`",
    literals=("keyring get",),
    pattern=r"""keyring [ ] get [ \t]{1,3} [^\r\n]{1,400} \r?\n (?![ \t$>\#]|DEBUG|TRACE|INFO|WARN|ERROR|error)
        (?P<secret> [^\s]{1,1024} ) [ \t]{0,4} (?=\r?\n|$)""",
    removes=(("$ keyring get h.example bot\nhunter2\n", "$ keyring get h.example bot\nredacted1\n"),),
    keeps=("DEBUG running keyring get h.example bot\nDEBUG no password found", "keyring get failed\n"),
)
