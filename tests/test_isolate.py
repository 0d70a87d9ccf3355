"""How a process is kept in: the launcher, the two ways to a jail, and the program that refuses."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from uvreport import isolate, uv
from uvreport.isolate import Bind, Cover, Jail, Method, Overlay, launcher, refusal
from uvreport.isolate.moved import Moved

if TYPE_CHECKING:
    from collections.abc import Callable

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
pytestmark = LINUX
WAYS = ("bubblewrap", "namespaces")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Method:
    """Each way to contain a command that works on this machine."""
    method = isolate.method(request.param)
    if method.name != request.param:
        pytest.skip(method.why)
    return method


@pytest.fixture
def covered(tmp_path: Path) -> Callable[..., uv.Outcome]:
    """Runs a command over an overlay of `tmp_path/home`; skips where that cannot be had."""
    for name in ("home", "run/upper", "run/work"):
        (tmp_path / name).mkdir(parents=True)

    def run(*argv: str, prefix: tuple[str, ...] = (), **more: str) -> uv.Outcome:
        run_ = tmp_path / "run"
        cover = Cover(
            writable=str(run_),
            mounts=(Overlay(at=str(tmp_path / "home"), upper=str(run_ / "upper"), work=str(run_ / "work")),),
            cwd=str(tmp_path / "home"),
            **more,  # type: ignore[arg-type]
        )
        outcome = uv.run([*prefix, *isolate.wrap(argv, cover)], cwd="/", env=dict(os.environ), timeout_s=30)
        why = isolate.could_not(outcome.exit_code, outcome.stderr)
        if why:
            pytest.skip(why)
        return outcome

    return run


def jailed(way: Method, script: str, *binds: Bind, executable: bool = True) -> uv.Outcome:
    system = tuple(
        Bind(source=path, at=path) for path in ("/usr", "/bin", "/lib", "/lib64") if os.path.exists(path)
    )
    jail = Jail(
        binds=(*system, *binds),
        cwd="/",
        tmpfs=(("/tmp", 1 << 20),) if executable else (),
        limits=(("nproc", 200), ("fsize", 1 << 20), ("as", 1 << 30)),
        executable=executable,
    )
    env = {"PATH": "/usr/bin:/bin"}
    return uv.run(isolate.wrap(["/bin/sh", "-c", script], jail, way), cwd="/", env=env, timeout_s=30)


# -- over the person's own files


def test_a_command_under_the_cover_ends_with_its_own_exit_code(covered: Callable[..., uv.Outcome]) -> None:
    assert covered("/bin/sh", "-c", "exit 7").exit_code == 7


def test_a_command_that_is_killed_by_a_signal_ends_by_that_signal(covered: Callable[..., uv.Outcome]) -> None:
    for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):
        assert covered("/bin/sh", "-c", f"kill -{number.value} $$").exit_code == -number


def test_what_is_written_under_the_cover_goes_to_the_overlay_only(
    covered: Callable[..., uv.Outcome], tmp_path: Path
) -> None:
    (tmp_path / "home" / "there").write_text("old")
    outcome = covered("/bin/sh", "-c", "echo new >there; echo more >beside; cat there beside")
    assert outcome.stdout == "new\nmore\n"
    assert (tmp_path / "home" / "there").read_text() == "old"
    assert not (tmp_path / "home" / "beside").exists()


def test_everything_outside_the_cover_is_read_only(
    covered: Callable[..., uv.Outcome], tmp_path: Path
) -> None:
    outcome = covered("/bin/sh", "-c", f"touch {tmp_path}/elsewhere; touch {tmp_path}/run/tmp")
    assert "Read-only file system" in outcome.stderr
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "run" / "tmp").exists()


def test_the_powers_under_the_cover_are_those_outside(covered: Callable[..., uv.Outcome]) -> None:
    inside = covered("/bin/grep", "^Cap[IPEB]", "/proc/self/status").stdout
    outside = subprocess.run(
        ["/bin/grep", "^Cap[IPEB]", "/proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    assert inside == outside


def test_a_file_without_permissions_stays_closed_to_an_ordinary_user(
    covered: Callable[..., uv.Outcome], tmp_path: Path
) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything, here as outside")
    (tmp_path / "home" / "closed").touch(0)
    assert "Permission denied" in covered("/bin/cat", "closed").stderr


def test_a_process_that_goes_its_own_way_ends_with_the_command(covered: Callable[..., uv.Outcome]) -> None:
    mark = f"3{os.getpid()}.{time.monotonic_ns()}"
    covered("/bin/sh", "-c", f"setsid sleep {mark} >/dev/null 2>&1 & exit 0")
    assert not running(mark)


def running(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_text():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_the_command_dies_when_uvreport_does(tmp_path: Path) -> None:
    mark = f"4{os.getpid()}.{time.monotonic_ns()}"
    (tmp_path / "run").mkdir()
    cover = Cover(writable=str(tmp_path / "run"), mounts=(), cwd="/")
    code = (
        "import subprocess, msgspec, sys; from uvreport import isolate\n"
        f"subprocess.run(isolate.wrap(['/bin/sleep', {mark!r}], isolate.{cover!r}))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", code], env=environ)
    until = time.monotonic() + 10
    while len(running(mark)) < 2 and time.monotonic() < until and parent.poll() is None:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    while running(mark) and time.monotonic() < until:
        time.sleep(0.02)
    assert not running(mark)


def test_a_place_that_cannot_be_made_is_told_with_its_reason(tmp_path: Path) -> None:
    cover = Cover(writable=str(tmp_path / "not-there"), mounts=(), cwd="/")
    outcome = uv.run(isolate.wrap(["/bin/echo", "started"], cover), cwd="/", env={}, timeout_s=10)
    assert isolate.could_not(outcome.exit_code, outcome.stderr)
    assert outcome.stdout == ""


def test_a_failure_of_the_command_itself_is_not_taken_for_one_of_the_place() -> None:
    assert isolate.could_not(2, launcher.CANNOT_PREFIX + "no") == ""
    assert isolate.could_not(launcher.CANNOT, "error: of uv's own") == ""


def test_files_can_be_taken_away_and_put_in_place_before_the_command_starts(
    covered: Callable[..., uv.Outcome], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "gone" / "deep").mkdir(parents=True)
    (home / "gone" / "deep" / "file").touch()
    (home / "program").write_text("the person's")
    (home / "program").chmod(0o755)
    (tmp_path / "run" / "list").write_bytes(os.fsencode(home / "gone") + b"\0")
    (tmp_path / "run" / "mine").write_text("ours")
    outcome = covered(
        "/bin/sh", "-c", "ls; cat program; test -x program",
        remove=str(tmp_path / "run" / "list"), put=((str(tmp_path / "run" / "mine"), str(home / "program")),),
    )  # fmt: skip
    assert outcome.stdout == "program\nours"
    assert outcome.exit_code == 0
    assert (home / "program").read_text() == "the person's"


# -- a place with nothing else in it


def test_in_the_jail_there_is_no_file_of_the_host_but_what_was_bound(way: Method, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    outcome = jailed(way, f"ls -A / /home /root {tmp_path}; cat {tmp_path}/secret")
    assert "s3cret" not in outcome.stdout
    assert set(outcome.stdout.split()) <= {"/:", "bin", "dev", "lib", "lib64", "proc", "tmp", "usr"}


def test_in_the_jail_there_is_no_network(way: Method) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        script = (
            "import socket\n"
            "print(sorted(name for _, name in socket.if_nameindex()))\n"
            f"socket.create_connection(('127.0.0.1', {port}), 2)\n"
        )
        outcome = jailed(way, f'exec {python()} -I -c "{script}"', *python_binds())
    assert outcome.stdout.strip() == "['lo']"
    # Nobody listens on this loopback; where Landlock knows TCP one may not even ask.
    assert "ConnectionRefusedError" in outcome.stderr or "PermissionError" in outcome.stderr


def test_in_the_jail_there_are_no_powers_and_no_way_to_any(way: Method) -> None:
    outcome = jailed(
        way, "grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status; id -u; unshare -Ur true"
    )
    assert outcome.stdout.split() == [
        *("CapInh:", "0" * 16, "CapPrm:", "0" * 16, "CapEff:", "0" * 16, "CapBnd:", "0" * 16, "CapAmb:", "0" * 16),
        *("NoNewPrivs:", "1", "1000"),
    ]  # fmt: skip
    assert "unshare" in outcome.stderr


def test_in_the_jail_no_other_process_is_seen(way: Method) -> None:
    outcome = jailed(way, "ls /proc | grep -c '^[0-9]'; hostname")
    assert int(outcome.stdout.split()[0]) < 8
    assert outcome.stdout.split()[1] == "sandbox"


def test_in_the_jail_the_system_cannot_be_written(way: Method) -> None:
    outcome = jailed(
        way, "for d in / /usr /bin /lib /proc /proc/sys/kernel; do touch $d/new 2>/dev/null && echo $d; done"
    )
    assert outcome.stdout == ""


def test_in_the_jail_file_size_memory_and_processes_are_limited(way: Method) -> None:
    script = "ulimit -f; ulimit -v; head -c 3000000 /dev/zero >/tmp/big || echo cut; wc -c </tmp/big"
    outcome = jailed(way, script)
    blocks, memory, *rest = outcome.stdout.split()
    assert int(memory) == 1 << 20
    assert int(blocks) in {1024, 2048}  # of 1 KiB or of 512 bytes, as the shell counts
    assert "cut" in rest
    assert int(rest[-1]) <= 1 << 20


def test_what_is_written_in_a_jail_without_execution_cannot_be_executed(way: Method, tmp_path: Path) -> None:
    place = Bind(source=str(tmp_path), at="/home/user", writable=True, executable=False)
    script = (
        "cp /bin/true /home/user/program && chmod 755 /home/user/program && /home/user/program; echo $?; "
        "for d in / /dev /dev/shm /proc /tmp; do cp /bin/true $d/it 2>/dev/null && $d/it && echo executed; done; "
        "/lib64/ld-linux-x86-64.so.2 /home/user/program && echo loaded"
    )
    outcome = jailed(way, script, place, executable=False)
    assert outcome.stdout.split() == ["126"]


def python() -> str:
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def python_binds() -> tuple[Bind, ...]:
    return tuple(
        Bind(source=p, at=p) for p in {os.path.realpath(sys.base_prefix)} if not p.startswith("/usr")
    )


def test_the_branch_can_be_forced_and_none_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    assert isolate.method() == Method("none", f"{isolate.VARIABLE}=none")


def test_without_bubblewrap_namespaces_are_taken_and_the_reason_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isolate.method("namespaces").name != "namespaces":
        pytest.skip(isolate.method("namespaces").why)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    isolate._method.cache_clear()
    try:
        assert isolate.method("") == Method("namespaces", "bubblewrap is not installed")
    finally:
        isolate._method.cache_clear()


# -- the program that refuses


ASKED = refusal.QUESTION + "'/somewhere'] + sys.path"


@pytest.fixture
def refusing(tmp_path: Path) -> tuple[Path, Path]:
    """The program, called `python3` and `venv/bin/python`, and the file that it marks."""
    data = refusal.program(
        str(tmp_path / "mark"), b"I am base\n", str(tmp_path / "venv"), b"I am in a venv\n"
    )
    if data is None:
        pytest.skip("no such program for this machine")
    (tmp_path / "mark").touch()
    (tmp_path / "python3").write_bytes(data)
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(tmp_path / "python3")
    return tmp_path / "python3", tmp_path / "mark"


def test_the_program_that_refuses_marks_and_ends_with_77(refusing: tuple[Path, Path]) -> None:
    program, mark = refusing
    asked: tuple[list[str], ...] = (
        [ASKED, "-I", "-c", "print(1)"],
        ["-c", refusal.QUESTION[:-1]],
        [],
        [ASKED, ""],
    )
    for count, words in enumerate(asked, start=1):
        done = subprocess.run([program, *words], capture_output=True, check=False)
        assert (done.returncode, done.stdout, mark.stat().st_size) == (refusal.EXIT_CODE, b"", count)


def test_the_program_that_refuses_answers_what_interpreter_it_is_by_its_name(
    refusing: tuple[Path, Path],
) -> None:
    program, mark = refusing
    venv = program.parent / "venv" / "bin" / "python"
    said = [subprocess.check_output([name, "-I", "-B", "-c", f"{ASKED} + 1"]) for name in (program, venv)]
    assert said == [b"I am base\n", b"I am in a venv\n"]
    assert mark.stat().st_size == 0


def test_the_program_that_refuses_does_not_answer_what_nobody_asked_before(tmp_path: Path) -> None:
    data = refusal.program(str(tmp_path / "mark"))
    if data is None:
        pytest.skip("no such program for this machine")
    (tmp_path / "python3").write_bytes(data)
    (tmp_path / "python3").chmod(0o755)
    assert (
        subprocess.run([tmp_path / "python3", "-I", "-c", ASKED], check=False).returncode == refusal.EXIT_CODE
    )


def test_the_script_that_refuses_does_the_same(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    (tmp_path / "venv").mkdir()
    for name in ("python3", "venv/python"):
        script = refusal.script(str(tmp_path / "mark"), b"it's base\n", str(tmp_path / "venv"), b"%s venv\n")
        (tmp_path / name).write_bytes(script)
        (tmp_path / name).chmod(0o755)
    assert subprocess.check_output([tmp_path / "python3", "-I", "-c", ASKED]) == b"it's base\n"
    assert subprocess.check_output([tmp_path / "venv" / "python", "-I", "-c", ASKED]) == b"%s venv\n"
    assert subprocess.run([tmp_path / "python3", "-c", ""], check=False).returncode == refusal.EXIT_CODE
    assert (tmp_path / "mark").stat().st_size == 1


def test_the_instructions_for_arm_are_those_that_an_emulator_ran() -> None:
    # Run in an emulator (unicorn 2) with five command lines: the same answers, marks and exit codes as on x86-64.
    data = {
        "mark": b"/run/mark\0", "prefix": b"/v/bin/", "question": refusal.QUESTION.encode(), "answer": b"A\n",
        "venv_answer": b"venv!\n",
    }  # fmt: skip
    assert hashlib.sha256(refusal.aarch64(data)).hexdigest() == ARM


ARM = "31c5a4718fe66489cba39882918e5da53770ce48562da1365df8d405d93b7827"


# -- trees that stand elsewhere


def test_a_moved_path_is_found_in_texts_and_put_back() -> None:
    moved = Moved("/tmp/x", ["/home/ann", "/home/ann/my project"])
    text = 'a = "file:///home/ann/my%20project/lib" # /home/ann/my project, /home/anna, /mnt/home/ann'
    now = moved.edit(text)
    assert (
        now
        == 'a = "file:///tmp/x/home/ann/my%20project/lib" # /tmp/x/home/ann/my project, /home/anna, /mnt/home/ann'
    )
    assert moved.back(now) == text


def test_a_moved_path_that_was_wrapped_is_put_back_too() -> None:
    moved = Moved("/tmp/uvreport-abc", ["/home/ann"])
    assert (
        moved.back("at /tmp/uvre\n  \N{BOX DRAWINGS LIGHT VERTICAL} port-abc/home/ann/x") == "at /home/ann/x"
    )
