from __future__ import annotations

import re

from uvreport.redact import names
from uvreport.redact.rule import Rule


def _accept(match: re.Match[bytes]) -> bool:
    value = next(v for v in match.groupdict().values() if v)
    if match.group("secret_5") is not None:  # `/t/`: a topic of a forum has words and dashes
        return re.search(rb"[0-9]", value) is not None and (
            re.fullmatch(rb"(?:[a-z0-9]{2}-)?[0-9a-f-]{32,40}", value) is not None
            or (re.search(rb"[A-Z]", value) is not None and names.looks_random(value, 20))
        )
    return re.search(rb"[0-9]", value) is not None


RULE = Rule(
    name="url-path-secret",
    what="tokens in the path of a URL: conda channels, package feeds, pre-signed paths, webhooks of any service",
    source="the manuals of conda, Cloudsmith, Gemfury, Oracle Cloud, Telegram, Mattermost, PagerDuty and others",
    literals=(
        "hook_url",
        "cloudsmith.io/", "fury.io/", "/p/", "/t/", "/hooks/", "/hook/", "/webhook", "/integration/", "with/key/",
        "hc-ping.com/", "/v1/input/", "hooks/catch/", "/incoming/", "packagecloud.io/priv/", "/access_token/", "/token/",
    ),
    fold=False,
    pattern=r"""
        (?: dl\.)?cloudsmith\.io/ (?!public/|basic/) (?P<secret> [A-Za-z0-9]{16,40} ) /
      | fury\.io/ (?P<secret_2> (?=[A-Za-z_-]{0,39}[0-9]) [A-Za-z0-9_-]{16,40} ) /
      | packagecloud\.io/priv/ (?P<secret_3> [A-Za-z0-9]{30,80} )
      | (?<=[a-z0-9]) /p/ (?P<secret_4> [A-Za-z0-9_-]{40,100} ) /n/
      | (?<=[a-z0-9]) (?::[0-9]{2,5})? /t/ (?P<secret_5> [A-Za-z0-9_-]{16,80} ) /
      | /(?:hooks?|webhooks?|webhookb2|incoming)/ (?:(?:catch|incoming)/)? (?P<secret_6>
        (?=[A-Za-z/_-]{0,80}[0-9]) (?: [0-9]{4,12}/[a-z0-9]{5,12} | [A-Za-z0-9]{8,24}/[A-Za-z0-9_-]{24,100}
        | [A-Za-z0-9]{20,100} | [A-Za-z0-9_-]{40,200} | [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} ) ) (?![A-Za-z0-9_.-])
      | /(?:integration|access_token|token|v1/input)/ (?P<secret_7> [0-9a-f]{32,64} |
        (?=[a-z_-]{0,60}[A-Z0-9])[A-Za-z0-9_-]{32,100} )
        (?![A-Za-z0-9_.-])
      | hook_url ["']? [ ]{0,4} [:=] [ ]{0,4} ["']? https?://[^\s"'`]{1,200}/ (?P<secret_10>
        [A-Za-z0-9_-]{20,100} ) (?![A-Za-z0-9_./-])
      | with/key/ (?P<secret_8> [A-Za-z0-9_-]{16,60} )
      | hc-ping\.com/ (?P<secret_9> [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} )
    """,
    accept=_accept,
    removes=(
        ("https://h.example/t/ab-0123abcd-0123-0123-0123-0123456789ab/x", "https://h.example/t/redacted1/x"),
        ("https://dl.cloudsmith.io/0123456789abcdEF/o/r/python/simple/", "https://dl.cloudsmith.io/redacted1/o/r/python/simple/"),
        ("webhook_url=https://h.example/0123456789abcdefABCDEF", "webhook_url=https://h.example/redacted1"),
        ("https://chat.example/hooks/0123456789abcdefghijklmnop", "https://chat.example/hooks/redacted1"),
        ("https://s.example.com/p/0123456789abcdefABCDEF0123456789abcdefABCDEF/n/ns/b/x", "https://s.example.com/p/redacted1/n/ns/b/x"),
    ),
    keeps=(
        "https://discuss.example/t/uv-sync-fails-with-array-length/12318",
        "/t/main.py",
        ".git/hooks/pre-commit.sample",
        "https://h.example/p/x/n/y",
        "https://dl.cloudsmith.io/public/org/repo/python/simple/",
    ),
)  # fmt: skip
