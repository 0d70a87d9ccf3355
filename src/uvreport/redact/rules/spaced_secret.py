from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule

_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


def _accept(match: re.Match[bytes]) -> bool:
    value, name = match.group("secret"), match.group("field")
    if names.is_nothing(value) or re.search(rb"[0-9]", value) is None:
        return False
    if re.search(
        rb"(?i)\.(?:whl|gz|zip|toml|json|py|lock|txt|exe|com|org|io|net)$|^[a-z]{2,10}-?v?[0-9][0-9.]*$",
        value,
    ):
        return False
    mixed = all(re.search(kind, value) for kind in (rb"[a-z]", rb"[A-Z]"))
    if re.fullmatch(rb"[A-Z][A-Z0-9]{1,30}(?:_[A-Z0-9]{1,30}){1,8}|[a-z]{2,20}(?:\.[a-z]{2,20}){1,4}", name):
        # A setting that is written with a space: `TWINE_PASSWORD x`, `npm.auth.token x`.
        return names.says_secret(name.decode()) and len(value) >= 8 and names.looks_random(value, 8)
    if name.lower() == b"key":
        return re.fullmatch(rb"(?:SK|[a-z]{2,8}[_-])[0-9a-f]{32,64}", value) is not None
    return (mixed and names.looks_random(value, 20)) or re.fullmatch(
        rb"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", value
    ) is not None


RULE = Rule(
    name="spaced-secret",
    what="a value that looks drawn by a machine after a word for a credential: `token X`, `TWINE_PASSWORD X`",
    source="how people, programs and .netrc-like files write it",
    literals=(
        "token ", "password ", "passwd ", "secret ", "passphrase ", "_key ", "api key ", "access key ", "key ",
        "apikey ", "_pat ", "credential ", "credentials ", "token: ", "twilio ", "token is ", "password is ",
    ),
    back=_NAME,
    back_max=80,
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_./-]) (?P<field> (?:[Aa][Pp][Ii]|[Aa]ccess|[Ss]ecret)[ ][Kk]ey | [A-Za-z0-9_.-]{3,100} )
        (?: [ ](?:is|was|of) | : )? [ ]{1,4} ["'`(]? (?P<secret> [A-Za-z0-9_.+/=~!$%^*\#-]{8,400} ) (?![A-Za-z0-9:@(\[])
    """,
    accept=_accept,
    removes=(
        ("got token 0123456789abcdefABCDEF back", "got token redacted1 back"),
        ("TWINE_PASSWORD 0sv!FSA4Uq!u", "TWINE_PASSWORD redacted1"),
        ("npm.auth.token 0123456789abcdefABCDEF", "npm.auth.token redacted1"),
        ("the api key is 0123456789abcdef0123456789abcdef", "the api key is redacted1"),
    ),
    keeps=(
        "token PyYAML-6.0.1-cp312-cp312-manylinux_2_17_x86_64.whl",
        "cache key 0123456789abcdef0123456789abcdef",
        "primary_key 12",
        "GITHUB_TOKEN not found in 0123",
        "secret secrets-manager-1.2.3",
        "SECRET_KEY 12",
    ),
)  # fmt: skip
