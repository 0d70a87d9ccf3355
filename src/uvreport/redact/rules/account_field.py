from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return not names.is_nothing(match.group("account") or match.group("account_2"))


RULE = Rule(
    name="account-field",
    what="the user name for an index or a registry, in variables, settings and the credentials that uv prints",
    source="uv's, twine's and poetry's documentation of their variables",
    literals=("_username", "username"),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
    back_max=100,
    pattern=r"""
        (?<![A-Za-z0-9_]) (?: UV_INDEX_[A-Z0-9_]{1,80} | UV_PUBLISH | TWINE | [A-Z]{2,20}_REGISTRY
          | (?:UV|POETRY)_HTTP_BASIC_[A-Z0-9_]{1,60} | ARTIFACTORY | NEXUS | DEVPI | PIP | HATCH_INDEX |
            PDM_PUBLISH | FLIT )
        _USERNAME ["']? [ ]? [=:] [ ]? ["']? (?P<account> [^\s"'`;&,]{1,128} )
      | (?<![A-Za-z0-9_.$-]) username ["']? [ ]{0,2} [:=] [ ]{0,2} (?:Username\()?(?:Some\()? ["'] (?P<account_2>
        [^"'\r\n]{1,128} ) ["']
    """,
    accept=_accept,
    removes=(
        ("UV_INDEX_CORP_USERNAME=zoe7", "UV_INDEX_CORP_USERNAME=account1"),
        ('Basic { username: Username(Some("zoe7")),', 'Basic { username: Username(Some("account1")),'),
        ('username = "zoe7"', 'username = "account1"'),
    ),
    keeps=(
        "UV_PUBLISH_USERNAME=__token__",
        "UV_INDEX_X_USERNAME=",
        "UV_PUBLISH_USERNAME is not set",
        "username: Username(None)",
        "def f(username: str)",
    ),
)
