"""`<stem>.msgpack` in a wheels bucket: the metadata of a fetched wheel, with the HTTP cache policy. Healed."""

from __future__ import annotations

from uvreport.cache import layout, shapes
from uvreport.cache.entries.distribution_metadata import READERS
from uvreport.cache.entry import EntryKind, Judgement, Look, always, healed_anyway, judge_fetched


def matches(path: str) -> bool:
    place = layout.parse(path)
    return len(place.rest) == 1 and place.rest[0].endswith(".msgpack")


def judge(look: Look) -> Judgement:
    return judge_fetched(look, READERS, writers=shapes.metadata_writers, broken=always("healed"))


ENTRY = EntryKind(
    name="wheel metadata",
    buckets=("wheels",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=always("healed"),
    harmless=healed_anyway,
)
