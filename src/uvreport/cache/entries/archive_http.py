"""`<stem>.http` in a wheels bucket: where the unpacked form of a fetched wheel is, with the HTTP cache policy."""

from __future__ import annotations

import functools
import posixpath
from typing import Any

from msgspec.structs import replace

from uvreport.cache import layout, shapes, trailer
from uvreport.cache.buckets import ReleaseRange, since, until
from uvreport.cache.entry import (
    EntryKind,
    Glance,
    Judgement,
    Look,
    Reader,
    Verdict,
    before,
    expected_form,
    judge_fetched,
    judge_hashes,
    shape_for,
)  # fmt: skip
from uvreport.cache.serde import exact_decoder

READERS = (
    Reader(until("0.1.31"), str),
    Reader(ReleaseRange("0.1.32", "0.5.31"), shapes.Archive2),
    Reader(ReleaseRange("0.6.0", "0.6.3"), shapes.Archive3),
    Reader(ReleaseRange("0.6.4", "0.7.0"), shapes.Archive4),
    Reader(ReleaseRange("0.7.1", "0.11.33"), shapes.Archive4Blake),
    Reader(ReleaseRange("0.12.0", "0.12.13"), shapes.Archive5),
    Reader(ReleaseRange("0.12.14", "0.12.24"), shapes.Archive5Hex),
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
        hashes = (
            found.decoded["hashes"] if look.place.source == "url" and isinstance(found.decoded, dict) else ()
        )
        return judge_hashes(found, hashes)
    # Wheels of an index are looked up through a check that the archive is there, from 0.6.0 on; wheels by URL are not.
    verdict: Verdict = "fatal" if look.place.source == "url" or before(look.release, "0.6.0") else "healed"
    return replace(
        found, verdict=verdict, state="dangling", damaged=look.standing(archive),
        reason=f"it names {archive}, which is not there",
        innermost="No such file or directory (os error 2)" if verdict == "fatal" else "",
    )  # fmt: skip


@functools.cache
def _decoder(release: str) -> Any:
    return exact_decoder(shape_for(READERS, release))


def harmless(glance: Glance) -> bool:
    decoder = _decoder(glance.release)
    if decoder is None or glance.what != "file" or before(glance.release, "0.1.32"):
        return False
    form = expected_form(glance.release)
    parts = trailer.split(glance.data(), form)
    if parts.problem or (form == "old" and not trailer.url(parts.policy)):
        return False
    archive = decoder.decode(parts.data)
    return archive.id in glance.archives and not shapes.has_bad_hash(glance.release, archive.hashes)


ENTRY = EntryKind(
    name="archive pointer, http",
    buckets=("wheels",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
    harmless=harmless,
)
