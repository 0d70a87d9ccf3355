"""What is done to whole trees of files: copied, marked, compared, taken away."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK_NS = 1_000_000_000  # an atime that no file has by itself: one second into 1970


# Throwaway directories that are, or may be, there: an interrupt can come while one is made, and while one is removed.
_throwaway: set[str] = set()


def throwaway(parent: str, prefix: str = "uvreport-") -> str:
    """A new directory in `parent` that only this account may enter. `remove` it, or all of them with `remove_all`."""
    while True:
        path = os.path.join(parent, prefix + secrets.token_hex(4))
        _throwaway.add(path)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            _throwaway.discard(path)
        else:
            return path


def remove_all() -> None:
    """Takes away every throwaway directory that is still there: for whoever was interrupted."""
    for path in sorted(_throwaway):
        with contextlib.suppress(OSError):
            remove(path)


def remove(path: str) -> None:
    """Takes away everything at `path`, whatever the modes of its directories, and does not follow links.

    However deep it is: what a build made may be deeper than a path can be long.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        os.remove(path)
        return
    for attempt in range(20):
        pending = [path]
        while pending:
            _empty(pending.pop(), path, pending, 0)
        try:
            os.rmdir(path)
            break
        except OSError:
            # A process of the run that was killed this instant can have made something behind us.
            if attempt == 19:
                raise
            time.sleep(0.05)
    _throwaway.discard(path)


_DEEP = 40  # levels that are gone down before a directory is brought up


def _empty(folder: str, top: str, pending: list[str], depth: int) -> None:
    """Takes away what is in `folder`. Directories far below are moved into `top` instead, and added to `pending`."""
    if os.lstat(folder).st_mode & 0o700 != 0o700:
        os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_dir in names:
        below = os.path.join(folder, name)
        if not is_dir:
            os.remove(below)
        elif depth < _DEEP:
            _empty(below, top, pending, depth + 1)
            os.rmdir(below)
        else:
            if os.lstat(below).st_mode & 0o700 != 0o700:
                os.chmod(below, 0o700)  # to be moved, its way up must be writable
            up = os.path.join(top, f".{secrets.token_hex(8)}")
            os.rename(below, up)
            pending.append(up)


def like(path: str, source: os.stat_result, source_path: str = "") -> None:
    """Gives `path` the mode, owner and mtime of `source`.

    Where the owner cannot be given, the mode is cut to what this process may do with the source, so that a
    copy never allows more.
    """
    mode = stat.S_IMODE(source.st_mode)
    if source.st_uid != os.geteuid() or source.st_gid != os.getegid():
        try:
            os.chown(path, source.st_uid, source.st_gid, follow_symlinks=False)
        except OSError:
            if source.st_uid != os.geteuid():
                mode &= 0o077
                for bit, access in ((0o400, os.R_OK), (0o200, os.W_OK), (0o100, os.X_OK)):
                    if source_path and os.access(source_path, access):
                        mode |= bit
    os.chmod(path, mode)
    os.utime(path, ns=(source.st_atime_ns, source.st_mtime_ns))


def within(path: str, root: str) -> bool:
    """Whether `path` is `root` or below it, by name alone."""
    return path == root or path.startswith(root.rstrip("/") + "/")


class Watched:
    """Copies of files whose time of access tells whether they were read."""

    def __init__(self, kept: str) -> None:
        self._kept = kept
        self._files: list[tuple[str, str, int, int]] = []  # relative path, copy, inode, mtime

    def add(self, relative: str, copy: str) -> None:
        """Watches `copy`. A second name for it survives when the run deletes or replaces it."""
        there = os.stat(copy)
        os.link(copy, os.path.join(self._kept, str(len(self._files))))
        self._files.append((relative, copy, there.st_ino, there.st_mtime_ns))

    def reads(self) -> frozenset[str]:
        """The relative paths of the files that were read since."""
        return frozenset(
            relative
            for i, (relative, *_) in enumerate(self._files)
            if os.stat(os.path.join(self._kept, str(i))).st_atime_ns != MARK_NS
        )

    def untouched(self) -> dict[str, tuple[int, int]]:
        """Each copy with the inode and mtime that it was made with."""
        return {copy: (inode, mtime) for _, copy, inode, mtime in self._files}


