"""Entries that uv believes only while the times of their source agree: how they agree, and making them agree again.

A pointer to what was built or unpacked from a local source holds the time of that source. uv takes the time of the last
change of status on Unix, of modification elsewhere; of a directory the latest of its build files, and, since 0.6.7, when
the directory `src` in it was made. No copy keeps these, so a bundle says how they were related, and a replay sets the
recorded ones to those of the restored files.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from uvreport.bundle import Gap, Relation
from uvreport.cache import layout
from uvreport.cache.examine import kind_at, normalized
from uvreport.cache.keys import candidates
from uvreport.cache.serde import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

POINTERS = ("revision.rev", "manifest.msgpack", ".rev")

_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_PYPROJECT_LIMIT_BYTES = 2_000_000
_ENTRY_LIMIT_BYTES = 1_000_000
_SECOND = 1_000_000_000

# When a directory was made, as (seconds, nanoseconds); its inode where that is not known; None where it is not there.
Made = tuple[int, int] | int | None


class NotSimpleError(Exception):
    """What about a source's cache keys is not a matter of files and their times, as a phrase."""


class Times(Struct, frozen=True, kw_only=True):
    """The times of a source as uv compares them: of the latest change in ns (None: no build file), of directories."""

    changed_ns: int | None
    made: dict[str, Made] = {}


class _Recorded(Struct, frozen=True, kw_only=True):
    """What an entry recorded, and where in it: first byte and end, (0, 0) where it holds no such field."""

    times: Times
    stamp: tuple[int, int]
    directories: tuple[int, int]


def relations(
    root: str, entries: Sequence[str], project: str, sources: Iterable[str]
) -> tuple[tuple[Relation, ...], tuple[Gap, ...]]:
    """How the times in these entries of the cache at `root` agree with their sources, sorted; and what cannot be said.

    `sources` are absolute paths: directories and archives that requirements name, and folders of find-links. Entries
    that hold no time, that cannot be decoded (uv fails on those before it compares), or that are of none of these
    sources, have no relation. A source in `project` is named relative to it, any other by its absolute path.
    """
    filed = _by_digest(sources)
    found: list[Relation] = []
    gaps: list[Gap] = []
    for entry in sorted(set(entries)):
        place = layout.parse(entry)
        if not entry.endswith(POINTERS) or place.digest not in filed:
            continue
        recorded = _recorded(entry, _content(os.path.join(root, *entry.split("/"))))
        if recorded is None:
            continue
        source = _file_of(place, filed[place.digest])
        if source is None:
            continue
        try:
            now = times(source)
        except NotSimpleError as problem:
            gaps.append(Gap(what=f"whether cache/{entry} agrees with its source", why=str(problem)))
            continue
        except OSError:
            now = None
        relation: Literal["equal", "older", "newer", "missing"] = "missing"
        if now is not None:
            relation = _compared(recorded, now, source)
        named = os.path.relpath(source, project) if _is_in(source, project) else source
        found.append(Relation(entry=entry, source=named.replace(os.sep, "/"), relation=relation))
    return tuple(found), tuple(sorted(gaps))


def restore(data: bytes, entry: str, source: str) -> bytes:
    """The bytes of an entry with the times of `source`, as it stands on this disk, in place of those recorded.

    To be called when nothing touches the source any more: a change of mode, time or owner is a change of status. An
    entry that holds no time comes back as it is. Raises OSError when the source is not there.
    """
    recorded = _recorded(entry, data)
    if recorded is None:
        return data
    now = times(source)
    edits = []
    if now.changed_ns is not None:
        edits.append((recorded.stamp, msgspec.msgpack.encode(divmod(now.changed_ns, _SECOND))))
    if recorded.directories != (0, 0):
        made = {name: now.made.get(name) for name in recorded.times.made}
        edits.append((recorded.directories, msgspec.msgpack.encode(made)))
    for (start, end), new in sorted(edits, reverse=True):
        data = data[:start] + new + data[end:]
    return data


def times(source: str) -> Times:
    """The times of a local source as uv takes them. Raises OSError, and NotSimpleError for keys that are no times."""
    what = os.stat(source)
    if not stat.S_ISDIR(what.st_mode):
        return Times(changed_ns=_changed(what))
    files, folders = _keys(source)
    changed = []
    for name in files:
        try:
            there = os.stat(os.path.join(source, name))
        except OSError:
            continue
        if stat.S_ISREG(there.st_mode):
            changed.append(_changed(there))
    return Times(
        changed_ns=max(changed, default=None),
        made={name: made(os.path.join(source, name)) for name in folders},
    )


def made(folder: str) -> Made:
    """When a directory was made, as uv records it; its inode where neither filesystem nor system says when."""
    try:
        what = os.stat(folder)
    except OSError:
        return None
    if not stat.S_ISDIR(what.st_mode):
        return None
    return _born(folder, what) or what.st_ino


def _changed(what: os.stat_result) -> int:
    return what.st_ctime_ns if os.name == "posix" else what.st_mtime_ns


# Which source an entry is of


