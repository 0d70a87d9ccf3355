"""The sandbox: a restored bundle fails as it did, and whatever is in it stays in the place."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.failing_states.state import State, flat, source_tree, uv_does
from uvreport import isolate
from uvreport.bundle import Bundle, Culprit, Failure, Member, Places, Run, Uv
from uvreport.cache import keys
from uvreport.errors import BadBundleError, CannotWriteError, UnsafeSandboxError
from uvreport.isolate import refusal
from uvreport.isolate.moved import Moved, sources
from uvreport.sandbox import end_runs, open_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.failing_states.state import Person
    from uvreport.sandbox import Box
    from uvreport.uv import Outcome

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")

HOME = "/home/user"
PLACES = Places(
    home=HOME,
    project=f"{HOME}/project",
    cache=f"{HOME}/.cache/uv",
    cwd=f"{HOME}/project",
    venv=f"{HOME}/project/.venv",
)
CONTAINED = ("bubblewrap", "namespaces")


@pytest.fixture(params=CONTAINED)
def contained(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to contain a bundle that works on this machine."""
    method = isolate.method(request.param)
    if method.name != request.param:
        pytest.skip(method.why)
    monkeypatch.setenv(isolate.VARIABLE, request.param)
    return str(request.param)


def bundle(
    *members: Member,
    argv: tuple[str, ...] = ("uv", "sync"),
    culprits: tuple[str, ...] = (),
    release: str = "0.6.6",
    **more: Any,
) -> Bundle:
    uv = Uv(path="uv", release=release)
    run = Run(
        argv=argv,
        examined=argv,
        cwd=PLACES.cwd,
        env={},
        exit_code=2,
        stdout="",
        stderr="",
        duration_s=0.0,
        uv=uv,
    )
    guilty = tuple(Culprit(path=path, kind="", state="", reason="") for path in culprits)
    made = Bundle(
        created="2026-01-01T00:00:00Z",
        tool="0",
        platform="linux",
        places=PLACES,
        run=run,
        failure=Failure(class_="unknown", signature="", frames=(), chain=""),
        members=members,
        culprits=guilty,
    )
    return replace(made, **more)


def file(path: str, text: str | bytes, mode: int = 0o644) -> Member:
    return Member(path=path, data=text.encode() if isinstance(text, str) else text, mode=mode)


def bundled(state: State) -> Bundle:
    """The state as a bundle: at the canonical places, with the keys and links that belong there."""

    def edit(text: str) -> str:
        for old, new in ((state.cache, PLACES.cache), (state.project, PLACES.project), (state.home, HOME)):
            text = text.replace(str(old), new)
        return text

    members = []
    found = [str(path) for path in state.project.rglob("*") if ".venv" not in path.parts]
    texts = [state.project.joinpath(name) for name in ("uv.lock", "pyproject.toml")]
    urls = [
        word
        for path in texts
        if path.exists()
        for word in path.read_text().replace('"', " ").split()
        if "://" in word
    ]
    renamed = keys.rekey([*sources(found), *urls], edit)
    for top, folder in (("project", state.project), ("cache", state.cache)):
        for path in sorted(folder.rglob("*")):
            if ".venv" in path.parts:
                continue
            name = top + "/" + "/".join(renamed.get(part, part) for part in path.relative_to(folder).parts)
            there = path.lstat()
            mode = stat.S_IMODE(there.st_mode)
            if path.is_symlink():
                members.append(Member(path=name, kind="link", target=edit(os.readlink(path))))
            elif path.is_dir():
                if mode != 0o755 or not any(path.iterdir()):
                    members.append(Member(path=name, kind="dir", mode=mode))
            elif there.st_size == 0 or os.access(path, os.R_OK):
                data = b"" if there.st_size == 0 else path.read_bytes()
                if path.name in ("pyproject.toml", "uv.lock"):
                    data = edit(data.decode()).encode()
                members.append(Member(path=name, data=data, mode=mode, mtime_ns=there.st_mtime_ns))
    guilty = tuple(
        "/".join(renamed.get(part, part) for part in path.relative_to(state.cache).parts)
        for glob in state.culprits
        for path in state.cache.glob(glob)
    )
    return bundle(*members, argv=state.argv, culprits=guilty, release=state.fails)


