from __future__ import annotations

import re

from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    setting = match.group("name_3")
    if setting is not None and setting[:1].islower():
        return False
    value = match.group("name") or match.group("name_2") or match.group("name_4") or setting or b""
    return (
        re.fullmatch(
            rb"(?i)person \d+|none|unknown|.*\b(?:bot|contributors|team|authors|developers)\b.*", value
        )
        is None
    )


RULE = Rule(
    name="git-identity",
    what="the full name in git's author and committer lines and settings",
    source="git-log(1), git-config(1), git(1) on GIT_AUTHOR_NAME",
    literals=(
        "author",
        "committer",
        "maintainer",
        "signed-off-by",
        "co-authored-by",
        "user.name",
        "reviewed-by",
        "tagger",
        "gecos",
        "real name",
        "full_name",
        "fullname",
    ),
    pattern=r"""
        (?: (?:author|committer|tagger|signed-off-by|co-authored-by|reviewed-by) :? [ ]{1,6} (?P<name>
        [^\s<>"'`:=\[\](){},;][^<>"'`=\[\](){}\r\n;]{0,80}[^\s<>] ) [ ] (?=<)
          | (?: (?<=\n) | (?<![\s\S]) ) (?:Author|Maintainer): [ ] (?P<name_4> [A-Z\x80-\xff][a-z\x80-\xff.'-]{0,30}
              (?:[ ][A-Z\x80-\xff][A-Za-z\x80-\xff.'-]{0,30}){1,3} ) [ ]? (?=\r?\n|$)
          | (?:GIT_)?(?:author|committer)_name ["']? [ ]?[=:][ ]? ["']? (?P<name_2>
          [^"'\r\n`=\[{<]{2,80}[^"'\r\n`\s,] )
          | (?:user\.name|gecos|full_?name|real[ ]name) ["']? (?:[ ]?[=:][ ]?|[ ]) ["']? (?P<name_3>
          [A-Z\x80-\xff][^"'\r\n`=\[{<,]{1,80}[^"'\r\n`\s,] ) )
    """,
    accept=_accept,
    removes=(
        ("Author: Zoe Quill <z@h.example>", "Author: Person 1 <person1@example.invalid>"),
        ("Name: x\nAuthor: Zoe Quill\n", "Name: x\nAuthor: Person 1\n"),
        ("GIT_AUTHOR_NAME=Zoe Quill", "GIT_AUTHOR_NAME=Person 1"),
        ('git config user.name "Zoe Quill"', 'git config user.name "Person 1"'),
    ),
    keeps=(
        "authors = []",
        "author: unknown",
        "Author: The Pallets Team",
        "Maintainer: nobody",
        "authority: none",
        "user.name is not set",
    ),
)
