"""Takes exactly the entries at fault out of a cache, keeps them, and puts them back as they were.

A quarantine is a folder with `manifest.json` and the things themselves under `cache/`, at the paths that they
had. The manifest is written before the first move, so whatever interrupts one, `put_back` can finish.

The folder is in UVREPORT_STATE_DIR if that is set, else where the system keeps the state of programs. uv's own
locks are held while anything moves: the cache's `.lock` (0.8.19+: shared by every command, exclusive for clean
and prune) and those of the shards.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import re
import secrets
import shutil
import stat
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from uvreport.cache import buckets, examine
from uvreport.errors import CannotWriteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from uvreport.bundle import Bundle, Culprit

FORMAT = 1
MANIFEST = "manifest.json"

Kind = Literal["file", "dir", "link"]


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that was moved. `path` is relative to the cache root and "/"-separated.

    `size` is in bytes, for a directory that of all files below. `sha256` is that of a file's bytes; for a directory
    it covers names, kinds, modes, link targets and bytes below it; "" where something could not be read. `target`
    is a link's text.
    """

    path: str
    kind: Kind
    mode: int
    size: int
    sha256: str
    mtime_ns: int
    target: str = ""


class Quarantine(Struct, frozen=True, kw_only=True):
    """What was set aside together; `folder` is where it is. `created` is UTC, RFC 3339, seconds."""

    cache: str
    created: str
    entries: tuple[Entry, ...]
    reason: str = ""
    bundle: str = ""
    format: int = FORMAT
    folder: str = ""


# --- the two moves ---


def set_aside(
    cache: str,
    paths: Sequence[str],
    *,
    reason: str = "",
    bundle: str = "",
    state_dir: str | None = None,
) -> Quarantine:
    """The quarantine that `paths` (relative to `cache`, "/"-separated) were moved to: all of them, or none.

    Raises UsageError for a path that is not in the cache, CannotWriteError when a uv is at work there or the machine
    does not let us move; then the cache is as before.
    """
    cache = os.path.abspath(cache)
    if not os.path.isdir(cache):
        raise UsageError(f"There is no cache at {cache}.", hint="Name it with --cache-dir DIR.")
    wanted = _outermost(paths)
    if not wanted:
        raise UsageError("There is nothing to set aside.", hint="Name a bundle, or paths in the cache.")
    for path in wanted:
        _check(cache, path)
        if not os.path.lexists(_full(cache, path)):
            raise UsageError(f"There is no {path} in the cache {cache}.", hint="Was it set aside before?")
    state = os.path.abspath(state_dir or state_directory(os.environ, sys.platform))
    if _is_within(state, cache):
        raise UsageError(
            f"{state} is inside the cache, where uv may delete it.",
            hint="Name another place with UVREPORT_STATE_DIR.",
        )
    with _locks(cache, wanted), contextlib.ExitStack() as undo:
        try:
            now = datetime.now(timezone.utc)
            entries = tuple(_entry(_full(cache, path), path) for path in wanted)
            folder = _new_folder(state, now)
            undo.callback(_discard, folder, entries)
            made = Quarantine(
                cache=cache,
                created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                entries=entries,
                reason=reason,
                bundle=bundle,
                folder=folder,
            )
            _write(os.path.join(folder, MANIFEST), msgspec.json.format(msgspec.json.encode(made)))
            for entry in entries:
                source, held = _full(cache, entry.path), _held(folder, entry.path)
                os.makedirs(os.path.dirname(held), exist_ok=True)
                undo.callback(_bring_back, held, source)
                _move(source, held)
        except (OSError, shutil.Error) as error:
            raise CannotWriteError(
                f"The entries could not be set aside: {_why(error)}. The cache is as it was.",
                hint="Check who owns the cache, and that there is room in " + state + ".",
            ) from error
        undo.pop_all()
    return made


