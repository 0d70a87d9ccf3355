from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return not names.is_nothing(match.group("secret"))


RULE = Rule(
    name="echoed-secret",
    what="what is piped as a password to a command that reads one from standard input",
    source="docker-login(1), gh auth login, uv auth login, sudo(8) -S, their manuals",
    literals=("echo ", "printf "),
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?:echo|printf) [ ] (?:-[ne]{1,2}[ ])? ["']? (?P<secret> [^\s"'`$|][^\s"'`|]{3,1023} )
          ["']? [ ]? \| [ ]?
        (?: [^\r\n|]{0,200} (?:--password-stdin|--with-token|--password[ =]-|-S\b|--passphrase-fd)
          | (?:sudo[ ]-S|uv[ ]auth|vault[ ]login|gh[ ]auth|passwd|chpasswd|cryptsetup|kinit)\b )
    """,
    accept=_accept,
    removes=(
        ("echo abc123 | docker login -u ann --password-stdin", "echo redacted1 | docker login -u ann --password-stdin"),
        ("echo 'abc123' | sudo -S true", "echo 'redacted1' | sudo -S true"),
    ),
    keeps=("echo $TOKEN | docker login --password-stdin", "echo six | xargs uv add"),
)  # fmt: skip
