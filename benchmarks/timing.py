"""Timing of whole processes, for the scripts beside it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Cost(Struct, frozen=True):
    """What one process cost: wall time in seconds, and the largest memory (its own or a child's) in MB."""

    wall_s: float
    peak_mb: float
    stdout: str


def cost(
    argv: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None, expected: int = 0
) -> Cost:
    """What one run costs; another exit code than `expected` ends the benchmark, for a crash is fast.

    Output goes to a pipe, as it does where a tool calls it.
    """
    with tempfile.TemporaryFile() as complaints:
        begin = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.stdout.close()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != expected:
            complaints.seek(0)
            told = complaints.read().decode("utf-8", "replace")
            sys.exit(f"{' '.join(argv)} ended with {process.returncode}, not {expected}:\n{told}")
    return Cost(wall_s, usage.ru_maxrss / 1024, said.decode("utf-8", "replace"))


def median_ms(argv: Sequence[str], runs: int) -> float:
    """The median over `runs` of the wall time in milliseconds, after one run that does not count."""
    times = [cost(argv).wall_s * 1000 for _ in range(runs + 1)]
    return statistics.median(times[1:])
