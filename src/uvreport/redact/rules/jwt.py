from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="jwt",
    what="JSON web tokens, signed or encrypted, and the tokens that are made after them",
    source="RFC 7519, 7515, 7516 (compact serialisation); PASETO and PASERK specifications; libmacaroons' README",
    literals=(
        "eyj", "v1.local.", "v1.public.", "v2.local.", "v2.public.", "v3.local.", "v3.public.", "v4.local.", "v4.public.",
        "k1.local.", "k2.local.", "k3.local.", "k4.local.", "k1.secret.", "k2.secret.", "k3.secret.", "k4.secret.",
        "mdax", "agei",
    ),
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret>
            eyJ[A-Za-z0-9_-]{8,4096} \. (?: [A-Za-z0-9_-]{4,8192} (?: \. [A-Za-z0-9_-]{0,8192} ){0,3}
              | \. [A-Za-z0-9_-]{8,100} \. [A-Za-z0-9_-]{4,8192} \. [A-Za-z0-9_-]{8,100} )
          | (?: v[1-4]\.(?:local|public) | k[1-4]\.(?:local|secret) ) \. [A-Za-z0-9_-]{32,8192} (?: \.
            [A-Za-z0-9_-]{4,2048} )?
          | (?: MDAx | AgEI ) (?=[A-Za-z+/=_-]{0,40}[0-9]) [A-Za-z0-9+/=_-]{60,4096} )
    """,
    removes=(
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_0 back", "got redacted1 back"),
        ("got eyJhbGciOiJkaXIiLCJlbmMi0..AbCdEfGhIjKl.Zm9vYmFy.c2lnMTIzNDU2", "got redacted1"),
        ("got v4.local.0123456789abcdefABCDEF0123456789abcdefAB back", "got redacted1 back"),
    ),
    keeps=("eyJ.py", "module.eyJhbGciOi.x", "DEBUG keyJar.load", "see v2.0 and v1.local.x", "agei==1.0"),
)  # fmt: skip
