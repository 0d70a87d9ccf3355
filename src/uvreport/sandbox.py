"""A throwaway place with a bundle restored in it, in which uv is run contained and offline.

By default not a line of the bundle's own code can run there: Python is a program that refuses (isolate.refusal), what
uv wants to know of it was asked beforehand in a place without the bundle, and nothing that the bundle brings or uv
writes can be executed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import zipfile
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from uvreport import invocation, isolate, pythons, uv, written
from uvreport.errors import (
    BadBundleError,
    CannotWriteError,
    NoUsableUvError,
    UnsafeSandboxError,
    UvreportError,
)
from uvreport.isolate import Bind, Jail, refusal, trees
from uvreport.isolate.moved import Moved, is_text, named, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from uvreport.bundle import Bundle, Member, Places, Relation, Uv
    from uvreport.pythons import Python

# Inside.
_OURS = "/run/uvreport"
_UV = f"{_OURS}/uv"
_BIN = f"{_OURS}/bin"
_MARK = f"{_OURS}/called"
_TMP = "tmp"
_USER = 1000

_GIB = 1 << 30
# Address space: uv 0.13.9 needs 0.6 GiB on 2 processors, and each more takes a few stacks.
LIMITS = (("as", 4 * _GIB), ("fsize", _GIB), ("nproc", 1024), ("cpu", 600), ("core", 0))
STATE_BYTES = 2 * _GIB  # what a run may write in all, where code is allowed
MOST_PROCESSES = 512
MEMORY_BYTES = (
    6 * _GIB
)  # of all processes of a run together, where code is allowed; never more than most of what there is

_MANY = 1000  # members; to put so many files on a disk and remove them again takes longer than all the rest
_SPARE_BYTES = 512 << 20
_MEMORY = "/dev/shm"  # noqa: S108 only mkdtemp is used there
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
# Where no bundle may put anything, whatever its places say.
_NOT_FOR_BUNDLES = ("/proc", "/sys", "/dev", "/run", "/etc", "/tmp", *_SYSTEM)  # noqa: S108 names to refuse
_DANGEROUS = re.compile(
    r"^(LD_|DYLD_|PYTHON|BASH_|GIT_|GCONV_|LOCPATH|NLSPATH|PERL|IFS$|ENV$|PATH$|SHELL|HOME$|TMP)"
)


Change = Literal["rewrote", "removed", "made"]


class _Layout(Struct, frozen=True, kw_only=True):
    """Where things are, as uv sees them. `root` stands before every path of the bundle's: "" where it is contained."""

    uv: str
    bin: str
    tmp: str
    root: str
    mark: str


_CONTAINED = _Layout(uv=_UV, bin=_BIN, tmp="/tmp", root="", mark=_MARK)  # noqa: S108 inside


def _uncontained(uv_: Uv, base: str) -> _Layout:
    return _Layout(
        uv=uv_.path, bin=f"{base}/bin", tmp=f"{base}/{_TMP}", root=f"{base}/root", mark=f"{base}/called"
    )


class _Kept(Struct, frozen=True):
    """What one release of uv made of the trusted Python.

    `answer` is what that Python says when uv asks it what it is, `venv_answer` what it says as part of the environment.
    """

    entries: dict[str, bytes]  # interpreter entries, by path relative to the cache
    answer: bytes
    venv: dict[str, bytes]  # the files of an environment, by path relative to it
    links: dict[str, str]
    venv_answer: bytes


@contextlib.contextmanager
def open_sandbox(
    bundle: Bundle,
    *,
    trust: bool = False,
    keep: str | None = None,
    allow_code: bool = False,
    python: Python | None = None,
) -> Iterator[Box]:
    """A place for `bundle`. Raises UnsafeSandboxError where nothing can contain it, unless it is trusted.

    `python` is the one that uv will find there (default: the one that this runs on). `keep` names a directory that the
    place is made in and left in. Raises BadBundleError for a bundle whose members cannot be put where they belong.
    """
    how = isolate.method()
    if how.name == "none" and not trust:
        raise UnsafeSandboxError(
            f"Nothing here can contain a stranger's bundle: {how.why}.",
            hint="Install bubblewrap, replay in a virtual machine, or give --trust if you trust whoever made it.",
        )
    if not how.noexec and not allow_code:
        raise UnsafeSandboxError(
            f"Nothing here can keep a bundle's code from running: {how.why}.",
            hint="Give --allow-code: the code then runs, contained by bubblewrap.",
        )
    _check_places(bundle.places)
    with _place(keep, bundle, in_memory=how.name != "none" and not allow_code) as base:
        yield Box(bundle, base, how, allow_code=allow_code, python=python or pythons.ours())


