from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact.rule import Probe, Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("mac").lower().replace(b"-", b":")
    return (
        not value.startswith(b"00:00:00:00:")
        and (len(value) != 23 or b":ff:fe:" in value)
        and value != b"ff:ff:ff:ff:ff:ff"
    )


RULE = Rule(
    name="mac",
    what="hardware addresses",
    source="IEEE 802, EUI-48 and EUI-64 made of one; RFC 8415, section 11.2 (DUID-LLT), with colons or dashes",
    probes=(
        Probe(r":(?<=[0-9a-f]{2}:)(?:[0-9a-f]{2}:){4}", r":(?:[0-9a-f]{2}:){4}"),
        Probe(r"-(?<=[0-9a-f]{2}-)(?:[0-9a-f]{2}-){4}", r"-(?:[0-9a-f]{2}-){4}"),
    ),
    back=b"0123456789abcdefABCDEF",
    back_max=2,
    pattern=r"""(?<![0-9A-Za-z:-]) (?P<mac> [0-9A-Fa-f]{2} (?: (?: :[0-9A-Fa-f]{2}){5} (?: (?: :[0-9A-Fa-f]{2}){8} )?
        | :[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}:ff:fe(?: :[0-9A-Fa-f]{2}){3} | (?: -[0-9A-Fa-f]{2}){5} (?: (?:
          -[0-9A-Fa-f]{2}){8} )? ) ) (?![0-9A-Za-z:-])""",
    accept=_accept,
    removes=(
        ("ether 02:1a:2b:3c:4d:5e txqueuelen", "ether 00:00:00:00:00:01 txqueuelen"),
        ("Physical Address: 02-1A-2B-3C-4D-5E", "Physical Address: 00:00:00:00:00:01"),
        ("duid 00:01:00:01:2a:3b:4c:5d:02:1a:2b:3c:4d:5e", "duid 00:00:00:00:00:01"),
        ("eui 02:1a:2b:ff:fe:3c:4d:5e", "eui 00:00:00:00:00:01"),
    ),
    keeps=("10:11:12", "SHA1 aa:bb:cc:dd:ee:ff:00:11", "link/ether ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"),
)
