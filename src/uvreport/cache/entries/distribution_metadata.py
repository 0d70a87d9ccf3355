"""`metadata.msgpack`: the metadata of a source distribution. Not decodable: fatal up to 0.5.25, then made anew."""

from __future__ import annotations

import re

from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since, until
from uvreport.cache.entry import EntryKind, Glance, Judgement, Look, Reader, Verdict, before, judge_msgpack

READERS = (
    Reader(until("0.1.24"), shapes.MetadataOld),
    Reader(ReleaseRange("0.1.25", "0.5.18"), shapes.Metadata5),
    Reader(since("0.5.19"), shapes.Metadata6),
)


def matches(path: str) -> bool:
    return layout.parse(path).rest == ("metadata.msgpack",)


def broken(look: Look) -> Verdict:
    return "fatal" if before(look.release, "0.5.26") else "healed"


def judge(look: Look) -> Judgement:
    found = judge_msgpack(look, READERS, writers=shapes.metadata_writers, broken=broken)
    if found.state != "ok" or before(look.release, "0.5.1"):  # where the name is not compared
        return found
    built = [name for name in look.names(look.place.base) if layout.is_wheel_stem(name)]
    name = normal(str(found.decoded["name"]))
    if not built or name in {normal(stem.split("-")[0]) for stem in built}:
        return found
    return replace(
        found, verdict="healed", state="garbage",
        reason=f"it is of {name}, and what was built beside it is {built[0].split('-')[0]}; uv makes it anew",
    )  # fmt: skip


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def harmless(glance: Glance) -> bool:
    return glance.what == "file" and not before(glance.release, "0.5.26")


ENTRY = EntryKind(
    name="distribution metadata",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
    harmless=harmless,
)
