from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    return (
        not names.is_nothing(match.group("secret"))
        and re.search(rb"[0-9]", match.group("secret")) is not None
    )


RULE = Rule(
    name="foreign-password",
    what="a value with a digit after the word for a password in other languages",
    source="how prompts and settings say it in German, French, Spanish, Portuguese, Italian, Russian, "
    "Chinese, Japanese, Korean",
    literals=(
        "contrase",
        "senha",
        "mot de passe",
        "mot_de_passe",
        "kennwort",
        "parola",
        "пароль",
        "密码",
        "密碼",
        "口令",
        "パスワード",
        "비밀번호",
        "wachtwoord",
        "hasło",
        "haslo",
        "lösenord",
    ),
    pattern=r"""
        (?<![A-Za-z0-9]) (?: contrase(?:\xc3\xb1|n)a | senha | mot[ _]de[ _]passe | kennwort | parola |
          wachtwoord | has(?:\xc5\x82|l)o
          | l\xc3\xb6senord | [\xd0-\xd1\xe3-\xed][\x80-\xbf\xd0-\xd1\xe3-\xed]{3,24} )
        ["']? [ \t]{0,8} (?: [:=] | \xef\xbc\x9a ) [ \t]{0,8} ["'`]? (?P<secret> [^\s"'`,;<>]{4,256} )
    """,
    accept=_accept,
    removes=(
        ("пароль: abc123", "пароль: redacted1"),
        ("contraseña = 'abc123'", "contraseña = 'redacted1'"),
        ("密码：abc123", "密码：redacted1"),  # noqa: RUF001  # as it is typed
    ),
    keeps=("contraseña incorrecta", "пароль: неверный", "mot de passe: requis"),
)
