from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    return not names.is_nothing(value) and (len(value) >= 24 or re.search(rb"[0-9]", value) is not None)


RULE = Rule(
    name="bearer",
    what="a bearer token outside its header",
    source="RFC 6750, section 2.1 (b64token)",
    literals=("bearer",),
    pattern=r"""(?<![A-Za-z0-9]) bearer (?:[ \t]{1,3}|%20|[:=][ \t]{0,2}) ["'`]{0,1} (?P<secret>
        [A-Za-z0-9._~+/=-]{8,8192} )""",
    accept=_accept,
    removes=(
        ('HeaderValue("Bearer abcDEF123456")', 'HeaderValue("Bearer redacted1")'),
        ("sent bearer: abcDEF123456", "sent bearer: redacted1"),
    ),
    keeps=("uses a Bearer authentication scheme", "bearer tokens are not supported", "forbearer 12345678"),
)
