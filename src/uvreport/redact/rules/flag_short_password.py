from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return not names.is_nothing(match.group("secret"))


RULE = Rule(
    name="flag-short-password",
    what="the password after -p or -w of a command that is known to take one",
    source="twine, docker login, podman login, sshpass, mysql, ldapsearch, htpasswd, az login: their manuals",
    literals=("twine", "sshpass", "login", "mysql", "ldap", "htpasswd", "mongo", "redis-cli", "smbclient"),
    pattern=r"""
        (?<![A-Za-z0-9_./-]) (?: twine | sshpass | (?:docker|podman|oc|helm|az|nerdctl|buildah
        |skopeo)[ ](?:registry[ ])?login | login
        | mysql[a-z]{0,5} | ldap[a-z]{3,8} | htpasswd | mongo[a-z]{0,7} | redis-cli | smbclient )
        [ \t] [^\r\n|;&]{0,200}? (?<=[ \t]) -[pwaP] (?:[ \t]{1,3}|=)? ["']? (?P<secret> [^\s"'`-][^\s"'`]{0,1023} )
    """,
    accept=_accept,
    removes=(
        ("twine upload -u __token__ -p hunter2 dist/*", "twine upload -u __token__ -p redacted1 dist/*"),
        ("docker login -u bot -p abc123 h.example", "docker login -u bot -p redacted1 h.example"),
        ("sshpass -p 'abc123' ssh h", "sshpass -p 'redacted1' ssh h"),
        ("mysql -u root -phunter2 db", "mysql -u root -predacted1 db"),
    ),
    keeps=("docker run -p 8080:80 image", "mkdir -p a/b", "twine check dist/*", "login to the index failed"),
)
