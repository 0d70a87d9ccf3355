from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="passwd-entry",
    what="the account and the full name of a line of a passwd file, and the machine's part of a Windows account's SID",
    source="passwd(5), getent(1); Microsoft, security identifiers",
    literals=(":x:", ":*:", "s-1-5-21-"),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-",
    back_max=64,
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_.@/-]) (?:
            (?P<user> [A-Za-z0-9_][A-Za-z0-9_.-]{0,63} ) :[x*]: [0-9]{3,10} : [0-9]{1,10} :
              (?P<name> [^:,\r\n]{3,100} )? [^:\r\n]{0,100} : /
          | S-1-5-21- (?P<secret> [0-9]{6,10}-[0-9]{6,10}-[0-9]{6,10} ) )
    """,
    removes=(
        ("zoe:x:1000:1000:Zoe Quist,,,:/srv/x:/bin/sh", "user:x:1000:1000:Person 1,,,:/srv/x:/bin/sh"),
        ("SID S-1-5-21-1180699209-877415012-3182924384-1001", "SID S-1-5-21-redacted1-1001"),
    ),
    keeps=("root:x:0:0:root:/root:/bin/bash", "S-1-5-32-544", "a:x:b"),
)
