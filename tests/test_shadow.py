"""The shadow: uv fails on it as it does in earnest, and nothing of the person's is touched."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.failing_states.state import State, flat, uv_does, without_root_powers
from uvreport import isolate
from uvreport.bundle import Places
from uvreport.shadow import open_shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.failing_states.state import Person
    from uvreport.bundle import Uv
    from uvreport.shadow import Shadow, Trial

WAYS = ("overlay", "copy")
ROOT = Path(__file__).parent.parent


def places_of(who: Person | State) -> Places:
    return Places(
        home=str(who.home), project=str(who.project), cache=str(who.cache), cwd=str(who.project),
        venv=str(who.project / ".venv"),
    )  # fmt: skip


def run(shadow: Shadow, state: State, **more: object) -> Trial:
    argv = [state.uv.path, *state.argv[1:]]
    return shadow.run(argv, cwd=str(state.project), env=state.env, timeout_s=120, **more)  # type: ignore[arg-type]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both ways to make a shadow, where this machine has both."""
    (tmp_path / "try").mkdir()
    here = str(tmp_path / "try")
    with open_shadow(Places(home=here, project=here, cache=here, cwd=here)) as shadow:
        if request.param == "overlay" and shadow.how != "overlay":
            pytest.skip(shadow.why)
    return str(request.param)


