"""How a process is kept in: over the person's own files (`Cover`), or in a place with nothing else (`Jail`).

Nothing here needs to be installed. The work is done by `launcher.py` with user namespaces; bubblewrap is used
for a `Jail` where it is there and works.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct

from uvreport.errors import UsageError
from uvreport.isolate import launcher, syscalls
from uvreport.isolate.launcher import CANNOT, CANNOT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE = "UVREPORT_ISOLATION"

Name = Literal["bubblewrap", "namespaces", "none"]


class Method(Struct, frozen=True):
    """How a command can be contained on this machine, and why not better.

    `noexec` is whether a jail can be made in which nothing that is written can be executed.
    """

    name: Name
    why: str = ""
    noexec: bool = True


class Bind(Struct, frozen=True, kw_only=True):
    """A file or directory of this machine that is seen inside, at `at`."""

    source: str
    at: str
    writable: bool = False
    executable: bool = True


class Jail(Struct, frozen=True, kw_only=True):
    """All that a contained command sees: these, a /proc and a /dev of its own, and nothing else.

    It runs as user 1000 of its own user namespace, without network, capabilities or a way to either. `tmpfs`
    are `(at, size in bytes)`; `links` are `(text, at)`; `limits` are `(name, value)` by the names of the
    launcher. With `executable` False nothing that it writes can be executed. `python` is an interpreter that is there
    inside: bubblewrap needs one for the second fence around the files (Landlock), our launcher does not.
    """

    binds: tuple[Bind, ...]
    cwd: str
    tmpfs: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, int], ...] = ()
    executable: bool = True
    python: str = ""


class Overlay(Struct, frozen=True, kw_only=True):
    """`at` seen with all changes going to `upper`; `work` is for overlayfs."""

    at: str
    upper: str
    work: str


class Cover(Struct, frozen=True, kw_only=True):
    """The machine as it is, read-only, but for overlays and one directory.

    `mounts` is in the order of mounting: an overlay, or the path of something that is mounted below one and
    shall stay to be seen. `remove` names a file of NUL-ended paths that are taken away before the command starts.
    `put` are `(source, at)`: content that stands at `at` instead of what is there.
    """

    writable: str
    mounts: tuple[Overlay | str, ...]
    cwd: str
    remove: str = ""
    put: tuple[tuple[str, str], ...] = ()


# Not the path of the script: only an import uses the byte code that is kept beside it, which saves 4 ms.
_START = "import sys; sys.path.insert(0, sys.argv[1]); import launcher; del sys.path[0]; launcher.main(sys.argv[2:])"


def wrap(
    argv: Sequence[str], place: Jail | Cover, by: Method | None = None, *, for_us: bool = True
) -> list[str]:
    """The command line that runs `argv` in `place`, by the method `by` (for a `Jail`: the best that works here).

    It is for this process to start, and ends with it; with `for_us` False, for anybody.
    """
    start = [*_launcher(), *(["parent", str(os.getpid())] if for_us else [])]
    if isinstance(place, Cover):
        return [*start, *_cover_steps(place), "--", *argv]
    if (by or method()).name == "bubblewrap":
        return [*start, *_around_bubblewrap(place), "--", *_bubblewrap(argv, place)]
    return [*start, *_jail_steps(place), "--", *argv]


def could_not(exit_code: int | None, stderr: str) -> str:
    """Why the place could not be made, when that is how a wrapped command ended; else ""."""
    for code, prefix in ((CANNOT, CANNOT_PREFIX), (1, "bwrap: ")):
        if exit_code == code and stderr.startswith(prefix):
            return stderr.removeprefix(prefix).splitlines()[0]
    return ""


def forced() -> str:
    """The branch that UVREPORT_ISOLATION asks for, "" for none in particular. Raises UsageError for no such thing."""
    asked = os.environ.get(VARIABLE, "").strip().lower()
    if asked and asked not in get_args(Name):
        raise UsageError(
            f"{VARIABLE} is {asked!r}, which is no way to contain anything.",
            hint=f"Say {', '.join(get_args(Name)[:-1])} or {get_args(Name)[-1]}, or leave it unset.",
        )
    return asked


def method(force: str | None = None) -> Method:
    """The best way to contain a command here, tried once: bubblewrap, else namespaces, else none."""
    return _method(forced() if force is None else force)


@functools.cache
def _method(force: str) -> Method:
    if force == "none":
        return Method("none", f"{VARIABLE}=none")
    reasons: list[str] = []
    ways: tuple[Name, ...] = ("bubblewrap", "namespaces")
    for name in ways:
        if force in ("", name):
            way = Method(name)
            why = _try(way, noexec=True)
            if not why:
                return Method(name, "; ".join(reasons))
            reasons.append(why)
            if name == "bubblewrap" and not _try(way, noexec=False):
                # A bubblewrap that may more than we do: installed setuid, or allowed by name.
                return Method(name, why, noexec=False)
    return Method("none", "; ".join(reasons))


def _try(way: Method, *, noexec: bool) -> str:
    """Why `way` does not work here, "" when it does."""
    if not sys.platform.startswith("linux"):
        return f"there are no namespaces on {sys.platform}"
    if way.name == "bubblewrap" and shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    system = tuple(Bind(source=p, at=p) for p in ("/usr", "/bin", "/lib", "/lib64") if os.path.exists(p))
    if noexec:
        system = (*system, Bind(source="/etc", at="/etc", executable=False))
    jail = Jail(binds=system, cwd="/", tmpfs=(("/tmp", 1 << 20),))  # noqa: S108 a path inside the jail
    try:
        done = subprocess.run(
            wrap(["/bin/sh", "-c", "exit 42"], jail, way),
            capture_output=True,
            timeout=10,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{way.name}: {error}"
    if done.returncode == 42:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip()
    return f"{way.name}: {could_not(done.returncode, said) or said or f'exit code {done.returncode}'}"


class Layer(Struct, frozen=True, kw_only=True):
    """One of the layers around code that runs: whether it is there, and what it does or why it is not."""

    name: str
    there: bool
    why: str


def layers(by: Method | None = None) -> tuple[Layer, ...]:
    """Every layer that a jail can have, in the order in which an act meets them, as they are with the method `by`."""
    way = by or method()
    inside = way.name != "none"
    ways: tuple[Name, ...] = ("bubblewrap", "namespaces")
    out = []
    for name in ways:
        why = "not needed: the other is taken" if inside else method(name).why or way.why
        out.append(Layer(name=name, there=way.name == name, why=_NAMESPACES if way.name == name else why))
    without = f"nothing contains it: {way.why}"
    version = launcher.landlock_version() if sys.platform.startswith("linux") else 0
    said = ["files"] + ["TCP"] * (version >= 4) + ["abstract sockets and signals"] * (version >= 6)
    fence = (
        f"version {version}: {', '.join(said)}"
        if version >= 2
        else "this kernel has none, or its first version"
    )
    if version >= 2 and way.name == "bubblewrap":
        fence += "; only where code is allowed, since an interpreter has to put it up"
    out.append(Layer(name="landlock", there=inside and version >= 2, why=fence if inside else without))
    refused = len(syscalls.REFUSED)
    calls = f"{refused} system calls are refused" if _filter() else _no_filter()
    out.append(Layer(name="seccomp", there=inside and bool(_filter()), why=calls if inside else without))
    noexec = "where no code is allowed, nothing that is written can be executed"
    out.append(
        Layer(name="noexec", there=inside and way.noexec, why=noexec if way.noexec and inside else way.why)
    )
    limits = "memory, processes, size of files, CPU, time; disk and processes are watched"
    out.append(Layer(name="limits", there=inside, why=limits if inside else without))
    return tuple(out)


_NAMESPACES = "own files, processes, network, users; no capabilities"


@functools.cache
def _filter() -> bytes:
    """The program of the filter of system calls, b"" where there can be none."""
    if not sys.platform.startswith("linux") or not launcher.filters():
        return b""
    return syscalls.program(os.uname().machine)


def _no_filter() -> str:
    if not sys.platform.startswith("linux") or not launcher.filters():
        return "this kernel has no filter of system calls"
    return f"the numbers of {os.uname().machine} are not known here"


def may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN, so that it needs no user namespace to mount."""
    return bool(launcher.powers()["Eff"] >> 21 & 1)


