"""`metadata.msgpack`: the metadata of a source distribution. Not decodable: fatal up to 0.5.25, then ignored."""

from __future__ import annotations

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since, until
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, Verdict, before, judge_msgpack

READERS = (
    Reader(until("0.1.24"), shapes.MetadataOld),
    Reader(ReleaseRange("0.1.25", "0.5.18"), shapes.Metadata5),
    Reader(since("0.5.19"), shapes.Metadata6),
)


def matches(path: str) -> bool:
    return layout.parse(path).rest == ("metadata.msgpack",)


def broken(look: Look) -> Verdict:
    return "fatal" if before(look.release, "0.5.26") else "ignored"


def judge(look: Look) -> Judgement:
    return judge_msgpack(look, READERS, writers=shapes.metadata_writers, broken=broken)


ENTRY = EntryKind(
    name="distribution metadata",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
)