def everything(top: Path, *, ctimes: bool) -> dict[str, tuple[object, ...]]:
    """All that can be seen of a tree, times of change and inodes included."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(top):
        for name in ("", *folders, *files):
            path = os.path.join(folder, name)
            there = os.lstat(path)
            content: object = None
            if stat.S_ISLNK(there.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(there.st_mode) and os.access(path, os.R_OK):
                content = Path(path).read_bytes()
            times = (there.st_mtime_ns, there.st_ctime_ns) if ctimes else (there.st_mtime_ns,)
            found[path] = (there.st_mode, there.st_uid, there.st_ino, *times, content)
    return found


STATES = (
    "seed", "planner", "editable", "cut_sdist_pointer", "emptied_metadata", "missing_record", "missing_module",
    "link_is_file", "git_database_is_file", "interpreter_is_directory", "pruned_subdirectory", "build_fails",
)  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_command_fails_on_the_shadow_as_in_earnest_and_changes_nothing(
    name: str, way: str, failing: Callable[[str], State]
) -> None:
    state = failing(name)
    before = everything(state.person.root, ctimes=way == "overlay")
    with open_shadow(places_of(state), force_copy=way == "copy") as shadow:
        assert shadow.how == way
        trial = run(shadow, state)
        again = run(shadow, state, trace=True)
    assert everything(state.person.root, ctimes=way == "overlay") == before
    if way == "copy" and not state.reproducible_on_copy:
        return
    for outcome in (trial.outcome, again.outcome):
        said = flat(outcome.stdout + outcome.stderr)
        assert outcome.exit_code == state.exit_code, said
        assert not [line for line in state.lines if flat(line) not in said], said


@pytest.mark.parametrize("name", ["seed", "cut_revision", "cut_sdist_pointer"])
def test_without_the_culprit_the_command_passes_and_with_it_the_culprit_is_read(
    name: str, way: str, failing: Callable[[str], State]
) -> None:
    state = failing(name)
    culprit = str(state.culprit().relative_to(state.cache))
    with open_shadow(places_of(state), force_copy=way == "copy") as shadow:
        traced = run(shadow, state, trace=True)
        assert culprit in (traced.reads or ())
        assert not [path for path in traced.reads or () if not (state.cache / path).is_file()]
        assert run(shadow, state, without=[culprit]).outcome.exit_code == 0
        assert run(shadow, state).outcome.exit_code == state.exit_code
        assert run(shadow, state, without=[culprit.split("/", maxsplit=1)[0]]).outcome.exit_code == 0


def test_what_uv_says_names_the_persons_own_paths(way: str, failing: Callable[[str], State]) -> None:
    state = failing("seed")
    with open_shadow(places_of(state), force_copy=way == "copy") as shadow:
        argv = [state.uv.path, *state.argv[1:2], "-v", *state.argv[2:]]
        outcome = shadow.run(argv, cwd=str(state.project), env=state.env, timeout_s=60).outcome
    assert str(state.culprit().parent) in outcome.stderr
    assert f"file://{state.project}" in outcome.stderr
    said = [line for line in outcome.stderr.splitlines() if "uvreport-" in line and ".lock" not in line]
    assert not said


def test_a_read_that_replaces_the_entry_is_seen(
    way: str, failing: Callable[[str], State], uv_release: Callable[[str], Uv]
) -> None:
    state = failing("seed")
    culprit = str(state.culprit().relative_to(state.cache))
    reader = uv_release("0.6.7")
    with open_shadow(places_of(state), force_copy=way == "copy") as shadow:
        (state.project / "generated" / "setup.py").touch()  # stale now: read, built anew, replaced
        trial = shadow.run(
            [reader.path, "sync"], cwd=str(state.project), env=state.env, timeout_s=60, trace=True
        )
        assert trial.outcome.exit_code == 0
        assert culprit in (trial.reads or ())
        assert trial.changed()[str(state.culprit())] == "changed"


def test_runs_know_nothing_of_each_other_and_may_go_on_at_one_time(way: str, world: Person) -> None:
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:

        def count(_: int) -> str:
            script = "test ! -e made && touch made && sleep 0.1 && ls"
            argv = ["/bin/sh", "-c", script]
            return shadow.run(argv, cwd=str(world.project), env=world.env, timeout_s=30).outcome.stdout

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(count, range(8))) == {"made\n"}
    assert not (world.project / "made").exists()


def test_what_a_run_left_can_be_looked_at_and_listed(way: str, world: Person) -> None:
    for name in ("kept", "changed", "removed", "folder/old", "gone/old"):
        (world.project / name).parent.mkdir(exist_ok=True)
        (world.project / name).write_text("before")
    (world.project / "link").symlink_to("folder")
    script = (
        "echo after >changed; rm removed; rm -r gone; mkdir gone; echo x >gone/new; echo x >folder/new; "
        "mkdir made; touch made/file; : >>kept; ln -s made other"
    )
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        trial = shadow.run(["/bin/sh", "-ec", script], cwd=str(world.project), env=world.env, timeout_s=30)
        assert trial.outcome.exit_code == 0, trial.outcome.stderr

        def read(name: str) -> str | None:
            path = trial.look(str(world.project / name))
            return None if path is None else Path(path).read_text()

        assert read("kept") == "before"
        assert read("changed") == "after\n"
        assert read("removed") is None
        assert read("gone/old") is None
        assert read("gone/new") == "x\n"
        assert read("link/old") == "before"
        assert read("link/new") == "x\n"
        assert read("other/file") == ""
        folder = trial.look(str(world.project / "folder"))
        assert sorted(os.listdir(folder or "")) == ["new", "old"]
        gone = trial.look(str(world.project / "gone"))
        assert os.listdir(gone or "") == ["new"]
        assert {path.removeprefix(str(world.project) + "/"): how for path, how in trial.changed().items()} == {
            "changed": "changed", "removed": "removed", "gone/old": "removed", "gone/new": "created",
            "folder/new": "created", "made": "created", "made/file": "created", "other": "created",
        }  # fmt: skip
    assert (world.project / "changed").read_text() == "before"


def test_a_program_can_be_replaced_for_one_run(way: str, world: Person) -> None:
    program = world.project / "deploy.sh"
    program.write_text("#!/bin/sh\necho the real one\n")
    program.chmod(0o750)
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        both = [
            shadow.run(
                ["./deploy.sh"], cwd=str(world.project), env=world.env, timeout_s=30, replace=more
            ).outcome.stdout
            for more in ({str(program): b"#!/bin/sh\necho a harmless one\n"}, {})
        ]
    assert both == ["a harmless one\n", "the real one\n"]
    assert stat.S_IMODE(program.stat().st_mode) == 0o750


def test_a_cache_that_is_not_there_yet_is_made_in_the_shadow_only(
    way: str, world: Person, uv_release: Callable[[str], Uv]
) -> None:
    found = uv_release("0.6.7")
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        trial = shadow.run(
            [found.path, "venv", "--offline"], cwd=str(world.project), env=world.env, timeout_s=60
        )
        assert trial.outcome.exit_code == 0, trial.outcome.stderr
        assert trial.look(str(world.cache / "CACHEDIR.TAG"))
    assert not world.cache.exists()
    assert list(world.project.iterdir()) == []


def test_places_apart_from_each_other_and_with_odd_names_are_covered(
    way: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    tops = [tmp_path / "a home,with:odd\\names" / name for name in ("ho me", "pro'ject", "ca%che")]
    for top in tops:
        top.mkdir(parents=True)
    home, project, cache = map(str, tops)
    (tops[1] / "linked").symlink_to(tops[2])
    found = uv_release("0.9.30")
    env = {"HOME": home, "UV_CACHE_DIR": cache, "PATH": os.path.dirname(sys.executable) + ":/usr/bin:/bin"}
    places = Places(home=home, project=project, cache=str(tops[1] / "linked"), cwd=project)
    with open_shadow(places, also=[str(tmp_path / "not there")], force_copy=way == "copy") as shadow:
        trial = shadow.run([found.path, "venv", "--offline"], cwd=project, env=env, timeout_s=60)
        assert trial.outcome.exit_code == 0, trial.outcome.stderr
    assert [list(top.iterdir()) for top in tops] == [[], [tops[1] / "linked"], []]


def test_a_project_behind_a_link_fails_all_the_same(
    way: str, failing: Callable[[str], State], tmp_path: Path
) -> None:
    state = failing("seed")
    link = tmp_path / "shortcut"
    link.symlink_to(state.project)
    places = Places(home=str(state.home), project=str(link), cache=str(state.cache), cwd=str(link))
    with open_shadow(places, force_copy=way == "copy") as shadow:
        argv = [state.uv.path, *state.argv[1:]]
        outcome = shadow.run(argv, cwd=str(link), env=state.env, timeout_s=60).outcome
    assert outcome.exit_code == state.exit_code, outcome.stderr


@pytest.mark.parametrize("release", ["0.6.6", "0.13.9"])
@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
def test_installing_from_the_copy_never_writes_through_to_the_persons_cache(
    release: str, mode: str, world: Person, uv_release: Callable[[str], Uv]
) -> None:
    from tests.failing_states.state import wheel

    made = wheel(world.home / "wheels", "acme-core", "2.3.0")
    found = uv_release(release)
    uv_does(world, found, "venv")
    uv_does(world, found, "pip", "install", "--offline", str(made))
    before = everything(world.root, ctimes=False)
    with open_shadow(places_of(world), force_copy=True) as shadow:
        install = [
            found.path,
            "pip",
            "install",
            "--offline",
            "--reinstall",
            "--link-mode",
            mode,
            "--compile-bytecode",
        ]
        trial = shadow.run([*install, str(made)], cwd=str(world.project), env=world.env, timeout_s=60)
        assert trial.outcome.exit_code == 0, trial.outcome.stderr
        assert any(path.endswith("acme_core-2.3.0.dist-info/RECORD") for path in trial.changed())
        script = '"$0" pip uninstall acme-core && "$0" cache prune && "$0" cache clean'
        argv = ["/bin/sh", "-c", script, found.path]
        trial = shadow.run(argv, cwd=str(world.project), env=world.env, timeout_s=60)
        assert trial.outcome.exit_code == 0, trial.outcome.stderr
        assert not os.path.exists(trial.look(str(world.cache / "archive-v0")) or "")
    assert everything(world.root, ctimes=False) == before


def test_permissions_count_on_the_shadow_as_they_do_outside(
    failing: Callable[[str], State], tmp_path: Path
) -> None:
    prefix = without_root_powers()
    if prefix is None:
        pytest.skip("there is no setpriv")
    state = failing("unreadable_bucket_file")
    code = (
        "import os, sys; from uvreport.shadow import open_shadow; from uvreport.bundle import Places\n"
        f"with open_shadow({places_of(state)!r}) as shadow:\n"
        f"    trial = shadow.run({(state.uv.path, *state.argv[1:])!r}, cwd={str(state.project)!r}, env={state.env!r}, "
        "timeout_s=60, trace=True)\n"
        "print(trial.outcome.stderr); sys.exit(trial.outcome.exit_code)"
    )
    before = everything(state.person.root, ctimes=False)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*prefix, sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == state.exit_code, done.stderr
    assert not [line for line in state.lines if flat(line) not in flat(done.stdout)], done.stdout
    assert everything(state.person.root, ctimes=False) == before


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith("uvreport-")]


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary directory, for this test alone."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not leftovers(folder)


def test_nothing_is_left_when_all_goes_well(way: str, world: Person, scratch: Path) -> None:
    script = "mkdir -p closed/in; touch closed/in/file; chmod 0 closed/in closed"
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        assert leftovers(scratch)
        shadow.run(["/bin/sh", "-ec", script], cwd=str(world.project), env=world.env, timeout_s=30)


def test_nothing_is_left_after_an_exception(way: str, world: Person, scratch: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_shadow(places_of(world), force_copy=way == "copy"):
        _ = 1 / 0


def test_nothing_is_left_after_ctrl_c(way: str, world: Person, scratch: Path) -> None:
    mark = f"5{os.getpid()}.{time.monotonic_ns()}"
    code = (
        "from uvreport.shadow import open_shadow; from uvreport.bundle import Places\n"
        f"with open_shadow({places_of(world)!r}, force_copy={way == 'copy'}) as shadow:\n"
        f"    shadow.run(['/bin/sleep', '{mark}'], cwd='/', env={{}}, timeout_s=60)\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stderr=subprocess.PIPE, start_new_session=True
    )
    until = time.monotonic() + 20
    while not sleeping(mark) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    assert sleeping(mark)
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]
    assert not sleeping(mark)


def sleeping(mark: str) -> bool:
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if entry.name.isdigit() and words[:2] == [b"/bin/sleep", mark.encode()]:
                return True
        except OSError:
            continue
    return False


def test_a_command_that_hangs_is_ended_and_what_it_did_can_be_seen(way: str, world: Person) -> None:
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        argv = ["/bin/sh", "-c", "echo begun; touch half; sleep 60"]
        trial = shadow.run(argv, cwd=str(world.project), env=world.env, timeout_s=1)
        assert trial.outcome.timed_out
        assert trial.outcome.stdout == "begun\n"
        assert trial.look(str(world.project / "half"))


def test_where_nothing_may_be_mounted_the_shadow_says_that_it_is_a_copy(
    world: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(isolate.VARIABLE, "none")
    with open_shadow(places_of(world)) as shadow:
        assert (shadow.how, shadow.why) == ("copy", f"{isolate.VARIABLE}=none")


def test_the_time_for_an_overlay_does_not_grow_with_the_cache(world: Person) -> None:
    def seconds() -> float:
        begin = time.monotonic()
        with open_shadow(places_of(world)) as shadow:
            if shadow.how != "overlay":
                pytest.skip(shadow.why)
            shadow.run(["/bin/true"], cwd="/", env={}, timeout_s=30)
        return time.monotonic() - begin

    empty = min(seconds() for _ in range(3))
    for i in range(60):
        folder = world.cache / "archive-v0" / str(i)
        folder.mkdir(parents=True)
        for j in range(100):
            (folder / str(j)).touch()
    assert min(seconds() for _ in range(3)) < 2 * empty + 0.1


def test_the_environment_of_the_run_is_the_one_given_with_a_place_for_temporary_files(
    way: str, world: Person
) -> None:
    given: Mapping[str, str] = {"HOME": str(world.home), "GREETING": "hello", "TMPDIR": str(world.root)}
    with open_shadow(places_of(world), force_copy=way == "copy") as shadow:
        script = 'echo "$GREETING"; f=$(mktemp) && echo made; echo "$PWD"'
        said = shadow.run(
            ["/bin/sh", "-c", script], cwd=str(world.project), env=given, timeout_s=30
        ).outcome.stdout
    assert said.splitlines() == ["hello", "made", str(world.project)]
    assert not [name for name in os.listdir(world.root) if name.startswith("tmp.")]
