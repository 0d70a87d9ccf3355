"""`.tmpXXXXXX`: what a uv works in, or left behind when it was killed. No later run looks at it."""

from __future__ import annotations

from uvreport.cache import buckets
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    return "/.tmp" in "/" + path


def judge(look: Look) -> Judgement:
    return Judgement(decoded={"files": len(look.names(look.path))} if look.what == "dir" else None)


ENTRY = EntryKind(
    name="temporary",
    buckets=("", *(kind for kind in buckets.kinds() if kind != "archive")),
    matches=matches,
    judge=judge,
    stands="any",
    denied=always("readable"),
    harmless=lambda _: True,
)
