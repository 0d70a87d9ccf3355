"""Buckets that more than one release has written: the story behind most entries that one of them cannot read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport.cache.buckets import ReleaseRange, kind_of, version_key
from uvreport.cache.examine import examine, neighbours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# So many entries of a bucket are looked at around what is wrong in it, the shards of so many of those wholly, and so
# many directories are listed for the rest.
ENTRIES, SHARDS, LISTED = 100, 10, 1000

# No bucket of ours, and those whose one name all releases use over years: there a mixture is no story.
_SHARED = frozenset({None, "archive", "environments", "builds", "git"})
_TELLING = (".rev", ".http", ".msgpack")


class Writing(Struct, frozen=True, kw_only=True):
    """Entries of a bucket that one release can have written: the releases that can, how many entries, one of them."""

    writers: ReleaseRange
    entries: int
    example: str


class Mixture(Struct, frozen=True, kw_only=True):
    """A bucket in which no one release can have written everything: the least number of writers, oldest first."""

    bucket: str
    writings: tuple[Writing, ...]


def mixed(findings: Iterable[tuple[str, ReleaseRange | None]]) -> tuple[Mixture, ...]:
    """The buckets with entries whose ranges do not meet, sorted by name.

    `findings` are paths relative to the cache root with the releases that can have written each; what is None does
    not count, nor do buckets that releases of every kind share by design (archives, environments, clones).
    """
    by_bucket: dict[str, dict[ReleaseRange, list[str]]] = {}
    for path, writers in findings:
        bucket, slash, _ = path.partition("/")
        kind = kind_of(bucket) if slash else None
        if writers is not None and kind not in _SHARED:
            by_bucket.setdefault(bucket, {}).setdefault(writers, []).append(path)
    return tuple(
        Mixture(bucket=bucket, writings=writings)
        for bucket, ranges in sorted(by_bucket.items())
        if len(writings := _fewest(ranges)) > 1
    )


def _fewest(ranges: dict[ReleaseRange, list[str]]) -> tuple[Writing, ...]:
    """The fewest writers that explain all: ranges in the order of their ends, joined for as long as they meet."""
    found: list[Writing] = []
    for span in sorted(ranges, key=lambda span: (version_key(span.last), version_key(span.first))):
        paths = ranges[span]
        both = found[-1].writers.intersect(span) if found else None
        if both is None:
            found.append(Writing(writers=span, entries=len(paths), example=min(paths)))
        else:
            last = found[-1]
            found[-1] = Writing(
                writers=both, entries=last.entries + len(paths), example=min(last.example, *paths)
            )
    return tuple(found)


def mixed_around(root: str, paths: Iterable[str]) -> tuple[Mixture, ...]:
    """The mixtures in the buckets of `paths`, by what stands in their shards and some of what else is in the bucket.

    The cost is bounded for each bucket, so a mixture far off in a large one can be missed.
    """
    by_bucket: dict[str, list[str]] = {}
    for path in paths:
        by_bucket.setdefault(path.partition("/")[0], []).append(path)
    seen: dict[str, ReleaseRange | None] = {}
    for bucket, some in by_bucket.items():
        if kind_of(bucket) in _SHARED:
            continue
        near = [path for one in some[:SHARDS] for path in (one, *neighbours(root, one))]
        chosen = dict.fromkeys(path for path in near if path.startswith(f"{bucket}/"))
        for path in _telling(root, bucket):
            if len(chosen) >= ENTRIES:
                break
            chosen[path] = None
        seen.update((path, examine(root, path, "").writers) for path in list(chosen)[:ENTRIES])
    return mixed(seen.items())


def _telling(root: str, bucket: str) -> Iterator[str]:
    """The decodable entries of a bucket, the shallow ones first; sources and links are passed over."""
    left, listed = [bucket], 0
    while left and listed < LISTED:
        below: list[str] = []
        for path in left:
            listed += 1
            try:
                with os.scandir(os.path.join(root, *path.split("/"))) as found:
                    items = sorted((item.name, item.is_dir(follow_symlinks=False)) for item in found)
            except OSError:
                continue
            yield from (f"{path}/{name}" for name, is_dir in items if not is_dir and name.endswith(_TELLING))
            below += [f"{path}/{name}" for name, is_dir in items if is_dir and name not in {"src", "source"}]
            if listed >= LISTED:
                break
        left = below
