from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.redact import names
from uvreport.redact.rule import Rule

if TYPE_CHECKING:
    import re


def _accept(match: re.Match[bytes]) -> bool:
    return not names.is_nothing(next(value for value in match.groupdict().values() if value))


RULE = Rule(
    name="flag-short-password",
    what="the password after -p or -w of a command that is known to take one",
    source="twine, docker login, podman login, sshpass, mysql, ldapsearch, htpasswd, az login: their manuals",
    literals=(
        "twine",
        "sshpass",
        "login",
        "mysql",
        "ldap",
        "htpasswd",
        "mongo",
        "redis-cli",
        "smbclient",
        "uv publish",
        "uv auth",
        "snowsql",
        "unzip ",
        "zip -",
        "7z ",
        "7za ",
        "openssl ",
        "ssh-keygen ",
        "net use ",
        "sudo -s",
    ),
    pattern=r"""
        (?<![A-Za-z0-9_./-]) (?: twine | sshpass | (?:docker|podman|oc|helm|az|nerdctl|buildah
        |skopeo)[ ](?:registry[ ])?login | login
        | mysql[a-z]{0,5} | ldap[a-z]{3,8} | htpasswd | mongo[a-z]{0,7} | redis-cli | smbclient )
        [ \t] [^\r\n|;&]{0,200}? (?<=[ \t]) -[pwaP] (?:[ \t]{1,3}|=)? ["']? (?P<secret> [^\s"'`-][^\s"'`]{0,1023} )
      | (?<![A-Za-z0-9_./-]) (?: uv[ ](?:publish|auth) | snowsql ) [ \t] (?:[^\r\n|;&]{0,200}? [ \t])? -[pt] [ \t]{1,3}
        ["']? (?P<secret_2> [^\s"'`-][^\s"'`]{0,1023} )
      | (?<![A-Za-z0-9_./-]) (?:un)?zip [ ] (?:-[A-Za-z]{1,6}[ ]){0,3}? -P [ ]? ["']? (?P<secret_3>
        [^\s"'`-][^\s"'`]{0,400} )
      | (?<![A-Za-z0-9_./-]) 7za? [ ] [a-z] [ ] (?:-[A-Za-z0-9=]{1,20}[ ]){0,4}? -p (?P<secret_4>
        (?=[^\s]{0,80}[0-9])[^\s"'`]{4,400} )
      | (?<![A-Za-z0-9_./-]) openssl [ ] [a-z0-9]{2,12} [ ] (?:[^\r\n|;&]{0,120}? [ ])? -(?:k|K|passin|passout|pass) [ ]
        (?:pass:)? ["']? (?P<secret_5> (?=[^\s]{0,80}[0-9])[^\s"'`/-][^\s"'`]{3,400} )
      | (?<![A-Za-z0-9_./-]) ssh-keygen [ ] (?:[^\r\n|;&]{0,120}? [ ])? -[NP] [ ]? ["']? (?P<secret_6>
        [^\s"'`-][^\s"'`]{0,400} )
      | (?<![A-Za-z0-9_./-]) net [ ] use [ ] (?:[A-Za-z*]:?[ ])? \\\\[^\s]{1,200} [ ] (?P<secret_7>
        [^\s/"'*][^\s"']{0,100} )
      | (?<![A-Za-z0-9_./-]) sudo [ ] -S [ ] [^\r\n]{0,40}? <<< [ ]? ["']? (?P<secret_8> [^\s"'$][^\s"']{0,400} )
    """,
    accept=_accept,
    removes=(
        ("twine upload -u __token__ -p hunter2 dist/*", "twine upload -u __token__ -p redacted1 dist/*"),
        ("docker login -u bot -p abc123 h.example", "docker login -u bot -p redacted1 h.example"),
        ("uv publish -t abc123 dist/*", "uv publish -t redacted1 dist/*"),
        ("unzip -q -P abc123 x.zip", "unzip -q -P redacted1 x.zip"),
        ("openssl enc -aes256 -k abc123 -in x", "openssl enc -aes256 -k redacted1 -in x"),
        ("sshpass -p 'abc123' ssh h", "sshpass -p 'redacted1' ssh h"),
        ("mysql -u root -phunter2 db", "mysql -u root -predacted1 db"),
    ),
    keeps=(
        "docker run -p 8080:80 image",
        "mkdir -p a/b",
        "twine check dist/*",
        "login to the index failed",
        "zip -r a.zip b",
        "uv pip install -p 3.12 x",
        "7z x -pkg",
    ),
)
