"""Prints how fast `uvreport check` walks a cache, beside `find -type f -printf %s` and `uv cache size` on the same tree.

    python -m benchmarks.check [FILES ...]      (default: 100000 500000)

The tree is made here, a cache as uv leaves it, only with small wheels, so that there are many entries for the files:
per wheel an unpacked archive of 8, 20 or 50 files, its pointer (two of three from an index, with metadata and the
index's page; one of three local) and its link; with every twentieth wheel a source distribution. Nothing is wrong in
it. Whole processes, warm, taking turns; the ratios are medians over the turns. `uv` is the one on PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.timing import Cost, cost
from uvreport.cache import trailer

RELEASE = "0.11.33"
TURNS = 5
FIND, SIZE = "find DIR -type f -printf '%s\\n'", "uv cache size"


def main() -> None:
    seconds: dict[int, float] = {}
    for files in [int(word) for word in sys.argv[1:]] or [100_000, 500_000]:
        with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as root:
            made = fill(Path(root), files)
            seconds[made] = compare(root, made)
    if len(seconds) > 1:
        (few, short), *_, (many, long) = sorted(seconds.items())
        print(
            f"\n{many / few:.2f} times the files take {long / short:.2f} times as long: "
            f"{(long - short) / (many - few) * 1e6:.2f} us for each further file"
        )


def compare(root: str, files: int) -> float:
    """Prints the table for one tree; the seconds that check takes."""
    rows = {
        "uvreport check": [
            sys.executable, "-m", "uvreport", "check", "--json", "--cache-dir", root, "--uv", RELEASE,
        ],
        FIND: ["find", root, "-type", "f", "-printf", "%s\\n"],
    }  # fmt: skip
    uv = shutil.which("uv")
    if (
        uv
        and not subprocess.run([uv, "cache", "size", "--help"], capture_output=True, check=False).returncode
    ):
        rows[SIZE] = [uv, "cache", "size", "--cache-dir", root]
    turns: list[dict[str, Cost]] = [
        {name: cost(argv, cwd=os.sep, env=dict(os.environ), expected=0) for name, argv in rows.items()}
        for _ in range(TURNS + 1)
    ][1:]
    entries = json.loads(turns[0]["uvreport check"].stdout)["entries"]
    print(f"\n{files} files, {entries} entries; medians of {TURNS} turns after one that does not count")
    print(f"{'':34}{'s':>8}{'entries/s':>11}{'files/s':>10}{'check takes':>13}{'peak MB':>9}")
    for name in rows:
        wall_s = statistics.median(turn[name].wall_s for turn in turns)
        ratio = statistics.median(turn["uvreport check"].wall_s / turn[name].wall_s for turn in turns)
        peak_mb = max(turn[name].peak_mb for turn in turns)
        print(
            f"{name:34}{wall_s:8.3f}{entries / wall_s:11.0f}{files / wall_s:10.0f}{ratio:11.2f} x{peak_mb:9.1f}"
        )
    return statistics.median(turn["uvreport check"].wall_s for turn in turns)


def fill(root: Path, files: int) -> int:
    """A sound cache of at least so many files; how many it has."""
    made = n = 0
    while made < files:
        made += _wheel(root, n, local=n % 3 == 2)
        if n % 20 == 0:
            made += _source(root, n)
        n += 1
    return made


def _wheel(root: Path, n: int, *, local: bool) -> int:
    archive, package, stem = f"{n:016d}", f"package-{n}", "1.0-py3-none-any"
    entry = [archive, [["Sha256", f"{n:064x}"]], f"package_{n}-1.0-py3-none-any.whl", 0]
    if local:
        shard = root / "wheels-v6" / "url" / f"{n:016x}" / package
        shard.mkdir(parents=True)
        (shard / f"{stem}.rev").write_bytes(msgspec.msgpack.encode([[1_700_000_000, 1], entry]))
        (shard / stem).symlink_to(f"../../../../archive-v0/{archive}")
        made = 1
    else:
        shard = root / "wheels-v6" / "pypi" / package
        shard.mkdir(parents=True)
        (shard / f"{stem}.http").write_bytes(_fetched(msgspec.msgpack.encode(entry), n))
        metadata = [
            package,
            "1.0",
            ["click>=8", "msgspec>=0.18; python_version>='3.10'"],
            ">=3.10",
            [],
            False,
        ]
        (shard / f"{stem}.msgpack").write_bytes(_fetched(msgspec.msgpack.encode(metadata), n))
        (shard / stem).symlink_to(f"../../../archive-v0/{archive}")
        pages = root / "simple-v21" / "pypi"
        pages.mkdir(parents=True, exist_ok=True)
        (pages / f"{package}.rkyv").write_bytes(_fetched(bytes(5000), n))
        made = 3
    code = root / "archive-v0" / archive / f"package_{n}"
    info = root / "archive-v0" / archive / f"package_{n}-1.0.dist-info"
    info.mkdir(parents=True)
    texts = {f"{code.name}/module_{m}.py": "x = 1\n" for m in range((5, 17, 17, 47)[n % 4])}
    texts |= {f"{code.name}/below/{Path(name).name}": text for name, text in list(texts.items())[40:]}
    texts[f"{info.name}/METADATA"] = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    texts[f"{info.name}/WHEEL"] = "Wheel-Version: 1.0\n"
    record = "".join(f"{name},sha256={n:043d},{len(text)}\n" for name, text in texts.items())
    texts[f"{info.name}/RECORD"] = f"{record}{info.name}/RECORD,,\n"
    _write(root / "archive-v0" / archive, texts)
    return made + len(texts)


def _source(root: Path, n: int) -> int:
    shard = root / "sdists-v9" / "pypi" / f"package-{n}" / "0.9"
    build = shard / f"b{n:015d}"
    (build / "src").mkdir(parents=True)
    revision = [build.name, [["Sha256", f"{n:064x}"]]]
    (shard / "revision.http").write_bytes(_fetched(msgspec.msgpack.encode(revision), n))
    metadata: list[object] = [f"package-{n}", "0.9", [], None, [], False]
    (build / "metadata.msgpack").write_bytes(msgspec.msgpack.encode(metadata))
    (build / f"package_{n}-0.9-py3-none-any.whl").write_bytes(b"PK\x05\x06" + bytes(18))
    (build / f"package_{n}-0.9-py3-none-any").symlink_to(f"../../../../../archive-v0/{n:016d}")
    _write(build / "src", {f"setup_{m}.py": "x = 1\n" for m in range(10)})
    return 13


def _write(root: Path, texts: dict[str, str]) -> None:
    for folder in {(root / name).parent for name in texts}:
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (root / name).write_text(text, "utf-8")


def _fetched(data: bytes, n: int) -> bytes:
    """The data with a cache policy behind it, of which only the URL is there."""
    url = b"https://example.invalid/simple/package-%08d/" % n
    url += b"x" * (-len(url) % 4)
    return trailer.join(data, url + struct.pack("<Ii", len(url), -len(url)), "old")


if __name__ == "__main__":
    main()
