from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _scheme(text: bytes, at: int) -> int:
    """Where the `://` before an `@` stands, if nothing that ends a URL is between them."""
    found = text.rfind(b"://", max(0, at - 640), at)
    return found if found >= 0 else -1


def _accept(match: re.Match[bytes]) -> bool:
    groups = match.groupdict()
    if any(value for name, value in groups.items() if name.startswith("secret")):
        return True
    account = next((v for name, v in groups.items() if name.startswith("account") and v), b"")
    return not names.is_login_word(account.decode("utf-8", "replace"))


# A password that is only said to be there, as uv, pip and git write it and as people ask for it.
_MASK = (
    r"(?: [*x.]{3,64} | (?:\xe2\x80\xa2){3,64} | \$\{[^}\s]{1,100}\} | \$[A-Z_]{3,60}"
    r" | \{[A-Za-z_.]{0,60}\} | %[A-Z_]{3,60}% )"
)

RULE = Rule(
    name="url-credentials",
    what="the user name and password of a URL",
    source="RFC 3986, section 3.2.1; what uv and git accept: a password may hold @, # and letters of any script",
    literals=("@",),
    start=_scheme,
    pattern=rf"""
        ://
        (?: (?: {_MASK} | (?P<account_4> [^\s/?\#@:"'`<>\\]{{1,256}} ) )? : {_MASK} (?=@)
          | (?P<secret_2> (?=[A-Za-z0-9_.~+-]{{0,200}}[0-9]) [A-Za-z0-9_.~%+=-]{{20,600}} ) :? (?=@)
          | (?P<account> [^\s/?\#@:"'`<>\\]{{1,256}} )? : (?P<secret> [^\s/"'`<>\\]{{1,512}} ) (?=@(?!/[^a-z?]))
          | (?P<account_2> [^\s/?\#@:"'`<>\\]{{1,256}} )? : (?! [0-9]{{1,5}} (?:[/?\#\s"'`]|$) )
                (?P<secret_3> [^\s"'`<>\\]{{1,512}} ) (?=@)
          | (?P<account_3> [^\s/?\#@:"'`<>\\]{{1,256}} ) :? (?=@) )
        @ (?= [A-Za-z0-9\[_%{{$*\x80-\xff-] | (?<=@)/[a-z?] )
    """,
    removes=(
        ("https://deploy:s3cr3t!x@host.example/simple", "https://account1:redacted1@host.example/simple"),
        (
            "https://__token__:s3cr3t!x@host.example/simple/",
            "https://__token__:redacted1@host.example/simple/",
        ),
        (
            "git+https://oauth2:tok9en@host.example/a.git@v1",
            "git+https://oauth2:redacted1@host.example/a.git@v1",
        ),
        ("redis://:hunter2@localhost:6379/0", "redis://:redacted1@localhost:6379/0"),
        ("https://deploy:a@b#c@host.example", "https://account1:redacted1@host.example"),
        ("https://deploy:a/b+c@host.example/x", "https://account1:redacted1@host.example/x"),
        ("https://ann:****@host.example/x", "https://account1:****@host.example/x"),
        ("postgres://ann:abc123@/db", "postgres://account1:redacted1@/db"),
        ("https://0123456789abcdef0123456789@host.example/x", "https://redacted1@host.example/x"),
        ("https://deploy:p%40ss%2F@host.example", "https://account1:redacted1@host.example"),
        (
            r'"https:\/\/svc:abc123@host.example\/simple"',
            r'"https:\/\/account1:redacted1@host.example\/simple"',
        ),
        (
            "r=https%3A%2F%2Fd:abc123%40host.example%2Fs",
            "r=https%3A%2F%2Faccount1:redacted1%40host.example%2Fs",
        ),
    ),
    keeps=(
        "ssh://git@host.example/a/b.git",
        "git+https://host.example/a/b@v1.2.3",
        "name @ https://host.example:8443/a@b/c",
        "https://host.example:8080/simple/a@1.0",
        "https://host.example/?to=a@b",
        "https://****:****@host.example/simple",
        "https://${USER}:${PASS}@host.example/simple",
        "https://$USER:$TOKEN@host.example/simple",
        "https://{user}:{password}@host.example",
    ),
)
