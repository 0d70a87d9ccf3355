"""Makes a place out of namespaces and mounts, and becomes the command that shall run in it.

Run as a script of its own by `python -I -S`, so it may import nothing but the few modules of the standard
library that are quick to load. Its command line is a list of steps, each a word and a fixed number of values,
then `--` and the command. Mounts are made in the order they are named; every source is opened before the
first of them, so that none can hide another.

Ends as the command ends, signal or code. Ends with 121 and one line on standard error when the place cannot
be made; the command has not been started then.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys

if sys.platform != "win32":
    import resource  # now: in an empty root no module can be found any more

    _libc = ctypes.CDLL(None, use_errno=True)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

CANNOT = 121
CANNOT_PREFIX = "uvreport: the place cannot be made: "

# word -> how many values follow it
STEPS = {
    "parent": 1,  # the process that must still be there: it may have died before this one could ask to die with it
    "user": 1,  # "same" or the uid and gid inside, as UID:GID
    "unshare": 1,  # of pid, net, ipc, uts: joined by commas
    "empty": 0,  # what follows is mounted into an empty root; without it, over what is there
    "readonly": 1,  # all mounts that there are now become read-only, but for the directory named
    "overlay": 4,  # lower, upper, work, at
    "bind": 2,  # source, at
    "bind-ro": 2,
    "bind-noexec": 2,
    "bind-ro-noexec": 2,
    "keep-mount": 1,  # what is mounted there stays to be seen over an overlay
    "tmpfs": 2,  # size in bytes (with an "x" behind it: nothing on it can be executed), at
    "proc": 1,  # at
    "proc-if-possible": 1,
    "dev": 1,  # at
    "link": 2,  # text, at
    "remove": 1,  # a file with paths, each ended by a NUL
    "put": 3,  # source, at, mode ("-" keeps the mode of what is there)
    "no-power": 0,  # no capabilities, no way to new ones, no user namespaces below
    "limit": 2,  # as, cpu, fsize, nofile, nproc, core; value
    "fence": 0,  # Landlock: of files only those below what the next three name; no TCP; nothing to whoever is outside
    "fence-read": 1,  # path
    "fence-execute": 1,
    "fence-write": 1,  # path; may be read, too, not executed
    "filter": 1,  # seccomp: the program, in hexadecimal
    "filter-for-bubblewrap": 2,  # the same, not for this process but to be read by it; at which descriptor
    "cwd": 1,
}

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x00020000, 0x04000000, 0x08000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_UNSHARE = {"pid": _NEWPID, "net": _NEWNET, "ipc": _NEWIPC, "uts": _NEWUTS}
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_SYS_PIVOT_ROOT = {
    "x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217, "armv7l": 218, "i686": 217,
}  # fmt: skip
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture, as all calls since Linux 5.1
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 24, 38, 47
_PR_SET_SECCOMP, _SECCOMP_FILTER = 22, 2
# linux/landlock.h. The numbers of the calls are the same everywhere.
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_EXECUTE, _LANDLOCK_WRITE_FILE, _LANDLOCK_READ_FILE, _LANDLOCK_READ_DIR = 1, 2, 4, 8
_LANDLOCK_TRUNCATE, _LANDLOCK_IOCTL_DEV = 1 << 14, 1 << 15
# What there is to forbid by the version of the interface: files, TCP, scopes.
_LANDLOCK_FILES = {2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_LANDLOCK_OF_A_FILE = 1 | 2 | 4 | _LANDLOCK_TRUNCATE | _LANDLOCK_IOCTL_DEV
_CAP_SETGID, _CAP_SETUID = 6, 7
_LIMITS = {"cpu": 0, "fsize": 1, "core": 4, "nproc": 6, "nofile": 7, "as": 9}


class CannotError(Exception):
    """The step that failed, with the kernel's reason."""


def _check(result: int, what: str) -> int:
    if result < 0:
        raise CannotError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _mount(source: str, at: str, kind: str, flags: int, data: str = "") -> None:
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(at),
            kind.encode(),
            ctypes.c_ulong(flags),
            os.fsencode(data) or None,
        ),
        f"mount {kind or 'bind'} at {at}",
    )


