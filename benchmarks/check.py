"""Prints how fast `uvreport check` walks a cache, beside `find -type f -printf %s` and `uv cache size` on the same tree.

    python -m benchmarks.check [FILES ...]      (default: 100000 500000)

The tree is made here: wheels, each with its pointer, its link and an unpacked archive of 20 files. Whole processes, warm.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.timing import Cost, cost

RELEASE = "0.11.33"
FILES_OF_A_WHEEL = 22


def main() -> None:
    for files in [int(word) for word in sys.argv[1:]] or [100_000, 500_000]:
        with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as root:
            entries = fill(Path(root), files // FILES_OF_A_WHEEL)
            rows = {
                "uvreport check": [
                    sys.executable, "-m", "uvreport", "check", "--json", "--cache-dir", root, "--uv", RELEASE,
                ],
                "find DIR -type f -printf '%s\\n'": ["find", root, "-type", "f", "-printf", "%s\\n"],
            }  # fmt: skip
            uv = shutil.which("uv")
            if uv:
                rows["uv cache size"] = [uv, "cache", "size", "--cache-dir", root]
            print(
                f"{files} files, {entries} entries that uv reads; medians of 3 runs after one that does not count"
            )
            base = 0.0
            for name, argv in rows.items():
                costs: list[Cost] = [
                    cost(argv, cwd=os.sep, env=dict(os.environ), expected=0) for _ in range(4)
                ][1:]
                wall_s = statistics.median(c.wall_s for c in costs)
                peak_mb = max(c.peak_mb for c in costs)
                base = base or wall_s
                print(
                    f"{name:36} {wall_s:7.3f} s {peak_mb:7.1f} MB  {base / wall_s:5.2f} x faster than check"
                )


def fill(root: Path, wheels: int) -> int:
    """A sound cache of `wheels` wheels from local files; how many entries it has outside the archives."""
    for n in range(wheels):
        archive = f"{n:016d}"
        package = f"package-{n}"
        shard = root / "wheels-v6" / "url" / f"{n:016x}" / package
        shard.mkdir(parents=True)
        wheel = f"package_{n}-1.0-py3-none-any.whl"
        pointer = [[1_700_000_000, 1], [archive, [], wheel, 0]]
        (shard / "1.0-py3-none-any.rev").write_bytes(msgspec.msgpack.encode(pointer))
        (shard / "1.0-py3-none-any").symlink_to(f"../../../../archive-v0/{archive}")
        code = root / "archive-v0" / archive / f"package_{n}"
        info = root / "archive-v0" / archive / f"package_{n}-1.0.dist-info"
        code.mkdir(parents=True)
        info.mkdir()
        names = [f"module_{m}.py" for m in range(17)]
        for name in names:
            (code / name).write_bytes(b"x = 1\n")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "WHEEL").write_text("Wheel-Version: 1.0\n")
        rows = [f"{code.name}/{name},,6" for name in names]
        rows += [f"{info.name}/{name},," for name in ("METADATA", "WHEEL", "RECORD")]
        (info / "RECORD").write_text("\n".join(rows) + "\n")
    return 2 * wheels


if __name__ == "__main__":
    main()
