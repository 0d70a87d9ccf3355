"""`revision.rev`: which build of a local source is the current one, and what it was built from.

Up to 0.1.31 the file is `manifest.msgpack`. A directory's pointer that cannot be decoded is fatal up to 0.6.8 and
made anew from 0.6.9 on; that of a source archive (a file) is fatal in every release.
"""

from __future__ import annotations

import functools
import os
from typing import Any, ClassVar

from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, common, since, until
from uvreport.cache.entries.link import archive_of
from uvreport.cache.entries.source_tree import is_built
from uvreport.cache.entry import (
    EntryKind,
    Glance,
    Judgement,
    Look,
    Reader,
    Verdict,
    before,
    judge_hashes,
    judge_msgpack,
    look_at,
    shape_for,
)
from uvreport.cache.serde import Shape, decoder, exact_decoder


class Manifest(Shape, frozen=True):
    rust: ClassVar[str] = "LocalManifest"
    noun: ClassVar[str] = "the pointer"

    timestamp: shapes.SystemTime
    id: str


class _Pointer(Shape, frozen=True):
    rust: ClassVar[str] = "LocalRevisionPointer"
    noun: ClassVar[str] = "the pointer"


class PointerTimestamp(_Pointer, frozen=True):
    timestamp: shapes.SystemTime
    revision: shapes.Revision2


class PointerWire2(_Pointer, frozen=True):
    cache_info: shapes.CacheInfoWire2
    revision: shapes.Revision2


class PointerWire3(_Pointer, frozen=True):
    cache_info: shapes.CacheInfoWire3
    revision: shapes.Revision2


class Pointer3(_Pointer, frozen=True):
    cache_info: shapes.TimestampCommit3
    revision: shapes.Revision2


