from __future__ import annotations

import re

from uvreport.redact.rule import Rule

_TEAM = re.compile(
    rb"(?i)\b(?:bots?|contributors|teams?|authors|developers|foundation|project|community|group|labs?|inc|ltd|support|software)\b"
)
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,'\"- " + bytes(range(0x80, 0x100))


def _name(text: bytes, at: int) -> int:
    """Where the name before `<address@` begins."""
    bracket = text.rfind(b"<", max(0, at - 66), at)
    if bracket < 2 or text[bracket - 1 : bracket] != b" ":
        return -1
    piece = text[max(0, bracket - 90) : bracket]
    name = piece[len(piece.rstrip(_LETTERS)) :]
    return bracket - len(name.lstrip(b" ,.'-"))


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("name")
    return (b" " in value or b"," in value) and _TEAM.search(value) is None and b"Person" not in value


RULE = Rule(
    name="name-and-address",
    what="the name of a person before their address in angle brackets, as mail, METADATA and `authors` have it",
    source="RFC 5322, section 3.4; core metadata, Author-email",
    literals=("@",),
    start=_name,
    fold=False,
    pattern=r"""["]? (?P<name> [A-Z\x80-\xff][A-Za-z\x80-\xff.'-]{0,40}
        (?: ,?[ ][A-Z\x80-\xff][A-Za-z\x80-\xff.'-]{0,40} ){1,4} )
        ["]? [ ] <[^\s<>@]{1,64}@""",
    accept=_accept,
    removes=(
        ('authors = ["Zoe Quill <zoe@h.example>"]', 'authors = ["Person 1 <person1@example.invalid>"]'),
        ('Author-email: "Quill, Zoe" <zoe@h.example>', 'Author-email: "Person 1" <person1@example.invalid>'),
        ("From: Zoe Quill <zoe@h.example>", "From: Person 1 <person1@example.invalid>"),
    ),
    keeps=("Vec <T>@", "Usage: Foo Bar <x>"),
)
