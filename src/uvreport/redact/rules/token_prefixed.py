from __future__ import annotations

import re

from uvreport.redact.rule import Probe, Rule


def _accept(match: re.Match[bytes]) -> bool:
    drawn = match.group("drawn")
    return (
        all(re.search(kind, drawn) for kind in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))
        and len(set(drawn)) >= 12
        # A digest in base64 that happens to hold an underscore: RECORD writes `sha256=` before it.
        and match.string[match.start() - 1 : match.start()] != b"="
    )


RULE = Rule(
    name="prefixed-token",
    what="what is drawn at random behind a lower-case prefix and an underscore, as tokens are made today",
    source="the GitHub blog on token formats (2021) and the many services that followed it",
    probes=(Probe(r"_(?<=[a-z0-9]_)[a-z0-9]{24}", r"_[a-z0-9]{24}"),),
    back=b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
    back_max=42,
    fold=False,
    pattern=r"""
        (?<![A-Za-z0-9_-]) (?P<secret> [a-z][a-z0-9]{1,11} (?: _[a-z0-9]{1,9} ){0,3} _
        (?P<drawn> [A-Za-z0-9]{24,200} ) (?: _[A-Za-z0-9]{4,80} )? ) (?![A-Za-z0-9_.-])
    """,
    accept=_accept,
    removes=(("got acme_live_0123456789abcdefABCDEFGH back", "got redacted1 back"),),
    keeps=(
        "x_0123456789abcdef0123456789abcdef",
        "sha256=abc_0123456789abcdefABCDEFGHIJK",
        "test_AVeryLongCamelCaseNameOfSomething",
        "lib_0123456789abcdefABCDEFGH.so",
    ),
)