def _launcher() -> list[str]:
    return [sys.executable, "-I", "-S", "-c", _START, os.path.dirname(os.path.abspath(launcher.__file__))]


def _cover_steps(cover: Cover) -> list[str]:
    # With CAP_SYS_ADMIN no user namespace: root keeps its power over the files of others, as it has it outside.
    steps = [] if may_mount() else ["user", "same"]
    steps += ["unshare", "pid", "readonly", cover.writable]
    for mount in cover.mounts:
        if isinstance(mount, str):
            steps += ["keep-mount", mount]
        else:
            steps += ["overlay", mount.at, mount.upper, mount.work, mount.at]
    if cover.remove:
        steps += ["remove", cover.remove]
    for source, at in cover.put:
        steps += ["put", source, at, "-"]
    return [*steps, "proc-if-possible", "/proc", "cwd", cover.cwd]


def _jail_steps(jail: Jail) -> list[str]:
    steps = ["user", "1000:1000", "unshare", "pid,net,ipc,uts", "empty", "proc", "/proc", "dev", "/dev"]
    for at, size in jail.tmpfs:
        steps += ["tmpfs", f"{size}{'' if jail.executable else 'x'}", at]
    for bind in jail.binds:
        steps += [_bind_word(bind), bind.source, bind.at]
    for text, at in jail.links:
        steps += ["link", text, at]
    steps += [*_limit_steps(jail), "no-power", "cwd", jail.cwd, *_fence_steps(jail)]
    return [*steps, "filter", _filter().hex()] if _filter() else steps