def _by_digest(sources: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        for digest in candidates(source):
            found.setdefault(digest, source)
    return found


def _file_of(place: layout.Place, source: str) -> str | None:
    """The source itself; in a folder of find-links, the archive that the entry is of. None when there is none such."""
    if place.source != "index":
        return source
    try:
        names = sorted(os.listdir(source))
    except OSError:
        return None
    if place.kind == "wheels":
        stem = place.rest[0].removesuffix(".rev")
        fits = [name for name in names if name.endswith(".whl") and _is_wheel(name, place.package, stem)]
    else:
        fits = [name for name in names if _is_sdist(name, place.package, place.version)]
    return os.path.join(source, fits[0]) if len(fits) == 1 else None


def _is_wheel(name: str, package: str, stem: str) -> bool:
    distribution, _, rest = name.removesuffix(".whl").partition("-")
    # The stem in the cache is without the name since 0.4.22 or so; both are seen.
    return normalized(distribution) == package and stem in {rest, name.removesuffix(".whl")}


def _is_sdist(name: str, package: str, version: str) -> bool:
    stem = re.sub(r"(?i)\.(zip|tgz|tbz|txz|tar(\.\w+)?)$", "", name)
    distribution, dash, said = stem.rpartition("-")
    return stem != name and bool(dash) and normalized(distribution) == package and said == version


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


# What an entry recorded


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_ENTRY_LIMIT_BYTES)
    except OSError:
        return b""


def _recorded(entry: str, data: bytes) -> _Recorded | None:
    """The times in an entry, None when no release can decode them or it holds none.

    What follows them need not be decodable: it may be of a release that is not known here, and uv compares all the same.
    """
    kind = kind_at(entry)
    for reader in reversed(kind.readers) if kind else ():
        seen = read(reader.shape, data)
        stamp = _stamp(seen.spans)
        if stamp is None or (
            entry.endswith("revision.rev") and not {"cache_info", "timestamp"} & set(seen.spans)
        ):
            continue
        seconds, nanoseconds = msgspec.msgpack.decode(data[slice(*stamp)], type=tuple[int, int])
        directories = seen.spans.get("cache_info.directories", (0, 0))
        packed = data[slice(*directories)]
        folders: dict[str, Any] = msgspec.msgpack.decode(packed, type=dict[str, Any]) if packed else {}
        recorded = {
            name: (value[0], value[1]) if isinstance(value, list) else value
            for name, value in folders.items()
        }
        return _Recorded(
            times=Times(changed_ns=seconds * _SECOND + nanoseconds, made=recorded),
            stamp=stamp,
            directories=directories,
        )
    return None


def _stamp(spans: Mapping[str, tuple[int, int]]) -> tuple[int, int] | None:
    # The last is of 0.4.8..0.4.25 reading what older releases wrote: the bare time, in the place of the cache info.
    return next(
        (
            spans[n]
            for n in ("cache_info.timestamp", "timestamp", "cache_info")
            if n in spans and f"{n}.secs_since_epoch" in spans
        ),
        None,
    )


def _compared(recorded: _Recorded, now: Times, source: str) -> Literal["equal", "older", "newer"]:
    before, after = recorded.times.changed_ns or 0, now.changed_ns or 0
    if before != after:
        return "older" if before < after else "newer"
    for name, value in recorded.times.made.items():
        there = now.made.get(name)
        if isinstance(value, int) and isinstance(there, tuple):
            # Written where birth times were not to be had; the same directory all the same.
            there = os.stat(os.path.join(source, name)).st_ino
        if value != there:
            known = isinstance(value, tuple) and isinstance(there, tuple)
            return "newer" if known and value > there else "older"  # type: ignore[operator]  # both are tuples then
    return "equal"


# What uv looks at in a directory


def _keys(folder: str) -> tuple[list[str], list[str]]:
    """The files and directories whose times count, as `[tool.uv] cache-keys` says or by default."""
    default = list(_BUILD_FILES), ["src"]
    try:
        with open(os.path.join(folder, "pyproject.toml"), "rb") as file:
            document = _toml(file.read(_PYPROJECT_LIMIT_BYTES).decode())
    except (OSError, ValueError):
        return default
    keys: Any = document
    for name in ("tool", "uv", "cache-keys"):
        keys = keys.get(name) if isinstance(keys, dict) else None
    if not isinstance(keys, list):
        return default
    files: list[str] = []
    folders: list[str] = []
    for key in keys:
        table = {"file": key} if isinstance(key, str) else key
        one = next(iter(table.items())) if isinstance(table, dict) and len(table) == 1 else ("", None)
        if one[0] not in {"file", "dir"} or not isinstance(one[1], str) or re.search(r"[*?\[{]", one[1]):
            raise NotSimpleError("its cache-keys are more than files and directories by name")
        (files if one[0] == "file" else folders).append(one[1])
    return files, folders


def _toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    document: dict[str, Any] = tomllib.loads(text)
    return document


# When a directory was made: Python's os.stat does not say it on Linux.

_AT_FDCWD = -100
_STATX_BTIME = 0x800
_STATX_NUMBER = {
    "x86_64": 332,
    "aarch64": 291,
    "riscv64": 291,
    "ppc64le": 383,
    "s390x": 379,
    "i686": 383,
    "armv7l": 397,
}


def _born(path: str, what: os.stat_result) -> tuple[int, int] | None:
    if sys.platform.startswith("linux"):
        return _statx(path)
    born = getattr(what, "st_birthtime_ns", None)  # Windows, since 3.12
    return divmod(born, _SECOND) if born is not None else None


def _statx(path: str) -> tuple[int, int] | None:
    number = _STATX_NUMBER.get(platform.machine())
    if number is None:
        return None
    out = ctypes.create_string_buffer(256)
    # By number: C libraries have had a function for it for fewer years than kernels.
    call = ctypes.CDLL(None, use_errno=True).syscall
    done = call(
        ctypes.c_long(number), ctypes.c_int(_AT_FDCWD), os.fsencode(path), ctypes.c_int(0),
        ctypes.c_uint(_STATX_BTIME), out,
    )  # fmt: skip
    if done != 0 or not int.from_bytes(out.raw[:4], sys.byteorder) & _STATX_BTIME:
        return None
    seconds = int.from_bytes(out.raw[80:88], sys.byteorder, signed=True)
    return seconds, int.from_bytes(out.raw[88:92], sys.byteorder)
