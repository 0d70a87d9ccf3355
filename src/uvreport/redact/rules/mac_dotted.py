from __future__ import annotations

import re

from uvreport.redact.rule import Probe, Rule


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("mac")
    return re.search(rb"[0-9]", value) is not None and re.search(rb"[A-Fa-f]", value) is not None


RULE = Rule(
    name="mac-dotted",
    what="hardware addresses in three groups of four",
    source="EUI-48 as Cisco's systems write it",
    probes=(Probe(r"\.(?<=[0-9a-f]{4}\.)[0-9a-f]{4}\.[0-9a-f]{4}", r"\.[0-9a-f]{4}\.[0-9a-f]{4}"),),
    back=b"0123456789abcdefABCDEF",
    back_max=4,
    pattern=r"(?<![0-9A-Za-z.-]) (?P<mac> [0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4} ) (?![0-9A-Za-z.-])",
    accept=_accept,
    removes=(("mac 021a.2b3c.4d5e up", "mac 00:00:00:00:00:01 up"),),
    keeps=("2024.1010.2020", "cafe.babe.dead", "x-2024.1a1b.1c1d-py3", "1234.5678.9abc.def0"),
)