class _Attributes(ctypes.Structure):
    """What mount_setattr(2) takes."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user", ctypes.c_uint64),
    )


def _restrict(at: str, flags: int, without: int = 0) -> None:
    """Adds `flags` to every mount at and below `at`, and takes `without` away."""
    change = _Attributes(flags, without, 0, 0)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(at),
        _AT_RECURSIVE,
        ctypes.byref(change),
        ctypes.sizeof(change),
    )
    if result == 0:
        return
    # Before Linux 5.12, or where a filter hides the call: one by one. Flags that are there must be named again.
    for there, have in mounts_below(at):
        _mount("none", there, "", _REMOUNT | _BIND | flags | (have & ~without))


_KEPT_FLAGS = {
    "ro": _RDONLY, "nosuid": _NOSUID, "nodev": _NODEV, "noexec": _NOEXEC, "noatime": 1024, "nodiratime": 2048,
    "relatime": 1 << 21,
}  # fmt: skip


def mounts_below(at: str) -> list[tuple[str, int]]:
    """Every mount point at and below `at` with the flags it has, in the order they were mounted."""
    found = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            fields = line.split(b" ")
            name = fields[4]
            for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                name = name.replace(code, byte)
            path = os.fsdecode(name)
            if at in ("/", path) or path.startswith(at + "/"):
                have = 0
                for option in fields[5].decode().split(","):
                    have |= _KEPT_FLAGS.get(option, 0)
                found.append((path, have))
    return found


def _write(path: str, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise CannotError(f"{path}: {error.strerror}") from error


def powers() -> dict[str, int]:
    """The capability sets of this process: keys Inh, Prm, Eff, Bnd, Amb."""
    found = {}
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Cap"):
                found[line[3:6]] = int(line[8:], 16)
    return found


def _become_user(who: str, outside: dict[str, int]) -> None:
    """Enters a new user namespace in which `who` is the caller's own user."""
    uid, gid = os.geteuid(), os.getegid()
    both = 1 << _CAP_SETUID | 1 << _CAP_SETGID
    if who == "same" and outside["Eff"] & both == both:
        # Root without CAP_SYS_ADMIN, as in many containers: keep every user that it could become.
        _map_all()
        return
    inside_uid, inside_gid = (str(uid), str(gid)) if who == "same" else who.split(":")
    _check(_libc.unshare(_NEWUSER), "user namespaces are refused here")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{inside_uid} {uid} 1")
    _write("/proc/self/gid_map", f"{inside_gid} {gid} 1")


def _map_all() -> None:
    """The new user namespace maps every user to itself. Only a process outside it may write that."""
    maps = []
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}", encoding="ascii") as file:
            maps.append((name, "".join(f"{i} {i} {n}\n" for i, _, n in (line.split() for line in file))))
    parent = os.getpid()
    waiting, ready = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(ready)
            if os.read(waiting, 1):
                for name, text in maps:
                    _write(f"/proc/{parent}/{name}", text)
                code = 0
        finally:
            os._exit(code)
    try:
        _check(_libc.unshare(_NEWUSER), "user namespaces are refused here")
        os.write(ready, b"x")
    finally:
        os.close(ready)
        os.close(waiting)
        _, status = os.waitpid(child, 0)
    if status:
        raise CannotError("user namespaces are refused here: the users could not be mapped")


def _set_powers(keep: dict[str, int]) -> None:
    """Leaves at most the capabilities `keep`: the bounding set too, which a new user namespace had filled."""
    for number in range(64):
        if not keep["Bnd"] >> number & 1 and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            break  # past the last one that the kernel knows
    if not keep["Amb"]:
        _libc.prctl(_PR_CAP_AMBIENT, 4, 0, 0, 0)
    have = powers()
    sets = [have[name] & keep[name] for name in ("Eff", "Prm", "Inh")]
    # Inheritable is not filled by a new user namespace; what was outside may be added again.
    sets[2] = keep["Inh"] & (have["Prm"] | have["Inh"])
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(*(s & 0xFFFFFFFF for s in sets), *(s >> 32 for s in sets))
    _check(_libc.capset(header, data), "capset")


def _loopback_up() -> None:
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = b"lo".ljust(16, b"\0") + (1).to_bytes(2, sys.byteorder) + bytes(22)
        fcntl.ioctl(channel, 0x8914, request)  # SIOCSIFFLAGS, IFF_UP