def watch(
    source: str, into: str, top_source: str, top_into: str, *, kept: str, max_files: int, max_bytes: int
) -> Watched | None:
    """Copies of the files of the cache `source`, made below `into` to be watched; None when there are too many.

    `top_source` and `top_into` are directories above the two, that are there already. Of an unpacked archive
    only the files on its first level and those that describe it are watched: uv reads these whenever it uses it.
    """
    files = list(itertools.islice(_watchable(source, "", max_bytes), max_files + 1))
    if len(files) > max_files:
        return None
    os.mkdir(kept)
    watched = Watched(kept)
    made: dict[str, str] = {}
    for relative in files:
        original = os.path.join(source, relative)
        copy = os.path.join(into, relative)
        try:
            there = os.stat(original)
            with open(original, "rb") as file:
                data = file.read()
        except OSError:
            continue  # what we cannot read uv cannot either
        _same_directories(os.path.dirname(copy), top_source, top_into, made)
        with open(copy, "xb") as out:
            out.write(data)
        like(copy, there, original)
        os.utime(copy, ns=(MARK_NS, there.st_mtime_ns))
        watched.add(relative, copy)
    for folder in sorted(
        made, reverse=True
    ):  # last, and from below: one that is read-only would take nothing
        like(folder, os.stat(made[folder]), made[folder])
    return watched


def _watchable(folder: str, relative: str, max_bytes: int) -> Iterator[str]:
    depth = relative.count("/") + 1 if relative else 0
    in_archive = relative.startswith("archive-")
    try:
        with os.scandir(folder) as entries:
            here = sorted(entries, key=lambda e: e.name)
    except OSError:
        return
    for entry in here:
        path = f"{relative}/{entry.name}" if relative else entry.name
        if entry.is_dir(follow_symlinks=False):
            if not in_archive or depth == 1 or (depth == 2 and entry.name.endswith(".dist-info")):
                yield from _watchable(entry.path, path, max_bytes)
        elif entry.is_file(follow_symlinks=False):
            there = entry.stat(follow_symlinks=False)
            # Another user's file would become ours, and allow more than it did.
            if there.st_size <= max_bytes and (there.st_uid == os.geteuid() or os.geteuid() == 0):
                yield path


def _same_directories(into: str, top_source: str, top_into: str, made: dict[str, str]) -> None:
    """Makes `into`, which is below `top_into`, and notes for each new directory the one that it stands for."""
    if not os.path.isdir(into):
        _same_directories(os.path.dirname(into), top_source, top_into, made)
        os.mkdir(into)
        made[into] = os.path.join(top_source, os.path.relpath(into, top_into))


def files(folder: str) -> dict[str, bytes]:
    """The content of every file below `folder`, by relative path."""
    found = {}
    for path, entry in walk(folder):
        if entry.is_file(follow_symlinks=False):
            with open(entry.path, "rb") as file:
                found[path] = file.read()
    return found


def links(folder: str) -> dict[str, str]:
    """The text of every link below `folder`, by relative path."""
    return {path: os.readlink(entry.path) for path, entry in walk(folder) if entry.is_symlink()}


def size(folder: str, enough: int) -> int:
    """How many bytes of disk everything below `folder` takes; counting ends when it is past `enough`.

    A tree that is too deep to be looked through counts as more than enough.
    """
    total = 0
    for path, entry in walk(folder):
        with contextlib.suppress(OSError):
            total += entry.stat(follow_symlinks=False).st_blocks * 512
        if total > enough or path.count("/") > _MOST_LEVELS:
            return max(total, enough + 1)
    return total


_MOST_LEVELS = 500


def walk(folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below `folder` that can be listed, with its relative path; directories before what they hold."""
    pending: list[Iterator[tuple[str, os.DirEntry[str]]]] = [iter(_listed(folder, ""))]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        yield found
        path, entry = found
        if entry.is_dir(follow_symlinks=False):
            pending.append(iter(_listed(entry.path, path)))


def _listed(folder: str, relative: str) -> list[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            here = sorted(entries, key=lambda e: e.name)
    except OSError:
        return []
    return [(f"{relative}/{entry.name}" if relative else entry.name, entry) for entry in here]