def put_back(quarantine_dir: str, *, force: bool = False) -> Quarantine:
    """The quarantine whose things are in the cache again, as they were; its folder is gone.

    Raises UsageError for what is no quarantine, and CannotWriteError, with nothing changed, when uv has written anew
    at one of the paths (unless `force`: then that is deleted) or is at work in the cache.
    """
    quarantine = read(quarantine_dir)
    folder, cache = quarantine.folder, quarantine.cache
    if not os.path.isdir(cache):
        raise UsageError(f"The cache {cache} is no longer there.", hint=f"What was in it is in {folder}.")
    for entry in quarantine.entries:
        _check(cache, entry.path)
    with _locks(cache, [entry.path for entry in quarantine.entries]), contextlib.ExitStack() as undo:
        try:
            _put_back(quarantine, force=force, undo=undo)
        except (OSError, shutil.Error) as error:
            raise CannotWriteError(
                f"The entries could not be put back: {_why(error)}. They are still in {folder}.",
                hint="Check who owns the cache, and that there is room in it.",
            ) from error
        undo.pop_all()
    with contextlib.suppress(OSError):
        _remove(folder)
    return quarantine


def _put_back(quarantine: Quarantine, *, force: bool, undo: contextlib.ExitStack) -> None:
    folder, cache = quarantine.folder, quarantine.cache
    left: list[Entry] = []
    for entry in quarantine.entries:
        held, place = _held(folder, entry.path), _full(cache, entry.path)
        if not os.path.lexists(held):
            if os.path.lexists(place):
                continue  # an interrupted move never took it, or has brought it back
            raise CannotWriteError(
                f"{entry.path} is neither in the quarantine nor in the cache.",
                hint=f"Look into {folder}; the rest of it was left alone.",
            )
        found = _entry(held, entry.path)
        if found != entry:
            raise CannotWriteError(
                f"{entry.path} is not as it was set aside: it was changed in the quarantine.",
                hint=f"Look into {folder}; nothing was put back.",
            )
        if os.path.lexists(place) and not force:
            raise CannotWriteError(
                f"uv has written {entry.path} anew meanwhile; it was left alone, and nothing was put back.",
                hint="With --force what was set aside replaces it.",
            )
        left.append(entry)
    for entry in left:
        held, place = _held(folder, entry.path), _full(cache, entry.path)
        if os.path.lexists(place):
            newer = _full(os.path.join(folder, "replaced"), entry.path)
            os.makedirs(os.path.dirname(newer), exist_ok=True)
            undo.callback(_bring_back, newer, place)
            _move(place, newer)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        undo.callback(_bring_back, place, held)
        _move(held, place)


# --- what there is ---


def state_directory(environ: Mapping[str, str], platform: str) -> str:
    """Where quarantines are kept: UVREPORT_STATE_DIR, else the place of the platform for a program's state."""
    if environ.get("UVREPORT_STATE_DIR"):
        return environ["UVREPORT_STATE_DIR"]
    home = environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~")
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")
    else:
        base = environ.get("XDG_STATE_HOME") or ""
        if not os.path.isabs(base):  # a relative one is to be ignored, by the specification
            base = os.path.join(home, ".local", "state")
    return os.path.join(base, "uvreport", "quarantine")


def listed(state_dir: str | None = None) -> list[Quarantine]:
    """Every quarantine that is kept, oldest first. Folders that are not quarantines are passed over."""
    state = os.path.abspath(state_dir or state_directory(os.environ, sys.platform))
    try:
        names = sorted(os.listdir(state))  # they begin with the time, to the microsecond
    except OSError:
        return []
    found = []
    for name in names:
        with contextlib.suppress(UsageError):
            found.append(read(os.path.join(state, name)))
    return found


def read(quarantine_dir: str) -> Quarantine:
    """The quarantine in a folder. Raises UsageError when there is none that can be understood."""
    folder = os.path.abspath(quarantine_dir)
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as file:
            found = msgspec.json.decode(file.read(), type=Quarantine)
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no quarantine at {quarantine_dir}.", hint="See `uvreport restore --list`."
        ) from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The manifest of {quarantine_dir} cannot be read: {_why(error)}.",
            hint="See `uvreport restore --list`.",
        ) from error
    if found.format != FORMAT:
        raise UsageError(
            f"This quarantine has format {found.format}; this uvreport reads format {FORMAT}.",
            hint="Upgrade with `uv tool upgrade uvreport`.",
        )
    return msgspec.structs.replace(found, folder=folder)


# --- from a bundle to the cache that it is of ---


