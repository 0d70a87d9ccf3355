from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re

_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


def _prompt(text: bytes, at: int) -> int:
    """Where the account name of a prompt begins, if an `@` stands shortly before on the same line."""
    begin = max(text.rfind(b"\n", max(0, at - 160), at) + 1, at - 160, 0)
    sign = text.rfind(b"@", begin, at)
    if sign < 0:
        return -1
    piece = text[begin:sign]
    return sign - (len(piece) - len(piece.rstrip(_NAME)))


def _accept(match: re.Match[bytes]) -> bool:
    user = match.group("user").decode("utf-8", "replace")
    return not (
        names.is_generic_user(user) and names.is_generic_user(match.group("host").decode("utf-8", "replace"))
    )


RULE = Rule(
    name="shell-prompt",
    what="account and host in the prompt of a shell that was pasted with the log",
    source="the default prompts of bash (Debian, Fedora, Arch), zsh and fish",
    literals=(":~", "]$ ", "]# ", " ~ %", "~> ", "$ uv", "# uv", "% uv", "$ pip", "$ python"),
    start=_prompt,
    pattern=r"""
        (?<![A-Za-z0-9_.@/:-]) (?P<user> [A-Za-z_][A-Za-z0-9_.-]{0,31} ) @ (?P<host> [A-Za-z0-9][A-Za-z0-9-]{0,62} )
        (?: \.(?:local|lan) )? (?: :[~/][^\s$\#%]{0,120} [$\#] [ ] | [ ][^\s\]]{1,60}\][$\#] [ ] |
          [ ][^\s%]{1,80}[ ][%$\#] [ ]
          | [ ]~[^\s>]{0,80}> [ ] )
    """,
    accept=_accept,
    removes=(
        ("zoe@zoesbox:~/x$ uv sync", "user@host1.invalid:~/x$ uv sync"),
        ("[zoe@zoesbox project]$ uv sync", "[user@host1.invalid project]$ uv sync"),
        ("zoe@Zoes-Box ~ % uv sync", "user@host1.invalid ~ % uv sync"),
    ),
    keeps=("root@ubuntu:~# uv sync", "git@github.com:a/b.git", "ruff@0.1 ~ x", "$ uvx ruff@latest check"),
)
