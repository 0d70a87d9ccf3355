"""`vulnerability/<id>.msgpack` in an osv bucket: an advisory of `uv audit`, with the HTTP cache policy. Healed."""

from __future__ import annotations

from typing import Any

from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, always, healed_anyway, judge_fetched

READERS = (Reader(since("0.11.16"), Any),)


def matches(path: str) -> bool:
    return path.endswith(".msgpack")


def writers(_: Any) -> tuple[ReleaseRange, ...]:
    return (since("0.11.16"),)


def judge(look: Look) -> Judgement:
    return judge_fetched(look, READERS, writers=writers, broken=always("healed"))


ENTRY = EntryKind(
    name="vulnerability",
    buckets=("osv",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=always("healed"),
    harmless=healed_anyway,
)
