"""One walk over a whole cache: how many entries and bytes there are, and which entries a release would choke on.

Every directory is listed once and every file is asked for its size once; all else works on what that gave. What is
certainly sound is passed over (`EntryKind.harmless`, `archive.is_whole`); `examine` judges the rest, so no verdict
is made here.
"""

from __future__ import annotations

import csv
import os
import stat as modes
from typing import TYPE_CHECKING, Literal

from msgspec import MsgspecError, Struct, field

from uvreport.cache.buckets import bucket, kind_of
from uvreport.cache.entries.archive import is_whole
from uvreport.cache.entry import Glance, is_denied, reading_release
from uvreport.cache.examine import examine, is_entry, kind_at

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the release fails on, and what it takes although it is not whole. What it heals or never reads is not wrong.
WRONG = frozenset({"fatal", "suspicious"})
_ARCHIVES = "archive-v0"
_ALL_MAY_READ, _ALL_MAY_ENTER = 0o444, 0o555
# What may happen while a file is looked at: it goes away, it cannot be read, it cannot be decoded.
_IN_DOUBT = (OSError, MsgspecError, ValueError, TypeError, RecursionError, MemoryError, csv.Error)


class Tally(Struct):
    """What a walk has come by so far; `wrong` are paths relative to the cache root."""

    entries: int = 0
    size_bytes: int = 0
    wrong: list[str] = field(default_factory=list)


class Plan(Struct, frozen=True):
    """A walk that has begun. `left` are the directories that are still to be walked, relative to the cache root.

    `archives` are the names of the directories in archive-v0; each is also in `left`. An unknown release is "".
    """

    root: str
    release: str
    archives: frozenset[str]
    left: tuple[str, ...]


def begin(root: str, release: str) -> tuple[Plan, Tally]:
    """The walk of the cache at `root` with its topmost levels done, and what they gave."""
    tally = Tally()
    top = _scan(root)
    inside = _scan(os.path.join(root, _ARCHIVES))
    archives = frozenset(item.name for item in inside if item.is_dir(follow_symlinks=False))
    plan = Plan(root, release, archives, ())
    _files(plan, "", [item for item in top if not item.is_dir(follow_symlinks=False)], tally)
    left: list[str] = []
    for item in top:
        if not item.is_dir(follow_symlinks=False):
            continue
        if item.name == _ARCHIVES:
            _files(plan, _ARCHIVES, [item for item in inside if item.name not in archives], tally)
        elif kind_of(item.name) is None:
            tally.size_bytes += size_below(item.path)
        else:
            sources: list[str] = []
            _level(plan, item.name, sources, tally)
            for source in sources:
                _level(plan, source, left, tally)
    left.extend(f"{_ARCHIVES}/{name}" for name in archives)
    return Plan(root, release, archives, tuple(left)), tally


def survey(plan: Plan, part: Iterable[str], tally: Tally) -> None:
    """Adds what a walk through some of the directories that are left gives."""
    read = _is_read(_ARCHIVES, plan.release)
    for path in part:
        if path.startswith(_ARCHIVES):
            size, whole = _archive(f"{plan.root}/{path}")
            tally.entries += 1
            tally.size_bytes += size
            if read and not whole:
                _judge(plan, path, tally)
            continue
        left = [path]
        while left:
            _level(plan, left.pop(), left, tally)


def _judge(plan: Plan, path: str, tally: Tally) -> None:
    if examine(plan.root, path, plan.release).verdict in WRONG:
        tally.wrong.append(path)


def _is_read(top: str, release: str) -> bool:
    """Whether the release uses this bucket: to entries in another one it can do nothing wrong."""
    kind = kind_of(top)
    return kind is None or bucket(kind, release or reading_release(top)) == top


def _level(plan: Plan, path: str, below: list[str], tally: Tally) -> None:
    """Walks one directory; those in it that are no entries are added to `below`."""
    top = path.partition("/")[0]
    kind = kind_of(top) or ""
    files: list[os.DirEntry[str]] = []
    for item in _scan(f"{plan.root}/{path}"):
        if not item.is_dir(follow_symlinks=False):
            files.append(item)
            continue
        entry = f"{path}/{item.name}"
        if not is_entry(kind, entry):
            below.append(entry)
            continue
        tally.entries += 1
        tally.size_bytes += size_below(item.path)
        if _is_read(top, plan.release):
            _judge(plan, entry, tally)
    if files:
        _files(plan, path, files, tally)


def _files(plan: Plan, path: str, items: Iterable[os.DirEntry[str]], tally: Tally) -> None:
    """Looks at the files and links in one directory, which are all entries."""
    top = path.partition("/")[0]
    read = _is_read(top, plan.release)
    reader = plan.release or reading_release(top)
    for item in items:
        tally.entries += 1
        try:
            info = item.stat(follow_symlinks=False)
        except OSError:
            continue  # gone in the meantime
        tally.size_bytes += info.st_size
        if read:
            entry = f"{path}/{item.name}" if path else item.name
            if not _is_harmless(plan, entry, item.path, info, reader):
                _judge(plan, entry, tally)


def _is_harmless(plan: Plan, entry: str, full: str, info: os.stat_result, reader: str) -> bool:
    kind = kind_at(entry)
    if kind is None:
        return True
    mode = info.st_mode
    if modes.S_ISREG(mode):
        if mode & _ALL_MAY_READ != _ALL_MAY_READ and is_denied(info):
            return False
    elif not modes.S_ISLNK(mode) or kind.stands != "link":
        return False
    what: Literal["file", "link"] = "file" if modes.S_ISREG(mode) else "link"
    try:
        return kind.harmless(Glance(reader, what, full, info.st_size, plan.archives))
    except _IN_DOUBT:
        return False


def _archive(full: str) -> tuple[int, bool]:
    """The bytes of an archive, and whether it is certainly whole."""
    certain = True
    sizes: dict[str, int] = {}
    names: list[str] = []
    size_bytes = 0
    left = [""]
    while left:
        prefix = left.pop()
        try:
            with os.scandir(f"{full}/{prefix}") as found:
                for item in found:
                    name = prefix + item.name
                    if not prefix:
                        names.append(name)
                    if item.is_file(follow_symlinks=False):
                        info = item.stat(follow_symlinks=False)
                        sizes[name] = info.st_size
                        size_bytes += info.st_size
                        if info.st_mode & _ALL_MAY_READ != _ALL_MAY_READ and is_denied(info):
                            certain = False
                    elif item.is_dir(follow_symlinks=False):
                        left.append(name + "/")
                    else:  # RECORD means what a link leads to: left to `examine`
                        size_bytes += item.stat(follow_symlinks=False).st_size
        except OSError:
            certain = False
    try:
        return size_bytes, certain and _may_enter(os.stat(full)) and is_whole(full, names, sizes)
    except _IN_DOUBT:
        return size_bytes, False


def _may_enter(info: os.stat_result) -> bool:
    return info.st_mode & _ALL_MAY_ENTER == _ALL_MAY_ENTER or not is_denied(info)


def size_below(full: str) -> int:
    """The bytes of all files below, apparent sizes, links not followed."""
    total = 0
    left = [full]
    while left:
        try:
            with os.scandir(left.pop()) as found:
                for item in found:
                    if item.is_dir(follow_symlinks=False):
                        left.append(item.path)
                    else:
                        total += item.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _scan(full: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(full) as found:
            return list(found)
    except OSError:
        return []
