from __future__ import annotations

import re

from uvreport.redact.rule import Probe, Rule

# What stands before a version and never before an address: operators, `v`, a wheel's dash.
_VERSION_BEFORE = re.compile(
    rb"(?ix) (?: [=<>!~]=[ ]?["
    rb"\"']? | [<>~^][ ]?[\"']? | (?<![a-z])v\.? | [a-z0-9_]-  | @ | [+]"
    rb"| (?:version|release|ver|revision|build|bundle)[a-z_]{0,12}[\"']?[ ]?[:=]?[ ]?[\"']? | -> [ ]? | , [ ]?[<>!=~]{1,2}"
    rb"| [a-z][a-z0-9_.-]{1,60}[ ] (?:\([ ]?)? ) $"
)
_NETWORK_BEFORE = re.compile(
    rb"""(?ix)
    (?: :// | @
      | (?:^|[^a-z]) (?: inet6?|addr(?:ess)?|ip(?:v4)?|peer|host|from|to|at|via|dns|gateway|gw|server|proxy|src|dst|dev
          | connect(?:ing|ed)?(?:[ ]to)?|listen(?:ing)?(?:[ ]on)?|error:|on|client|remote|local|bind|trusted-host
          | nameserver|route|ping|ssh|resolved?|no_proxy|http_proxy|https_proxy
          | [a-z_]{0,20}(?:host|addr|ip|server|peer|proxy) )
        ["']? [ :=]{0,3} ["'(\[]{0,2} ) $
    """
)


_NO_VERSION = frozenset(b"[ ] ) { } ; , / | &".split())  # what none of the alternatives above ends with


def _may_end_a_word(before: bytes) -> bool:
    """Whether `_NETWORK_BEFORE` has a chance: asked first because it tries every place of what stands before."""
    last = before.rstrip(b" :=\"'([")[-1:]
    return before[-1:] in (b"/", b"@") or last.isalpha() or last in (b"4", b"6")


def _accept(match: re.Match[bytes]) -> bool:
    octets = [int(part) for part in match.group("ipv4").split(b".")]
    if any(octet > 255 for octet in octets) or any(
        len(p) > 1 and p[:1] == b"0" for p in match.group("ipv4").split(b".")
    ):
        return False
    first = octets[0]
    if first in (0, 127, 240) or first >= 224:
        return False
    before = match.string[max(0, match.start() - 70) : match.start()]
    before = before[before.rfind(b"\n") + 1 :]
    after = match.string[match.end() : match.end() + 12]
    network = (_may_end_a_word(before) and _NETWORK_BEFORE.search(before) is not None) or re.match(
        rb":[0-9]{2,5}\b|/[0-9]{1,2}\b(?![./])", after
    ) is not None
    private = (
        first == 10
        or octets[:2] == [192, 168]
        or (first == 172 and 16 <= octets[1] <= 31)
        or octets[:2] == [169, 254]
    )
    if network:
        return re.search(rb"(?i)version[\"']?[ ]?[:=]?[ ]?[\"']?$|[=<>!~]=[ ]?[\"']?$", before) is None
    if re.match(
        rb"[.]?(?:dev|post|rc|a[0-9]|b[0-9]|[+-][A-Za-z0-9])|\.(?:whl|tar|zip)|[ ]?[,)]?[ ]?[<>!~=]=", after
    ):
        return False
    if before[-1:] not in _NO_VERSION and _VERSION_BEFORE.search(before):
        # `pkg 10.2.3.4` is a version, `from 10.2.3.4` would have been known as a network word.
        return private and re.search(rb"[a-z][ ]\(?$", before) is not None and max(octets) > 60
    return private or max(octets) > 30


RULE = Rule(
    name="ipv4",
    what="IPv4 addresses other than loopback, multicast and broadcast; versions of four parts stay",
    source="RFC 791, RFC 1918, RFC 6890; PEP 440 for what versions look like and where they stand",
    # Where an address begins: up to three digits after what is neither a digit nor a dot.
    probes=(
        Probe(
            r"\.(?<=[0-9]\.)(?:(?<![0-9.][0-9]\.)|(?<=[0-9]{2}\.)(?<![0-9.][0-9]{2}\.)|(?<=[0-9]{3}\.)(?<![0-9.][0-9]{3}\.))"
            r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
            r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        ),
    ),
    back=b"0123456789",
    back_max=3,
    pattern=r"""(?<![0-9.]) (?<![A-Za-z_]) (?P<ipv4> [0-9]{1,3}(?:\.[0-9]{1,3}){3} ) (?! [0-9A-Za-z_] | \.[0-9*] )""",
    accept=_accept,
    removes=(
        ("connect to 10.1.2.3:443 failed", "connect to 240.0.0.1:443 failed"),
        ("http://81.2.69.142/simple", "http://240.0.0.1/simple"),
        ("inet 192.168.7.8/24 brd", "inet 240.0.0.1/24 brd"),
        ("peer=81.2.69.142", "peer=240.0.0.1"),
        ("[10.1.2.3]", "[240.0.0.1]"),
        ("no_proxy=10.9.8.7,localhost", "no_proxy=240.0.0.1,localhost"),
    ),
    keeps=(
        "types-pywin32==306.0.0.20240101",
        "click-plugins>=1.1.1.2",
        "lgpio-0.2.2.0-py3-none-any.whl",
        'version = "10.2.3.4"',
        "127.0.0.1:8000 and 0.0.0.0",
        "Version: 5.6.7.8",
        " + lgpio==0.2.2.0",
        "lgpio v10.2.2.0",
        "Python 3.11.0.1",
    ),
)
