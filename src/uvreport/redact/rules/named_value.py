from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    value = match.group("secret") or b""
    if not value:
        return True  # the command or the pair of keys says it all
    name = (match.group("field") or match.group("field_2") or b"").decode()
    if names.is_nothing(value):
        return False
    return names.says_secret(name) or (names.hints_secret(name) and names.looks_random(value, 20))


RULE = Rule(
    name="named-value",
    what="secrets whose name and value stand one after the other: `name: X, value: Y`, `setenv X Y`, `config set X Y`",
    source="Kubernetes and CI manifests, Dockerfile ENV, csh, `pip config`, `npm config`, `poetry config`, `git config`",
    literals=("name", 'username"', "key", "setenv", "env ", "arg ", "config", "wandb login"),
    pattern=r"""
        (?<![A-Za-z0-9_.-]) (?:
        config [ ] http-basic\.[A-Za-z0-9_.-]{1,80} [ ] [^\s]{1,80} [ ] (?P<secret_2> [^\s"'`]{1,400} )
        | (?: (?:name|key) ["']? [ \t]{0,4} [:=] [ \t]{0,4} ["']? (?P<field> [A-Za-z0-9_.-]{3,100} ) ["']?
            \s{0,3} [,;]? \s{0,40}
            ["']? value ["']? [ \t]{0,4} [:=] [ \t]{0,4}
          | (?: setenv | ENV | ARG | config(?:ure)? (?:[ ]--?[a-z]{1,12}){0,3} (?:[ ]set)?
            (?:[ ]--?[a-z]{1,12}){0,3} ) [ \t]{1,4}
            (?P<field_2> [A-Za-z0-9_./:@-]{3,140} ) [ \t]{1,4} )
        ["']? (?P<secret> [^\s"',}]{1,8192} )
      | username"[ ]?:[ ]?"[^"\r\n]{1,80}"[ ]?,\s{0,8}"key"[ ]?:[ ]?" (?P<secret_3> (?=[^"]{0,80}[0-9])
        [A-Za-z0-9_-]{24,400} ) "
      | wandb [ ] login (?:[ ]--?[a-z-]{1,20}){0,2} [ ] (?P<secret_4> [0-9a-zA-Z_]{32,100} ) )
    """,
    accept=_accept,
    removes=(
        ("- name: PIP_PASSWORD\n  value: abc123", "- name: PIP_PASSWORD\n  value: redacted1"),
        ('{"name": "CI_TOKEN", "value": "abc123"}', '{"name": "CI_TOKEN", "value": "redacted1"}'),
        ("setenv JFROG_PASSWORD abc123", "setenv JFROG_PASSWORD redacted1"),
        ("poetry config http-basic.corp ann abc123", "poetry config http-basic.corp ann redacted1"),
        (
            "aws configure set aws_secret_access_key abc123",
            "aws configure set aws_secret_access_key redacted1",
        ),
        (
            '{"username":"ann","key":"0123456789abcdef0123456789abcdef"}',
            '{"username":"ann","key":"redacted1"}',
        ),
        ("npm config set //r.example/:_password abc123", "npm config set //r.example/:_password redacted1"),
    ),
    keeps=(
        'name = "token-bucket", version = "1.2"',
        "- name: PYTHON_VERSION\n  value: 3.12",
        "ENV PATH /usr/bin",
        "config files were read",
    ),
)
