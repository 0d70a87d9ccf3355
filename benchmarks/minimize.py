"""Prints how many runs and seconds it takes to minimize a failure of reading in a large cache.

    python -m benchmarks.minimize [FILES[:BYTES] ...]      (default: 400 20000; 2000 bytes each)

The sample bundle gets a sound cache of that many files around its entry at fault, in memory: the search works on
the value. Every run of the judge is a replay in a sandbox. "cache" is when the cache was at its smallest, "all" the whole
search. Four ways: `minimize` as it is, with one run at once, then without the guess that only the entry at fault counts,
and at last without the trace of what the run read, so that all is found by delta debugging alone.

The last lines are `uvreport minimize` as a process, from a file of as many smaller files to the file that it writes.
"""

from __future__ import annotations

import glob
import json
import random
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from uvreport import minimize
from uvreport.bundle import Bundle, Member
from uvreport.minimize import problem
from uvreport.pack import fit, open_bundle, save, write
from uvreport.releases import resolve
from uvreport.smallest import Judge, search

if TYPE_CHECKING:
    from uvreport.bundle import Uv
    from uvreport.minimize import Answer

FILES_OF_A_WHEEL = 20
SMALL_BYTES = 400  # so that a bundle can hold 20,000 of them


def main() -> None:
    sample = open_bundle(glob.glob("sample_bundles/uv-12318/*.uvreport.zip")[0])
    uv = resolve(sample.run.uv.release)
    print(
        f"throwaway places in memory if there is room, else in {tempfile.gettempdir()} (TMPDIR names another)"
    )
    print(
        f"{'files':>7} {'MB':>6} {'way':>14} {'cache: runs':>12} {'s':>7} {'all: runs':>10} {'s':>7}  left in the cache"
    )
    words = sys.argv[1:] or ("400", "20000")
    for word in words:
        files, _, size = word.partition(":")
        bundle = replace(sample, members=(*sample.members, *filling(int(files), int(size or 2_000))))
        for way in ("as it is", "one at once", "no guess", "no trace"):
            print_one(bundle, uv, way)
    for word in words:
        files = word.partition(":")[0]
        print_process(replace(sample, members=(*sample.members, *filling(int(files), SMALL_BYTES))))


def print_one(bundle: Bundle, uv: Uv, way: str) -> None:
    before = cached(bundle)
    begin = time.perf_counter()
    judge = Judge(bundle, uv)

    def judged(candidate: Bundle) -> Answer:
        answer = judge(candidate)
        return answer if way == "no guess" else replace(answer, reads=None)

    steps = [
        (step.runs, time.perf_counter() - begin, cached(step.best))
        for step in (
            search(bundle, judge, jobs=1 if way == "one at once" else None)
            if way in {"as it is", "one at once"}
            else minimize.minimize(bundle, minimize.every_pass(), judged, key=problem.key, size=problem.size)
        )
    ]
    left = steps[-1][2]
    runs, cache_s, _ = next(step for step in steps if len(step[2]) == len(left))
    print(
        f"{len(before):7} {sum(map(len, before)) / 1e6:6.1f} {way:>14} {runs:12} {cache_s:7.2f} "
        f"{steps[-1][0]:10} {steps[-1][1]:7.2f}  {len(left)} file of {sum(map(len, left))} bytes"
    )


def print_process(bundle: Bundle) -> None:
    ordered = replace(bundle, members=tuple(sorted(bundle.members, key=lambda member: member.path)))
    with tempfile.TemporaryDirectory() as folder:
        path, out = f"{folder}/large.uvreport.zip", f"{folder}/small.uvreport.zip"
        save(write(fit(ordered), "", ""), path)
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "uvreport", "minimize", "--json", path, "-o", out],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        took = time.perf_counter() - begin
    said = json.loads(done.stdout)
    print(
        f"as a process: {len(cached(bundle))} files, {said['file_bytes']['before'] / 1e6:.1f} MB to "
        f"{len(said['kept'])} files, {said['runs']} runs, {took:.2f} s"
    )


def cached(bundle: Bundle) -> list[bytes]:
    return [m.data for m in bundle.members if m.path.startswith("cache/") and m.kind == "file"]


def filling(files: int, size: int) -> list[Member]:
    """That many files as a cache has them: wheels, each with its pointer and its archive."""
    chance = random.Random(20_000)
    found: list[Member] = []
    for n in range(files // FILES_OF_A_WHEEL):
        found.append(
            Member(
                path=f"cache/wheels-v5/pypi/package-{n}/package_{n}-1.0-py3-none-any.http",
                data=chance.randbytes(300),
            )
        )
        archive = f"cache/archive-v0/{n:021d}"
        found += [
            Member(path=f"{archive}/package_{n}/module_{i}.py", data=chance.randbytes(chance.randrange(2 * size)))
            for i in range(FILES_OF_A_WHEEL - 1)
        ]  # fmt: skip
    return found


if __name__ == "__main__":
    main()
