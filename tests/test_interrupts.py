"""An interrupt, however early, leaves no process of uv's behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def running(mark: str) -> list[int]:
    """The ids of the processes that sleep for `mark` seconds."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes() == f"/bin/sleep\0{mark}\0".encode():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells when a child is there")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_a_command_starts_ends_the_command(sent: signal.Signals) -> None:
    left = []
    for number in range(20):
        mark = f"5{os.getpid()}.{time.monotonic_ns()}"
        code = (
            "import signal, sys; from uvreport import uv\n"
            "def end(number, frame): raise KeyboardInterrupt\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "print(1, flush=True)\n"
            f"uv.run(['/bin/sleep', {mark!r}], cwd='/', env={{}}, timeout_s=60)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while number % 2 and not children.read_text():
            pass
        process.send_signal(sent)
        assert b"KeyboardInterrupt" in process.communicate(timeout=30)[1]
        for pid in running(mark):
            left.append(pid)
            os.kill(pid, signal.SIGKILL)
    assert left == []
