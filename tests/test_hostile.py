"""A bundle with a hostile build backend, replayed with a real uv: act by act, nothing gets out.

Every act is tried twice by the same script: by a build in a replay with `--allow-code`, in each way of containing it,
where it must fail; and by a plain process on things of the test's own, where it must work. An act that fails there too
would prove nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories import uvreport
from tests.test_sandbox import CONTAINED, HOME, PLACES, hostile
from uvreport import isolate, pack
from uvreport.errors import UnsafeSandboxError
from uvreport.isolate import launcher, syscalls, trees
from uvreport.replay import contained, replay
from uvreport.sandbox import open_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from uvreport.bundle import Bundle, Uv

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")

RELEASE = "0.9.30"

# name -> code. It is stopped when it raises. The names in capitals are of the host (`outside`).
ACTS = {
    # read
    "read a key in the home": "open(KEY).read()",
    "list the home": "os.listdir(HOST_HOME)",
    "read a file in the host's /tmp": "open(IN_TMP).read()",
    "read /etc/shadow": "open('/etc/shadow').read()",
    "read the environment of a process": "assert b'TOP-SECRET' in open(f'/proc/{VICTIM}/environ', 'rb').read()",
    "go through the root of the first process": "open(f'/proc/1/root{KEY}').read()",
    "go through the root of a process": "open(f'/proc/{VICTIM}/root{KEY}').read()",
    "open a file by its handle": "by_handle(KEY)",
    "read the kernel's log": "open('/dev/kmsg', 'rb')",
    # dial out
    "talk TCP to the host": "socket.create_connection(('127.0.0.1', TCP), 2).close()",
    "talk UDP to the host": "ask_udp()",
    "talk to a socket in the file system": "connect(socket.AF_UNIX, SOCKET)",
    "talk to a socket in the abstract": "connect(socket.AF_UNIX, '\\0' + ABSTRACT)",
    "make a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "make a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "find another network interface": "assert len(socket.if_nameindex()) > 1",
    # other processes
    "signal a process": "os.kill(VICTIM, 0)",
    "trace a process": "call('ptrace', 0x4206, VICTIM, None, None)",  # PTRACE_SEIZE: leaves it running
    "read the memory of a process": "read_memory(VICTIM)",
    "open a process": "os.pidfd_open(VICTIM)",
    "make a process the kernel's first victim": "open(f'/proc/{VICTIM}/oom_score_adj', 'w')",
    "enter the namespaces of a process": "call('setns', os.open(f'/proc/{VICTIM}/ns/uts', os.O_RDONLY), 0)",
    # powers
    "mount a file system": "call('unshare', NEWNS); call('mount', b'x', b'/tmp', b'tmpfs', 0, None)",
    "mount a directory over another": "call('unshare', NEWNS); call('mount', b'/usr', b'/tmp', None, 4096, None)",
    "take a mount away": "call('unshare', NEWNS); call('umount2', b'/proc', 2)",
    "change the root": "call('chroot', b'/tmp')",
    "make namespaces": "call('unshare', 0x04000000)",
    "make a user namespace": "call('unshare', 0x10000000)",
    "clone into a user namespace": "clone_into_user_namespace()",
    "become root": "os.setuid(0)",
    "gain powers from a setuid program": "assert 'NoNewPrivs:\\t0' in open('/proc/self/status').read()",
    "make a device": "os.mknod(MINE + '/disk', stat.S_IFBLK | 0o600, os.makedev(254, 0))",
    "load a BPF program": "call('bpf', 0, None, 0); raise OSError",
    "write to the terminal of whoever started it": "type_into_terminal()",
    # write outside
    "write to the system": "os.close(os.open(USR, os.O_WRONLY))",
    "write over uv": "os.close(os.open(UV, os.O_WRONLY))",
    "take the write protection off uv": "os.chmod(UV, 0o777)",
    "write over the library of the interpreter": "os.close(os.open(PYTHON_FILE, os.O_WRONLY))",
    "write into uvreport's store": "open(STORE + '/evil', 'w')",
    "write over the bundle": "open(BUNDLE, 'ab')",
    "write into the home": "open(HOST_HOME + '/evil', 'w')",
    "set what runs when a program crashes": "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY))",
    "press keys for the kernel": "os.close(os.open('/proc/sysrq-trigger', os.O_WRONLY))",
    # use up
    "take 8 GiB of memory": "mmap.mmap(-1, 8 << 30)",
    "take memory that no limit counts": "os.memfd_create('x')",
    "write 2 GiB into a file": "open(MINE + '/big', 'wb').truncate(2 << 30)",
    "use the processor without end": "assert resource.getrlimit(resource.RLIMIT_CPU)[0] == resource.RLIM_INFINITY",
    "start more processes than any build": "assert resource.getrlimit(resource.RLIMIT_NPROC)[0] > 2000",
}  # fmt: skip

# What a plain process may not do everywhere, so that the control cannot be had: why.
NOT_IN_CONTROL = {
    "press keys for the kernel": "not every kernel has it",
    "go through the root of the first process": "that one may be in a place of its own",
    "load a BPF program": "raises in any case: the filter's answer is asked for below",
    "write to the terminal of whoever started it": "most kernels have no TIOCSTI any more",
    "start more processes than any build": "a limit of the machine's own may be lower",
}
AS_ROOT = {
    "read the memory of a process", "read /etc/shadow", "open a file by its handle", "read the kernel's log",
    "make a raw socket", "make a packet socket", "enter the namespaces of a process", "mount a file system",
    "mount a directory over another", "take a mount away", "change the root", "make namespaces", "become root",
    "make a device", "write to the system", "set what runs when a program crashes",
    "make a process the kernel's first victim", "write over the library of the interpreter",
}  # fmt: skip

_CALLS = {
    name: numbers[0 if os.uname().machine == "x86_64" else 1] for name, numbers in syscalls.REFUSED.items()
}

HARNESS = """
import ctypes, errno, fcntl, json, mmap, os, resource, socket, stat, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
NEWNS = 0x00020000

