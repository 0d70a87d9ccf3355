from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    return not names.is_nothing(value) and not (value.isdigit() and len(value) <= 6)


RULE = Rule(
    name="flag-login",
    what="`user:password` after -u or --user, as curl, wget and http take it",
    source="curl(1), --user and --proxy-user",
    literals=(" -u", "'-u'", '"-u"', "--user", "--proxy-user", "--auth", " -a ", "'-a'", '"-a"'),
    pattern=r"""
        [ "']? (?<![^\s"'\[,(]) (?: -[uaU] | --user | --proxy-user | --auth ) (?: [ \t]{1,3}["']? | =["']? |
        ["'][ \t]{0,2},[ \t]{0,2}["'] )?
        (?P<account> [A-Za-z0-9_.@%+\\][A-Za-z0-9_.@%+\\-]{0,127} ) : (?P<secret> [^\s"'`/:][^\s"'`]{0,1023} )
    """,
    accept=_accept,
    removes=(
        ("curl -u admin2:hunter2 https://h.example", "curl -u account1:redacted1 https://h.example"),
        ("curl --user=bob:x1y2 h", "curl --user=account1:redacted1 h"),
    ),
    keeps=("docker run -u 1000:1000 image", "pip install -U six", "sort -u a.txt"),
)
