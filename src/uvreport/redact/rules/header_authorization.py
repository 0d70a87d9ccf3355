from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret") or match.group("secret_2") or b""
    return not names.is_nothing(value)


RULE = Rule(
    name="authorization-header",
    what="the value of an Authorization or Proxy-Authorization header, whatever the scheme",
    source="RFC 9110, section 11.6.2; IANA HTTP authentication schemes",
    literals=("authorization",),
    pattern=r"""
        authorization ["'`\]]{0,2} [ \t]{0,3} (?: => | [:=,] ) [ \t]{0,3} (?:[A-Za-z]{1,20}\()?[b]?
        (?: (?P<open>["'])? (?:digest|aws4-hmac-sha256|hawk|oauth|mac|signature|vapid|scram-[a-z0-9-]{1,20}
        |sigv4) [ \t]{1,3}
              (?P<secret> (?: \\[^\r\n] | (?(open) (?!(?P=open)) ) [^\r\n`\\] ){4,4096} )
          | ["'`\[(]{0,2}
            (?: [A-Za-z][A-Za-z0-9_-]{1,24} [ \t]{1,3} )? (?P<secret_2> [^\s"'`,;)\]}]{4,8192} ) )
    """,
    accept=_accept,
    removes=(
        ("Authorization: Bearer abcDEF123456", "Authorization: Bearer redacted1"),
        ("> authorization: token 0123abcd4567", "> authorization: token redacted1"),
        ('"Authorization": "Basic dTpwYXNzd29yZA=="', '"Authorization": "Basic redacted1"'),
        ("Proxy-Authorization: Negotiate YIIabc123", "Proxy-Authorization: Negotiate redacted1"),
        ('Authorization: Digest username="mufasa", response="6629fae4"', "Authorization: Digest redacted1"),
    ),
    keeps=(
        "authorization: Sensitive",
        "Authorization: ****",
        "DEBUG authorization failed for the index",
        "authorization: Bearer redacted1",
    ),
)