def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def call(name, *args):
    return check(libc.syscall(ctypes.c_long(CALLS[name]), *args))

def connect(family, address):
    with socket.socket(family) as channel:
        channel.settimeout(2)
        channel.connect(address)

def ask_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(2)
        channel.connect(('127.0.0.1', UDP))
        channel.send(b'anybody?')
        assert channel.recv(16) == b'yes'

def by_handle(path):
    handle = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0) + bytes(128))
    mount = ctypes.c_int()
    folder, name = os.path.split(path)
    call('name_to_handle_at', -100, os.fsencode(path), handle, ctypes.byref(mount), 0)
    os.close(call('open_by_handle_at', os.open(folder, os.O_RDONLY), handle, os.O_RDONLY))

def read_memory(process):
    line = open(f'/proc/{process}/maps').readline()
    buffer = ctypes.create_string_buffer(8)
    there = (ctypes.c_uint64 * 2)(int(line.split('-')[0], 16), 8)
    here = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
    call('process_vm_readv', process, here, 1, there, 1, 0)

def clone_into_user_namespace():
    number = 56 if os.uname().machine == 'x86_64' else 220
    child = check(libc.syscall(ctypes.c_long(number), ctypes.c_ulong(0x10000000 | 17), None, None, None, None))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def type_into_terminal():
    fcntl.ioctl(0, 0x5412, b'x')

def attempt(act):
    reading, writing = os.pipe()
    child = os.fork()  # an act may end or change who does it
    if child == 0:
        os.close(reading)
        try:
            exec(act, globals())
            said = 'done'
        except BaseException as error:
            said = repr(error)
        os.write(writing, said.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, 'rb') as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said or 'ended'

