from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret")
    name = (match.group("field") or match.group("field_2") or b"").decode()
    if names.is_nothing(value):
        return False
    return names.says_secret(name) or (names.hints_secret(name) and names.looks_random(value, 20))


RULE = Rule(
    name="named-value",
    what="secrets whose name and value stand one after the other: `name: X, value: Y`, `setenv X Y`, `config set X Y`",
    source="Kubernetes and CI manifests, Dockerfile ENV, csh, `pip config`, `npm config`, `poetry config`, `git config`",
    literals=("name", "key", "setenv", "env ", "arg ", "config"),
    pattern=r"""
        (?<![A-Za-z0-9_.-])
        (?: (?:name|key) ["']? [ \t]{0,4} [:=] [ \t]{0,4} ["']? (?P<field> [A-Za-z0-9_.-]{3,100} ) ["']?
            \s{0,3} [,;]? \s{0,40}
            ["']? value ["']? [ \t]{0,4} [:=] [ \t]{0,4}
          | (?: setenv | ENV | ARG | config (?:[ ]--?[a-z]{1,12}){0,3} (?:[ ]set)? (?:[ ]--?[a-z]{1,12}){0,3} ) [ \t]{1,4}
            (?P<field_2> [A-Za-z0-9_./:@-]{3,140} ) [ \t]{1,4} )
        ["']? (?P<secret> [^\s"',}]{1,8192} )
    """,
    accept=_accept,
    removes=(
        ("- name: PIP_PASSWORD\n  value: abc123", "- name: PIP_PASSWORD\n  value: redacted1"),
        ('{"name": "CI_TOKEN", "value": "abc123"}', '{"name": "CI_TOKEN", "value": "redacted1"}'),
        ("setenv JFROG_PASSWORD abc123", "setenv JFROG_PASSWORD redacted1"),
        ("npm config set //r.example/:_password abc123", "npm config set //r.example/:_password redacted1"),
    ),
    keeps=(
        'name = "token-bucket", version = "1.2"',
        "- name: PYTHON_VERSION\n  value: 3.12",
        "ENV PATH /usr/bin",
        "config files were read",
    ),
)
