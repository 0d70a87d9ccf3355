from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = next(v for k, v in match.groupdict().items() if k.startswith("user") and v)
    return value.lower() not in (
        b"none",
        b"null",
        b"unset",
        b"not",
        b"is",
        b"true",
        b"false",
        b"self",
        b"str",
    )


RULE = Rule(
    name="user-field",
    what="account names where only an account name stands: USER=, uid=1000(...), ls -l",
    source="id(1), ls(1), environ(7), Windows' USERNAME and USERPROFILE",
    literals=(
        "user=",
        "groups=",
        "ssh ",
        "scp ",
        "sftp ",
        "rsync ",
        "mosh ",
        "ssh-copy-id ",
        "logname=",
        "username=",
        "uid=",
        "gid=",
        "sudo_user=",
        "rwx",
        "r--",
        "r-x",
        "rw-",
    ),
    pattern=r"""
        (?: (?<![A-Za-z0-9_&?.-]) (?:SUDO_)?(?:USER|LOGNAME|USERNAME) = ["']? (?P<user> [^\s"'`;&,]{1,64} )
        (?=["']?\s|["']?$)
          | (?<![A-Za-z0-9_]) [ug]id=[0-9]{1,10}\( (?P<user_2> [^)\s]{1,64} ) \)
          | (?<![A-Za-z0-9_]) groups=[0-9]{1,10}\( (?P<user_5> [^)\s]{1,64} ) \)
          | (?:^|(?<=[\s;|&`$])) (?:ssh|scp|sftp|rsync|mosh|ssh-copy-id) [ ] [^\r\n;|&@]{0,80}? (?<![^\s"'=])
            (?P<user_6> [A-Za-z_][A-Za-z0-9_.-]{0,31} ) @ (?P<host> [A-Za-z0-9][A-Za-z0-9-]{0,62} ) (?= [:\s"'`] | $ )
          | [rwxsStT-]{3,9} [.+@]? [ ]{1,4} [0-9]{1,6} [ ]{1,8} (?P<user_3> [A-Za-z_][A-Za-z0-9_.@-]{0,63} ) [ ]{1,12}
            (?P<user_4> [A-Za-z_][A-Za-z0-9_.@^-]{0,63} ) [ ]{1,14} [0-9]{1,14} [ ] )
    """,
    fold=False,
    accept=_accept,
    removes=(
        ("uid=1000(zoe) gid=1000", "uid=1000(user) gid=1000"),
        ("USER=zoe", "USER=user"),
        ("uid=1(zoe) gid=1(zoe) groups=1(zoe)", "uid=1(user) gid=1(user) groups=1(user)"),
        ("scp x zoe@zoesbox:/x", "scp x user@host1.invalid:/x"),
        ("drwxr-xr-x 2 zoe users 64 .venv", "drwxr-xr-x 2 user users 64 .venv"),
    ),
    keeps=(
        "USER=root",
        "uid=0(root) gid=0(root)",
        "?user=zoe&x=1",
        "ssh git@github.com",
        "drwxr-xr-x 2 root root 64 .venv",
    ),
)
