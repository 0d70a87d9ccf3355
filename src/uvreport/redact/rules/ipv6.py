from __future__ import annotations

import ipaddress
import re

from uvreport.redact.rule import Probe, Rule


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("ipv6").decode()
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address in _DISCARD:
        return False
    # `x[10::2]` and `be::fade` parse as addresses: one has a long group and a digit, or eight groups.
    groups = [group for group in value.split(":") if group]
    return (len(groups) == 8 and any(len(g) > 2 for g in groups)) or (
        any(len(g) == 4 for g in groups) and re.search(r"[0-9]", value) is not None
    )


_DISCARD = ipaddress.IPv6Network("100::/64")

RULE = Rule(
    name="ipv6",
    what="IPv6 addresses other than loopback",
    source="RFC 4291, RFC 5952",
    probes=(
        Probe(r"::(?<![g-z.:]::)(?![g-z:])", "::"),
        Probe(r":(?<=[0-9a-f]:)(?:[0-9a-f]{1,4}:){6}[0-9a-f]", r":(?:[0-9a-f]{1,4}:){6}[0-9a-f]"),
    ),
    back=b"0123456789abcdefABCDEF:",
    back_max=39,
    pattern=r"""(?<![0-9A-Za-z:.]) (?P<ipv6> (?:[0-9A-Fa-f]{1,4})? (?: :{1,2} [0-9A-Fa-f]{1,4} ){1,7} (?:::)? |
        [0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6}:: ) (?![0-9A-Za-z:])""",
    accept=_accept,
    removes=(
        ("connect to [2a02:1:2:3:4:5:6:7]:443", "connect to [100::1]:443"),
        ("inet6 fe80::1a2b:3c4d:5e6f:1 prefixlen 64", "inet6 100::1 prefixlen 64"),
        ("peer 2001:db8::12ab", "peer 100::1"),
    ),
    keeps=(
        "at 10:23:45",
        "listening on ::1",
        "std::io::Error",
        "a[1::2]",
        "uv::client",
        "100::1",
        "00:00:00:00:00:01",
    ),
)