def _fence_steps(jail: Jail) -> list[str]:
    """The rules of the jail once more, as Landlock knows them: they hold where a mount is not what it should be."""
    steps = ["fence", "fence-read", "/proc", "fence-write", "/dev"]
    for at, _ in jail.tmpfs:
        steps += ["fence-write", at, *(["fence-execute", at] if jail.executable else [])]
    for bind in jail.binds:
        steps += ["fence-write" if bind.writable else "fence-read", bind.at]
        if bind.executable:
            steps += ["fence-execute", bind.at]
    return steps


def _bind_word(bind: Bind) -> str:
    return "bind" + ("" if bind.writable else "-ro") + ("" if bind.executable else "-noexec")


def _limit_steps(jail: Jail) -> list[str]:
    return [word for name, value in jail.limits for word in ("limit", name, str(value))]


def _around_bubblewrap(jail: Jail) -> list[str]:
    """What bubblewrap has no flags for: limits, and mounts on which nothing can be executed."""
    sources = dict.fromkeys(bind.source for bind in jail.binds if not bind.executable)
    steps = [] if may_mount() or not sources else ["user", "same"]
    for source in sources:
        steps += ["bind-noexec", source, source]
    steps += _limit_steps(jail)
    return [*steps, "filter-for-bubblewrap", _filter().hex(), _FILTER_AT] if _filter() else steps


_FILTER_AT = "9"  # the descriptor at which bubblewrap finds the filter
_INSIDE = "/run/uvreport-inside"


def _bwrap() -> str:
    return shutil.which("bwrap") or "bwrap"


def _bubblewrap(argv: Sequence[str], jail: Jail) -> list[str]:
    command = [
        _bwrap(), "--unshare-user", "--uid", "1000", "--gid", "1000",
        "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
        "--hostname", "sandbox", "--die-with-parent", "--cap-drop", "ALL", "--disable-userns",
        "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip
    # Its /dev is a tmpfs without a bound.
    shared = ["--size", str(64 << 20), "--tmpfs", "/dev/shm"] if jail.executable else []  # noqa: S108 inside
    command += [*shared, "--remount-ro", "/dev"]
    for at, size in jail.tmpfs:
        command += ["--size", str(size), "--tmpfs", at]
    for bind in jail.binds:
        command += ["--bind" if bind.writable else "--ro-bind", bind.source, bind.at]
    for text, at in jail.links:
        command += ["--symlink", text, at]
    if _filter():
        command += ["--seccomp", _FILTER_AT]
    if jail.python:
        source = os.path.abspath(launcher.__file__)
        command += ["--ro-bind", source, f"{_INSIDE}/{os.path.basename(source)}"]
        argv = [jail.python, "-I", "-S", "-B", "-c", _START, _INSIDE, *_fence_steps(jail), "--", *argv]
    return [*command, "--remount-ro", "/", "--chdir", jail.cwd, "--", *argv]