def culprits_in(cache: str, bundle: Bundle) -> tuple[str, ...]:
    """The paths in this cache that cure the failure of the bundle: its cure, or its culprits where none was found.

    Redaction gives an entry another key, and another content where that held something private. So a file is the
    one in the same bucket, of the same kind, with the same bytes (a link: that leads to the same archive); or it
    stands at the same path in the same bad state. Raises UsageError rather than guess.
    """
    wanted = bundle.cure or tuple(culprit.path for culprit in bundle.culprits)
    if not wanted:
        raise UsageError(
            "This bundle names no cache entry at fault.",
            hint=bundle.triage or "There is nothing to set aside; name a path in the cache instead.",
        )
    by_path = {culprit.path: culprit for culprit in bundle.culprits}
    contents = {
        member.path.removeprefix("cache/"): _sha256_of_link(member.target)
        if member.kind == "link"
        else hashlib.sha256(member.data).hexdigest()
        for member in bundle.members
        if member.kind != "dir" and member.path.startswith("cache/")
    }
    found: dict[str, str] = {}
    # The entries first: what is above one of them is found through it.
    for path in sorted({*wanted, *by_path}, key=lambda path: -path.count("/")):
        below = next((other for other in found if other.startswith(path + "/")), None)
        if below is not None:
            found[path] = "/".join(found[below].split("/")[: path.count("/") + 1])
            continue
        culprit = by_path.get(path)
        digest = (culprit.sha256 if culprit else "") or contents.get(path, "")
        try:
            found[path] = _match(cache, path, digest, culprit, bundle.run.uv.release)
        except UsageError:
            if path in wanted:
                raise
    return tuple(sorted({found[path] for path in wanted}))


def _match(cache: str, path: str, digest: str, culprit: Culprit | None, release: str) -> str:
    _check(cache, path)
    full = _full(cache, path)
    there = os.path.lexists(full)
    if there and (not digest or _file_digest(full) == digest):
        if culprit is None or examine.examine(cache, path, release).state == culprit.state:
            return path
        raise UsageError(
            f"{path} is there, but no longer {culprit.state}: it has changed since the bundle was made.",
            hint="Run the command again; it may pass by now.",
        )
    if there and culprit is not None:
        finding = examine.examine(cache, path, release)
        if (finding.kind, finding.state) == (culprit.kind, culprit.state):
            return path
    kind = examine.kind_at(path)
    top, name = path.partition("/")[0], posixpath.basename(path)
    # The name of an interpreter's entry and of a flat index is itself a key.
    keyed = re.fullmatch(r"[0-9a-f]{16}(\.\w+)?", name) is not None
    alike = [
        other
        for other in examine.walk(cache)
        if other.startswith(top + "/")
        and (posixpath.basename(other) == name or keyed)
        and examine.kind_at(other) == kind
    ]
    same = [other for other in alike if digest and _file_digest(_full(cache, other)) == digest]
    if len(same) == 1:
        return same[0]
    if same:
        raise UsageError(
            f"{len(same)} entries of this cache have the bytes of {path}: which of them is at fault cannot be told.",
            hint="Name one of them: " + ", ".join(sorted(same)[:5]),
        )
    if culprit is not None:
        alike = [other for other in alike if examine.examine(cache, other, release).state == culprit.state]
    raise UsageError(
        f"Nothing in the cache {cache} is the entry {path} of the bundle.",
        hint="It may be one of these; name it yourself: " + ", ".join(sorted(alike)[:5])
        if alike
        else "Is it the cache of this failure? Name another with --cache-dir DIR.",
    )


def _file_digest(full: str) -> str:
    """The SHA-256 of a file's bytes or of where a link leads, "" for anything else and for what cannot be read."""
    try:
        if os.path.islink(full):
            return _sha256_of_link(os.readlink(full))
        if not stat.S_ISREG(os.lstat(full).st_mode):
            return ""
        with open(full, "rb") as file:
            return _sha256(file.fileno())
    except OSError:
        return ""


def _sha256_of_link(target: str) -> str:
    """Of the last two names: a link in the cache leads to `archive-v0/ID`, and what is before them is the machine's."""
    names = target.replace("\\", "/").rstrip("/").split("/")[-2:]
    return hashlib.sha256("/".join(names).encode("utf-8", "surrogateescape")).hexdigest()


# --- paths ---


def _outermost(paths: Iterable[str]) -> list[str]:
    """Each path once, without those below another."""
    every = sorted(set(paths))
    return [path for path in every if not any(path.startswith(other + "/") for other in every)]