@contextlib.contextmanager
def _place(keep: str | None, bundle: Bundle, *, in_memory: bool) -> Iterator[str]:
    if keep is not None:
        try:
            os.makedirs(keep, mode=0o700, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(
                f"{keep} cannot be made: {error.strerror}.", hint="Name another directory with --keep DIR."
            ) from error
        if os.listdir(keep):
            raise CannotWriteError(f"{keep} is not empty.", hint="Name a directory that is not there yet.")
        yield os.path.realpath(keep)
        return
    parent = os.path.realpath(tempfile.gettempdir())
    # On a filesystem that keeps no times of access it cannot be seen what uv reads.
    flags = os.statvfs(parent).f_flag if hasattr(os, "ST_NOATIME") else 0
    unseen, unrun = bool(flags & getattr(os, "ST_NOATIME", 0)), bool(flags & getattr(os, "ST_NOEXEC", 0))
    # What a build writes may be large. Else memory is better, where nobody has named a place: a disk that others are
    # busy with makes a replay three times as long.
    quick = len(bundle.members) > _MANY or (in_memory and parent == "/tmp")  # noqa: S108 only compared
    if (unseen or unrun or quick) and os.access(_MEMORY, os.W_OK) and _fits(bundle):
        parent = _MEMORY
    elif unrun:
        raise CannotWriteError(
            f"Nothing can be started in {parent}: it is mounted noexec.",
            hint="Name a directory of another file system with TMPDIR.",
        )
    base = trees.throwaway(parent)
    try:
        yield base
    finally:
        trees.remove(base)


def _fits(bundle: Bundle) -> bool:
    """Whether memory has room for the bundle several times over, lets run what is written there, and tells what is read."""
    there = os.statvfs(_MEMORY)
    size = sum(len(member.data) + 4096 for member in bundle.members)
    return there.f_bavail * there.f_frsize > 4 * size + _SPARE_BYTES and not there.f_flag & (
        os.ST_NOEXEC | os.ST_NOATIME
    )


def _check_places(places: Places) -> None:
    for path in (places.home, places.project, places.cache):
        if not path.startswith("/") or os.path.normpath(path) != path or path == "/":
            raise BadBundleError(
                f"The bundle belongs at {path!r}, where nothing can be put back on this system."
            )
        if any(trees.within(path, top) for top in _NOT_FOR_BUNDLES):
            raise BadBundleError(
                f"The bundle wants to be put back at {path!r}, among the system's own files."
            )


class Box:
    """What `open_sandbox` gives. All but `isolation` and `run` is about the last run.

    `isolation` says what contains it, `reads` which cache entries (relative to the cache) were read, `members_read` the
    same for all members, by their paths in the bundle, both None when that cannot be seen; `needed_code` whether uv
    asked for code that was not allowed to run; `code_executed` whether code
    of the bundle was read to be run; `enter` is a command line that leads into the place.
    """

    def __init__(
        self, bundle: Bundle, base: str, method: isolate.Method, *, allow_code: bool, python: Python
    ) -> None:
        self.isolation = method.name
        self.reads: frozenset[str] | None = None
        self.members_read: frozenset[str] | None = None
        self.changed: dict[str, Change] = {}
        self.needed_code = False
        self.code_executed = False
        self.enter = ""
        self._bundle = bundle
        self._base = base
        self._method = method
        self._allow_code = allow_code
        self._python = python
        self._numbers = itertools.count(1)
        self._root = ""
        self._moved = Moved("", ())

    def run(self, uv_: Uv, argv: Sequence[str], *, env: Mapping[str, str], timeout_s: float) -> uv.Outcome:
        """How `argv` ends, from the freshly restored state. Its first word, `uv`, becomes the executable of `uv_`.

        It ends with `isolate.refusal.EXIT_CODE` when uv did its part and then started a program that may not run.
        """
        base = f"{self._base}/{next(self._numbers)}"
        os.mkdir(base, 0o700)
        for name in ("root", "tmp", "kept", "bin"):
            os.mkdir(f"{base}/{name}", 0o700)
        with open(f"{base}/called", "wb"):
            pass
        bundle, contained = self._bundle, self._method.name != "none"
        layout = _CONTAINED if contained else _uncontained(uv_, base)
        beyond = () if contained else _beyond(bundle, argv, env)
        moved = _moved(bundle, layout, beyond)
        for path in beyond:
            os.makedirs(os.path.dirname(layout.root + path), exist_ok=True)
        evidence = _interpreter_evidence(bundle, uv_.release) if contained else {}
        venv = _venv_to_make(bundle, argv)
        kept = None
        if not self._allow_code or venv or evidence:
            kept = _prime(uv_, bundle.places, venv, self._method, self._base, self._python)
            kept = _with(kept, _BASE_MARK, base)
        _put_python(base, layout, kept, venv, self._python, code=self._allow_code)
        restored = _Restored(f"{base}/root", bundle.places, moved)
        restored.members(_with_backend(bundle.members), without=set(evidence))
        if kept is not None:
            if contained:
                stands = self._python.executable if self._allow_code else f"{base}/refusal"
                believed_ns = os.stat(stands).st_ctime_ns
                restored.interpreters(kept, evidence, believed_ns)
            # Of an environment that may be the fault only the links come back: a bundle cannot hold them.
            own = {} if _venv_is_evidence(bundle) else kept.venv
            restored.venv(venv, own, kept.links, layout, self._python.executable)
        restored.settle()
        watched = restored.watch(f"{base}/kept")
        restored.times(bundle.relations)
        at_fault = restored.at_fault(bundle)
        inside = _environment(bundle.places, env, layout)
        if any(member.path.startswith(_WHEELS + "/") for member in bundle.members):
            # Also without code: then it is seen that code is what is missing, and not a backend.
            wheels = f"{layout.root}{bundle.places.home}/{_WHEELS.partition('/')[2]}"
            inside["UV_FIND_LINKS"] = ",".join(filter(None, (inside.get("UV_FIND_LINKS"), wheels)))
        word = [layout.uv, "tool", "run"] if os.path.basename(argv[0]) == "uvx" else [layout.uv]
        command = [*word, *map(moved.edit, argv[1:])]
        cwd = "/"
        if contained:
            jail = _jail(uv_, bundle.places, bundle.run.cwd, base, self._python, code=self._allow_code)
            command = isolate.wrap(command, jail, self._method)
            self.enter = _enter(jail, inside, self._method)
        else:
            cwd = layout.root + _working_directory(bundle.places, bundle.run.cwd)
            self.enter = f"cd {shlex.quote(cwd)} && " + shlex.join(
                ["env", "-i", *_assignments(inside), "/bin/sh"]
            )
        os.makedirs(f"{base}/root{_working_directory(bundle.places, bundle.run.cwd)}", exist_ok=True)
        bounded = self._allow_code or trees.within(base, _MEMORY)
        with _bounded(base, watched=bounded) as started, _ending(started) as started:
            outcome = uv.run(command, cwd=cwd, env=inside, timeout_s=timeout_s, started=started)
        why = isolate.could_not(outcome.exit_code, outcome.stderr) if contained else ""
        if why:
            raise CannotWriteError(f"The sandbox could not be made: {why}.")
        self._root, self._moved = f"{base}/root", moved
        self.members_read = read = watched.reads()
        self.reads = frozenset(name.removeprefix("cache/") for name in read if name.startswith("cache/"))
        if hasattr(os, "ST_NOATIME") and os.statvfs(base).f_flag & os.ST_NOATIME:
            self.reads = self.members_read = None
        self.changed = _changes(at_fault, restored.at_fault(bundle))
        self.needed_code = os.path.getsize(f"{base}/called") > 0
        self.code_executed = self._allow_code and _is_code_in(bundle, read)
        code = outcome.exit_code
        if self._method.name == "bubblewrap" and code is not None and code - 128 in _FATAL:
            code = 128 - code  # bubblewrap ends with 128 + signal where others end by the signal
        return msgspec.structs.replace(
            outcome,
            argv=tuple(argv),
            exit_code=code,
            stdout=moved.back(outcome.stdout),
            stderr=moved.back(outcome.stderr),
        )

    def look(self, path: str) -> str | None:
        """Where what the last run left at `path` can be seen, None when there is nothing.

        It may be a link, or anything else that a build can make: to be opened it must be `plain`.
        """
        path = self._moved.names(path)
        for _ in range(40):
            parts = [p for p in path.split("/") if p]
            for i in range(1, len(parts)):
                here = "/" + "/".join(parts[:i])
                if os.path.islink(self._root + here):
                    path = self._led(here, parts[i:])
                    break
            else:
                return self._root + path if self._root and os.path.lexists(self._root + path) else None
        return None

    def plain(self, path: str) -> str | None:
        """The same for a plain file or a directory, links followed as uv saw them; None for all else.

        A pipe would be waited for, a device read without end, and a link could lead out of the place.
        """
        path = self._moved.names(path)
        for _ in range(40):
            real = self.look(self._moved.old_names(path))
            if real is None:
                return None
            mode = os.lstat(real).st_mode
            if not stat.S_ISLNK(mode):
                small = stat.S_ISREG(mode) and os.path.getsize(real) <= _MOST_READ_BYTES
                return real if small or stat.S_ISDIR(mode) else None
            path = self._led(real.removeprefix(self._root), [])
        return None

    def _led(self, link: str, rest: Sequence[str]) -> str:
        """Where `rest` behind `link` is, as seen inside."""
        text = os.readlink(self._root + link)
        if text.startswith(self._root + "/"):
            text = text.removeprefix(self._root)
        return os.path.normpath(os.path.join(os.path.dirname(link), text, *rest))


_MOST_READ_BYTES = 64_000_000
_CODE = (".py", ".pth", ".so", ".pyc")
# Wheels of the build backend that the reporter had (collectors/backend.py).
_WHEELS = "home/.uvreport/wheels"
_FATAL = {4, 5, 6, 7, 8, 9, 11, 24, 25, 31}  # signals that end a program that went wrong


def _with_backend(members: Sequence[Member]) -> Sequence[Member]:
    """The members, with the wheels of the build backend also where only their metadata was taken.

    Not where a lockfile has the digest of what stands there.
    """
    wheels = {
        os.path.basename(member.path): member.data
        for member in members
        if member.path.startswith(_WHEELS + "/")
    }
    locks = b"".join(member.data for member in members if member.path.endswith(".lock")) if wheels else b""
    return [
        msgspec.structs.replace(member, data=wheels[name])
        if (name := os.path.basename(member.path)) in wheels
        and member.path.startswith(("project/", "home/"))
        and hashlib.sha256(member.data).hexdigest().encode() not in locks
        else member
        for member in members
    ]


def _is_code_in(bundle: Bundle, paths: Collection[str]) -> bool:
    """Whether there is code among these members, or in a wheel among them."""
    if any(path.endswith(_CODE) for path in paths):
        return True
    wheels = [member for member in bundle.members if member.path.endswith(".whl") and member.path in paths]
    for member in wheels:
        with contextlib.suppress(zipfile.BadZipFile, ValueError):
            if any(name.endswith(_CODE) for name in zipfile.ZipFile(io.BytesIO(member.data)).namelist()):
                return True
    return False


class _Restored:
    """The bundle's members below `root`, each at its place, as they are put there."""

    def __init__(self, root: str, places: Places, moved: Moved) -> None:
        self._root = root
        self._moved = moved
        self._tops = {"project": places.project, "cache": places.cache, "home": places.home}
        self._files: list[tuple[str, str]] = []  # member path, where it is
        self._late: list[tuple[str, Member]] = []  # directories: modes and times come last
        self._folders: set[str] = set()  # that were looked at: a large cache has ten files in each
        for top in self._tops.values():
            os.makedirs(root + top, mode=0o755, exist_ok=True)

    def members(self, members: Sequence[Member], *, without: set[str]) -> None:
        """Puts every member that belongs somewhere there; links last, so that nothing is put through one."""
        for member in sorted(members, key=lambda m: (m.kind == "link", m.path)):
            top, _, rest = member.path.partition("/")
            if top in self._tops and rest and member.path not in without:
                self.put(member, f"{self._tops[top]}/{rest}")

    def put(self, member: Member, at: str) -> None:
        """Puts `member` at the absolute path `at`."""
        at = self._moved.names(at)
        parts = at.split("/")[1:]
        if any(part in {"", ".", ".."} or "\0" in part for part in parts):
            raise BadBundleError(f"The bundle's member {member.path!r} is not a path that can be put back.")
        folder, parent = self._root, "/".join(parts[:-1])
        for part in parts[:-1] if parent not in self._folders else ():
            folder = f"{folder}/{part}"
            if os.path.islink(folder) or (os.path.lexists(folder) and not os.path.isdir(folder)):
                raise BadBundleError(
                    f"The bundle's member {member.path!r} lies below something that is no directory."
                )
            if not os.path.lexists(folder):
                os.mkdir(folder, 0o755)
        self._folders.add(parent)  # nothing here takes a directory away again
        path = self._root + at
        try:
            if member.kind == "dir":
                if not os.path.isdir(path):
                    os.mkdir(path)
                self._late.append((path, member))
            elif member.kind == "link":
                self._link(member, at, path)
            else:
                data = member.data
                if self._moved.roots and not at.startswith(self._tops["cache"] + "/") and is_text(parts[-1]):
                    data = self._moved.edit(data.decode("utf-8", "surrogateescape")).encode(
                        "utf-8", "surrogateescape"
                    )
                with open(path, "xb") as file:
                    file.write(data)
                self._files.append((member.path, path))
                self._late.append((path, member))
        except FileExistsError as error:
            raise BadBundleError(f"The bundle has two things that belong at {at!r}.") from error

    def _link(self, member: Member, at: str, path: str) -> None:
        target = member.target
        if self._moved.roots:
            # Nothing keeps uv from following it here, so it must not lead out of the place.
            where = os.path.normpath(os.path.join(os.path.dirname(at), target))
            if re.fullmatch(r".*/bin/python[\d.]*", at):
                target = (
                    f"{os.path.dirname(self._root)}/bin/python3"  # an environment's way to its interpreter
                )
            elif not any(trees.within(where, top) for top in self._tops.values()):
                raise BadBundleError(
                    f"The bundle's link {member.path!r} leads to {target!r}, out of the place where it is put back.",
                    hint="Replay it where it can be contained.",
                )
            else:
                target = self._moved.path(target) if target.startswith("/") else self._moved.names(target)
        os.symlink(target, path)

    def interpreters(self, kept: _Kept, evidence: Mapping[str, Member], believed_ns: int) -> None:
        """Puts what uv knows of the trusted Python in the cache, or the bundle's evidence in its place.

        The digest in the name depends on the kernel and the path of the interpreter, so the evidence must move.
        """
        from uvreport.bundle import Member

        moved = {path.split("/")[1]: member for path, member in evidence.items()}
        for path, data in kept.entries.items():
            member = moved.get(path.split("/")[0], Member(path=f"ours/{path}", data=data))
            member = msgspec.structs.replace(member, data=_at_time(member.data, believed_ns))
            self.put(member, f"{self._tops['cache']}/{path}")

    def venv(
        self, at: str, files: Mapping[str, bytes], links: Mapping[str, str], layout: _Layout, python: str
    ) -> None:
        """Completes the environment `at`, so that uv takes it for one."""
        from uvreport.bundle import Member

        if not at:
            return
        for path, data in files.items():
            where = f"{at}/{path}"
            if not os.path.lexists(self._root + where):
                self.put(Member(path=f"venv/{path}", data=data), where)
        for path, target in links.items():
            where = self._root + f"{at}/{path}"
            if os.path.islink(where):
                os.remove(where)
            if not os.path.lexists(where):
                os.symlink(f"{layout.bin}/python3" if layout.root and target == python else target, where)

    def settle(self) -> None:
        """Gives everything its mode and time."""
        for path, member in sorted(self._late, key=lambda pair: pair[0], reverse=True):
            os.chmod(path, member.mode & 0o777)
            if member.mtime_ns:
                os.utime(path, ns=(member.mtime_ns, member.mtime_ns))

    def watch(self, kept: str) -> trees.Watched:
        """Marks every file, so that reading it shows."""
        watched = trees.Watched(kept)
        for name, path in self._files:
            os.utime(path, ns=(trees.MARK_NS, os.stat(path).st_mtime_ns))
            watched.add(name, path)
        return watched

    def at_fault(self, bundle: Bundle) -> dict[str, tuple[int, int, int] | None]:
        """What stands at each cache path that the bundle blames: kind, inode and time; None for nothing."""
        found: dict[str, tuple[int, int, int] | None] = {}
        for path in (*(culprit.path for culprit in bundle.culprits), *bundle.missing, *bundle.cure):
            at = self._root + self._moved.names(f"{self._tops['cache']}/{path}")
            try:
                there = os.lstat(at)
            except OSError:
                found[path] = None
            else:
                kind = stat.S_IFMT(there.st_mode)
                # A directory's time changes with what is put beside the entries in it.
                found[path] = (kind, there.st_ino, 0 if stat.S_ISDIR(kind) else there.st_mtime_ns)
        return found

    def times(self, relations: Sequence[Relation]) -> None:
        """Lets entries that agreed with their sources agree with the restored ones. Last: all else changes times."""
        from uvreport.relations import NotSimpleError, restore

        for relation in relations:
            if relation.relation != "equal":
                continue
            entry = self._root + self._moved.names(f"{self._tops['cache']}/{relation.entry}")
            at = os.path.normpath(os.path.join(self._tops["project"], relation.source))
            source = os.path.realpath(self._root + self._moved.names(at))
            if not trees.within(source, os.path.realpath(self._root)) or os.path.islink(entry):
                continue
            try:
                before = os.stat(entry)
                with open(entry, "r+b") as file:
                    data = restore(file.read(), relation.entry, source)
                    file.seek(0)
                    file.write(data)
                    file.truncate()
                os.utime(entry, ns=(trees.MARK_NS, before.st_mtime_ns))
            except (
                OSError,
                NotSimpleError,
            ):  # then uv finds it out of date, and the verdict says that it passed
                continue


def _changes(
    before: Mapping[str, tuple[int, int, int] | None], after: Mapping[str, tuple[int, int, int] | None]
) -> dict[str, Change]:
    changed: dict[str, Change] = {}
    for path, there in before.items():
        if there != after[path]:
            changed[path] = "removed" if after[path] is None else "made" if there is None else "rewrote"
    return changed


def _at_time(entry: bytes, time_ns: int) -> bytes:
    """The interpreter entry with `time_ns` as the time that uv compares; as it is when it cannot be read."""
    try:
        (_, info) = msgspec.msgpack.decode(entry, type=tuple[tuple[int, int], msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return entry
    return msgspec.msgpack.encode((divmod(time_ns, 1_000_000_000), info))


def _interpreter_evidence(bundle: Bundle, release: str) -> dict[str, Member]:
    """The members that are culprits among what uv knows of interpreters, by member path.

    None where the release files its own under names of another form: it would never have read these.
    """
    from uvreport.cache import keys

    failed = bundle.run.uv.release
    if failed and keys.interpreter_era(failed) != keys.interpreter_era(release):
        return {}
    guilty = {
        f"cache/{culprit.path}" for culprit in bundle.culprits if culprit.path.startswith("interpreter-")
    }
    return {member.path: member for member in bundle.members if member.path in guilty}


def _venv_to_make(bundle: Bundle, argv: Sequence[str]) -> str:
    """The environment that the command needs to be there already, "" when it needs none or makes it itself."""
    venv = bundle.places.venv
    if not venv or not any(trees.within(venv, top) for top in (bundle.places.project, bundle.places.home)):
        return ""
    below = {f"{top}/{os.path.relpath(venv, path)}/" for top, path in (
        ("project", bundle.places.project), ("home", bundle.places.home)) if trees.within(venv, path)}  # fmt: skip
    there = any(member.path.startswith(tuple(below)) for member in bundle.members)
    if _venv_is_evidence(bundle):
        return venv if any(member.path in {f"{path}{name}" for path in below for name in ("bin", "Scripts")}
                           for member in bundle.members) else ""  # fmt: skip
    return venv if there or "pip" in argv[1:4] else ""


def _venv_is_evidence(bundle: Bundle) -> bool:
    """Whether what the environment lacks can be the failure: then it was bundled as far as it was there."""
    return bundle.failure.class_ in {"environment", "interpreter"}


def _beyond(bundle: Bundle, argv: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """The paths outside of the bundle's places that the command writes to: where nothing contains it they move as well.

    Raises UnsafeSandboxError for what cannot be moved: a Python of this machine that it would install into.
    """
    cwd = _working_directory(bundle.places, bundle.run.cwd)
    command = invocation.parse(("uvx" if os.path.basename(argv[0]) == "uvx" else "uv", *argv[1:]))
    tops = _tops(bundle.places)
    pip = written.environment(command, env, cwd) if written.changes(command) else None
    changed = pip.path if pip is not None else ""
    climbs = [
        word for word in command.options if ".." in word.split("/") and word.count("..") > cwd.count("/")
    ]
    if climbs or command.subcommand[:1] == ("self",):
        changed = climbs[0] if climbs else "uv itself"
    if changed and not any(trees.within(changed, top) for top in tops):
        raise UnsafeSandboxError(
            f"The command changes {changed}, and nothing here can contain it.",
            hint="Replay on Linux, where bubblewrap or user namespaces work.",
        )
    outside = written.outside(command, cwd)
    return tuple(path for path in outside if not any(trees.within(path, top) for top in tops))


def _moved(bundle: Bundle, layout: _Layout, beyond: Sequence[str]) -> Moved:
    """How the bundle's texts change: not at all where it stands at its own paths."""
    if not layout.root:
        return Moved("", ())
    from uvreport.cache import keys

    places = bundle.places
    tops = {"project": places.project, "cache": places.cache, "home": places.home}
    moved = Moved(layout.root, [*tops.values(), *beyond])
    split = [(*member.path.partition("/")[::2], member) for member in bundle.members]
    files = [f"{tops[top]}/{rest}" for top, rest, _ in split if top in ("project", "home")]
    texts = [
        url
        for _, rest, member in split
        if is_text(os.path.basename(rest))
        for url in named(member.data.decode("utf-8", "replace"))
    ]
    moved.digests = keys.rekey([*sources(files), *texts], moved.edit)
    return moved


def _put_python(
    base: str, layout: _Layout, kept: _Kept | None, venv: str, python: Python, *, code: bool
) -> None:
    """Puts the program that refuses, or the way to Python, where uv will find it."""
    if layout.root and code:
        os.symlink(python.executable, f"{base}/bin/python3")
        if os.path.exists("/usr/bin/git"):
            os.symlink("/usr/bin/git", f"{base}/bin/git")
        return
    answers = [b"", b""] if kept is None else [kept.answer, kept.venv_answer]
    if layout.root:
        own = os.fsencode(f"{layout.bin}/python3")
        answers = [answer.replace(os.fsencode(python.executable), own) for answer in answers]
    made = (layout.mark, answers[0], layout.root + venv if venv else "", answers[1])
    program = refusal.program(*made)
    if program is None:
        if not layout.root:
            raise UnsafeSandboxError(
                f"There is no program that refuses for {os.uname().machine}, so nothing can be replayed without code.",
                hint="Give --allow-code: the code of the bundle then runs, contained.",
            )
        program = refusal.script(*made)
    path = f"{base}/bin/python3" if layout.root else f"{base}/refusal"
    _write_executable(path, program)
    if layout.root:
        _write_executable(f"{base}/bin/git", program)


def _write_executable(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)  # noqa: S103 it lies in a directory that only we can enter


# -- the place ------------------------------------------------------------------------------------------------


@functools.cache
def _libraries(executable: str) -> tuple[str, ...]:
    """The shared libraries that `executable` loads, and the loader, as the loader itself says."""
    done = subprocess.run(
        [executable, "--version"], env={"LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, check=False, timeout=10,
        cwd="/",
    )  # fmt: skip
    return tuple(dict.fromkeys(re.findall(r"(/\S+) \(0x", done.stdout.decode("utf-8", "replace"))))


def _jail(uv_: Uv, places: Places, cwd: str, base: str, trusted: Python, *, code: bool) -> Jail:
    """What uv sees. Without `code` nothing in it can be executed but uv itself and the program that refuses."""
    with open(uv_.path, "rb") as file:
        if file.read(2) == b"#!":
            raise NoUsableUvError(
                f"{uv_.path} is a script that starts uv, not uv itself.",
                hint="Name the executable with --uv PATH.",
            )
    python = trusted.executable
    program = f"{base}/refusal"
    etc = f"{base}/etc"
    os.makedirs(etc, exist_ok=True)
    for name, text in (
        ("passwd", f"user:x:{_USER}:{_USER}::{places.home}:/bin/sh\n"),
        ("group", f"user:x:{_USER}:\n"),
        ("hosts", "127.0.0.1 localhost\n"),
    ):
        with open(f"{etc}/{name}", "w", encoding="ascii", errors="replace") as file:
            file.write(text)
    binds = [
        Bind(source=os.path.realpath(uv_.path), at=_UV),
        Bind(source=f"{base}/called", at=_MARK, writable=True, executable=False),
    ]
    links = [(python, f"{_BIN}/python3"), (python, f"{_BIN}/python")]
    if code:
        for top in _SYSTEM:
            if os.path.islink(top):
                links.append((os.readlink(top), top))
            elif os.path.isdir(top):
                binds.append(Bind(source=top, at=top))
        binds += [Bind(source=prefix, at=prefix) for prefix in trusted.prefixes]
        if os.path.exists("/etc/ld.so.cache"):
            shutil.copyfile("/etc/ld.so.cache", f"{etc}/ld.so.cache")
        if os.path.exists("/usr/bin/git"):
            links.append(("/usr/bin/git", f"{_BIN}/git"))
        files = (*_libraries(uv_.path), *_libraries(python))
    else:
        binds += [Bind(source=program, at=python), Bind(source=program, at=f"{_BIN}/git")]
        # To be read, not run: uv finds out which C library there is by the loader that a known program names.
        binds.append(Bind(source=os.path.realpath("/bin/sh"), at="/bin/sh", executable=False))
        files = _libraries(uv_.path)
    for path in dict.fromkeys(files):
        real_parent = os.path.realpath(os.path.dirname(path)) if code else os.path.dirname(path)
        at = f"{real_parent}/{os.path.basename(path)}"
        if not any(trees.within(at, bind.at) for bind in binds):
            binds.append(Bind(source=os.path.realpath(path), at=at))
    binds.append(Bind(source=etc, at="/etc", executable=False))
    binds.append(Bind(source=f"{base}/{_TMP}", at="/tmp", writable=True, executable=code))  # noqa: S108 inside
    for top in _tops(places):
        binds.append(Bind(source=f"{base}/root{top}", at=top, writable=True, executable=code))
    system = [bind for bind in binds if not bind.writable]
    return Jail(
        # What is the person's first: where the Python lives below a home of that name, it is mounted into it.
        binds=(*(bind for bind in binds if bind.writable and bind.at != _MARK), *_by_depth(system), binds[1]),
        links=tuple(links),
        limits=LIMITS,
        cwd=_working_directory(places, cwd),
        executable=code,
        # Ours has ctypes, and is bound; another one may not.
        python=python if code and python == pythons.ours().executable else "",
    )


def _working_directory(places: Places, cwd: str) -> str:
    return cwd if any(trees.within(cwd, top) for top in _tops(places)) else places.project


def _by_depth(binds: Sequence[Bind]) -> list[Bind]:
    return sorted(binds, key=lambda bind: bind.at.split("/"))


def _tops(places: Places) -> list[str]:
    """The directories that hold all places, none inside another."""
    found: list[str] = []
    for path in sorted((places.home, places.project, places.cache)):
        if not any(trees.within(path, top) for top in found):
            found.append(path)
    return found


def _environment(places: Places, given: Mapping[str, str], layout: _Layout) -> dict[str, str]:
    """The variables inside: ours, and of those given the ones that cannot lead uv or what it starts astray."""
    ours = {
        "PATH": layout.bin, "HOME": layout.root + places.home, "USER": "user", "LOGNAME": "user", "TMPDIR": layout.tmp,
        "UV_CACHE_DIR": layout.root + places.cache, "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
    }  # fmt: skip
    defaults = {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "UV_NO_PROGRESS": "1"}
    return defaults | {name: value for name, value in given.items() if not _DANGEROUS.match(name)} | ours


def _enter(jail: Jail, env: Mapping[str, str], method: isolate.Method) -> str:
    """The command line that leads a person into the place."""
    shell = ["/bin/sh"] if jail.executable else [_UV, "--version"]
    env = {**env, "PATH": f"{_BIN}:/usr/bin:/bin"}
    return shlex.join(["env", "-i", *_assignments(env), *isolate.wrap(shell, jail, method, for_us=False)])


def _assignments(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in env.items()]


@contextlib.contextmanager
def _bounded(folder: str, *, watched: bool) -> Iterator[Callable[[int], None] | None]:
    """Gives what `uv.run` tells the process id to.

    Where code may run, and where the place is in memory, a process that takes too much disk or memory or starts too
    many others is killed with all of them: no limit of the kernel's counts for all files or all processes together,
    nor for the processes of root.
    """
    if not watched:
        yield None
        return
    most_memory = min(MEMORY_BYTES, _machine_bytes() * 3 // 4)
    done = threading.Event()
    watchers: list[threading.Thread] = []

    def started(process: int) -> None:
        watchers.append(threading.Thread(target=watch, args=(process,), daemon=True))
        watchers[0].start()

    def watch(process: int) -> None:
        pause = 0.1
        while not done.wait(pause):
            begin = time.monotonic()
            count, memory = _descendants(process)
            too_many = count > MOST_PROCESSES or memory > most_memory
            if too_many or trees.size(folder, STATE_BYTES) > STATE_BYTES:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
                return
            pause = max(0.1, 5 * (time.monotonic() - begin))

    try:
        yield started
    finally:
        done.set()
        for thread in watchers:
            thread.join()


_runs: set[int] = set()


@contextlib.contextmanager
def _ending(started: Callable[[int], None] | None) -> Iterator[Callable[[int], None]]:
    """Gives what `uv.run` tells the process id to, so that `end_runs` knows it too."""
    mine: list[int] = []

    def told(process: int) -> None:
        mine.append(process)
        _runs.add(process)
        if started is not None:
            started(process)

    try:
        yield told
    finally:
        _runs.difference_update(mine)


def end_runs() -> None:
    """Ends every run of this process that is under way, in any thread: for whoever no longer waits for them."""
    for process in tuple(_runs):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(process, signal.SIGTERM)


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _descendants(process: int) -> tuple[int, int]:
    """How many processes `process` has started, and they in turn, and how many bytes of memory all these have.

    What several have together counts for each. (0, 0) where /proc does not tell.
    """
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                children.setdefault(int(fields[1]), []).append((int(name), int(fields[21])))
    found, pages, pending = 0, 0, [process]
    while pending:
        below = children.get(pending.pop(), [])
        found += len(below)
        pages += sum(resident for _, resident in below)
        pending += [child for child, _ in below]
    return found, pages * os.sysconf("SC_PAGE_SIZE")


# -- what uv knows of Python ------------------------------------------------------------------------------


def prepare(uv_: Uv, places: Places) -> None:
    """Asks this uv what it makes of the trusted Python, so that the first replay at these places need not wait.

    For whoever has something else to do meanwhile. What goes wrong here goes wrong again, and is told, in the replay.
    """
    with contextlib.suppress(OSError, UvreportError):
        method = isolate.method()
        if method.name != "none" and method.noexec:
            _prime(uv_, places, "", method, os.path.realpath(tempfile.gettempdir()), pythons.ours())


def _prime(uv_: Uv, places: Places, venv: str, method: isolate.Method, parent: str, python: Python) -> _Kept:
    """What this uv records of the trusted Python at these places, asked in a place without the bundle.

    It is kept for later: in uvreport's own cache, where there is one already.
    """
    key = _prime_key(uv_, places, venv, method, python)
    if key in _primed:
        return _primed[key]
    store = _store()
    file = f"{store}/{key}.msgpack" if store else ""
    if file:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            with open(file, "rb") as stored:
                _primed[key] = msgspec.msgpack.decode(stored.read(), type=_Kept)
            return _primed[key]
    _primed[key] = kept = _ask(uv_, places, venv, method, parent, python)
    if file and kept.entries:
        with contextlib.suppress(OSError):
            os.makedirs(store, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=store)
            with os.fdopen(handle, "wb") as out:
                out.write(msgspec.msgpack.encode(kept))
            os.replace(new, file)
    return kept


_primed: dict[str, _Kept] = {}


def _prime_key(uv_: Uv, places: Places, venv: str, method: isolate.Method, python: Python) -> str:
    parts = ["1", uv_.release, os.uname().release, places.home, places.cache, venv, _BIN, method.name]
    for path in (os.path.realpath(uv_.path), python.executable):
        there = os.stat(path)
        parts += [path, str(there.st_size), str(there.st_mtime_ns)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _store() -> str:
    """The folder for what was asked; "" where uvreport keeps nothing yet: nothing is begun in a home for this."""
    own = os.environ.get("UVREPORT_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "uvreport"
    )
    return os.path.join(own, "interpreters") if os.path.isdir(own) else ""


_BASE_MARK = "@uvreport-base@"


def _ask(uv_: Uv, places: Places, venv: str, method: isolate.Method, parent: str, python: Python) -> _Kept:
    base = trees.throwaway(parent, "ask-")
    layout = _CONTAINED if method.name != "none" else _uncontained(uv_, base)
    uv_path, at = shlex.quote(layout.uv), layout.root + venv
    try:
        for name in ("root", "tmp", "bin"):
            os.mkdir(f"{base}/{name}")
        for top in (places.home, places.project, places.cache):
            os.makedirs(f"{base}/root{top}", exist_ok=True)
        for name in ("called", "refusal"):
            with open(f"{base}/{name}", "wb"):
                pass
        os.symlink(python.executable, f"{base}/bin/python3")
        names = ("python3", "python") if not layout.root else ("python3",)
        steps = [f"{uv_path} venv -q --offline -p {layout.bin}/{name} {layout.tmp}/{name}" for name in names]
        steps.append(_listen(base, layout, "answer", python.executable))
        if venv:
            steps.append(f"{uv_path} venv -q --offline -p {layout.bin}/python3 {shlex.quote(at)}")
            steps.append(f"VIRTUAL_ENV={shlex.quote(at)} {uv_path} pip freeze -q --offline")
            steps.append(_listen(base, layout, "venv_answer", f"{at}/bin/python"))
        command = ["/bin/sh", "-c", "; ".join(steps)]
        cwd = layout.root + places.project if layout.root else "/"
        if not layout.root:
            command = isolate.wrap(
                command, _jail(uv_, places, places.project, base, python, code=True), method
            )
        outcome = uv.run(command, cwd=cwd, env=_environment(places, {}, layout), timeout_s=30)
        why = isolate.could_not(outcome.exit_code, outcome.stderr) if not layout.root else ""
        if why:
            raise CannotWriteError(f"The sandbox could not be made: {why}.")
        entries = {
            path: data
            for path, data in trees.files(f"{base}/root{places.cache}").items()
            if path.startswith("interpreter-")
        }
        made, links = (
            (trees.files(f"{base}/root{venv}"), trees.links(f"{base}/root{venv}")) if venv else ({}, {})
        )
        said = trees.files(f"{base}/{_TMP}/said")
        kept = _Kept(entries, said.get("answer", b""), made, links, said.get("venv_answer", b""))
        return kept if not layout.root else _with(kept, base, _BASE_MARK)
    finally:
        trees.remove(base)


def _with(kept: _Kept, old: str, new: str) -> _Kept:
    """The same with every `old` in it now `new`."""
    a, b = os.fsencode(old), os.fsencode(new)
    return _Kept(
        kept.entries,
        kept.answer.replace(a, b),
        {path: data.replace(a, b) for path, data in kept.venv.items()},
        {path: target.replace(old, new) for path, target in kept.links.items()},
        kept.venv_answer.replace(a, b),
    )


def _listen(base: str, layout: _Layout, name: str, python: str) -> str:
    """The command that makes uv ask `python` what it is, with the answer written down on the way."""
    os.makedirs(f"{base}/{_TMP}/said", exist_ok=True)
    os.makedirs(f"{base}/{_TMP}/listen-{name}")
    script = (
        f'#!/bin/sh\nout=$({shlex.quote(python)} "$@") || exit\n'
        f'printf "%s\\n" "$out"\n[ "$1" != -I ] || printf "%s\\n" "$out" >{layout.tmp}/said/{name}\n'
    )
    _write_executable(f"{base}/{_TMP}/listen-{name}/python3", script.encode("utf-8", "surrogateescape"))
    tmp = layout.tmp
    return (
        f"UV_CACHE_DIR={tmp}/{name} {shlex.quote(layout.uv)} venv -q --offline -p {tmp}/listen-{name}/python3 "
        f"{tmp}/made-{name}"
    )
