from __future__ import annotations

import re

from uvreport.redact.rule import Rule

_FILES = frozenset(
    b"whl gz tgz zip tar bz2 xz zst png jpg jpeg gif svg ico css js ts html htm json toml yaml yml txt md rst lock git "
    b"exe dll so dylib pyd py pyc cfg ini log rs c h cpp sh bat ps1 egg conf service socket timer mount".split()
)


# What the manuals write for somebody's address.
_NOBODY = frozenset(b"user username you your me name email someone somebody foo bar test admin info".split())


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("email")
    local, _, domain = value.lower().replace(b"%40", b"@").partition(b"@")
    labels = domain.split(b".")
    if labels[-1] in _FILES and len(labels) < 3:
        return False
    if local in _NOBODY and domain in (b"example.com", b"example.org", b"example.net"):
        return False
    if local in (b"git", b"hg", b"svn") or domain.endswith(b".invalid"):
        return False
    # The user name and password of a URL: `://a:b@host`, whose rule knows more.
    text = match.string
    left = text.rfind(b"://", max(0, match.start() - 300), match.start())
    return left < 0 or re.search(rb"[\s/\"'<>,=?&|]", text[left + 3 : match.start()]) is not None


RULE = Rule(
    name="email",
    what="e-mail addresses",
    source="RFC 5321 and 5322, the addresses people have",
    literals=("@",),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+'-" + bytes(range(0x80, 0x100)),
    back_max=64,
    pattern=r"""
        [.'%+-]{0,64} (?P<email> [A-Za-z0-9_\x80-\xff] [A-Za-z0-9_.%+'\x80-\xff-]{0,63} @
        (?: [A-Za-z0-9\x80-\xff] [A-Za-z0-9\x80-\xff-]{0,62} \. ){1,8} (?: xn--[A-Za-z0-9-]{2,59} |
        [A-Za-z]{2,24} ) ) (?![A-Za-z0-9_-])
    """,
    accept=_accept,
    removes=(
        ("Author-email: ann.b2@corp.example", "Author-email: person1@example.invalid"),
        ("Committer <ann@x.co.uk>", "Committer <person1@example.invalid>"),
        ("mailto:ann%40corp.example", "mailto:person1%40example.invalid"),
        ("ann@xn--bcher-kva.example: bounced", "person1@example.invalid: bounced"),
    ),
    keeps=(
        "git@github.com:astral-sh/uv.git",
        "$ uvx ruff@0.1.2",
        "lib.git@v1.2.3",
        "requests[socks] @ https://h.example/x.zip",
        "actions/checkout@v4.whl",
        "person1@example.invalid",
        "font@2x.png",
        "user@example.com",
    ),
)