def _check(cache: str, path: str) -> None:
    """Raises UsageError unless `path` can only mean something inside `cache`."""
    parts = path.split("/")
    odd = "\\:" if sys.platform == "win32" else ""
    if any(part in {"", ".", ".."} for part in parts) or any(char in path for char in ("\0", *odd)):
        raise UsageError(f"{path!r} is not a path in the cache.", hint="Write it relative to the cache.")
    for depth in range(1, len(parts)):
        above = os.path.join(cache, *parts[:depth])
        if os.path.islink(above):
            raise UsageError(
                f"{path} leads through the link {'/'.join(parts[:depth])}.",
                hint="Name the link itself, or where it leads to.",
            )


def _full(root: str, path: str) -> str:
    return os.path.join(root, *path.split("/"))


def _held(folder: str, path: str) -> str:
    return _full(os.path.join(folder, "cache"), path)


def _is_within(path: str, root: str) -> bool:
    real, top = os.path.realpath(path), os.path.realpath(root)
    return real == top or real.startswith(top.rstrip(os.sep) + os.sep)


def _new_folder(state: str, now: datetime) -> str:
    os.makedirs(state, mode=0o700, exist_ok=True)
    folder = os.path.join(state, f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}")
    os.mkdir(folder, 0o700)
    return folder


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _why(error: Exception) -> str:
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return str(error.args[0][0][-1])
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


# --- what a thing is ---


def _entry(full: str, path: str) -> Entry:
    status = os.lstat(full)
    kind = _kind(status)
    target = os.readlink(full) if kind == "link" else ""
    size, digest = _measure(full, status)
    return Entry(
        path=path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        size=size,
        sha256=digest,
        mtime_ns=status.st_mtime_ns,
        target=target,
    )


def _kind(status: os.stat_result) -> Kind:
    if stat.S_ISREG(status.st_mode):
        return "file"
    if stat.S_ISDIR(status.st_mode):
        return "dir"
    if stat.S_ISLNK(status.st_mode):
        return "link"
    raise OSError(errno.EINVAL, "it is neither a file, a directory nor a link")


def _measure(full: str, status: os.stat_result) -> tuple[int, str]:
    """Size in bytes and SHA-256, "" for what cannot be read."""
    kind = _kind(status)
    if kind == "link":
        return 0, ""
    try:
        if kind == "file":
            with open(full, "rb") as file:
                return status.st_size, _sha256(file.fileno())
        digest, size, readable = hashlib.sha256(), 0, True
        for name in sorted(os.listdir(full)):
            below = os.path.join(full, name)
            found = os.lstat(below)
            target = os.readlink(below) if _kind(found) == "link" else ""
            more, inner = _measure(below, found)
            size += more
            readable = readable and (bool(inner) or _kind(found) == "link")
            said = (name, _kind(found), f"{stat.S_IMODE(found.st_mode):o}", target, inner)
            digest.update("\0".join((*said, "")).encode("utf-8", "surrogateescape"))
    except PermissionError:
        return (status.st_size if kind == "file" else 0), ""
    return size, digest.hexdigest() if readable else ""


def _sha256(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, 1 << 20):
        digest.update(block)
    return digest.hexdigest()


# --- moving one thing ---


