"""Prints how fast redaction is: MB/s on a verbose log, seconds for hostile lines, memory on a long stream.

    python benchmarks/redaction.py [--log FILE] [--stream-mb 500]

Without --log a log in the shape of `uv -vv` is made up, with as many repeated lines as a real one has (a third
of the lines of a 196 MB log were distinct).
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import statistics
import time
from typing import TYPE_CHECKING

from uvreport.redact.engine import Engine
from uvreport.redact.known import Known
from uvreport.redact.ledger import Ledger
from uvreport.redact.tree import redact_stream

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = Known(
    users=("zoe.quill",),
    full_names=("Zoe Quill",),
    homes=("/home/zoe.quill",),
    hosts=("zq-laptop", "pypi.corp.quill.example"),
    hostname="zq-laptop",
    domains=("corp.quill.example",),
    secrets=("hunter2-Prod!2026",),
    prefixes=(("/home/zoe.quill/work/proj", "/home/user/dir1/project"), ("/home/zoe.quill", "/home/user")),
)


def verbose_log(size_bytes: int, *, distinct: float) -> bytes:
    """A text like a verbose log of uv; `distinct` is the share of its lines that occur once."""
    draw = random.Random(1)
    names = (
        "numpy",
        "pandas",
        "boto3",
        "botocore",
        "requests",
        "flask",
        "secrets-manager",
        "token-bucket",
        "attrs",
    )

    def line() -> bytes:
        name, sha = draw.choice(names), f"{draw.getrandbits(256):064x}"
        version = f"{draw.randint(0, 9)}.{draw.randint(0, 40)}.{draw.randint(0, 20)}"
        url = f"https://files.packages.example/packages/{sha[:2]}/{sha[2:4]}/{sha[4:]}/{name}-{version}-py3-none-any.whl"
        return draw.choice(
            (
                f"DEBUG Selecting: {name}=={version} [compatible] ({name}-{version}-py3-none-any.whl)",
                f"DEBUG No cache entry for: {url}.metadata",
                f"TRACE No credentials in cache for URL {url}",
                f"TRACE Handling request for `{url}` with authentication policy auto",
                f"DEBUG Adding transitive dependency for {name}=={version}: urllib3>=1.25.4, <2.2.0 | >2.2.0, <3",
                f"TRACE Acquired lock for `/home/zoe.quill/.cache/uv/wheels-v5/pypi/{name}/{version}-py3-none-any`",
            )
        ).encode()

    pool = [line() for _ in range(max(50, int(size_bytes / 150 * distinct)))]
    out, size = [], 0
    while size < size_bytes:
        text = draw.choice(pool)
        out.append(text)
        size += len(text) + 1
    return b"\n".join(out)


def median_s(work: Callable[[], object], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


class Endless(io.RawIOBase):
    """`size` bytes of log, made while they are read."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._left = piece, size

    def read(self, _size: int = -1) -> bytes:
        if self._left <= 0:
            return b""
        self._left -= len(self._piece)
        return self._piece


class Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return len(data)  # type: ignore[arg-type]


HOSTILE = {
    "1.1.1.1.": b"1.1.1.1.",
    "token_": b"token_",
    "token=": b"token=",
    "tokens=": b"tokens=",
    "eyJaaaaaaaa.": b"eyJaaaaaaaa.",
    "-----BEGIN PRIVATE KEY-----": b"-----BEGIN PRIVATE KEY-----",
    "a://b:c": b"a://b:c",
    "@": b"@",
    "%25": b"%25",
    "backslash": b"\\",
    "?code=": b"?code=",
    "/home/": b"/home/",
    "a": b"a",
}


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--log", help="a verbose log of your own")
    options.add_argument("--stream-mb", type=int, default=100)
    told = options.parse_args()

    if told.log:
        with open(told.log, "rb") as file:
            logs = {told.log: file.read()}
    else:
        logs = {
            "5 MB, a third distinct": verbose_log(5_000_000, distinct=0.3),
            "5 MB, all distinct": verbose_log(5_000_000, distinct=3.0),
        }
    print(f"{'what':36} {'MB/s':>8}")
    for name, text in logs.items():
        engine = Engine(KNOWN, Ledger())
        engine.redact(text[:100_000])
        print(f"{name:36} {len(text) / 1e6 / median_s(lambda e=engine, t=text: e.redact(t)):8.1f}")  # type: ignore[misc]

    piece = next(iter(logs.values()))[: 1 << 20]
    begin = time.perf_counter()
    redact_stream(Endless(piece, told.stream_mb * 1_000_000), Nowhere(), KNOWN)  # type: ignore[arg-type]
    took = time.perf_counter() - begin
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{f'stream of {told.stream_mb} MB':36} {told.stream_mb / took:8.1f}   peak of the process {peak_mb:.0f} MB"
    )

    print(f"\n{'hostile line of 200 kB':36} {'s':>8}")
    for name, unit in HOSTILE.items():
        line = (unit * 200_000)[:200_000]
        engine = Engine(KNOWN, Ledger())
        engine.redact(b"x" + line[:5000])
        print(f"{name:36} {median_s(lambda e=engine, t=line: e.redact(t), 3):8.3f}")  # type: ignore[misc]


if __name__ == "__main__":
    main()
