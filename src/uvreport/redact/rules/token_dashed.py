from __future__ import annotations

import re

from uvreport.redact.rule import Probe, Rule


def _accept(match: re.Match[bytes]) -> bool:
    drawn = match.group("drawn")
    return (
        all(re.search(kind, drawn) for kind in (rb"[a-z].*[a-z]", rb"[A-Z].*[A-Z]", rb"[0-9].*[0-9]"))
        and len(set(drawn)) >= 14
        and re.match(rb"(?:sha[0-9]|md5|blake)", match.group("secret")) is None
    )


RULE = Rule(
    name="dashed-token",
    what="what is drawn at random behind a lower-case prefix and a dash",
    source="how Tavily, Perplexity, xAI and many other services write their keys",
    probes=(Probe(r"-(?<=[a-z0-9]-)[a-z0-9]{28}", r"-[a-z0-9]{28}"),),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-",
    back_max=42,
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_./-]) (?P<secret> [a-z][a-z0-9]{1,11} (?: -[a-z0-9]{1,9} ){0,3} -
        (?P<drawn> [A-Za-z0-9]{28,200} ) ) (?![A-Za-z0-9_.=/+-])
    """,
    accept=_accept,
    removes=(("got acme-live-0123456789abcdefABCDEFGHIJKL back", "got redacted1 back"),),
    keeps=(
        "sha512-0123456789abcdefABCDEFGHIJ0123456789",
        "index.crates.io-0123456789abcdef0123456789abcdef",
        "x/six-0123456789abcdefABCDEFGHIJ.whl",
        "test-AVeryLongCamelCaseNameOfSomething2",
    ),
)
