from __future__ import annotations

import re

from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    return value.startswith(b"TlRMTVNTUA") or all(
        re.search(kind, value) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9+/=]")
    )


RULE = Rule(
    name="negotiate",
    what="Kerberos and NTLM tokens, sent or answered",
    source="RFC 4559, section 4; MS-NTHT",
    literals=("negotiate ", "ntlm ", "kerberos ", "tlrmtvntua"),
    pattern=r"""(?<![A-Za-z0-9]) (?: (?:negotiate|ntlm|kerberos)[ ]{1,2} )? (?P<secret> [A-Za-z0-9+/]{16,16384}={0,2} )
        (?![A-Za-z0-9_.-])""",
    accept=_accept,
    removes=(
        ("WWW-Authenticate: Negotiate oYG2MIGzoAMKAQChCwYJ", "WWW-Authenticate: Negotiate redacted1"),
        ("sent TlRMTVNTUAADAAAAGAAYAHIA", "sent redacted1"),
    ),
    keeps=("WWW-Authenticate: Negotiate", "Negotiate authentication", "NTLM is not supported"),
)
