from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _word(text: bytes, at: int) -> int:
    """Where the word begins in which a literal stands, or the command itself."""
    if text[at : at + 7].lower() == b"sqlplus":
        return at
    if text[at : at + 5].lower() == b"thin:":
        return at + 5
    begin = max(0, at - 120)
    return (
        begin + max(text.rfind(mark, begin, at) - begin for mark in (b" ", b"\n", b'"', b"'", b"`", b"=")) + 1
    )


def _accept(match: re.Match[bytes]) -> bool:
    return not names.is_nothing(next(v for k, v in match.groupdict().items() if k.startswith("secret") and v))


RULE = Rule(
    name="database-login",
    what="passwords of Oracle's `user/password@host` and of .pgpass lines",
    source="SQL*Plus User's Guide, CONNECT; PostgreSQL documentation, the password file",
    literals=("sqlplus ", "thin:", "@//", ":*:", ":5432:"),
    start=_word,
    pattern=r"""
        (?: sqlplus [ ] (?:-[A-Za-z]{1,8}[ ]){0,3} )? (?P<account> [A-Za-z][A-Za-z0-9_$\#]{0,30} ) / (?P<secret>
          [^\s"'`/@]{3,128} ) @
        (?: // | [A-Za-z] )
      | [A-Za-z0-9*._-]{1,120} : (?:[0-9]{2,5}|\*) : [A-Za-z0-9*_.-]{1,64} : (?P<account_2> [A-Za-z0-9*_.-]{1,64} ) :
        (?P<secret_2> [^\s:"'`]{3,128} ) (?=\s|$)
    """,
    accept=_accept,
    removes=(
        ("sqlplus ann/abc123@db", "sqlplus account1/redacted1@db"),
        ("ann/abc123@//db.example:1521/x", "account1/redacted1@//db.example:1521/x"),
        ("jdbc:oracle:thin:ann/abc123@db:1521/x", "jdbc:oracle:thin:account1/redacted1@db:1521/x"),
        ("db.example:5432:*:ann:abc123", "db.example:5432:*:account1:redacted1"),
    ),
    keeps=("sqlplus /nolog", "https://h.example/a@//b", "a:*:b"),
)  # fmt: skip
