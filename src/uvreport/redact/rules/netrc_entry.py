from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return (match.group("secret") or b"").lower() not in (
        b"machine",
        b"login",
        b"account",
        b"macdef",
        b"default",
    )


RULE = Rule(
    name="netrc",
    what="logins and passwords of a netrc file, on one line or several",
    source="netrc(5), as curl and GNU inetutils read it",
    literals=("machine", "default"),
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?: machine [ \t]{1,8} [^\s]{1,255} | default (?=\s{1,40}(?:login|user)\s) )
        (?: \s{1,40} \#[^\r\n]{0,200} (?=\r?\n) ){0,3}
        (?: \s{1,40} (?: (?:login|user) \s{1,40} (?P<account>[^\s]{1,256}) | account \s{1,40}
        (?P<account_2>[^\s]{1,256}) ) (?: \s{1,40} \#[^\r\n]{0,200} (?=\r?\n) )? ){0,2}
        \s{1,40} (?:password|passwd) \s{1,40} (?: " (?P<secret_2> (?: [^"\\\r\n] | \\[^\r\n] ){1,1024} ) "
          | (?P<secret>[^\s"'`]{1,1024}) )
        (?: \s{1,40} (?: (?:login|user) \s{1,40} (?P<account_3>[^\s]{1,256}) ) )?
    """,
    accept=_accept,
    removes=(
        (
            "machine h.example login bot password hunter2",
            "machine h.example login account1 password redacted1",
        ),
        (
            'machine h.example login bot password "hun ter2"',
            'machine h.example login account1 password "redacted1"',
        ),
        ("default login anonymous password x@y", "default login anonymous password redacted1"),
        (
            "machine h.example\n  login bot\n  password hunter2",
            "machine h.example\n  login account1\n  password redacted1",
        ),
        (
            "machine h.example password hunter2 login bot",
            "machine h.example password redacted1 login account1",
        ),
    ),
    keeps=("the default password prompt is disabled", "on this machine login failed", "default login shell"),
)
