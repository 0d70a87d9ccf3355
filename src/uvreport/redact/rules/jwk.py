from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return b'"kty"' in match.string[max(0, match.start() - 4000) : match.end() + 4000]


RULE = Rule(
    name="jwk",
    what="the private numbers of a JSON web key",
    source="RFC 7517; RFC 7518, sections 6.2.2, 6.3.2 and 6.4",
    literals=('"d"', '"p"', '"q"', '"dp"', '"dq"', '"qi"', '"k"'),
    fold=False,
    pattern=r""" "(?:d|p|q|dp|dq|qi|k)" [ \t]{0,4} : [ \t]{0,4} " (?P<secret> [A-Za-z0-9_-]{16,2048} ) " """,
    accept=_accept,
    removes=(
        ('{"kty":"EC","d":"0123456789abcdefABCDEF","x":"abc"}', '{"kty":"EC","d":"redacted1","x":"abc"}'),
    ),
    keeps=('{"d": "0123456789abcdefABCDEF"}', '"k": "v"'),
)
