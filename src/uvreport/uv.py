"""The one door to a uv process: start it, bound it, and hear what release it says it is."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from uvreport.bundle import Uv
from uvreport.errors import NoUsableUvError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from uvreport.bundle import Run

# `uv -vv` on a large resolution prints hundreds of MB. What decides is at the end, what introduces it at the start.
HEAD_BYTES = 4_000_000
TAIL_BYTES = 12_000_000

_VERSION = re.compile(r"\buv(?:x)?\s+(\d+\.\d+\.\d+)\b")


class Outcome(Struct, frozen=True, kw_only=True):
    """How a process ended: `exit_code` is negative for a signal and None when it was ended here. Times in seconds.

    It was ended here because time ran out, or, with `stopped`, because it had said what was waited for.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    stdout: str
    stderr: str
    duration_s: float
    stopped: bool = False

    @property
    def timed_out(self) -> bool:
        return self.exit_code is None and not self.stopped


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    timeout_s: float,
    stdin: bytes = b"",
    started: Callable[[int], None] | None = None,
    until: re.Pattern[bytes] | None = None,
) -> Outcome:
    """How `argv` ended. At `timeout_s`, and on any exception here, it and all its children are killed.

    Raises FileNotFoundError or PermissionError when it cannot be started. `started` is told the process id.
    With `until` it is ended as soon as a line of its standard error matches.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as given,
    ):
        given.write(stdin)
        given.seek(0)
        begin = time.monotonic()
        stopped = False
        process: subprocess.Popen[bytes] | None = None
        try:
            with _interrupts_wait():
                process = _start(argv, cwd, env, given, out, err)
            if started is not None:
                started(process.pid)
            stopped = until is not None and _said(process, err, until, begin + timeout_s)
            code: int | None = (
                None if stopped else _wait(process, max(0.0, begin + timeout_s - time.monotonic()))
            )
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process is not None:
                _end(process)
        took = time.monotonic() - begin
        return Outcome(
            argv=tuple(argv),
            exit_code=code,
            stdout=_text(out),
            stderr=_text(err),
            duration_s=round(took, 3),
            stopped=stopped,
        )


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Keeps an interrupt back until this is over: one while a process starts would leave a process that nobody knows."""
    if threading.current_thread() is not threading.main_thread():
        yield  # none comes here
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in before.items() if callable(handler)}
    try:
        for number in handlers:
            signal.signal(number, lambda *sent: came.append(sent))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for sent, frame in came[:1]:
        handlers[signal.Signals(sent)](sent, frame)


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """The exit code. Raises TimeoutExpired. `Popen.wait` looks every 50 ms; the kernel can tell at once."""
    if hasattr(os, "pidfd_open"):
        try:
            watch = os.pidfd_open(process.pid)
        except OSError:  # an old kernel
            return process.wait(timeout_s)
        try:
            poll = select.poll()
            poll.register(watch, select.POLLIN)
            poll.poll(int(timeout_s * 1000) + 1)
        finally:
            os.close(watch)
        timeout_s = 0.05
    return process.wait(timeout_s)


def _said(process: subprocess.Popen[bytes], err: BinaryIO, what: re.Pattern[bytes], deadline: float) -> bool:
    """Whether a line matched before the process ended or time ran out."""
    seen = b""
    at = 0
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        # pread: the child writes at the same open file's position, which must not move.
        new = os.pread(err.fileno(), 1_000_000, at) if hasattr(os, "pread") else b""
        at += len(new)
        seen += new
        whole, newline, rest = seen.rpartition(b"\n")
        if newline and what.search(whole):
            return True
        seen = rest if newline else seen
        if ended:
            return False
        if not new:
            time.sleep(0.005)
    return False


def _start(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: BinaryIO, out: BinaryIO, err: BinaryIO
) -> subprocess.Popen[bytes]:
    # A session of its own: at the end the whole group can be killed, builds and all, and Ctrl-C reaches us first.
    for attempt in range(50):
        try:
            return subprocess.Popen(
                list(argv), cwd=cwd, env=dict(env), stdin=stdin, stdout=out, stderr=err,
                start_new_session=os.name == "posix",
            )  # fmt: skip
        except OSError as error:
            # ETXTBSY: another thread's child still holds the executable that was just written open for writing.
            if getattr(error, "errno", None) != 26 or attempt == 49:
                raise
            time.sleep(0.02)
    raise AssertionError


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _text(file: BinaryIO) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= HEAD_BYTES + TAIL_BYTES:
        return file.read().decode("utf-8", "replace")
    head = file.read(HEAD_BYTES)
    file.seek(size - TAIL_BYTES)
    tail = file.read(TAIL_BYTES)
    left_out = size - HEAD_BYTES - TAIL_BYTES
    # Cut at line ends, so that no half of a secret escapes the rules that know whole ones.
    head = head[: head.rfind(b"\n") + 1]
    tail = tail[tail.find(b"\n") + 1 :]
    return (head + f"[uvreport: about {left_out} bytes left out here]\n".encode() + tail).decode(
        "utf-8", "replace"
    )


def identify(path: str, *, env: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> Uv:
    """The uv at `path`, asked for its release. Raises NoUsableUvError when it does not answer as a uv does."""
    try:
        outcome = run(
            [path, "--version"], cwd=os.path.abspath(os.sep), env=env or os.environ, timeout_s=timeout_s
        )
    except OSError as error:
        raise NoUsableUvError(
            f"{path} cannot be started: {error.strerror or error}.",
            hint="Name a working uv with --uv PATH.",
        ) from error
    found = _VERSION.search(outcome.stdout)
    if outcome.exit_code != 0 or found is None:
        said = (outcome.stdout + outcome.stderr).strip().splitlines()
        raise NoUsableUvError(
            f"{path} does not answer `--version` as uv does"
            + (" within 5 s." if outcome.timed_out else f": it said {said[0][:120]!r}." if said else "."),
            hint="Name a working uv with --uv PATH.",
        )
    return Uv(path=path, release=found[1], version_text=outcome.stdout.strip())


def on_path(environ: Mapping[str, str], name: str = "uv") -> tuple[str, ...]:
    """Every executable `name` on PATH, in order, each once, as it stands there (links not resolved)."""
    found: list[str] = []
    for folder in environ.get("PATH", "").split(os.pathsep):
        path = shutil.which(name, path=folder) if folder else None
        if path is not None and path not in found:
            found.append(path)
    return tuple(found)


def as_outcome(run: Run) -> Outcome:
    """The outcome that a recorded run had."""
    return Outcome(
        argv=run.examined,
        exit_code=run.exit_code,
        stdout=run.stdout,
        stderr=run.stderr,
        duration_s=run.duration_s,
    )
