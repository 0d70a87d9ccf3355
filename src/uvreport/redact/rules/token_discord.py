from __future__ import annotations

from uvreport.redact.rule import Probe, Rule

RULE = Rule(
    name="discord-token",
    what="bot and user tokens of Discord: an account number in base64, a time, a signature",
    source="Discord developer documentation, reference on authentication; an account number has 17 to 19 digits",
    probes=(
        Probe(r"\.(?<=[a-z0-9]{20}\.)[a-z0-9_-]{6}\.[a-z0-9_-]{27}", r"\.[a-z0-9_-]{6}\.[a-z0-9_-]{27}"),
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    back_max=28,
    fold=False,
    pattern=r"""(?<![A-Za-z0-9_.-]) (?P<secret> [MNO][TDjz][A-Za-z0-9]{21,26} \. [A-Za-z0-9_-]{6} \.
        [A-Za-z0-9_-]{27,45} ) (?![A-Za-z0-9_.-])""",
    removes=(("bot MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabc12.0123456789abcdefABCDEF01234567x", "bot redacted1"),),
    keeps=("NTLibrary.module.name", "MTA.x.y"),
)
