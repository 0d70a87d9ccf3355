from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = next(v for k, v in match.groupdict().items() if k.startswith("host") and v)
    return value.lower() not in (
        b"none",
        b"null",
        b"unset",
        b"localhost",
        b"unknown",
        b"lookup",
        b"not",
        b"command",
        b"com",
        b"kernel",
        b"version",
        b"release",
    )


RULE = Rule(
    name="host-field",
    what="host names where only a host name stands: hostname:, COMPUTERNAME=, uname -a, names that systems make up",
    source="hostname(1), uname(1), Windows set-up (DESKTOP-, LAPTOP-, WIN-), EC2 (ip-...), macOS sharing names",
    literals=(
        "hostname",
        "computername",
        "userdomain",
        "userdnsdomain",
        "logonserver",
        "linux ",
        "darwin ",
        "desktop-",
        "laptop-",
        "win-",
        "ip-",
        "macbook",
        "imac",
        ".local",
        "-mini",
        "nodename",
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-",
    back_max=64,
    pattern=r"""
        (?<![A-Za-z0-9_.-]) (?:
            (?:HOST_?NAME|COMPUTERNAME|USERDOMAIN|USERDNSDOMAIN|LOGONSERVER|nodename|Static[ ]hostname
            |Computer[ ]Name) ["']? [ \t]{0,3} [:=] [ \t]{0,3} ["'\\]{0,4}
                (?P<host> [A-Za-z0-9][A-Za-z0-9_.-]{0,252} )
          | (?:Linux|Darwin) [ ] (?P<host_2> [A-Za-z0-9][A-Za-z0-9_.-]{0,252} ) [ ] (?=
          [0-9]{1,3}\.[0-9]{1,3}\.[0-9] )
          | (?P<host_3> (?:DESKTOP|LAPTOP)-[A-Z0-9]{7,8} | WIN-[A-Z0-9]{11} ) (?![A-Za-z0-9])
          | (?P<host_4> ip-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3} (?:\.[a-z0-9-]{1,63}){0,4} )
          | (?P<host_5> [A-Za-z0-9-]{1,60}-(?:MacBook(?:-Pro|-Air)?|iMac|Mac-mini|Mac-Studio
          |Mac-Pro)(?:-[0-9]{1,3})?(?:\.local)? ) (?![A-Za-z0-9-])
          | (?P<host_6> [A-Za-z0-9][A-Za-z0-9-]{0,60}\.(?:local|lan|home\.arpa|localdomain|fritz\.box) ) (?=
          :[0-9]{2,5} | / ) )
    """,
    accept=_accept,
    removes=(
        ("hostname: zoes-box", "hostname: host1.invalid"),
        ("COMPUTERNAME=DESKTOP-9KQ2V7H", "COMPUTERNAME=host1.invalid"),
        ("Linux zoes-box 6.1.0-18-amd64 #1 SMP", "Linux host1.invalid 6.1.0-18-amd64 #1 SMP"),
        ("on Zoes-MacBook-Pro.local", "on host1.invalid"),
        ("http://nas.local:8080/simple", "http://host1.invalid:8080/simple"),
    ),
    keeps=(
        "hostname: localhost",
        "Linux kernel 6.1",
        "~/.local/bin",
        "threading.local",
        "desktop-file-utils",
        "win-amd64",
    ),
)