open(MINE + '/deeds.json', 'w').write(json.dumps({name: attempt(act) for name, act in ACTS.items()}))
"""


class Outside:
    """Things of the host that a bundle has no business with: files, servers, a process."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.heard: list[str] = []
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        self.key = self.home / ".ssh" / "id_ed25519"
        self.key.write_text("a private key")
        self.store = folder / "store"
        self.store.mkdir()
        self.bundle = folder / "some.uvreport.zip"
        self.bundle.write_bytes(b"a bundle")
        self.uv = folder / "uv"  # stands for uv where the act is tried in the open
        self.uv.touch(0o755)
        self.in_tmp = Path(f"/tmp/uvreport-test-{os.getpid()}-{time.monotonic_ns()}")
        self.in_tmp.write_text("x")
        stack.callback(self.in_tmp.unlink)
        self.victim = subprocess.Popen(
            ["/bin/sleep", "600"],
            env={"TOP-SECRET": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        stack.callback(self.victim.wait)
        stack.callback(self.victim.kill)
        self.socket = str(folder / "socket")
        self.abstract = f"uvreport-test-{os.getpid()}-{time.monotonic_ns()}"
        self.tcp = self._server(stack, socket.AF_INET, ("127.0.0.1", 0))[1]
        self._server(stack, socket.AF_UNIX, self.socket)
        self._server(stack, socket.AF_UNIX, "\0" + self.abstract)
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        self.udp = udp.getsockname()[1]
        threading.Thread(target=self._answer, args=(udp,), daemon=True).start()

    def _server(self, stack: contextlib.ExitStack, family: int, address: Any) -> Any:
        server = stack.enter_context(socket.socket(family))
        server.bind(address)
        server.listen()
        threading.Thread(target=self._listen, args=(server,), daemon=True).start()
        return server.getsockname()

    def _listen(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()
                self.heard.append(str(server.getsockname()))

    def _answer(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                _, who = server.recvfrom(16)
                self.heard.append("udp")
                server.sendto(b"yes", who)

    def script(self, mine: str, uv: str, acts: Mapping[str, str]) -> str:
        """The program that tries the acts and writes down in `mine` what came of each."""
        names = {
            "KEY": str(self.key), "HOST_HOME": str(self.home), "IN_TMP": str(self.in_tmp), "VICTIM": self.victim.pid,
            "TCP": self.tcp, "UDP": self.udp, "SOCKET": self.socket, "ABSTRACT": self.abstract, "STORE": str(self.store),
            "BUNDLE": str(self.bundle), "UV": uv, "MINE": mine, "CALLS": _CALLS, "ACTS": dict(acts),
            "USR": "/usr/lib/os-release", "PYTHON_FILE": os.path.realpath(os.__file__),
        }  # fmt: skip
        return "\n".join(f"{name} = {value!r}" for name, value in names.items()) + HARNESS

    def unharmed(self) -> bool:
        """Whether all of it is as it was."""
        return (
            self.victim.poll() is None
            and self.key.read_text() == "a private key"
            and self.bundle.read_bytes() == b"a bundle"
            and not list(self.store.iterdir())
            and sorted(path.name for path in self.home.iterdir()) == [".ssh"]
        )


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with contextlib.ExitStack() as stack:
        yield Outside(tmp_path_factory.mktemp("outside"), stack)


def left(kept: Path, path: str) -> Path:
    """Where the last run of a kept place left what it wrote at `path`."""
    return Path(f"{kept}/1/root{path}")


@pytest.fixture(scope="module", params=CONTAINED)
def deeds(
    request: pytest.FixtureRequest, outside: Outside, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What came of each act when the build of a replayed bundle tried them all."""
    from tests.conftest import obtain

    way = isolate.method(request.param)
    if way.name != request.param:
        pytest.skip(way.why)
    kept = tmp_path_factory.mktemp("kept") / "place"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(isolate.VARIABLE, request.param)
        before = len(outside.heard)
        script = outside.script(PLACES.project, "/run/uvreport/uv", ACTS) + "\nos._exit(3)\n"
        seen = contained(hostile(script), obtain(RELEASE), allow_code=True, keep=str(kept))
        assert seen.verdict.code_executed
        report = left(kept, f"{PLACES.project}/deeds.json")
        assert report.exists(), seen.outcome
        found: dict[str, str] = json.loads(report.read_text())
        time.sleep(0.1)
        found["was heard by a server"] = str(outside.heard[before:])
        found["did harm"] = str(not outside.unharmed())
    return found


@pytest.fixture(scope="module")
def free(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What came of each act when a plain process tried them all."""
    mine = tmp_path_factory.mktemp("free")
    acts = {name: act for name, act in ACTS.items() if name != "write into the home"}
    acts["write into the home"] = "open(HOST_HOME + '/evil', 'w'); os.unlink(HOST_HOME + '/evil')"
    acts["write into uvreport's store"] = "open(STORE + '/evil', 'w'); os.unlink(STORE + '/evil')"
    subprocess.run(
        [sys.executable, "-c", outside.script(str(mine), str(outside.uv), acts)], check=True, timeout=60
    )
    found: dict[str, str] = json.loads((mine / "deeds.json").read_text())
    return found


@pytest.mark.parametrize("act", ACTS)
def test_a_hostile_build_cannot(act: str, deeds: dict[str, str]) -> None:
    assert deeds[act] != "done"


@pytest.mark.parametrize("act", sorted(set(ACTS) - set(NOT_IN_CONTROL)))
def test_what_a_hostile_build_cannot_do_a_plain_process_can(act: str, free: dict[str, str]) -> None:
    if act in AS_ROOT and os.geteuid() != 0:
        pytest.skip("this needs root")
    assert free[act] == "done"


def test_no_server_hears_of_a_hostile_build_and_nothing_is_harmed(deeds: dict[str, str]) -> None:
    assert (deeds["was heard by a server"], deeds["did harm"]) == ("[]", "False")


# -- acts that end the run, or show only afterwards


@pytest.fixture(params=CONTAINED)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    method = isolate.method(request.param)
    if method.name != request.param:
        pytest.skip(method.why)
    monkeypatch.setenv(isolate.VARIABLE, request.param)
    return str(request.param)


def running(mark: str) -> bool:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "cmdline").read_text():
                return True
    return False


def gone(mark: str) -> bool:
    """Whether no process of that command line is there, or none soon."""
    until = time.monotonic() + 5
    while running(mark) and time.monotonic() < until:
        time.sleep(0.02)
    return not running(mark)


DAEMON = """
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        os.execv('/usr/bin/sleep', ['sleep', {mark!r}])
    os._exit(0)
"""


def test_a_daemon_does_not_outlive_the_replay(way: str, uv_release: Callable[[str], Uv]) -> None:
    mark = f"7{os.getpid()}.{time.monotonic_ns()}"
    seen = contained(hostile(DAEMON.format(mark=mark)), uv_release(RELEASE), allow_code=True)
    assert seen.verdict.code_executed
    assert gone(mark)


def test_a_daemon_outlives_a_plain_process() -> None:
    mark = f"7{os.getpid()}.{time.monotonic_ns()}"
    subprocess.run([sys.executable, "-c", DAEMON.format(mark=mark)], check=True)
    until = time.monotonic() + 5
    while not running(mark) and time.monotonic() < until:
        time.sleep(0.02)
    assert running(mark)
    (pid,) = (p.name for p in Path("/proc").iterdir() if p.name.isdigit() and mark in _command_line(p))
    os.kill(int(pid), 9)


def _command_line(process: Path) -> str:
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_text()
    return ""


def test_a_build_that_kills_all_it_can_kills_nobody_else(
    way: str, outside: Outside, uv_release: Callable[[str], Uv]
) -> None:
    seen = contained(
        hostile("import os\nos.kill(os.getppid(), 19)\nos.kill(-1, 9)"),
        uv_release(RELEASE),
        allow_code=True,
        timeout_s=20,
    )
    assert seen.verdict.verdict in ("UNTESTED", "DIFFERENT")
    assert outside.unharmed()


def test_a_build_that_never_ends_is_ended_with_all_that_it_started(
    way: str, uv_release: Callable[[str], Uv]
) -> None:
    mark = f"8{os.getpid()}.{time.monotonic_ns()}"
    script = (
        DAEMON.format(mark=mark)
        + "\nimport signal\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass"
    )
    seen = contained(hostile(script), uv_release(RELEASE), allow_code=True, timeout_s=3)
    assert seen.outcome is not None
    assert seen.outcome.timed_out
    assert gone(mark)


@pytest.mark.parametrize("where", [PLACES.project, HOME, PLACES.cache, "/tmp"])
def test_a_build_that_fills_a_place_is_ended(
    where: str, way: str, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setattr("uvreport.sandbox.STATE_BYTES", 30_000_000)
    script = (
        "import os, time\n"
        f"os.makedirs({where!r} + '/deep', exist_ok=True)\n"
        f"for i in range(12): open({where!r} + f'/deep/{{i}}', 'wb').write(bytes(5_000_000))\n"
        "time.sleep(60)"
    )
    seen = contained(hostile(script), uv_release(RELEASE), allow_code=True, timeout_s=30)
    assert seen.outcome is not None
    assert seen.outcome.exit_code == -9


def test_a_build_that_hides_what_it_writes_below_a_path_too_long_to_follow_is_ended(
    way: str, uv_release: Callable[[str], Uv]
) -> None:
    script = "import os, time\nfor i in range(1500):\n    os.mkdir('d'); os.chdir('d')\ntime.sleep(60)"
    seen = contained(hostile(script), uv_release(RELEASE), allow_code=True, timeout_s=30)
    assert seen.outcome is not None
    assert seen.outcome.exit_code == -9


def test_memory_that_is_shared_by_file_has_a_bound(way: str, uv_release: Callable[[str], Uv]) -> None:
    script = (
        "written = 0\n"
        "try:\n"
        "    with open('/dev/shm/x', 'wb') as out:\n"
        "        while written < 200 << 20:\n"
        "            out.write(bytes(1 << 20)); out.flush(); written += 1 << 20\n"
        "except OSError: pass\n"
        f"open({PLACES.project + '/written'!r}, 'w').write(str(written >> 20))\n"
        "import os; os._exit(3)"
    )
    with open_sandbox(hostile(script), allow_code=True) as box:
        box.run(uv_release(RELEASE), ("uv", "sync", "--offline"), env={}, timeout_s=30)
        assert int(Path(box.plain(f"{PLACES.project}/written") or "").read_text()) <= 64


def test_a_build_whose_processes_take_too_much_memory_together_is_ended(
    way: str, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setattr("uvreport.sandbox.MEMORY_BYTES", 300_000_000)
    script = (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0:\n"
        "        kept = b'x' * 60_000_000; time.sleep(60); os._exit(0)\n"
        "time.sleep(60)"
    )
    seen = contained(hostile(script), uv_release(RELEASE), allow_code=True, timeout_s=30)
    assert seen.outcome is not None
    assert seen.outcome.exit_code == -9


# -- what it leaves behind for uvreport itself to look at


def booby_trapped(script: str) -> Bundle:
    """A bundle of an environment that was not whole, so that uvreport looks at the one that the build leaves."""
    evil = hostile(script)
    from msgspec.structs import replace

    return replace(
        evil,
        run=replace(evil.run, exit_code=0),
        failure=replace(
            evil.failure, frames=("uv reported success", "x 1: y.py is listed in RECORD and is missing")
        ),
    )


SITE = f"{PLACES.venv}/lib/python3.11/site-packages"
# Left by a process of the build; uv replaces what is in its way, so the traps stand where uv does not look.
TRAPS = {
    "a link to the host": "os.makedirs(SITE); os.symlink(INFO, SITE + '/y-1.dist-info')",
    "a link for the whole place": "os.makedirs(os.path.dirname(SITE)); os.symlink(os.path.dirname(INFO), SITE)",
    "a pipe for a file": "os.makedirs(SITE + '/y-1.dist-info'); os.mkfifo(SITE + '/y-1.dist-info/INSTALLER')",
    "a device for a file": (
        "os.makedirs(SITE + '/y-1.dist-info'); os.symlink('/dev/zero', SITE + '/y-1.dist-info/INSTALLER')"
    ),
    "a socket for a file": (
        "os.makedirs(SITE + '/y-1.dist-info'); os.chdir(SITE + '/y-1.dist-info'); "
        "socket.socket(socket.AF_UNIX).bind('INSTALLER')"
    ),
    "a link to itself": "os.makedirs(SITE + '/y-1.dist-info'); os.symlink('INSTALLER', SITE + '/y-1.dist-info/INSTALLER')",
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_uvreport_is_not_led_out_or_held_up_by_what_a_build_leaves(
    trap: str, way: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    from uvreport.environment import flaws

    info = tmp_path / "host" / "y-1.dist-info"
    info.mkdir(parents=True)
    (info / "INSTALLER").write_text("uv")
    (info / "RECORD").write_text("gone.py,sha256=x,1\n")
    script = f"import os, socket\nSITE, INFO = {SITE!r}, {str(info)!r}\n{TRAPS[trap]}\nos._exit(3)"
    trapped = booby_trapped(script)
    with open_sandbox(trapped, allow_code=True) as box:
        box.run(uv_release(RELEASE), ("uv", "pip", "install", "--no-deps", "."), env={}, timeout_s=30)
        assert box.look(f"{SITE}/y-1.dist-info") or box.look(SITE)
        begin = time.monotonic()
        # Led out it would find the distribution of the host, which lacks a file.
        assert flaws(PLACES.venv, box.plain) == ()
        assert time.monotonic() - begin < 5


NESTS = {
    "directories without modes": "os.makedirs('a/b/c'); os.chmod('a/b', 0); os.chmod('a', 0)",
    "a deep tree": "[(os.mkdir('d'), os.chdir('d')) for _ in range(400)]",
    "a link in place of the project": (
        "os.chdir(HOME); os.rename('project', 'other'); os.symlink(OUT, 'project'); os.symlink(OUT, 'more')"
    ),
    "pipes and sockets": "os.mkfifo('pipe'); socket.socket(socket.AF_UNIX).bind('socket')",
    "names of all kinds": "[open(os.fsencode('x') + bytes([n]), 'w') for n in range(1, 256) if n != 47]",
}


@pytest.mark.parametrize("nest", NESTS)
def test_what_a_build_leaves_is_taken_away_and_nothing_outside_is(
    nest: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    found = uv_release(RELEASE)
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    for folder in (out, temporary):
        folder.mkdir()
    (out / "keep").write_text("keep")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    script = f"import os, socket\nHOME, OUT = {HOME!r}, {str(out)!r}\n{NESTS[nest]}\nos._exit(3)"
    seen = contained(hostile(script), found, allow_code=True)
    assert seen.verdict.code_executed
    assert list(temporary.iterdir()) == []
    assert (out / "keep").read_text() == "keep"


def test_a_tree_deeper_than_a_path_can_be_long_is_taken_away(tmp_path: Path) -> None:
    code = (
        "import os, sys; os.chdir(sys.argv[1])\nfor _ in range(3000): os.mkdir('deeper'); os.chdir('deeper')"
    )
    (tmp_path / "top").mkdir()
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "top")], check=True)
    assert trees.size(str(tmp_path / "top"), 1 << 40) > 1 << 40
    trees.remove(str(tmp_path / "top"))
    assert not (tmp_path / "top").exists()


# -- and without code, nothing at all


def test_without_leave_not_a_line_of_a_hostile_bundle_runs(
    way: str, outside: Outside, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    canary = f"{PLACES.project}/canary"
    evil = hostile(f"open({canary!r}, 'w')", **{"setup.py": f"open({canary!r}, 'w')"})
    for allowed in (False, True):
        kept = tmp_path / f"kept-{allowed}"
        verdict = contained(evil, uv_release(RELEASE), allow_code=allowed, keep=str(kept)).verdict
        assert left(kept, canary).exists() == verdict.code_executed == allowed
    assert "needs code" in replay(evil, uv_release(RELEASE)).reason


def test_the_program_itself_runs_a_bundles_code_only_when_told_to(
    way: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    path = tmp_path / "evil.uvreport.zip"
    pack.save(pack.write(hostile("raise SystemExit('here I am')"), "", ""), str(path))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), isolate.VARIABLE: way}
    for words, ran in (((), False), (("--allow-code",), True)):
        done = uvreport(
            "replay", "--json", str(path), *words, "--uv", uv_release(RELEASE).path, env=env, cwd="/"
        )
        (row,) = json.loads(done.stdout)
        assert (row["code_executed"], row["verdict"]) == (ran, "DIFFERENT" if ran else "UNTESTED"), row
    env[isolate.VARIABLE] = "none"
    done = uvreport("replay", str(path), "--allow-code", "--uv", uv_release(RELEASE).path, env=env, cwd="/")
    assert (done.returncode, "--trust" in done.stderr) == (8, True)


def test_code_is_not_run_uncontained_even_when_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    canary = tmp_path / "canary"
    evil = hostile(f"open({str(canary)!r}, 'w')")
    with pytest.raises(UnsafeSandboxError):
        replay(evil, uv_release(RELEASE), allow_code=True)
    assert not canary.exists()
    replay(evil, uv_release(RELEASE), allow_code=True, trust=True)
    assert canary.exists()


# -- the second layers, each by itself


def behind_filter(code: str) -> str:
    """What Python code says in a process that has nothing around it but the filter."""
    program = syscalls.program(os.uname().machine).hex()
    done = subprocess.run(
        [sys.executable, launcher.__file__, "filter", program, "--", sys.executable, "-c", code],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip().rpartition("\n")[2]


FILTER = pytest.mark.skipif(not isolate._filter(), reason="no filter for this machine")


@pytest.fixture(scope="module")
def answers() -> dict[str, list[int]]:
    """What the kernel says to each call, with arguments that are wrong in any case: result and error."""
    code = (
        "import ctypes, json; libc = ctypes.CDLL(None, use_errno=True); ask = lambda number: "
        "[libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6), ctypes.get_errno()]\n"
        f"print(json.dumps({{name: ask(number) for name, number in {_CALLS!r}.items() if number is not None}}))"
    )
    found: dict[str, list[int]] = json.loads(behind_filter(code))
    return found


@FILTER
@pytest.mark.parametrize("name", [name for name, number in _CALLS.items() if number is not None])
def test_the_filter_alone_refuses(name: str, answers: dict[str, list[int]]) -> None:
    assert answers[name] == [-1, 1]


@FILTER
def test_the_filter_knows_the_numbers_of_this_machine() -> None:
    getpid = 39 if os.uname().machine == "x86_64" else 172
    code = f"import ctypes, os; print(ctypes.CDLL(None).syscall({getpid}) == os.getpid())"
    assert behind_filter(code) == "True"


@FILTER
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import socket; socket.socket(40, socket.SOCK_STREAM)", "Errno 97"),  # AF_VSOCK
        ("import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "Errno 97"),
        ("import socket; socket.socket(socket.AF_UNIX); socket.socket(); print('fine')", "fine"),
        ("import fcntl; fcntl.ioctl(0, 0x5412, b'x')", "Errno 1]"),
        ("import threading; t = threading.Thread(target=print, args=('fine',)); t.start(); t.join()", "fine"),
        ("import subprocess; print(subprocess.check_output(['/bin/echo', 'fine'], text=True))", "fine"),
    ],
)
def test_the_filter_alone_refuses_some_sockets_and_terminals_and_no_threads(code: str, said: str) -> None:
    assert said in behind_filter(code)


def test_the_filter_is_made_of_whole_instructions_that_jump_inside_of_it() -> None:
    for machine in ("x86_64", "aarch64"):
        steps = [*struct.iter_unpack("=HBBI", syscalls.program(machine))]
        assert 100 < len(steps) < 4096
        assert all(at + 1 + max(yes, no) < len(steps) for at, (_, yes, no, _) in enumerate(steps[:-1]))
        assert steps[-1] == (0x06, 0, 0, 0x7FFF0000)
    assert syscalls.program("riscv64") == b""


def fenced(code: str, *steps: str) -> str:
    """What Python code says in a process that has nothing around it but Landlock."""
    system = [word for path in ("/usr", "/bin", "/lib", "/lib64", "/etc") if os.path.exists(path)
              for word in ("fence-read", path, "fence-execute", path)]  # fmt: skip
    for prefix in {os.path.realpath(sys.base_prefix), os.path.realpath(sys.prefix)}:
        system += ["fence-read", prefix, "fence-execute", prefix]
    done = subprocess.run(
        [sys.executable, launcher.__file__, *system, *steps, "fence", "--", sys.executable, "-c", code],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return (done.stdout + done.stderr).strip().rpartition("\n")[2]


LANDLOCK = pytest.mark.skipif(
    not sys.platform.startswith("linux") or launcher.landlock_version() < 6,
    reason="needs Landlock, version 6",
)


@LANDLOCK
def test_the_fence_alone_keeps_files_and_connections_and_signals_in(tmp_path: Path, outside: Outside) -> None:
    inside, beyond = tmp_path / "inside", tmp_path / "beyond"
    for folder in (inside, beyond):
        (folder / "deep").mkdir(parents=True)
        (folder / "file").write_text("x")
    acts: dict[str, bool] = {
        f"open({str(inside / 'file')!r}, 'a').write('more')": True,
        f"import os; os.rename({str(inside / 'file')!r}, {str(inside / 'deep' / 'file')!r})": True,
        f"open({str(beyond / 'file')!r}).read()": False,
        f"open({str(beyond / 'new')!r}, 'w')": False,
        f"import os; os.listdir({str(beyond)!r})": False,
        f"import os; os.unlink({str(beyond / 'file')!r})": False,
        f"import os, shutil; shutil.copy('/bin/true', {str(inside / 'p')!r}); os.execv({str(inside / 'p')!r}, ['p'])": False,
        f"import socket; socket.create_connection(('127.0.0.1', {outside.tcp}), 2)": False,
        f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{outside.abstract}')": False,
        f"import os; os.kill({outside.victim.pid}, 0)": False,
    }
    for act, works in acts.items():
        said = fenced(f"{act}\nprint('done')", "fence-write", str(inside))
        assert (said == "done") == works, (act, said)
        if not works:
            assert "PermissionError" in said, (act, said)


def test_what_contains_a_run_says_which_layers_there_are() -> None:
    there = {layer.name: layer for layer in isolate.layers()}
    best = isolate.method()
    assert there[best.name].there if best.name != "none" else not any(layer.there for layer in there.values())
    assert all(layer.why for layer in there.values())
    assert not any(layer.there for layer in isolate.layers(isolate.method("none")))


def test_a_jail_tells_that_its_filter_is_on(way: str, uv_release: Callable[[str], Uv]) -> None:
    script = (
        "import os, re\n"
        "status = open('/proc/self/status').read()\n"
        f"open({PLACES.project + '/seccomp'!r}, 'w').write(re.search('Seccomp:\\\\s*(\\\\d)', status)[1])\n"
        "os._exit(3)"
    )
    with open_sandbox(hostile(script), allow_code=True) as box:
        box.run(uv_release(RELEASE), ("uv", "sync", "--offline"), env={}, timeout_s=30)
        said = Path(box.plain(f"{PLACES.project}/seccomp") or "").read_text()
    assert said == ("2" if isolate._filter() else "0")