def _move(source: str, target: str) -> None:
    """Moves one thing with all that is below it. The folders around it keep their times; `target` must be free."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    with _times_kept(os.path.dirname(source)), _times_kept(os.path.dirname(target)):
        try:
            _rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _carry(source, target)


def _bring_back(moved: str, place: str) -> None:
    """Undoes a move, whether or not it had happened."""
    if not os.path.lexists(moved) or os.path.lexists(place):
        return
    try:
        _move(moved, place)
    except (OSError, shutil.Error) as error:
        raise CannotWriteError(
            f"{place} could not be brought back: {_why(error)}.", hint=f"It is kept as {moved}."
        ) from error


def _discard(folder: str, entries: Sequence[Entry]) -> None:
    """Deletes a quarantine that came to nothing; never one that still holds something."""
    if not any(os.path.lexists(_held(folder, entry.path)) for entry in entries):
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _times_kept(folder: str) -> Iterator[None]:
    status = os.stat(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))


def _rename(source: str, target: str) -> None:
    try:
        os.rename(source, target)
    except PermissionError:
        # To move a directory is to write its "..": one that may not be written is opened for that moment.
        status = os.lstat(source)
        if not stat.S_ISDIR(status.st_mode):
            raise
        os.chmod(source, stat.S_IMODE(status.st_mode) | stat.S_IRWXU)
        moved = source
        try:
            os.rename(source, target)
            moved = target
        finally:
            os.chmod(moved, stat.S_IMODE(status.st_mode))


def _carry(source: str, target: str) -> None:
    """Moves to another file system: copies, compares, and only then removes. On an error all is as before."""
    try:
        _copy(source, target)
        _compare(_entry(source, ""), _entry(target, ""), source)
    except BaseException:
        _remove(target)
        raise
    try:
        _remove(source)
    except BaseException:
        _fill(target, source)
        _remove(target)
        raise


def _compare(before: Entry, after: Entry, source: str) -> None:
    if before != after or (not before.sha256 and before.kind != "link"):
        raise OSError(errno.EIO, "the copy is not like the original", source)


def _copy(source: str, target: str) -> None:
    if os.path.isdir(source) and not os.path.islink(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: str) -> None:
    if not os.path.lexists(path):
        return
    if not os.path.isdir(path) or os.path.islink(path):
        os.unlink(path)
        return
    for folder, _, _ in os.walk(path):
        mode = stat.S_IMODE(os.lstat(folder).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(folder, mode | stat.S_IRWXU)
    shutil.rmtree(path)


def _fill(source: str, target: str) -> None:
    """Puts back into `target` what a removal that stopped half-way has taken from it."""
    if not os.path.lexists(target):
        _copy(source, target)
    elif os.path.isdir(source) and not os.path.islink(source):
        for name in os.listdir(source):
            _fill(os.path.join(source, name), os.path.join(target, name))
        shutil.copystat(source, target)


# --- uv's own locks ---


@contextlib.contextmanager
def _locks(cache: str, paths: Sequence[str]) -> Iterator[None]:
    """Holds every lock that a uv would hold while it works at `paths`. No lock file is made that is not there."""
    with contextlib.ExitStack() as held:
        for lock in _lock_files(cache, paths):
            try:
                held.enter_context(_locked(_full(cache, lock)))
            except BlockingIOError as error:
                raise CannotWriteError(
                    f"A uv is at work in the cache {cache}: it holds {lock}. Nothing was moved.",
                    hint="Wait until it has ended, or end it, and try again.",
                ) from error
            except OSError as error:
                if lock in paths:
                    continue  # a lock that cannot be opened may be the very thing at fault
                raise CannotWriteError(
                    f"Whether a uv is at work cannot be told: {_why(error)}. Nothing was moved.",
                    hint=f"Check the owner and mode of {lock}; set it aside if it is at fault.",
                ) from error
        yield


def _lock_files(cache: str, paths: Sequence[str]) -> list[str]:
    """The lock files that are there, the cache's own first: of the folders around each path, and of its shards."""
    found: dict[str, None] = {".lock": None}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            above = "/".join(parts[:depth])
            found |= dict.fromkeys((f"{above}/.lock", f"{above}.lock"))
        found[posixpath.splitext(path)[0] + ".lock"] = None
        kind = buckets.kind_of(parts[0])
        if kind == "git" and len(parts) > 2 and parts[1] in {"db", "checkouts"}:
            found[f"{parts[0]}/locks/{parts[2]}"] = None
        if kind in {"sdists", "git"} and os.path.isdir(_full(cache, path)):
            shards = (other for other in examine.walk(cache) if other.startswith(path + "/"))
            found |= dict.fromkeys(
                other for other in shards if other.endswith("/.lock") or other.split("/")[1] == "locks"
            )
    return [lock for lock in found if _is_file(_full(cache, lock))]


def _is_file(full: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(full).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def _locked(full: str) -> Iterator[None]:
    """Holds a file's exclusive lock, the way uv takes it. Raises BlockingIOError when another process has one."""
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(full, os.O_RDWR | flags)
    except PermissionError:
        descriptor = os.open(full, os.O_RDONLY | flags)  # enough for a lock, but not over NFS
    try:
        _take(descriptor)
        yield
    finally:
        os.close(descriptor)  # and with it goes the lock


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        try:
            # uv locks the whole file; one byte of it is enough to meet that lock.
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
