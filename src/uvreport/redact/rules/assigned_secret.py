from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule

_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"


def _accept(match: re.Match[bytes]) -> bool:
    value = next((v for k, v in match.groupdict().items() if k.startswith("secret") and v), b"")
    name = match.group("field").decode("utf-8", "replace")
    if names.is_nothing(value.rstrip(b",;:.)]}")) or value.startswith(
        b"-----"
    ):  # a key, which has its own rule
        return False
    if (match.group("sep") or b"").strip() == b"->" and not names.looks_random(value, 8):
        return False  # code: what a function gives back
    bare = match.group("secret_3")
    if bare is not None and re.fullmatch(
        rb"[a-z_]{2,30}(?:\.[a-z_]{2,30}){0,3}\." + re.escape(match.group("field")), bare
    ):
        return False  # code: `api_key=settings.api_key`
    if match.group("xml") is not None and match.string[match.end() : match.end() + 2] != b"</":
        return False
    if re.match(rb"[a-z_]{1,40}=[\"']?", value) and match.group("secret_3"):
        return False  # code: `secret = Secret(name="x")`
    if names.says_secret(name) and "authorization" not in name.lower():
        if bare is not None and (match.group("sep") or b"").strip() == b":" and match.group("gap"):
            # Prose: `token: expired since Monday`. A value of one word that ends the line is a setting.
            rest = match.string[match.end() : match.end() + 2]
            return not bare.isalpha() or rest[:1] in (b"", b"\n", b"\r")
        return True
    return (
        names.hints_secret(name)
        and "authorization" not in name.lower()
        and names.looks_random(value, 20)
        and not _HARMLESS.search(match.group("field"))
    )


_HARMLESS = re.compile(
    rb"(?i)(?:hash|digest|sha|md5|checksum|etag|url|uri|path|file|dir|name|id|version|author|keyword)s?$"
)

RULE = Rule(
    name="assigned-secret",
    what="values assigned to a name that says password, token, key or secret: variables, TOML, JSON, YAML, XML, headers",
    source="names by facts about uv's own variables and by the last words of the name; see redact/names.py",
    literals=(
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "credential",
        "creds",
        "auth",
        "jwt",
        "_pat",
        "otp",
        "_pw",
        "sessionid",
        "sessid",
        "kubeconfig",
        "art-api",
        "honeycomb-team",
    ),
    back=_NAME,
    back_max=100,
    follows=r"""(?=([a-z0-9_.-]{0,140}))\1(?:["'`\]]{0,2}[ \t]{0,24}(?:[=:]|->)|["'`]?[ \t]{1,2}value|>)""",
    pattern=r"""
        (?<![A-Za-z0-9_]) (?<!//) (?<!\\/) (?P<field> [A-Za-z0-9_.-]{2,140} )
        (?: ["'`]? [ \t]{1,2} value [ \t]{0,2} = [ \t]{0,2} (?=["']) (?P<sep_2>)
          | > (?=[^<\s]) (?P<xml>)
          | ["'`\]]{0,2} (?P<sep> [ \t]{0,24} (?: => | := | -> | = (?!=) | :(?![:/]) ) )
            (?P<gap>[ \t]{0,24}) (?: ![!a-z]{0,12} [ ] )? )
        (?: (?:Some|Ok|Secret|SecretString|Token|Password|Str|String|Cow|Borrowed|Owned|Just|ENC)\( ){0,2} (?:
        [bruf]{1,2}(?=["']) )?
        (?: \"\"\" \\? (?:\r?\n)? (?P<secret_4> (?: (?!\"\"\") [^\r\n] ){1,8192} )
          | \'\'\' (?:\r?\n)? (?P<secret_5> (?: (?!\'\'\') [^\r\n] ){1,8192} )
          | (?: [|>][+-]?[0-9]? | \\ ) [ \t]{0,8} \r?\n [ \t]{1,40} (?P<secret_6> [^\s] [^\r\n]{0,8192} )
          | ` (?P<secret_7> [^`\r\n]{1,8192} ) `
          | " (?P<secret> (?: [^"\\\r\n] | \\[^\r\n] ){1,8192} ) (?=")
          | " (?P<secret_8> [^"\r\n]{1,8192} )
          | ' (?P<secret_2> [^'\r\n]{1,8192} )
          | (?P<secret_3> (?: (?!;[ ]?[A-Za-z][A-Za-z ]{0,30}=) (?!</) [^\s"'`&] ){1,8192} (?<![,;]) ) )
    """,
    accept=_accept,
    removes=(
        ("DB_PASSWORD=hunter2", "DB_PASSWORD=redacted1"),
        ("export API_KEY='abc123'", "export API_KEY='redacted1'"),
        ('declare -x CI_JOB_TOKEN="a b c"', 'declare -x CI_JOB_TOKEN="redacted1"'),
        ('"clientSecret": "abc"', '"clientSecret": "redacted1"'),
        ("X-Vault-Token: hvx123", "X-Vault-Token: redacted1"),
        ("//npm.example/:_authToken=abc123", "//npm.example/:_authToken=redacted1"),
        ("passwd: swordfish", "passwd: redacted1"),
        (
            "AccountName=a;AccountKey=abc+/==;EndpointSuffix=x",
            "AccountName=a;AccountKey=redacted1;EndpointSuffix=x",
        ),
        ("<password>abc123</password>", "<password>redacted1</password>"),
        ('password: Some("abc123")', 'password: Some("redacted1")'),
        ('password="ab\\\\"cd12"', 'password="redacted1"'),
        ("password: |\n  abc123", "password: |\n  redacted1"),
        ("password = '''\nabc123\n'''", "password = '''\nredacted1\n'''"),
        ("password=`abc123`", "password=`redacted1`"),
        ("password: !!str abc123", "password: !!str redacted1"),
        ("token -> Mz7RII2U04wWY", "token -> redacted1"),
        ("Fastly-Key: 0123456789abcdefABCDEF", "Fastly-Key: redacted1"),
        ("client-key-data: 0123456789abcdefABCDEF==", "client-key-data: redacted1"),
        ("SECRET_KEY_BASE=abc", "SECRET_KEY_BASE=redacted1"),
        ('"auth": "Y2k6cGFzc3dvcmQx"', '"auth": "redacted1"'),
    ),
    keeps=(
        "token_count = 5",
        "password prompt disabled",
        "keyring_provider: Disabled",
        "secret scanning: off",
        "authentication policy auto",
        "env: UV_PUBLISH_TOKEN unset",
        "[env: UV_PUBLISH_PASSWORD=]",
        "secrets-manager==1.2.3",
        "token-bucket (>=4.1)",
        "passlib>=1.0",
        'cache-keys = [{ file = "pyproject.toml" }]',
        "UV_KEYRING_PROVIDER=subprocess",
        'password = os.environ["X"]',
        "TOKEN=$GITHUB_TOKEN",
        "password=****",
        'authors = [{ name = "A" }]',
        'authenticate = "always"',
        'keywords = ["password", "token"]',
        "token: expired since Monday",
        "PASSWORD_FILE=/run/secrets/x",
        'secret = Secret(name="x")',
        "https://__token__:<token>@host.invalid",
        "api_key=settings.api_key",
        "token -> Result",
        "DEPLOY_KEY=-----BEGIN",
        "token=[REDACTED]",
        "CACHE_KEY=0123456789abcdefABCDEF0123456789",
        "Idempotency-Key: 0123abcd-4567-89ef-0123-456789abcdef",
    ),
)
