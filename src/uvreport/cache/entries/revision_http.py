"""`revision.http`: which build of a fetched source distribution is the current one, with the HTTP cache policy.

Up to 0.1.31 the file is `manifest.msgpack`. One that cannot be decoded is fetched again, except that up to 0.6.7
it is fatal for a direct URL when the install plan reads it first (`--frozen`, or a lockfile that is up to date).
"""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from uvreport.cache import layout, shapes, trailer
from uvreport.cache.buckets import ReleaseRange, since, until
from uvreport.cache.entries.source_tree import is_built
from uvreport.cache.entry import (
    EntryKind,
    Glance,
    Judgement,
    Look,
    Reader,
    Verdict,
    before,
    judge_fetched,
    judge_hashes,
)

READERS = (
    Reader(until("0.1.31"), str),
    Reader(ReleaseRange("0.1.32", "0.7.0"), shapes.Revision2),
    Reader(ReleaseRange("0.7.1", "0.11.8"), shapes.Revision2Blake),
    Reader(ReleaseRange("0.11.9", "0.11.10"), shapes.Revision2Strict),
    Reader(ReleaseRange("0.11.11", "0.11.33"), shapes.Revision2Blake),
    Reader(ReleaseRange("0.12.0", "0.12.13"), shapes.Revision3),
    Reader(ReleaseRange("0.12.14", "0.12.24"), shapes.Revision3Hex),
    Reader(since("0.13.0"), shapes.Revision3Enum),
)


def matches(path: str) -> bool:
    place = layout.parse(path)
    if place.revision or len(place.rest) != 1:
        return False
    return place.rest[0] == "revision.http" or (
        place.rest[0] == "manifest.msgpack" and place.source in {"pypi", "index", "url"}
    )


def writers(value: Any) -> tuple[ReleaseRange, ...]:
    return shapes.revision_writers(value)


def broken(look: Look) -> Verdict:
    return "fatal" if look.place.source == "url" and before(look.release, "0.6.8") else "healed"


def judge(look: Look) -> Judgement:
    found = judge_fetched(look, READERS, writers=writers, broken=broken)
    if found.state != "ok":
        return found
    revision = found.decoded if isinstance(found.decoded, str) else found.decoded["id"]
    build = f"{look.place.shard}/{revision}"
    url = trailer.url(trailer.split(look.data or b"").policy)
    found = replace(found, links_to=(build,))
    # Up to 0.5.0 the source is unpacked into a directory that is named as the archive.
    archive = posixpath.basename(unquote(urlsplit(url).path))
    source = "src" if not before(look.release, "0.5.1") else archive
    if not source or look.is_dir(f"{build}/{source}"):
        hashes = (
            found.decoded["hashes"] if look.place.source == "url" and isinstance(found.decoded, dict) else ()
        )
        return judge_hashes(found, hashes)
    subdirectory = "subdirectory=" in urlsplit(url).fragment
    verdict: Verdict = "healed"
    if before(look.release, "0.4.12") or (subdirectory and before(look.release, "0.6.3")):
        verdict = "fatal"
    innermost = ""
    if (
        look.place.source != "url"
        and before(look.release, "0.5.1")
        and _hashes(found)
        and not is_built(look, build)
    ):
        # It is fetched again without its hashes, and then they differ.
        verdict, innermost = "fatal", "but the hashes didn't match"
    if not look.is_dir(build):
        return replace(
            found, verdict=verdict, state="dangling", innermost=innermost,
            reason=f"it names the build {revision}, and there is none of that name beside it",
        )  # fmt: skip
    if verdict == "healed" and is_built(look, build):
        verdict = "ignored"
    why = "; uv looks for the subdirectory in it before it would fetch it again" if subdirectory else ""
    return replace(
        found, verdict=verdict, state="incomplete", missing=(f"{build}/{source}",), innermost=innermost,
        reason=f"the build that it names lacks the unpacked source `{source}`{why if verdict == 'fatal' else ''}",
    )  # fmt: skip


def _hashes(found: Judgement) -> bool:
    return isinstance(found.decoded, dict) and bool(found.decoded.get("hashes"))


def harmless(glance: Glance) -> bool:
    # Later releases fetch again whatever is not whole; for the panic of those before see `judge_trailer`.
    return glance.what == "file" and not before(glance.release, "0.11.21")


ENTRY = EntryKind(
    name="revision pointer, http",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
    harmless=harmless,
)
