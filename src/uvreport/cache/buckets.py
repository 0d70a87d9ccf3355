"""Which uv release reads and writes which bucket of the cache, and ranges of releases."""

from __future__ import annotations

import functools
import re

from msgspec import Struct

from uvreport.cache.bucket_table import MINORS, RANGES

_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_BUCKET = re.compile(r"([a-z-]+)-v\d+\Z")


@functools.lru_cache(maxsize=4096)
def version_key(release: str) -> tuple[int, int, int]:
    """What orders releases: major, minor, patch. Raises ValueError for what is not a release ("" too)."""
    found = _RELEASE.match(release)
    if found is None:
        msg = f"not a uv release: {release!r}"
        raise ValueError(msg)
    return int(found[1]), int(found[2]), int(found[3])


@functools.cache
def releases() -> tuple[str, ...]:
    """Every uv release that the table knows, oldest first."""
    return tuple(f"{minor}.{patch}" for minor, (a, b) in MINORS.items() for patch in range(a, b + 1))


FIRST = "0.0.5"
NEWEST = f"{list(MINORS)[-1]}.{list(MINORS.values())[-1][1]}"


class ReleaseRange(Struct, frozen=True, order=False):
    """Releases from `first` to `last`, both included. One that ends with the newest known release is open there."""

    first: str
    last: str

    def __contains__(self, release: object) -> bool:
        if not isinstance(release, str):
            return False
        key = version_key(release)
        return version_key(self.first) <= key and (self.last == NEWEST or key <= version_key(self.last))

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first}..{self.last}"

    def intersect(self, other: ReleaseRange) -> ReleaseRange | None:
        """The releases that are in both, None when there are none."""
        first = max(self.first, other.first, key=version_key)
        last = min(self.last, other.last, key=version_key)
        return ReleaseRange(first, last) if version_key(first) <= version_key(last) else None


EVERY = ReleaseRange(FIRST, NEWEST)


def since(first: str) -> ReleaseRange:
    """From `first` to the newest, and to those that this table does not know yet."""
    return ReleaseRange(first, NEWEST)


def until(last: str) -> ReleaseRange:
    """From the very first release to `last`."""
    return ReleaseRange(FIRST, last)


def common(*choices: tuple[ReleaseRange, ...]) -> tuple[ReleaseRange, ...]:
    """The releases that are in one range of every choice, as ranges, oldest first."""
    found: tuple[ReleaseRange, ...] = (EVERY,)
    for choice in choices:
        found = tuple(both for a in found for b in choice if (both := a.intersect(b)) is not None)
    return found


def hull(ranges: tuple[ReleaseRange, ...]) -> ReleaseRange | None:
    """The smallest range that holds all of `ranges`, None for none."""
    if not ranges:
        return None
    return ReleaseRange(
        min((r.first for r in ranges), key=version_key), max((r.last for r in ranges), key=version_key)
    )


@functools.cache
def _table() -> dict[str, tuple[tuple[str, ReleaseRange], ...]]:
    return {
        kind: tuple(
            (name, ReleaseRange(first, last))
            for name, first, last in (line.split() for line in text.split("\n") if line)
        )
        for kind, text in RANGES.items()
    }


@functools.cache
def _by_name() -> dict[str, tuple[str, ReleaseRange]]:
    return {name: (kind, span) for kind, rows in _table().items() for name, span in rows}


def kinds() -> tuple[str, ...]:
    """The kinds of buckets: "wheels", "sdists", "simple", and so on."""
    return tuple(RANGES)


def is_known(release: str) -> bool:
    """Whether the table was made with this release; a newer one is taken to use the newest known buckets."""
    return version_key(release) <= version_key(NEWEST)


@functools.lru_cache(maxsize=4096)
def bucket(kind: str, release: str) -> str | None:
    """The name of the bucket of `kind` that `release` uses, None when it has none of that kind.

    A release newer than the table is taken to use the newest known name (`is_known` tells).
    """
    return next((name for name, span in _table().get(kind, ()) if release in span), None)


def releases_of(name: str) -> ReleaseRange | None:
    """The releases that use the bucket called `name`, None for a name that no known release uses."""
    row = _by_name().get(name)
    return row[1] if row else None


def kind_of(name: str) -> str | None:
    """The kind of the bucket called `name` ("sdists-v8" -> "sdists"), also for a version that is not known yet."""
    row = _by_name().get(name)
    if row:
        return row[0]
    found = _BUCKET.match(name)
    if found is None:
        return None
    kind = "sdists" if found[1] == "built-wheels" else found[1]
    return kind if kind in RANGES else None
