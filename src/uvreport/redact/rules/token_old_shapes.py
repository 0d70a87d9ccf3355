from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="old-token",
    what="tokens whose only sign is a letter and a dot before them, or a few letters after them",
    source="HashiCorp Vault before 1.10 (`s.`, `b.`); New Relic license keys (`NRAL` at the end)",
    literals=(" s.", "=s.", ":s.", '"s.', "'s.", "`s.", " b.aaaaaq", "=b.aaaaaq", '"b.aaaaaq', "nral"),
    start=lambda text, at: at if text[at : at + 1] in b" =:\"'`" else max(0, at - 36),
    fold=False,
    pattern=r"""
        [ =:"'`] (?P<secret> s\.(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9.]) | b\.AAAAAQ[A-Za-z0-9_-]{40,300} )
      | (?<![A-Za-z0-9]) (?P<secret_2> (?:[a-f0-9]{36}|eu01xx[a-f0-9]{30}) NRAL ) (?![A-Za-z0-9])
    """,
    removes=(
        ("VAULT s.0123456789abcdefABCDEFgh", "VAULT redacted1"),
        ("key 0123456789abcdef0123456789abcdef0123NRAL back", "key redacted1 back"),
    ),
    keeps=("import s.x", "files s.0123456789abcdefABCDEFgh.whl", "NRAL"),
)
