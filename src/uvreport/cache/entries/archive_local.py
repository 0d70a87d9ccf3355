"""`<stem>.rev` in a wheels bucket: where the unpacked form of a local wheel is. Fatal when it cannot be decoded."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import (
    EntryKind,
    Glance,
    Judgement,
    Look,
    Reader,
    always,
    judge_hashes,
    judge_msgpack,
    shape_for,
)
from uvreport.cache.serde import Shape, exact_decoder


class _Pointer(Shape, frozen=True):
    rust: ClassVar[str] = "LocalArchivePointer"
    noun: ClassVar[str] = "the pointer"


class Pointer2(_Pointer, frozen=True):
    timestamp: shapes.SystemTime
    archive: shapes.Archive2


class Pointer3(_Pointer, frozen=True):
    timestamp: shapes.SystemTime
    archive: shapes.Archive3


class Pointer4(_Pointer, frozen=True):
    timestamp: shapes.SystemTime
    archive: shapes.Archive4


class Pointer4Blake(_Pointer, frozen=True):
    timestamp: shapes.SystemTime
    archive: shapes.Archive4Blake


class Pointer4Path(_Pointer, frozen=True):
    rust: ClassVar[str] = "PathArchivePointer"

    timestamp: shapes.SystemTime
    archive: shapes.Archive4Blake


class Pointer5(_Pointer, frozen=True):
    rust: ClassVar[str] = "PathArchivePointer"

    timestamp: shapes.SystemTime
    archive: shapes.Archive5


class Pointer5Hex(_Pointer, frozen=True):
    rust: ClassVar[str] = "PathArchivePointer"

    timestamp: shapes.SystemTime
    archive: shapes.Archive5Hex


class Pointer5Enum(_Pointer, frozen=True):
    rust: ClassVar[str] = "PathArchivePointer"

    timestamp: shapes.SystemTime
    archive: shapes.Archive5Enum


READERS = (
    Reader(ReleaseRange("0.1.32", "0.5.31"), Pointer2),
    Reader(ReleaseRange("0.6.0", "0.6.3"), Pointer3),
    Reader(ReleaseRange("0.6.4", "0.7.0"), Pointer4),
    Reader(ReleaseRange("0.7.1", "0.11.15"), Pointer4Blake),
    Reader(ReleaseRange("0.11.16", "0.11.33"), Pointer4Path),
    Reader(ReleaseRange("0.12.0", "0.12.13"), Pointer5),
    Reader(ReleaseRange("0.12.14", "0.12.24"), Pointer5Hex),
    Reader(since("0.13.0"), Pointer5Enum),
)


def matches(path: str) -> bool:
    place = layout.parse(path)
    return len(place.rest) == 1 and place.rest[0].endswith(".rev")


def writers(value: Any) -> tuple[ReleaseRange, ...]:
    if not isinstance(value, list) or len(value) != 2:
        return ()
    return shapes.archive_writers(value[1])


def judge(look: Look) -> Judgement:
    found = judge_msgpack(look, READERS, writers=writers, broken=always("fatal"))
    if found.state != "ok":
        return found
    archive = f"archive-v0/{found.decoded['archive']['id']}"
    found = replace(found, links_to=(archive,))
    if look.is_dir(archive):
        return (
            judge_hashes(found, found.decoded["archive"]["hashes"]) if look.place.source == "url" else found
        )
    return replace(
        found, verdict="fatal", state="dangling", damaged=look.standing(archive),
        reason=f"it names {archive}, which is not there; uv {look.release} does not look before it installs",
        innermost="No such file or directory (os error 2)",
    )  # fmt: skip


@functools.cache
def _decoder(release: str) -> Any:
    return exact_decoder(shape_for(READERS, release))


def harmless(glance: Glance) -> bool:
    decoder = _decoder(glance.release)
    if decoder is None or glance.what != "file":
        return False
    archive = decoder.decode(glance.data()).archive
    return archive.id in glance.archives and not shapes.has_bad_hash(glance.release, archive.hashes)


ENTRY = EntryKind(
    name="archive pointer, local",
    buckets=("wheels",),
    matches=matches,
    judge=judge,
    readers=READERS,
    harmless=harmless,
)
