"""Prints whether attribution is right, and how narrow: entries that many releases wrote, and the range for each.

    python -m benchmarks.attribution [--keep FOLDER] [RELEASE ...]

Every release writes what it can, offline: local trees, archives and wheels, an index and a page of links on the
loopback, a Git repository, environments, scripts, a project. Then it is asked who wrote each entry. What is not
here of the releases is fetched. With --keep the caches stay in FOLDER and are not written anew the next time.
Exit 1 when a range does not hold the true writer. About ten seconds for each release.
"""

from __future__ import annotations

import argparse
import collections
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from tests.cache.written import Sources, sources, write_entries
from tests.failing_states.state import served

from uvreport import releases
from uvreport.cache import buckets
from uvreport.cache.examine import examine, walk
from uvreport.cache.mixture import mixed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Both sides of every boundary that attribution knows, and some in between.
RELEASES = (
    "0.1.32", "0.1.39", "0.1.43", "0.1.45", "0.2.3", "0.2.5", "0.2.6", "0.2.9", "0.2.22", "0.2.28", "0.2.37", "0.3.1",
    "0.3.5", "0.4.0", "0.4.7", "0.4.8", "0.4.13", "0.4.22", "0.4.23", "0.4.24", "0.4.26", "0.4.30", "0.5.0", "0.5.1",
    "0.5.9", "0.5.11", "0.5.12", "0.5.18", "0.5.19", "0.5.25", "0.5.26", "0.5.31", "0.6.0", "0.6.3", "0.6.4", "0.6.6",
    "0.6.7", "0.6.8", "0.6.17", "0.7.0", "0.7.1", "0.7.5", "0.7.18", "0.7.22", "0.8.3", "0.8.7", "0.8.18", "0.8.24",
    "0.9.11", "0.9.30", "0.10.0", "0.10.12", "0.11.3", "0.11.8", "0.11.9", "0.11.10", "0.11.11", "0.11.16", "0.11.17",
    "0.11.18", "0.11.19", "0.11.30", "0.11.33", "0.12.0", "0.12.1", "0.12.2", "0.12.3", "0.12.5", "0.12.7", "0.12.8",
    "0.12.18", "0.12.19", "0.12.24", "0.13.0", "0.13.1", "0.13.2", "0.13.7", "0.13.8", "0.13.9",
)  # fmt: skip


class Row(Struct, frozen=True):
    """One entry: who wrote it, what attribution says, and of how many releases that is; 0 where it says nothing."""

    release: str
    path: str
    kind: str
    said: buckets.ReleaseRange | None
    width: int
    right: bool


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path)
    parser.add_argument("release", nargs="*")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as scratch:
        caches = write_all(Path(scratch), given.keep or Path(scratch) / "kept", given.release or RELEASES)
        rows = [row for release, cache in caches.items() for row in judge(release, cache)]
    tell(rows)
    if any(row.width and not row.right for row in rows):
        sys.exit(1)


def write_all(scratch: Path, kept: Path, wanted: Sequence[str]) -> dict[str, Path]:
    """The cache that each of the releases wrote."""
    kept.mkdir(parents=True, exist_ok=True)
    folder = scratch / "sources"
    folder.mkdir()
    sources(folder)
    with served(folder) as url:
        for release in wanted:
            if (kept / release).is_dir():
                continue
            root = scratch / release
            cache, failed = write_entries(root, releases.obtain(release), Sources(folder=folder, url=url))
            shutil.move(cache, kept / release)
            shutil.rmtree(root)
            could_not = f"; not: {', '.join(failed)}" if failed else ""
            print(f"{release} wrote{could_not}", file=sys.stderr, flush=True)
    return {release: kept / release for release in wanted}


def judge(release: str, cache: Path) -> Iterator[Row]:
    """Every entry of a cache that `release` wrote alone."""
    order = {known: n for n, known in enumerate(buckets.releases())}
    for path in walk(str(cache)):
        found = examine(str(cache), path, "")
        span = found.writers
        yield Row(
            release, path, found.kind, span,
            order[span.last] - order[span.first] + 1 if span else 0, span is not None and release in span,
        )  # fmt: skip


def tell(rows: Sequence[Row]) -> None:
    known = len(buckets.releases())
    told = [row for row in rows if row.width]
    by_kind: dict[str, list[Row]] = collections.defaultdict(list)
    for row in told:
        by_kind[row.kind].append(row)
    by_kind["all pointers"] = [row for row in told if "pointer" in row.kind]
    by_kind["all"] = told
    written = sorted({row.release for row in rows}, key=releases.order)
    print(f"{len(written)} releases, {written[0]} to {written[-1]}; {len(rows)} entries")
    print(f"widths in releases, of {known} that are known\n")
    print(f"{'kind':26} {'entries':>7} {'right':>8} {'median':>7} {'widest':>7}")
    for kind, some in sorted(by_kind.items(), key=lambda pair: (pair[0].startswith("all"), pair[0])):
        widths = [row.width for row in some]
        right = sum(row.right for row in some) / len(some)
        print(f"{kind:26} {len(some):7} {right:8.2%} {statistics.median(widths):7.0f} {max(widths):7}")
    nothing = collections.Counter(Path(row.path).name for row in rows if not row.width)
    print(f"\nnothing is said of {nothing.total()} entries: {dict(nothing.most_common(6))}")
    misses = [row for row in told if not row.right]
    for row in misses:
        print(f"wrong: {row.path} ({row.kind}) is by {row.release}, not {row.said}")
    mixtures = [
        one for release in written for one in mixed((r.path, r.said) for r in rows if r.release == release)
    ]
    print(f"{len(misses)} wrong; {len(mixtures)} mixtures in caches of one writer")


if __name__ == "__main__":
    main()
