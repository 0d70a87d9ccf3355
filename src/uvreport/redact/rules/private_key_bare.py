from __future__ import annotations

import re

from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    return re.search(rb"[0-9]", match.group("block")) is not None


RULE = Rule(
    name="private-key-bare",
    what="the base64 of a private key without the lines that frame it",
    source="minisign(1); .NET, RSAKeyValue; how DER of RFC 8017, 5915, 5958 and 8410 begins in "
    "base64; OpenSSH PROTOCOL.key (openssh-key-v1)",
    literals=(
        "mii",
        "mhccaqee",
        "mhqcaqee",
        "mig",
        "mc4caqawbqydk2v",
        "b3blbnnzac1rzxktdje",
        "rwrty0iy",
        "<d>",
    ),
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9+/]) (?: <D> )? (?P<block>
            (?: MII[A-Za-z0-9+/]{3}IBA[AD] | MH[cQ]CAQEE | MIGkAgEBB | MIG[A-Za-z0-9+/]AgEAMB[A-Z]GByqGSM49
              | MI[A-Za-z0-9+/]{2,6}BgkqhkiG9w0BBQ | MC4CAQAwBQYDK2V | RWRTY0Iy | (?<=<D>)(?=[^<\s]{24}) |
                b3BlbnNzaC1rZXktdjE )
            [A-Za-z0-9+/]{24,24000} (?: \r?\n [ \t]{0,8} [A-Za-z0-9+/]{16,100} ){0,200}
            (?: \r?\n [ \t]{0,8} [A-Za-z0-9+/]{2,100} (?==) )? ={0,2} )
    """,
    accept=_accept,
    removes=(
        (
            "data MIIEvQIBADANBgkqhkiG9w0BAQEFAASC0123456789abcdef\n0123456789abcdef0123456789abcdef\nend",
            "data redacted1\nredacted2\nend",
        ),
        ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAA01", "redacted1"),
    ),
    keeps=(
        "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJRTESMBAG",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0123456789abcdef",
        "migrate==1.0",
    ),
)
