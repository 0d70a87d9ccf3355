"""`<stem>.http` in a wheels bucket: where the unpacked form of a fetched wheel is, with the HTTP cache policy."""

from __future__ import annotations

import posixpath

from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since, until
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, Verdict, before, judge_fetched

READERS = (
    Reader(until("0.1.31"), str),
    Reader(ReleaseRange("0.1.32", "0.5.31"), shapes.Archive2),
    Reader(ReleaseRange("0.6.0", "0.6.3"), shapes.Archive3),
    Reader(ReleaseRange("0.6.4", "0.7.0"), shapes.Archive4),
    Reader(ReleaseRange("0.7.1", "0.11.33"), shapes.Archive4Blake),
    Reader(ReleaseRange("0.12.0", "0.12.24"), shapes.Archive5),
    Reader(since("0.13.0"), shapes.Archive5Enum),
)


def matches(path: str) -> bool:
    place = layout.parse(path)
    return len(place.rest) == 1 and place.rest[0].endswith(".http")


def broken(look: Look) -> Verdict:
    return "fatal" if look.place.source == "url" and before(look.release, "0.6.8") else "healed"


def judge(look: Look) -> Judgement:
    found = judge_fetched(look, READERS, writers=shapes.archive_writers, broken=broken)
    if found.state != "ok":
        return found
    if isinstance(found.decoded, str):  # an absolute path; the last two names are archive-v0 and the id
        archive = "archive-v0/" + posixpath.basename(found.decoded.replace("\\", "/"))
    else:
        archive = f"archive-v0/{found.decoded['id']}"
    found = replace(found, links_to=(archive,))
    if look.is_dir(archive):
        return found
    # Wheels of an index are looked up through a check that the archive is there; wheels by URL are not.
    verdict: Verdict = "fatal" if look.place.source == "url" else "healed"
    return replace(
        found, verdict=verdict, state="dangling", reason=f"it names {archive}, which is not there",
        innermost="No such file or directory (os error 2)" if verdict == "fatal" else "",
    )  # fmt: skip


ENTRY = EntryKind(
    name="archive pointer, http",
    buckets=("wheels",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
)