class _Place:
    """The mounts: where sources are held, and what `at` means."""

    def __init__(self, steps: list[list[str]]) -> None:
        self.base = ""
        self.held: dict[str, str] = {}
        for word, *values in steps:
            if word == "readonly":
                # First, while every mount is as it was: overlayfs takes no upper directory from a read-only mount.
                _mount(values[0], values[0], "", _BIND)
                _restrict("/", _RDONLY)
                _restrict(values[0], 0, _RDONLY)
        for word, *values in steps:
            for source in _sources(word, values):
                if source not in self.held:
                    try:
                        self.held[source] = f"/proc/self/fd/{os.open(source, os.O_PATH | os.O_CLOEXEC)}"
                    except OSError as error:
                        if word != "keep-mount":  # it may be another user's, or gone stale
                            raise CannotError(f"{source}: {error.strerror}") from error

    def empty(self) -> None:
        """What follows is mounted into an empty root."""
        self.base = next(p for p in ("/tmp", "/var/tmp", "/mnt", "/run", "/usr") if os.path.isdir(p))  # noqa: S108 nothing is written there: it only gets covered
        _mount("tmpfs", self.base, "tmpfs", _NOSUID | _NODEV, "mode=755,size=4m")

    def _at(self, at: str, like: str = "") -> str:
        """Where `at` is now; made, as a file or directory as `like` is, when it is not there."""
        path = self.base + at
        if not os.path.lexists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if like and not os.path.isdir(like):
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
            else:
                os.mkdir(path)
        return path

    def do(self, word: str, values: list[str]) -> None:
        if word == "overlay":
            lower, upper, work, at = values
            # "userxattr": in a user namespace the trusted ones, which overlayfs uses else, are out of reach.
            options = f"lowerdir={self.held[lower]},upperdir={self.held[upper]},workdir={self.held[work]}"
            _mount(
                "overlay", self._at(at), "overlay", 0, options + (",userxattr" if in_user_namespace() else "")
            )
        elif word.startswith("bind"):
            source, at = values
            at = self._at(at, self.held[source])
            _mount(self.held[source], at, "", _BIND | _REC)
            flags = _NOSUID | _NODEV if self.base else 0
            flags |= (_RDONLY if "-ro" in word else 0) | (_NOEXEC if "-noexec" in word else 0)
            if flags:
                _restrict(at, flags)
        elif word == "keep-mount":
            if values[0] in self.held:
                _mount(self.held[values[0]], values[0], "", _BIND | _REC)
        elif word == "tmpfs":
            size, at = values
            kind = _NOSUID | _NODEV | (_NOEXEC if size.endswith("x") else 0)
            _mount("tmpfs", self._at(at), "tmpfs", kind, f"mode=1777,size={size.rstrip('x')}")
        elif word == "proc":
            _mount("proc", self._at(values[0]), "proc", _NOSUID | _NODEV | _NOEXEC)
        elif word == "proc-if-possible":
            try:  # noqa: SIM105 contextlib takes 3 ms to load
                _mount("proc", self._at(values[0]), "proc", _NOSUID | _NODEV | _NOEXEC)
            except CannotError:
                pass  # a container that hides parts of /proc does not let them be uncovered
        elif word == "dev":
            self._devices(values[0])
        elif word == "link":
            text, at = values
            os.makedirs(os.path.dirname(self.base + at), exist_ok=True)
            os.symlink(text, self.base + at)
        elif word == "remove":
            with open(self.held[values[0]], "rb") as file:
                for path in file.read().split(b"\0"):
                    if path:
                        _remove(path)
        elif word == "put":
            self._put(*values)
        else:
            raise CannotError(f"no such step: {word}")

    def _devices(self, at: str) -> None:
        path = self._at(at)
        _mount("tmpfs", path, "tmpfs", _NOSUID, "mode=755,size=64k")
        for name in ("null", "zero", "full", "random", "urandom"):
            os.close(os.open(f"{path}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            _mount(self.held[f"/dev/{name}"], f"{path}/{name}", "", _BIND)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"{path}/{name}")
        os.symlink("/proc/self/fd", f"{path}/fd")
        os.mkdir(f"{path}/shm")
        _mount("tmpfs", f"{path}/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"mode=1777,size={64 << 20}")

    def _put(self, source: str, at: str, mode: str) -> None:
        """The content of `source` at `at`. A new file, so that no other name of the old one changes."""
        with open(self.held[source], "rb") as file:
            data = file.read()
        at = os.path.realpath(at)
        bits = int(mode, 8) if mode != "-" else os.stat(at).st_mode & 0o7777 if os.path.exists(at) else 0o755
        try:
            if os.path.lexists(at):
                os.remove(at)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            handle = os.open(at, os.O_CREAT | os.O_WRONLY | os.O_EXCL, bits)
        except OSError:
            # Not on an overlay, so not to be written: cover it.
            if not os.path.lexists(at):
                raise
            _mount(self.held[source], at, "", _BIND)
            return
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.chmod(at, bits)

    def enter(self) -> None:
        """Makes the new root the root, and the old one unreachable."""
        if not self.base:
            return
        number = _SYS_PIVOT_ROOT.get(os.uname().machine)
        os.chdir(self.base)
        if number is None or _libc.syscall(number, b".", b".") < 0:
            raise CannotError(f"pivot_root: {os.strerror(ctypes.get_errno())}")
        _check(_libc.umount2(b".", 2), "umount of the old root")
        os.chdir("/")
        self.base = ""
        for at in ("/", "/dev"):  # held by the user inside, who could else put something there to be executed
            have = dict(mounts_below(at))
            if at in have:
                _mount("none", at, "", _REMOUNT | _BIND | _RDONLY | _NOEXEC | have[at])


def _sources(word: str, values: list[str]) -> list[str]:
    if word == "dev":
        return [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
    if word == "overlay":
        return values[:3]
    return values[:1] if word.startswith(("bind", "keep-mount", "remove", "put")) else []


def _remove(path: bytes) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            for name in os.listdir(path):
                _remove(os.path.join(path, name))
            os.rmdir(path)
        else:
            os.remove(path)
    except (FileNotFoundError, NotADirectoryError):  # the latter: a file stands where its folder should
        pass


def in_user_namespace() -> bool:
    """Whether this process is in another user namespace than the machine's first."""
    with open("/proc/self/uid_map", encoding="ascii") as file:
        return [line.split() for line in file] != [["0", "0", "4294967295"]]


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _stay_only_with_parent(steps: list[list[str]]) -> None:
    """Raises CannotError when who started this is gone: that was before this process asked to be told of it."""
    if ["parent", str(os.getppid())] not in steps and any(word == "parent" for word, *_ in steps):
        raise CannotError("uvreport is gone")


def _read_steps(words: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    steps, i = [], 0
    while i < len(words) and words[i] != "--":
        if words[i] not in STEPS:
            raise CannotError(f"no such step: {words[i]}")
        count = STEPS[words[i]]
        steps.append(list(words[i : i + 1 + count]))
        i += 1 + count
    return steps, list(words[i + 1 :])


def main(words: Sequence[str]) -> NoReturn:
    """Does the steps, then becomes the command. Never returns."""
    _die_with_parent()
    try:
        steps, command = _read_steps(words)
        _stay_only_with_parent(steps)
        outside = powers()
        namespaces = _NEWNS if any(word in STEPS and word not in _NO_MOUNT for word, *_ in steps) else 0
        for word, *values in steps:
            if word == "user":
                _become_user(values[0], outside)
            elif word == "unshare":
                for name in values[0].split(","):
                    namespaces |= _UNSHARE[name]
        if namespaces:
            _check(_libc.unshare(namespaces), "namespaces are refused here")
        _die_with_parent()  # entering a user namespace forgot it
        _stay_only_with_parent(steps)
        make = _maker(steps, namespaces)
        become = _becomer(steps, command, outside)
    except (CannotError, OSError) as error:
        _cannot(error)
    if namespaces & _NEWPID:
        _as_first_process(make, become)
    make()
    become()


_NO_MOUNT = (
    "parent", "user", "unshare", "limit", "no-power", "cwd", "fence", "fence-read", "fence-execute", "fence-write",
    "filter", "filter-for-bubblewrap",
)  # fmt: skip


def _maker(steps: list[list[str]], namespaces: int) -> Callable[[], None]:
    def make() -> None:
        try:
            if namespaces & _NEWNS:
                _mount("none", "/", "", _REC | _PRIVATE)
            if namespaces & _NEWNET:
                _loopback_up()
            if namespaces & _NEWUTS:
                _libc.sethostname(b"sandbox", 7)
            if any(word == "no-power" for word, *_ in steps):
                # Reads as "none", and can be raised again only with a power that the command does not get.
                _write("/proc/sys/user/max_user_namespaces", "0")
            place = _Place(steps)
            for word, *values in steps:
                if word == "empty":
                    place.empty()
                elif word not in (*_NO_MOUNT, "readonly"):
                    place.do(word, values)
            place.enter()
        except (CannotError, OSError) as error:
            _cannot(error)

    return make


def _becomer(steps: list[list[str]], command: list[str], outside: dict[str, int]) -> Callable[[], NoReturn]:
    def become() -> NoReturn:
        try:
            keep = outside
            for word, *values in steps:
                if word == "limit":
                    number, want = _LIMITS[values[0]], int(values[1])
                    hard = resource.getrlimit(number)[1]
                    want = want if hard == resource.RLIM_INFINITY else min(want, hard)
                    resource.setrlimit(number, (want, want))
                elif word == "cwd":
                    os.chdir(values[0])
                elif word == "no-power":
                    keep = dict.fromkeys(outside, 0)
                    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
            _set_powers(keep)
            _die_with_parent()
            _fence(steps)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)  # Python ignores them, and a command would inherit that
            if not command:
                os._exit(0)
            for word, *values in steps:
                if word == "filter-for-bubblewrap":
                    _hold(bytes.fromhex(values[0]), int(values[1]))
                elif word == "filter":  # the very last: it may refuse what is done above
                    _filter(bytes.fromhex(values[0]))
            os.execvp(command[0], command)  # noqa: S606 replaces this process: there is no shell to be had
        except (CannotError, OSError) as error:
            _cannot(error)

    return become


def landlock_version() -> int:
    """The version of Landlock's interface that the kernel has, 0 for none."""
    return max(0, int(_libc.syscall(_SYS_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def _fence(steps: list[list[str]]) -> None:
    """What the steps say of Landlock, as far as this kernel has it."""
    version = landlock_version() if ["fence"] in steps else 0
    if version < 2:
        # The first version lets nobody move a file from one directory to another, and so does every later one without
        # rules for files. uv does that all the time.
        return
    files = _LANDLOCK_FILES.get(version, _LANDLOCK_FILES[5])
    tcp = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0
    handled = (ctypes.c_uint64 * 3)(files, tcp, scopes)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = _check(
        _libc.syscall(_SYS_LANDLOCK_CREATE, handled, ctypes.c_size_t(size), 0), "landlock_create_ruleset"
    )
    reading = _LANDLOCK_READ_FILE | _LANDLOCK_READ_DIR
    for word, *values in steps:
        if word in ("fence-read", "fence-execute", "fence-write"):
            allowed = reading | (_LANDLOCK_EXECUTE if word == "fence-execute" else 0)
            if word == "fence-write":
                allowed = files & ~_LANDLOCK_EXECUTE
            try:
                place = os.open(values[0], os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # covered by what was mounted over it
            if not os.path.isdir(values[0]):
                allowed &= _LANDLOCK_OF_A_FILE
            # Packed: eight bytes and four, without a gap at the end.
            rule = (allowed & files).to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
            _check(_libc.syscall(_SYS_LANDLOCK_ADD, ruleset, 1, rule, 0), f"landlock_add_rule {values[0]}")
            os.close(place)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc.syscall(_SYS_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


class _Program(ctypes.Structure):
    """What PR_SET_SECCOMP takes: how many instructions, and where they are."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def filters() -> bool:
    """Whether the kernel takes filters of system calls. It says so by what it finds wrong with none at all."""
    return _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, None, 0, 0) < 0 and ctypes.get_errno() == 14


def _filter(program: bytes) -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    given = _Program(len(program) // 8, program)
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(given), 0, 0), "seccomp")


def _hold(data: bytes, at: int) -> None:
    """Makes `data` readable at the descriptor `at` by the command that this becomes."""
    handle = os.memfd_create("filter")
    os.write(handle, data)
    os.lseek(handle, 0, os.SEEK_SET)
    os.dup2(handle, at)
    os.close(handle)


def _as_first_process(make: Callable[[], None], become: Callable[[], NoReturn]) -> NoReturn:
    """Runs the command below a first process of its own, and ends as it ends.

    The command must not be the first process itself: that one ignores its own abort().
    """
    reading, writing = os.pipe()
    first = os.fork()
    if first:
        os.close(writing)
        told = os.read(reading, 16)
        _, own = os.waitpid(first, 0)
        _end_as(int(told) if told else own)
    os.close(reading)
    _die_with_parent()
    watch = select.poll()
    watch.register(writing, 0)
    if watch.poll(0):  # nobody reads any more: the parent was gone before the line above
        os._exit(CANNOT)
    make()
    child = os.fork()
    if child == 0:
        os.close(writing)
        become()
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os.write(writing, str(status).encode())
            os._exit(0)


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(number, signal.SIG_DFL) if number not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _cannot(error: BaseException) -> NoReturn:
    text = str(error)
    if isinstance(error, OSError):
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    os.write(2, (CANNOT_PREFIX + text + "\n").encode(errors="replace"))
    os._exit(CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
