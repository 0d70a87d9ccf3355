from __future__ import annotations

from uvreport.redact.rule import Probe, Rule

RULE = Rule(
    name="storage-key",
    what="64 bytes in base64, as Azure gives out for storage, Service Bus and Cosmos",
    source="Azure: account access keys; 86 characters and two equals signs",
    probes=(Probe(r"==(?<=[a-z0-9+/]{16}==)", r"[a-z0-9+/]{16}=="),),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/",
    back_max=100,
    # A digest has the same shape: SRI writes `sha512-` before it, RECORD and others `sha512=`.
    fold=False,
    pattern=r"(?<![A-Za-z0-9+/_]) (?<!sha512[-=:]) (?P<secret> [A-Za-z0-9+/]{86}== ) (?![A-Za-z0-9=])",
    removes=(('"key1": "' + "aB3+" * 21 + 'aB=="', '"key1": "redacted1"'),),
    keeps=('"integrity": "sha512-' + "aB3+" * 21 + 'aB=="', "six==1.0", "aB3+aB=="),
)
