"""`downloads-json/<digest>.msgpack` in a python bucket: a list of Pythons to download, with the HTTP cache policy."""

from __future__ import annotations

from typing import Any

from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, always, healed_anyway, judge_fetched

READERS = (Reader(since("0.8.4"), Any),)


def matches(path: str) -> bool:
    return "/downloads-json/" in path and path.endswith(".msgpack")


def writers(_: Any) -> tuple[ReleaseRange, ...]:
    return (since("0.8.4"),)


def judge(look: Look) -> Judgement:
    return judge_fetched(look, READERS, writers=writers, broken=always("healed"))


ENTRY = EntryKind(
    name="python downloads",
    buckets=("python",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=always("healed"),
    harmless=healed_anyway,
)
