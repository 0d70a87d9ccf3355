from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    found = match.groupdict()
    value = next(v for k, v in found.items() if k.startswith("secret") and v)
    if names.is_nothing(value):
        return False
    if found["field"]:
        return names.says_secret(found["field"].decode())
    return (found["secret_5"] is None and found["secret_11"] is None) or names.looks_random(value, 6)


RULE = Rule(
    name="called-secret",
    what='secrets handed to a call: `setenv("X_TOKEN", ...)`, `HTTPBasicAuth(u, ...)`, `auth=(u, ...)`, `::add-mask::`',
    source="Python's os, pytest, requests, httpx and keyring; .NET; GitHub's workflow commands; "
    "Vault's command line; sshpass(1)",
    literals=(
        "env(",
        "variable(",
        "setdefault(",
        "set_password(",
        "auth(",
        "auth=(",
        "password(",
        "secretstring(",
        "::add-mask::",
        "::set-output",
        "vault login",
        "sshpass=",
        "keyring set",
        "psk=",
        "assword for ",
        "assphrase for ",
    ),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.",
    back_max=40,
    pattern=r"""
        (?<![A-Za-z0-9_]) (?:
            [a-z_.]{0,40}env[a-z_.]{0,30} \( [ ]{0,4} ["'] (?P<field> [A-Z][A-Z0-9_]{2,100} ) ["'] [ ]{0,4} , [ ]{0,4}
              ["'] (?P<secret> [^"'\r\n]{1,1024} ) ["']
          | [a-z_.]{0,40}set_password \( [ ]{0,4} ["'][^"'\r\n]{1,200}["'] [ ]{0,4} , [ ]{0,4}
            ["'][^"'\r\n]{1,200}["'] [ ]{0,4} , [ ]{0,4}
              ["'] (?P<secret_2> [^"'\r\n]{1,1024} ) ["']
          | (?: [a-z_.]{0,30}(?:Basic|Digest|Proxy)Auth[a-z]{0,16} \( | (?:[a-z_]{0,20}_)?auth=\( ) [ ]{0,4}
              ["'] (?P<account> [^"'\r\n]{1,200} ) ["'] [ ]{0,4} , [ ]{0,4} ["'] (?P<secret_3>
                [^"'\r\n]{1,1024} ) ["'] [ ]{0,4} ,? [ ]{0,4} \)
          | (?:Password|SecretString) \( [ ]{0,4} ["'] (?P<secret_4> [^"'\r\n]{4,1024} ) ["'] [ ]{0,4} \)
            (?=[ ]{0,4}(?:[,)\]}\s]|$))
          | vault[ ]login (?:[ ]-[a-z-]{1,20}(?:=[^\s]{1,60})?){0,4} [ ] (?:token=)? (?P<secret_5> (?!-) [^\s"'`=]{8,200} )
          | SSHPASS= ["']? (?P<secret_6> [^\s"'`]{3,256} )
          | keyring[ ]set [ ] [^\s<]{1,200} [ ] [^\s<]{1,200} [ ]? <<<[ ]? ["']? (?P<secret_7> [^\s"'`]{3,256} )
          | psk= ["']? (?P<secret_9> [^\s"'`]{8,64} ) )
      | Pass(?:word|phrase)[ ]for[ ] [^\r\n:]{0,80} (?:https?://[^\s:'"]{1,200})? ['"]? : [ ]
        (?P<secret_11> [^\s"'`]{6,256} ) (?=[ \t]{0,4}(?:[\r\n]|$))
      | ::add-mask:: (?P<secret_8> [^\s]{3,1024} )
      | ::set-output[ ]name=[A-Za-z0-9_-]{0,40}(?:token|password|passwd|secret|key) :: (?P<secret_10> [^\s]{3,1024} )
    """,
    accept=_accept,
    removes=(
        (
            'os.environ.setdefault("ACME_SECRET", "abc123")',
            'os.environ.setdefault("ACME_SECRET", "redacted1")',
        ),
        (
            '[Environment]::SetEnvironmentVariable("X_TOKEN", "abc123", "User")',
            '[Environment]::SetEnvironmentVariable("X_TOKEN", "redacted1", "User")',
        ),
        ("keyring.set_password('svc', 'ann', 'abc123')", "keyring.set_password('svc', 'ann', 'redacted1')"),
        ("HTTPBasicAuth('ann7', 'abc123')", "HTTPBasicAuth('account1', 'redacted1')"),
        ("auth=('ann7', 'abc123')", "auth=('account1', 'redacted1')"),
        ("::add-mask::abc123", "::add-mask::redacted1"),
        ("Password for 'https://bot@h.example': abc123", "Password for 'https://bot@h.example': redacted1"),
        ("vault login 0123456789abcdef", "vault login redacted1"),
        ("SSHPASS=abc123 sshpass -e ssh h", "SSHPASS=redacted1 sshpass -e ssh h"),
    ),
    keeps=(
        'os.environ.get("ACME_TOKEN", "")',
        'monkeypatch.setenv("UV_CACHE_DIR", "cache")',
        "::add-mask::***",
        "Password for 'https://h.example': ",
        "Password for 'https://h.example': rejected",
        "vault login -method=userpass",
        'Field("password", "string")',
        "auth=('user', 'password')",
    ),
)
