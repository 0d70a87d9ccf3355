from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="jwt",
    what="JSON web tokens, signed or encrypted",
    source="RFC 7519, RFC 7515, RFC 7516 (compact serialisation: base64url parts joined by dots)",
    literals=("eyj",),
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret> eyJ[A-Za-z0-9_-]{8,4096} \. [A-Za-z0-9_-]{4,8192}
        (?: \. [A-Za-z0-9_-]{0,8192} ){0,3} )
    """,
    removes=(("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_0 back", "got redacted1 back"),),
    keeps=("eyJ.py", "module.eyJhbGciOi.x", "DEBUG keyJar.load"),
)
