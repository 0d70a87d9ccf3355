from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret").rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    try:
        decoded = base64.b64decode(value + b"=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return False
    return b":" in decoded and not any(byte < 0x20 or byte == 0x7F for byte in decoded)


RULE = Rule(
    name="basic",
    what="user and password of basic authentication outside its header",
    source="RFC 7617, section 2",
    literals=("basic",),
    pattern=r"""(?<![A-Za-z0-9]) basic [ \t:]{1,3} ["'`]? (?P<secret> [A-Za-z0-9+/_-]{4,4096} ={0,2} )""",
    accept=_accept,
    removes=(('HeaderValue("Basic dTpwYXNzd29yZA==")', 'HeaderValue("Basic redacted1")'),),
    keeps=("a basic example of use", "basic authentication is not configured", "Basic redacted1"),
)
