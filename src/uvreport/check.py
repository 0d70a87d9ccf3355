"""Walks a whole cache, without running uv, for what one release would choke on."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport.cache.entry import contents
from uvreport.cache.examine import Finding, examine, find, normalized, walk
from uvreport.cache.mixture import Mixture, mixed_around
from uvreport.cache.survey import WRONG, Plan, Tally, begin, size_below, survey
from uvreport.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# From how many directories on a second process is worth its start.
_MANY = 128
# Into how many portions they are divided: the numbers of all fit into one page, the smallest pipe that there is.
_PORTIONS = 1000
_MOST_PROCESSES = 4


class Wrong(Struct, frozen=True, kw_only=True):
    """One finding, and the smallest set of cache paths whose removal lets uv make the entry anew."""

    finding: Finding
    cure: tuple[str, ...]


class Checked(Struct, frozen=True, kw_only=True):
    """What a walk found: `entries` were examined, the cache holds `size_bytes` in all; findings sorted by path.

    `mixed` are the buckets of findings that more than one release has written, as far as was looked.
    """

    cache_dir: str
    release: str
    entries: int
    size_bytes: int
    duration_s: float
    wrong: tuple[Wrong, ...]
    mixed: tuple[Mixture, ...] = ()


def check(
    root: str,
    release: str,
    *,
    package: str = "",
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> Checked:
    """What `release` would choke on in the cache at `root`. Raises UsageError when there is no cache.

    With `package` only the entries of that package are examined. `progress` is told the number examined so far.
    A large cache is walked by up to so many `processes`, where a process can be had by forking.
    """
    if not os.path.isdir(root):
        raise UsageError(f"There is no cache at {root}.", hint="Name it with --cache-dir DIR.")
    since = time.monotonic()
    if package:
        tally = _of_package(root, release, normalized(package))
    else:
        plan, tally = begin(root, release)
        told = progress or (lambda _: None)
        if processes < 2 or len(plan.left) < _MANY or not _may_fork():
            _alone(plan, tally, told)
        elif not _together(plan, tally, processes, told):
            plan, tally = begin(root, release)
            _alone(plan, tally, told)
    findings = [examine(root, path, release) for path in sorted(tally.wrong)]
    return Checked(
        cache_dir=root,
        release=release,
        entries=tally.entries,
        size_bytes=tally.size_bytes,
        wrong=tuple(_cured(root, findings)),
        mixed=mixed_around(root, [finding.path for finding in findings]),
        duration_s=round(time.monotonic() - since, 3),
    )


def _of_package(root: str, release: str, package: str) -> Tally:
    """What the entries of one package give, and the unpacked wheels that they lead to."""
    examined = {path: examine(root, path, release) for path in find(root, packages=[package])}
    leads_to = {target for finding in examined.values() for target in finding.links_to}
    for path in leads_to - examined.keys():
        if path.startswith("archive-") and os.path.isdir(os.path.join(root, path)):
            examined[path] = examine(root, path, release)
    wrong = [path for path, finding in examined.items() if finding.verdict in WRONG]
    return Tally(entries=len(examined), size_bytes=size_below(root), wrong=wrong)


# The walk, alone or together.


def _alone(plan: Plan, tally: Tally, told: Callable[[int], None]) -> None:
    for portion in _portions(plan):
        survey(plan, portion, tally)
        told(tally.entries)


def _portions(plan: Plan) -> list[tuple[str, ...]]:
    size = max(8, -(-len(plan.left) // _PORTIONS))
    return [plan.left[at : at + size] for at in range(0, len(plan.left), size)]


def _may_fork() -> bool:
    """Whether a copy of this process can work on safely: elsewhere than on Linux, or beside threads, it may hang."""
    return sys.platform == "linux" and threading.active_count() == 1


def _together(plan: Plan, tally: Tally, processes: int, told: Callable[[int], None]) -> bool:
    """Whether the walk was finished by several processes, this one among them. If not, `tally` is worth nothing.

    The numbers of the portions lie in a pipe, and whoever is free takes the next one.
    """
    portions = _portions(plan)
    numbers, end = os.pipe()
    os.write(end, b"".join(number.to_bytes(4, "little") for number in range(len(portions))))
    os.close(end)
    children: dict[int, int] = {}
    try:
        for _ in range(min(processes, _MOST_PROCESSES) - 1):
            _helper(plan, portions, numbers, children)
        heard = dict.fromkeys(children, b"")
        while number := os.read(numbers, 4):
            survey(plan, portions[int.from_bytes(number, "little")], tally)
            for pid, answers in children.items():
                heard[pid] = _add(tally, heard[pid] + _ready(answers))
            told(tally.entries)
        sound = True
        for pid, answers in list(children.items()):
            os.set_blocking(answers, True)
            while data := os.read(answers, 65536):
                heard[pid] = _add(tally, heard[pid] + data)
                told(tally.entries)
            sound = os.waitpid(pid, 0)[1] == 0 and not heard[pid] and sound
            del children[pid]
            os.close(answers)
        return sound
    finally:
        os.close(numbers)
        for pid, answers in children.items():
            os.close(answers)
            with suppress(ProcessLookupError, ChildProcessError):  # interrupted just after it was waited for
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _helper(plan: Plan, portions: Sequence[Sequence[str]], numbers: int, children: dict[int, int]) -> None:
    """Starts a process that takes portions as well: into `children` goes its id, with the pipe on which it tells."""
    answers, end = os.pipe()
    os.set_blocking(answers, False)
    # An interrupt between the start and the note of it would leave a process behind that nobody ends.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    if pid := os.fork():
        children[pid] = answers
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(end)
        return
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        while number := os.read(numbers, 4):
            found = Tally()
            survey(plan, portions[int.from_bytes(number, "little")], found)
            line = json.dumps([found.entries, found.size_bytes, found.wrong]).encode() + b"\n"
            while line:
                line = line[os.write(end, line) :]
        code = 0
    finally:
        os._exit(code)  # never back into what the other process goes on with


def _ready(answers: int) -> bytes:
    try:
        return os.read(answers, 65536)
    except BlockingIOError:
        return b""


def _add(tally: Tally, heard: bytes) -> bytes:
    """Adds what is told in whole lines; the beginning of a line that is not whole."""
    *lines, rest = heard.split(b"\n")
    for line in lines:
        entries, size_bytes, wrong = json.loads(line)
        tally.entries += entries
        tally.size_bytes += size_bytes
        tally.wrong += wrong
    return rest


# What has to go so that uv makes an entry anew.


def _cured(root: str, findings: Sequence[Finding]) -> Iterator[Wrong]:
    """The findings with their cures: an entry alone, an archive together with what leads to it."""
    archives = {one.path for one in findings if one.path.startswith("archive-")}
    leading = _leading_to(root, archives) if archives else {}
    for one in findings:
        yield Wrong(finding=one, cure=tuple(sorted({*leading.get(one.path, ()), one.path})))


def _leading_to(root: str, archives: set[str]) -> dict[str, list[str]]:
    """The pointers and links in the cache that lead to each of these archives."""
    names = {path.rpartition("/")[2] for path in archives}
    leading: dict[str, list[str]] = {}
    for path in walk(root):
        if path.startswith("archive-") or not _mentions(os.path.join(root, path), names):
            continue
        for target in examine(root, path, "").links_to:
            if target in archives:
                leading.setdefault(target, []).append(path)
    return leading


def _mentions(full: str, names: set[str]) -> bool:
    """Whether a pointer or a link has one of these names in it. A pointer has little else, and is small."""
    try:
        if os.path.islink(full):
            return bool(names & set(re.split(r"[/\\]", os.readlink(full))))
        size_bytes = os.path.getsize(full)
        if not full.endswith((".rev", ".http")) and size_bytes > 200:
            return False
        data = contents(full, min(size_bytes, 1_000_000))
    except OSError:
        return False
    return any(word.decode() in names for word in re.findall(rb"[-_0-9A-Za-z]+", data))
