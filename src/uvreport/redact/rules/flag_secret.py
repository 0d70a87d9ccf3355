from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    name = match.group("flag").decode()
    return (
        names.says_secret(name)
        and not names.is_nothing(value)
        and value.upper() != match.group("flag").upper()
    )


RULE = Rule(
    name="flag-secret",
    what="the value of a command-line flag whose name says password, token, key or secret",
    source="the flags of uv, pip, twine, docker, gh, aws, az and others",
    literals=("--",),
    not_after="[a-z0-9-]",
    follows="[a-z][a-z0-9_-]{2}",
    pattern=r"""
        (?<![A-Za-z0-9-]) -- (?P<flag> [A-Za-z][A-Za-z0-9_-]{2,40} )
        (?: =["']? | ["'] [ \t]{0,2} , [ \t]{0,2} [b]?["'] | [ \t]{1,4} ["']? )
        (?P<secret> [^\s"'`] [^\s"'`]{0,4095} (?<![,)\]]) )
    """,
    accept=_accept,
    removes=(
        ("$ uv publish --username u --password hunter2", "$ uv publish --username u --password redacted1"),
        ("argv: uv publish --token=abc123 dist/*", "argv: uv publish --token=redacted1 dist/*"),
        ("['uv', 'publish', '--password', 'hunter2']", "['uv', 'publish', '--password', 'redacted1']"),
        ('["--client-secret", "abc"]', '["--client-secret", "redacted1"]'),
    ),
    keeps=(
        "--token <TOKEN>  The token for the upload",
        "--password-stdin",
        "--keyring-provider subprocess",
        "uv publish --token",
        "--password --username x",
        "--token TOKEN",
    ),
)
