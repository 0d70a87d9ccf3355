"""`html/<digest>.msgpack` in a flat-index bucket: a page of links. It is rkyv for all its name. Healed."""

from __future__ import annotations

from uvreport.cache.entries.simple_index import judge
from uvreport.cache.entry import EntryKind, always, healed_anyway


def matches(path: str) -> bool:
    return path.count("/") == 2 and path.endswith(".msgpack")


ENTRY = EntryKind(
    name="flat index", buckets=("flat-index",), matches=matches, judge=judge, denied=always("healed"),
    harmless=healed_anyway,
)  # fmt: skip
