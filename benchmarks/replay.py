"""How long one replay takes, without code: p50 and p95 over bundles and releases. Judges nothing.

    python -m benchmarks.replay [RUNS] [BUNDLE ...]     (default: 5, and sample_bundles)

Each pair is run once before it counts, so that uv's answer about Python is kept, as it is in daily use. The releases are
those at hand (at most MOST of them, evenly spread) that read the entry, and a few that do not; none is fetched.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.timing import cost
from uvreport import releases
from uvreport.pack import open_bundle
from uvreport.replay import contained, unread_by

if TYPE_CHECKING:
    from uvreport.bundle import Bundle, Uv

MOST = 12
SAMPLES = Path(__file__).resolve().parent.parent / "sample_bundles"


def main() -> None:
    words = sys.argv[1:]
    runs = int(words.pop(0)) if words and words[0].isdecimal() else 5
    paths = [Path(word) for word in words] or sorted(SAMPLES.glob("*/*.uvreport.zip"))
    # uv's answers about Python are kept only where uvreport has a cache of its own.
    os.makedirs(os.path.dirname(releases.store()), exist_ok=True)
    all_inside: list[float] = []
    all_whole: list[float] = []
    for path in paths:
        bundle = open_bundle(path)
        reading = [release for release in releases.on_disk() if not unread_by(bundle, release)]
        others = [release for release in releases.on_disk() if release not in reading]
        for release in (*spread(reading, MOST), *spread(others, 3)):
            uv = releases.obtain(release, offline=True)
            seen = contained(bundle, uv).verdict
            inside = [timed(bundle, uv) for _ in range(runs)]
            argv = [sys.executable, "-m", "uvreport", "replay", str(path), "--uv", uv.path]
            whole = [cost(argv, env=dict(os.environ)).wall_s for _ in range(max(1, runs // 2))]
            all_inside += inside
            all_whole += whole
            print(
                f"{path.name:44} uv {release:8} {seen.verdict:10} {statistics.median(inside):6.3f} s,"
                f" as a process {statistics.median(whole):6.3f} s"
            )
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for name, times in (("one replay", all_inside), ("uvreport replay, whole process", all_whole)):
        print(f"{name:32} n {len(times):4}  p50 {at(times, 0.5):.3f} s  p95 {at(times, 0.95):.3f} s")


def spread(found: list[str], most: int) -> list[str]:
    """At most `most` of them, evenly over the whole, ends included."""
    if len(found) <= most:
        return found
    return [found[i * (len(found) - 1) // (most - 1)] for i in range(most)]


def timed(bundle: Bundle, uv: Uv) -> float:
    begin = time.perf_counter()
    contained(bundle, uv)
    return time.perf_counter() - begin


def at(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


if __name__ == "__main__":
    main()