class Pointer4(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo4
    revision: shapes.Revision2


class Pointer5(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision2


class Pointer5Blake(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision2Blake


class Pointer5Strict(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision2Strict


class Pointer5Sized(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision3


class Pointer5Hex(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision3Hex


class Pointer5Enum(_Pointer, frozen=True):
    cache_info: shapes.CacheInfo5
    revision: shapes.Revision3Enum


READERS = (
    Reader(until("0.1.31"), Manifest),
    Reader(ReleaseRange("0.1.32", "0.4.7"), PointerTimestamp),
    Reader(ReleaseRange("0.4.8", "0.4.22"), PointerWire2),
    Reader(ReleaseRange("0.4.23", "0.4.25"), PointerWire3),
    Reader(ReleaseRange("0.4.26", "0.5.11"), Pointer3),
    Reader(ReleaseRange("0.5.12", "0.6.6"), Pointer4),
    Reader(ReleaseRange("0.6.7", "0.7.0"), Pointer5),
    Reader(ReleaseRange("0.7.1", "0.11.8"), Pointer5Blake),
    Reader(ReleaseRange("0.11.9", "0.11.10"), Pointer5Strict),
    Reader(ReleaseRange("0.11.11", "0.11.33"), Pointer5Blake),
    Reader(ReleaseRange("0.12.0", "0.12.13"), Pointer5Sized),
    Reader(ReleaseRange("0.12.14", "0.12.24"), Pointer5Hex),
    Reader(since("0.13.0"), Pointer5Enum),
)


def matches(path: str) -> bool:
    place = layout.parse(path)
    if place.revision or len(place.rest) != 1:
        return False
    return place.rest[0] == "revision.rev" or (
        place.rest[0] == "manifest.msgpack" and place.source in {"path", "editable"}
    )


def writers(value: Any) -> tuple[ReleaseRange, ...]:
    if not isinstance(value, list) or len(value) != 2:
        return ()
    return common(shapes.cache_info_writers(value[0]), shapes.revision_writers(value[1]))


def is_archive(look: Look) -> bool | None:
    """Whether the source is an archive (a file), not a directory: None when nothing here tells.

    An archive is unpacked next to what was built from it; a directory is not.
    """
    if look.place.source != "path":
        return look.place.source in {"pypi", "index", "url"}
    builds = [name for name in look.names(look.place.shard) if look.is_dir(f"{look.place.shard}/{name}")]
    if not builds:
        return None
    return any(
        look.is_dir(f"{look.place.shard}/{name}/{src}") for name in builds for src in ("src", "source")
    )


def broken(look: Look) -> Verdict:
    if before(look.release, "0.6.9"):
        return "fatal"
    archive = is_archive(look)
    if archive is None:
        return "suspicious"
    return "fatal" if archive else "healed"


def judge(look: Look) -> Judgement:
    found = judge_msgpack(look, READERS, writers=writers, broken=broken)
    if found.state != "ok":
        return found
    revision = found.decoded.get("revision", found.decoded)
    build = f"{look.place.shard}/{revision['id']}"
    found = replace(found, links_to=(build,))
    if not look.is_dir(build) and look.release in _NO_HASHES and is_archive(look):
        return replace(_without_hashes(look, build, found), state="dangling")
    if not look.is_dir(build):
        # A directory is built anew; an archive is unpacked anew from 0.4.12 on.
        fatal = before(look.release, "0.4.12") and is_archive(look)
        return replace(
            found, verdict="fatal" if fatal else "healed", state="dangling",
            reason=f"it names the build {revision['id']}, and there is none of that name beside it",
        )  # fmt: skip
    source = "source" if before(look.release, "0.5.1") else "src"
    unpacked = bool(revision.get("hashes")) or look.place.source in {"pypi", "index"}
    if unpacked and not look.is_dir(f"{build}/{source}"):
        verdict: Verdict = "ignored" if is_built(look, build) else "healed"
        if before(look.release, "0.4.12") or (verdict == "healed" and before(look.release, "0.5.1")):
            verdict = "fatal"
        elif verdict == "healed" and look.release in _NO_HASHES:
            return replace(_without_hashes(look, build, found), missing=(f"{build}/{source}",), damaged=())
        return replace(
            found, verdict=verdict, state="incomplete", missing=(f"{build}/{source}",),
            reason=f"the build that it names lacks the unpacked source `{source}`",
            innermost="but the hashes didn't match" if verdict == "fatal" and not before(look.release, "0.4.12") else "",
        )  # fmt: skip
    if (
        look.release in _NO_HASHES
        and not _is_linked(look, build)
        and is_archive(look)
        and _has_wheel(look, build)
    ):
        return _without_hashes(look, build, found)
    if look.place.source == "path" and is_archive(look) and not before(look.release, _ASKED_AGAIN):
        return judge_hashes(found, revision.get("hashes", ()))
    return found


# Measured: 0.5.11 takes the hash of a source archive as it is, 0.5.12 holds it against the lockfile's.
_ASKED_AGAIN = "0.5.12"


# Measured: not in 0.5.11, in 0.5.12, 0.5.18, 0.5.31, 0.6.8, 0.7.22, 0.8.0 and 0.8.10, not in 0.8.11.
_NO_HASHES = ReleaseRange("0.5.12", "0.8.10")


def _is_linked(look: Look, build: str) -> bool:
    """Whether a wheel that was built is there unpacked, in a form that these releases see."""
    return any(
        layout.is_wheel_stem(name) and _leads_on(look, f"{build}/{name}") for name in look.names(build)
    )


def _leads_on(look: Look, link: str) -> bool:
    # Measured: 0.5.12 to 0.5.31 pass over a directory in the place of the link, 0.6.0 takes it.
    return look.is_dir(link) and (not before(look.release, "0.6.0") or os.path.islink(look.full(link)))


def _has_wheel(look: Look, build: str) -> bool:
    return any(
        name.endswith(".whl") and os.path.exists(look.full(f"{build}/{name}")) for name in look.names(build)
    )


def _without_hashes(look: Look, build: str, found: Judgement) -> Judgement:
    """These releases compute no hashes of a source archive that they have unpacked before, and then miss them.

    What is wrong is what is in the way to the unpacked wheel: it is named as missing or damaged.
    """
    gone: list[str] = []
    bad: list[str] = []
    for name in look.names(build):
        if not name.endswith(".whl"):
            continue
        link = f"{build}/{name.removesuffix('.whl')}"
        if _leads_on(look, link):
            continue
        archive = archive_of(look_at(look.root, link, look.release, follow=False))
        wrong = archive or link  # a link to an archive that is not there is itself as it should be
        (bad if os.path.lexists(look.full(wrong)) else gone).append(wrong)
    return replace(
        found, verdict="fatal", state="incomplete", missing=tuple(gone), damaged=tuple(bad),
        innermost="Hash-checking is enabled, but no hashes were computed for",
        reason="no wheel that was built from it is there unpacked, and this release cannot build one from an archive that "
        "it has unpacked before when a lockfile asks for its hash",
    )  # fmt: skip


@functools.cache
def _decoder(release: str) -> tuple[Any, bool]:
    """The decoder, and whether what it accepts is accepted by uv even where there are directories."""
    shape = shape_for(READERS, release)
    exact = exact_decoder(shape)
    return exact or decoder(shape), exact is not None


def harmless(glance: Glance) -> bool:
    if glance.what != "file" or before(glance.release, "0.4.26"):  # an untagged enum in the first place
        return False
    if glance.release in _NO_HASHES:  # what stands beside it counts
        return False
    known, exact = _decoder(glance.release)
    pointer = known.decode(glance.data())
    if shapes.has_bad_hash(glance.release, pointer.revision.hashes):
        return False
    return exact or not pointer.cache_info.directories


ENTRY = EntryKind(
    name="revision pointer, local",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=broken,
    harmless=harmless,
)
