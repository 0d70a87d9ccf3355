from __future__ import annotations

from uvreport.redact.rule import Rule

RULE = Rule(
    name="password-hash",
    what="hashes of passwords, which can be guessed back",
    source="crypt(5), htpasswd(1), the PHC string format, Django's and LDAP's password storage",
    literals=(
        "$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$y$", "$gy$", "$7$", "$apr1$", "$argon2", "$scrypt$", "$pbkdf2",
        "pbkdf2_sha", "{ssha", "scrypt:",
    ),
    fold=False,
    pattern=r"""
        (?P<secret> \$2[aby]\$[0-9]{2}\$[A-Za-z0-9./]{53} | \$(?:1|5|6|7|y|gy|apr1)\$[A-Za-z0-9./+=,$]{20,200}
          | \$(?:argon2(?:id|i|d)|scrypt|pbkdf2[a-z0-9-]{0,10})\$[A-Za-z0-9./+=,$_-]{20,300}
          | pbkdf2_sha(?:1|256|512)\$[0-9]{1,8}\$[A-Za-z0-9./+=$_-]{20,200} | \{SSHA(?:256|512)?\}[A-Za-z0-9+/=]{20,200}
          | scrypt:[0-9]{2,8}:[0-9]{1,3}:[0-9]{1,3}\$[A-Za-z0-9$]{20,300} )
    """,
    removes=(
        ("zoe:$2y$10$0123456789abcdefghijkl0123456789abcdefghijklmnopqrstu", "zoe:redacted1"),
        ("root:$6$aB3dE5gH$0123456789abcdefABCDEF./:19000:0", "root:redacted1:19000:0"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g", "redacted1"),
    ),
    keeps=("echo $1$2", "cost $5$ each", "awk '{print $6$1}'", "scrypt==0.8"),
)  # fmt: skip
