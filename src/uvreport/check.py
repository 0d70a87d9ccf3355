"""Walks a whole cache, without running uv, for what one release would choke on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport.cache.examine import Finding, examine, find, normalized, walk
from uvreport.errors import UsageError
from uvreport.locate import cures

if TYPE_CHECKING:
    from collections.abc import Callable

# What the release fails on, and what it takes although it is not whole. What it heals or never reads is no finding.
_WRONG = frozenset({"fatal", "suspicious"})


class Wrong(Struct, frozen=True, kw_only=True):
    """One finding, and the smallest set of cache paths whose removal lets uv make the entry anew."""

    finding: Finding
    cure: tuple[str, ...]


class Checked(Struct, frozen=True, kw_only=True):
    """What a walk found: `entries` were examined, the cache holds `size_bytes` in all; findings sorted by path."""

    cache_dir: str
    release: str
    entries: int
    size_bytes: int
    duration_s: float
    wrong: tuple[Wrong, ...]


def check(
    root: str, release: str, *, package: str = "", progress: Callable[[int], None] | None = None
) -> Checked:
    """What `release` would choke on in the cache at `root`. Raises UsageError when there is no cache.

    With `package` only the entries of that package are examined. `progress` is told the number examined so far.
    """
    if not os.path.isdir(root):
        raise UsageError(f"There is no cache at {root}.", hint="Name it with --cache-dir DIR.")
    begin = time.monotonic()
    name = normalized(package)
    paths = find(root, packages=[name]) if package else walk(root)
    wrong: list[Wrong] = []
    entries = 0
    for path in paths:
        entries += 1
        if progress is not None and entries % 500 == 0:
            progress(entries)
        finding = examine(root, path, release)
        if finding.verdict in _WRONG:
            wrong.append(Wrong(finding=finding, cure=cures(root, finding)[0]))
    return Checked(
        cache_dir=root,
        release=release,
        entries=entries,
        size_bytes=_size_of(root),
        duration_s=round(time.monotonic() - begin, 3),
        wrong=tuple(sorted(wrong, key=lambda one: one.finding.path)),
    )


def _size_of(root: str) -> int:
    """The bytes of all files below, apparent sizes, links not followed."""
    total = 0
    pending = [root]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