def run(box: Box, uv: Uv, argv: tuple[str, ...], **env: str) -> Outcome:
    return box.run(uv, argv, env=env, timeout_s=120)


REPRODUCIBLE = (
    "seed", "planner", "editable", "cut_revision", "zeroed_sdist_pointer", "emptied_metadata", "missing_record",
    "git_database_is_file", "interpreter_is_directory", "unreadable_bucket_file", "pruned_subdirectory",
)  # fmt: skip


@pytest.mark.parametrize("name", REPRODUCIBLE)
def test_a_restored_state_fails_as_it_did_without_a_line_of_its_code(
    name: str, contained: str, failing: Callable[[str], State]
) -> None:
    state = failing(name)
    if not state.reproducible_on_copy:
        pytest.skip("a copy of this state does not fail")
    with open_sandbox(bundled(state)) as box:
        assert box.isolation == contained
        for _ in range(2):
            outcome = run(box, state.uv, state.argv)
            said = flat(outcome.stdout + outcome.stderr)
            assert outcome.exit_code == state.exit_code, said
            assert not [
                line for line in state.lines if flat(line).replace(str(state.cache), PLACES.cache) not in said
            ], said
            assert (box.needed_code, box.code_executed) == (False, False)


@pytest.mark.parametrize("name", ["seed", "cut_revision", "zeroed_sdist_pointer", "emptied_metadata"])
def test_a_restored_state_fails_as_it_did_where_it_is_trusted_and_nothing_contains_it(
    name: str, failing: Callable[[str], State], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    state = failing(name)
    restored = bundled(state)
    with open_sandbox(restored, trust=True) as box:
        assert box.isolation == "none"
        outcome = run(box, state.uv, state.argv)
        said = flat(outcome.stdout + outcome.stderr)
        assert outcome.exit_code == state.exit_code, said
        assert not [
            line for line in state.lines if flat(line).replace(str(state.cache), PLACES.cache) not in said
        ], said
        assert {culprit.path for culprit in restored.culprits} <= (box.reads or set())


def test_the_same_entry_is_fine_for_a_release_that_can_read_it(
    contained: str, failing: Callable[[str], State], uv_release: Callable[[str], Uv]
) -> None:
    state = failing("seed")
    restored = bundled(state)
    with open_sandbox(restored, allow_code=True) as box:
        outcome = run(box, uv_release("0.6.7"), ("uv", "sync", "--offline"))
        assert outcome.exit_code == 0, outcome.stderr
        assert restored.culprits[0].path in (box.reads or ())
        run(box, uv_release("0.6.8"), ("uv", "sync", "--offline"))
        assert restored.culprits[0].path not in (box.reads or ())


def test_a_stale_interpreter_entry_is_believed_at_the_sandboxs_own_interpreter(
    contained: str, world: Person, uv_release: Callable[[str], Uv]
) -> None:
    found = uv_release("0.12.24")
    uv_does(world, found, "venv", "--offline")
    (entry, *_) = world.cache.glob("interpreter-v*/*/*.msgpack")
    version = platform.python_version()
    old = "3.9." + "1" * (len(version) - 4)
    short = "\N{LATIN SMALL LETTER E WITH DIAERESIS}"  # not in an entry: keeps the replacements apart
    assert short.encode() not in entry.read_bytes()
    minor = ".".join(version.split(".")[:2])
    data = (
        entry.read_bytes()
        .replace(version.encode(), old.encode())
        .replace(b"\xa4" + minor.encode(), b"\xa43.09")
    )
    path = str(entry.relative_to(world.cache))
    project = f'[project]\nname = "demo"\nversion = "1"\nrequires-python = "=={version}"\n'
    stale = bundle(
        file("project/pyproject.toml", project),
        file(f"cache/{path}", data),
        culprits=(path,),
        release="0.12.24",
    )
    with open_sandbox(stale) as box:
        outcome = run(box, found, ("uv", "sync", "--offline"))
        assert outcome.exit_code == 2
        assert f"No interpreter found for Python {version}" in outcome.stderr
        assert set(box.reads or ()) == {path}
        assert not box.needed_code
    with open_sandbox(replace(stale, culprits=())) as box:
        assert run(box, found, ("uv", "sync", "--offline")).exit_code == 0
    # 0.9.30 uses the same bucket and files interpreters under names of another form: it would never have read this.
    with open_sandbox(stale) as box:
        run(box, uv_release("0.9.30"), ("uv", "sync", "--offline"))
        assert path not in set(box.reads or ())


# -- no code


CANARY = f"{PLACES.project}/canary"


def hostile(script: str, **files: str) -> Bundle:
    """A project whose build runs `script`, with a build backend that needs nothing from elsewhere."""
    tree = source_tree("evil", "1")
    tree["offline_backend.py"] += "\n" + script + "\n"
    return bundle(
        *(file(f"project/{name}", text) for name, text in {**tree, **files}.items()),
        argv=("uv", "sync", "--offline"),
    )


def test_a_hostile_build_leaves_no_trace_unless_code_is_allowed(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    evil = hostile(f"import pathlib; pathlib.Path({CANARY!r}).touch()")
    found = uv_release("0.9.30")
    with open_sandbox(evil) as box:
        outcome = run(box, found, evil.run.argv)
        assert outcome.exit_code not in (0, None)
        assert box.look(CANARY) is None
        assert (box.needed_code, box.code_executed) == (True, False)
    with open_sandbox(evil, allow_code=True) as box:
        assert run(box, found, evil.run.argv).exit_code == 0
        assert box.look(CANARY)
        assert (box.needed_code, box.code_executed) == (False, True)


def test_a_hostile_build_leaves_no_trace_where_nothing_contains_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    evil = hostile(f"import pathlib; pathlib.Path({str(tmp_path / 'canary')!r}).touch()")
    with open_sandbox(evil, trust=True) as box:
        run(box, uv_release("0.9.30"), evil.run.argv)
        assert box.needed_code
    assert not (tmp_path / "canary").exists()


WRITE = f"#!/bin/sh\necho >{CANARY}\n"
TRICKS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "a shell": (("uv", "run", "--no-project", "/bin/sh", "-c", f"echo >{CANARY}"), {}),
    "a program of its own": (("uv", "run", "--no-project", f"{PLACES.project}/evil.sh"), {"evil.sh": WRITE}),
    "its own interpreter": (
        ("uv", "sync"),
        {".python-version": f"{PLACES.project}/evil.sh", "evil.sh": WRITE},
    ),
    "an interpreter by option": (("uv", "venv", "-p", f"{PLACES.project}/evil.sh"), {"evil.sh": WRITE}),
    "an environment of its own": (
        ("uv", "run", "--no-project", "evil"),
        {".venv/bin/evil": WRITE, ".venv/pyvenv.cfg": ""},
    ),
    "the loader": (
        (
            "uv",
            "run",
            "--no-project",
            "/lib64/ld-linux-x86-64.so.2",
            f"{PLACES.project}/copied-shell",
            "-c",
            f"echo >{CANARY}",
        ),
        {},
    ),
    "python code": (("uv", "run", "--no-project", "python", "-c", f"open({CANARY!r}, 'w')"), {}),
    "isolated python code": (
        ("uv", "run", "--no-project", "python", "-I", "-c", f"open({CANARY!r}, 'w')"),
        {},
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_of_a_bundle_runs_anything_of_its_choice(
    trick: str, contained: str, uv_release: Callable[[str], Uv]
) -> None:
    argv, files = TRICKS[trick]
    members = [file(f"project/{name}", text, 0o755) for name, text in files.items()]
    members += [
        file("project/pyproject.toml", '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n'),
        file("project/copied-shell", Path(os.path.realpath("/bin/sh")).read_bytes(), 0o755),
    ]
    with open_sandbox(bundle(*members, argv=argv)) as box:
        outcome = run(box, uv_release("0.9.30"), argv)
        assert box.look(CANARY) is None, outcome.stderr
        assert not box.code_executed


def test_git_does_not_look_at_a_bundles_repository(contained: str, uv_release: Callable[[str], Uv]) -> None:
    # Its config can name programs that git starts (core.fsmonitor, filters, core.sshCommand).
    argv = ("uv", "pip", "install", "evil @ git+file:///home/user/project/repository")
    with open_sandbox(bundle(file("project/repository/.git/config", "[core]\n"), argv=argv)) as box:
        assert run(box, uv_release("0.9.30"), argv).exit_code not in (0, None)
        assert box.needed_code


def test_a_program_that_uv_starts_after_its_own_part_ends_with_the_code_of_a_refusal(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    project = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n[tool.uv]\npackage = false\n'
    with open_sandbox(bundle(file("project/pyproject.toml", project))) as box:
        outcome = run(box, uv_release("0.9.30"), ("uv", "run", "--offline", "python", "-c", "pass"))
        assert outcome.exit_code == refusal.EXIT_CODE
        assert box.needed_code


@pytest.mark.parametrize("release", ["0.4.21", "0.6.6", "0.9.30", "0.13.9"])
def test_an_environment_is_there_for_commands_that_need_one(
    release: str, contained: str, uv_release: Callable[[str], Uv]
) -> None:
    with open_sandbox(bundle(file("project/requirements.txt", ""))) as box:
        for argv in (
            ("uv", "pip", "list"),
            ("uv", "pip", "install", "--upgrade", "--offline", "-r", "requirements.txt"),
        ):
            outcome = run(box, uv_release(release), argv)
            assert outcome.exit_code == 0, outcome.stderr
            assert not box.needed_code


# -- code that is allowed to run: act by act


ACTS = {
    "read a file of the host": "open(SECRET).read()",
    "list a folder of the host": "os.listdir(os.path.dirname(SECRET))",
    "talk to a server of the host": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "reach the network": "socket.create_connection(('192.0.2.1', 80), 2)",
    "write to the system": "open('/usr/bin/evil', 'w')",
    "write beside the bundle's places": "open('/evil', 'w')",
    "see processes of the host": "assert len([p for p in os.listdir('/proc') if p.isdigit()]) > 25",
    "signal processes of the host": "os.kill(HOST_PID, 0)",  # far above the few that there are inside
    "mount something": "subprocess.run(['/usr/bin/mount', '-t', 'tmpfs', 'x', '/tmp'], check=True, capture_output=True)",
    "make a user namespace": "subprocess.run(['/usr/bin/unshare', '-Ur', 'true'], check=True, capture_output=True)",
    "make a device": "os.mknod('/tmp/disk', stat.S_IFBLK | 0o600, os.makedev(254, 0))",
    "become root": "os.setuid(0)",
    "change the name of the host": "socket.sethostname('evil')",
    "write 2 GiB into a file": "open('/tmp/big', 'wb').truncate(2 << 30)",
    "take 8 GiB of memory": "bytearray(8 << 30)",
    "see the environment of the host": "assert 'UVREPORT_TEST_SECRET' in os.environ",
}


HOST_PID = os.getpid()


@pytest.fixture(scope="module", params=CONTAINED)
def deeds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """What came of each act when a build tried them all: "done" or why not."""
    from tests.conftest import obtain

    method = isolate.method(request.param)
    if method.name != request.param:
        pytest.skip(method.why)
    secret = tmp_path_factory.mktemp("host") / "secret"
    secret.write_text("s3cret")
    with socket.socket() as server, pytest.MonkeyPatch.context() as patch:
        server.bind(("127.0.0.1", 0))
        server.listen()
        patch.setenv(isolate.VARIABLE, request.param)
        patch.setenv("UVREPORT_TEST_SECRET", "1")
        script = "\n".join(
            (
                "import json, os, signal, socket, stat, subprocess",
                f"SECRET, PORT, HOST_PID = {str(secret)!r}, {server.getsockname()[1]}, {HOST_PID}",
                "found = {}",
                f"for name, act in {ACTS!r}.items():",
                "    try:",
                "        exec(act)",
                "        found[name] = 'done'",
                "    except BaseException as error:",
                "        found[name] = repr(error)",
                f"open({PLACES.project + '/deeds.json'!r}, 'w').write(json.dumps(found))",
                "os._exit(3)",
            )
        )
        evil = hostile(script)
        with open_sandbox(evil, allow_code=True) as box:
            outcome = run(box, obtain("0.9.30"), evil.run.argv)
            report = box.look(f"{PLACES.project}/deeds.json")
            assert report, outcome.stderr
            yield json.loads(Path(report).read_text())


@pytest.mark.parametrize("act", ACTS)
def test_code_that_is_allowed_to_run_cannot(act: str, deeds: Mapping[str, str]) -> None:
    assert deeds[act] != "done"


def test_a_run_that_fills_the_disk_is_ended(
    contained: str, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setattr("uvreport.sandbox.STATE_BYTES", 50_000_000)
    evil = hostile(
        "import time\n"
        "for i in range(40):\n"
        "    open(f'full{i}', 'wb').write(bytes(10_000_000)); time.sleep(0.05)\n"
        "time.sleep(60)"
    )
    with open_sandbox(evil, allow_code=True) as box:
        outcome = run(box, uv_release("0.9.30"), evil.run.argv)
    assert outcome.exit_code == -9
    assert outcome.duration_s < 30


def test_a_run_that_starts_processes_without_end_is_ended(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    evil = hostile(
        "import subprocess\n"
        "kept = [subprocess.Popen(['/usr/bin/sleep', '30']) for _ in range(3000)]\n"
        f"open({CANARY!r}, 'w')"
    )
    with open_sandbox(evil, allow_code=True) as box:
        run(box, uv_release("0.9.30"), evil.run.argv)
        assert box.look(CANARY) is None


def test_what_a_build_leaves_running_is_ended(contained: str, uv_release: Callable[[str], Uv]) -> None:
    mark = f"6{os.getpid()}.{threading.get_native_id()}"
    evil = hostile(
        f"import subprocess; subprocess.Popen(['/usr/bin/sleep', '{mark}'], start_new_session=True, "
        "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    with open_sandbox(evil, allow_code=True) as box:
        run(box, uv_release("0.9.30"), evil.run.argv)
    found = subprocess.run(["pgrep", "-f", f"sleep {mark}"], capture_output=True, check=False).stdout
    assert found == b""


# -- the backend that travels


def test_a_backend_that_came_along_stands_where_only_its_metadata_was_taken_unless_a_lockfile_has_that(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    name = "hatchling-1.2-py3-none-any.whl"
    whole, hollow = b"the wheel", b"its metadata"
    found = uv_release("0.9.30")
    locked = hashlib.sha256(hollow).hexdigest()
    for lock, stands in (("", whole), (f"hash = '{locked}'", hollow)):
        members = (
            file(f"home/.uvreport/wheels/{name}", whole),
            file(f"project/wheels/{name}", hollow),
            file(f"cache/sdists-v9/path/x/{name}", hollow),
            file("project/uv.lock", lock),
        )
        with open_sandbox(bundle(*members)) as box:
            run(box, found, ("uv", "--version"))
            at = [
                box.look(f"{PLACES.project}/wheels/{name}"),
                box.look(f"{PLACES.cache}/sdists-v9/path/x/{name}"),
            ]
            assert [Path(path or "").read_bytes() for path in at] == [stands, hollow]


def test_uv_is_told_of_a_backend_that_came_along_and_of_the_reporters_own_folders(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    script = (
        f"import os; open({PLACES.project + '/said'!r}, 'w').write(os.environ['UV_FIND_LINKS']); os._exit(3)"
    )
    evil = hostile(script)
    wheel = file("home/.uvreport/wheels/x-1-py3-none-any.whl", b"x")
    own = Member(path="project/wheels", kind="dir", mode=0o755)
    with open_sandbox(replace(evil, members=(*evil.members, wheel, own)), allow_code=True) as box:
        run(box, uv_release("0.9.30"), evil.run.argv, UV_FIND_LINKS=f"{PLACES.project}/wheels")
        said = Path(box.plain(f"{PLACES.project}/said") or "").read_text()
    assert said == f"{PLACES.project}/wheels,{HOME}/.uvreport/wheels"


# -- restoring


def test_kinds_modes_times_and_contents_come_back_as_they_were(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    members = (
        Member(path="cache/sdists-v9/.git", mode=0, mtime_ns=1_600_000_000_000_000_001),
        Member(path="cache/sdists-v9", kind="dir", mode=0o555),
        Member(path="cache/archive-v0/empty", kind="dir", mode=0o700),
        Member(path="cache/wheels-v5/x/link", kind="link", target="../../archive-v0/empty"),
        Member(path="project/name with\nodd \N{SNOWMAN} characters", data=b"\0\xff"),
        Member(path="home/.config/uv/uv.toml", data=b"", mode=0o4755),
        Member(path="facts/not-restored", data=b"x"),
    )
    with open_sandbox(bundle(*members)) as box:
        run(box, uv_release("0.9.30"), ("uv", "--version"))

        def at(path: str) -> Path:
            return Path(box.look(path) or "/not there")

        closed = at(f"{PLACES.cache}/sdists-v9/.git").lstat()
        assert (stat.S_IMODE(closed.st_mode), closed.st_mtime_ns) == (0, 1_600_000_000_000_000_001)
        assert stat.S_IMODE(at(f"{PLACES.cache}/sdists-v9").stat().st_mode) == 0o555
        assert stat.S_IMODE(at(f"{PLACES.cache}/archive-v0/empty").stat().st_mode) == 0o700
        assert os.readlink(at(f"{PLACES.cache}/wheels-v5/x/link")) == "../../archive-v0/empty"
        assert at(f"{PLACES.project}/name with\nodd \N{SNOWMAN} characters").read_bytes() == b"\0\xff"
        assert stat.S_IMODE(at(f"{HOME}/.config/uv/uv.toml").stat().st_mode) == 0o755
        assert box.look(f"{HOME}/facts/not-restored") is None
        assert box.look("/etc/passwd") is None


def test_each_run_starts_from_the_restored_state(contained: str, uv_release: Callable[[str], Uv]) -> None:
    project = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n'
    with open_sandbox(bundle(file("project/pyproject.toml", project))) as box:
        for _ in range(2):
            outcome = run(box, uv_release("0.9.30"), ("uv", "sync", "--offline"))
            assert "Creating virtual environment" in outcome.stderr
            assert box.look(f"{PLACES.project}/uv.lock")


@pytest.mark.parametrize(
    "members",
    [
        (Member(path="project/out", kind="link", target="/etc"), file("project/out/passwd", "x")),
        (file("project/a", "x"), file("project/a/b", "x")),
        (file("home/project/a", "x"), file("project/a", "y")),
        (file("project/../../etc/passwd", "x"),),
        (file("cache//x", "x"),),
        (file("cache/nul\0byte", "x"),),
    ],
)
def test_members_that_do_not_fit_below_their_place_are_refused(
    members: tuple[Member, ...], contained: str, uv_release: Callable[[str], Uv]
) -> None:
    with pytest.raises(BadBundleError), open_sandbox(bundle(*members)) as box:
        run(box, uv_release("0.9.30"), ("uv", "--version"))


@pytest.mark.parametrize(
    "path", ["/", "/usr/lib", "/proc/1", "/etc", "relative", "/home/../etc", "C:\\Users\\user"]
)
def test_a_bundle_that_wants_to_be_among_the_systems_files_is_refused(path: str, contained: str) -> None:
    with pytest.raises(BadBundleError), open_sandbox(bundle(places=replace(PLACES, home=path))):
        pass


def test_where_nothing_contains_it_a_link_out_of_the_bundle_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    out = bundle(Member(path="project/.venv", kind="link", target=str(tmp_path)))
    with pytest.raises(BadBundleError), open_sandbox(out, trust=True) as box:
        run(box, uv_release("0.9.30"), ("uv", "venv", "--offline"))


def test_a_link_out_of_the_bundle_leads_nowhere_where_it_is_contained(
    contained: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    out = bundle(Member(path="project/.venv", kind="link", target=str(tmp_path)))
    with open_sandbox(out) as box:
        run(box, uv_release("0.9.30"), ("uv", "venv", "--offline", "--clear"))
    assert list(tmp_path.iterdir()) == []


# -- the rest


def test_without_a_way_to_contain_it_a_bundle_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    with pytest.raises(UnsafeSandboxError) as caught, open_sandbox(bundle()):
        pass
    assert caught.value.exit_code == 8
    assert "--trust" in caught.value.hint


def test_the_variables_inside_are_ours_and_the_harmless_ones_given(
    contained: str, uv_release: Callable[[str], Uv], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UVREPORT_TEST_SECRET", "1")
    script = f"import json, os; json.dump(dict(os.environ), open({PLACES.project + '/env.json'!r}, 'w')); os._exit(3)"
    with open_sandbox(hostile(script), allow_code=True) as box:
        given = {
            "UV_PRERELEASE": "allow",
            "LD_PRELOAD": "/evil.so",
            "HOME": "/root",
            "PATH": "/evil",
            "SHELLOPTS": "xtrace",
        }
        box.run(uv_release("0.9.30"), ("uv", "sync", "--offline"), env=given, timeout_s=60)
        seen = json.loads(Path(box.look(f"{PLACES.project}/env.json") or "").read_text())
    assert (seen["HOME"], seen["UV_PRERELEASE"]) == (HOME, "allow")
    assert "/evil" not in seen["PATH"]
    assert not {"LD_PRELOAD", "SHELLOPTS", "UVREPORT_TEST_SECRET"} & seen.keys()


def test_a_kept_place_stays_and_can_be_entered(
    contained: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    kept = tmp_path / "kept"
    with open_sandbox(bundle(file("project/here", "x")), keep=str(kept), allow_code=True) as box:
        run(box, uv_release("0.9.30"), ("uv", "--version"))
        looked = box.look(f"{PLACES.project}/here")
    assert Path(looked or "").read_text() == "x"
    done = subprocess.run(
        shlex.split(box.enter), input="cat here; uname -n", capture_output=True, text=True, check=False
    )
    assert done.stdout == "xsandbox\n", done.stderr


def test_a_place_is_not_made_among_other_files(contained: str, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(CannotWriteError), open_sandbox(bundle(), keep=str(tmp_path)):
        pass


def test_nothing_is_left_when_the_sandbox_closes(
    contained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    found = uv_release("0.9.30")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupted() -> None:
        with open_sandbox(bundle(Member(path="cache/x", kind="dir", mode=0))) as box:
            run(box, found, ("uv", "--version"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_hangs_is_ended(contained: str, uv_release: Callable[[str], Uv]) -> None:
    evil = hostile("import time; time.sleep(60)")
    with open_sandbox(evil, allow_code=True) as box:
        outcome = box.run(uv_release("0.9.30"), evil.run.argv, env={}, timeout_s=2)
    assert outcome.timed_out


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no memory to write to")
@pytest.mark.parametrize(
    ("named", "code", "in_memory"),
    [("", False, True), ("", True, False), ("tmp_path", False, False)],
)
def test_without_code_the_place_is_in_memory_where_no_other_is_named(
    named: str,
    code: bool,
    in_memory: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uv_release: Callable[[str], Uv],
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path) if named else "/tmp")
    with open_sandbox(bundle(Member(path="project/x", data=b"x")), allow_code=code) as box:
        run(box, uv_release("0.9.30"), ("uv", "--version"))
        at = box.look(f"{PLACES.project}/x")
    assert at is not None
    assert at.startswith("/dev/shm/") == in_memory


def test_a_run_that_nobody_waits_for_any_longer_is_ended(
    contained: str, uv_release: Callable[[str], Uv]
) -> None:
    evil, uv = hostile("import time; time.sleep(60)"), uv_release("0.9.30")
    ended: list[Outcome] = []

    def hang() -> None:
        with open_sandbox(evil, allow_code=True) as box:
            ended.append(box.run(uv, evil.run.argv, env={}, timeout_s=60))

    thread = threading.Thread(target=hang)
    thread.start()
    while thread.is_alive():
        end_runs()
        thread.join(0.1)
    assert [outcome.timed_out for outcome in ended] == [False]


def test_moved_digests_are_turned_back_in_what_uv_says() -> None:
    moved = Moved("/tmp/x", [PLACES.project])
    moved.digests = {"aaaaaaaaaaaaaaaa": "bbbbbbbbbbbbbbbb"}
    assert (
        moved.back("at /tmp/x/home/user/project and path/bbbbbbbbbbbbbbbb/x")
        == "at /home/user/project and path/aaaaaaaaaaaaaaaa/x"
    )
