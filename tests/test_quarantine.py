"""What is at fault leaves the cache, the person's command passes, and everything can be put back as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.failing_states.state import State, on_path, source_tree, write
from tests.stories import uvreport
from uvreport import quarantine
from uvreport.cli.quarantine import command as quarantine_command
from uvreport.cli.restore import command as restore_command
from uvreport.errors import BadBundleError, CannotWriteError, UsageError
from uvreport.quarantine import culprits_in, listed, put_back, set_aside
from uvreport.report import Report, Request, collect

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(fd, fcntl.LOCK_SH if sys.argv[2] == "shared" else fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def aside(tmp_path, monkeypatch):
    """The state directory of this test; commands find it as well."""
    monkeypatch.setenv("UVREPORT_STATE_DIR", str(tmp_path / "aside"))
    return str(tmp_path / "aside")


@pytest.fixture
def cache(tmp_path):
    """A small tree with every kind of thing, and the locks of a cache."""
    root = tmp_path / "cache"
    shard = root / "sdists-v9" / "path" / "0123456789abcdef"
    shard.mkdir(parents=True)
    (root / ".lock").touch()
    (shard / ".lock").touch()
    (shard / "revision.rev").write_bytes(b"\x94cut")
    (shard / "src").mkdir()
    (shard / "src" / "a.py").write_text("a = 1\n")
    (shard / "src" / "run").write_text("#!/bin/sh\n")
    (shard / "src" / "run").chmod(0o750)
    (shard / "link").symlink_to("src/a.py")
    (shard / "empty").mkdir(mode=0o700)
    for path in (shard / "src" / "a.py", shard / "src", shard / "revision.rev", shard):
        os.utime(path, ns=(1_700_000_000_123_456_789, 1_600_000_000_987_654_321))
    return root


SHARD = "sdists-v9/path/0123456789abcdef"


@pytest.fixture
def hold():
    """Another process that holds a lock file, as a uv at work does."""
    started = []

    def begin(path: Path, how: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield begin
    for child in started:
        child.communicate()  # its input ends, and so does it


def relative(state: State) -> str:
    """The culprit's path in the cache."""
    return state.culprit().relative_to(state.cache).as_posix()


# --- with real releases ---


@pytest.mark.parametrize("name", ["seed", "cut_sdist_pointer", "git_database_is_file"])
def test_the_command_passes_when_the_culprit_is_set_aside(name, failing, aside):
    state = failing(name)
    failed = state.run()
    assert failed.exit_code == state.exit_code, failed.stderr
    set_aside(str(state.cache), [relative(state)], state_dir=aside)
    passed = state.run()
    assert passed.exit_code == 0, passed.stderr


@pytest.mark.parametrize("name", ["seed", "cut_sdist_pointer", "git_database_is_file"])
def test_what_was_put_back_fails_as_before_and_is_the_same_to_the_last_byte(
    name, failing, aside, fingerprint
):
    state = failing(name)
    before = fingerprint(state.cache)
    made = set_aside(str(state.cache), [relative(state)], state_dir=aside)
    assert fingerprint(state.cache) != before
    put_back(made.folder)
    assert fingerprint(state.cache) == before
    assert listed(aside) == []
    assert state.run().exit_code == state.exit_code


def test_what_uv_wrote_anew_is_replaced_only_by_force(failing, aside, fingerprint):
    state = failing("cut_sdist_pointer")
    path, bad = relative(state), state.culprit().read_bytes()
    made = set_aside(str(state.cache), [path], state_dir=aside)
    assert state.run().exit_code == 0
    healed = fingerprint(state.cache)
    with pytest.raises(CannotWriteError, match="anew") as refused:
        put_back(made.folder)
    assert "--force" in refused.value.hint
    assert fingerprint(state.cache) == healed
    put_back(made.folder, force=True)
    assert (state.cache / path).read_bytes() == bad
    assert state.run().exit_code == state.exit_code


def bundle_of(state: State, folder: Path) -> Report:
    return collect(
        Request(argv=state.argv, environ=state.env, cwd=str(state.project), output=str(folder)),
        lambda _: None,
    )


@pytest.mark.parametrize("name", ["cut_sdist_pointer", "git_database_is_file"])
def test_what_a_bundle_blames_is_found_in_the_real_cache_under_its_real_name(name, failing, aside, tmp_path):
    state = failing(name)
    path = relative(state)
    report = bundle_of(state, tmp_path)
    assert report.bundle.culprits[0].path != path  # redaction filed it under another key
    said = CliRunner().invoke(
        quarantine_command,
        [report.path, "--cache-dir", str(state.cache), "--yes", "--json"],
        catch_exceptions=False,
    )
    assert [entry["path"] for entry in json.loads(said.stdout)["entries"]] == [path]
    passed = state.run()
    assert passed.exit_code == 0, passed.stderr


def test_a_cure_of_several_entries_is_found_as_a_whole(failing, aside, tmp_path):
    state = failing("missing_record")
    report = bundle_of(state, tmp_path)
    paths = culprits_in(str(state.cache), report.bundle)
    assert paths == report.snapshot.cure
    assert len(paths) > 1
    set_aside(str(state.cache), paths, state_dir=aside)
    passed = state.run()
    assert passed.exit_code == 0, passed.stderr


def test_two_entries_with_the_same_bytes_are_not_guessed_between(failing, aside, tmp_path):
    state = failing("cut_sdist_pointer")
    report = bundle_of(state, tmp_path)
    shard = state.culprit().parent
    shutil.copytree(shard, shard.with_name("0123456789abcdef"), symlinks=True)
    with pytest.raises(UsageError, match="2 entries of this cache have the bytes"):
        culprits_in(str(state.cache), report.bundle)


def test_a_cache_without_the_entry_of_the_bundle_is_not_touched(failing, cache, aside, tmp_path, fingerprint):
    report = bundle_of(failing("cut_sdist_pointer"), tmp_path)
    before = fingerprint(cache)
    with pytest.raises(UsageError, match="Nothing in the cache"):
        CliRunner().invoke(
            quarantine_command, [report.path, "--cache-dir", str(cache), "--yes"], catch_exceptions=False
        )
    assert fingerprint(cache) == before


def test_a_damaged_bundle_moves_nothing(failing, aside, tmp_path, fingerprint):
    state = failing("cut_sdist_pointer")
    report = bundle_of(state, tmp_path)
    data = bytearray(Path(report.path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(report.path).write_bytes(data)
    before = fingerprint(state.cache)
    with pytest.raises(BadBundleError):
        CliRunner().invoke(
            quarantine_command,
            [report.path, "--cache-dir", str(state.cache), "--yes"],
            catch_exceptions=False,
        )
    assert fingerprint(state.cache) == before


# --- locks ---

SLOW = """
import os, time
open({started!r}, "w").close()
for _ in range(600):
    if os.path.exists({go!r}):
        break
    time.sleep(0.05)
"""


@pytest.mark.parametrize("release", ["0.6.6", "0.9.30", "0.13.9"])
def test_a_real_uv_that_is_building_keeps_its_entries(release, world, uv_release, aside, fingerprint):
    started, go = world.root / "started", world.root / "go"
    slow = SLOW.format(started=str(started), go=str(go))
    write(world.project, source_tree("slow-build", "1.0"))
    backend = world.project / "offline_backend.py"
    backend.write_text(backend.read_text() + slow)
    uv = on_path(world, uv_release(release))
    with subprocess.Popen(
        [uv.path, "sync", "--offline"], cwd=world.project, env=world.env, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            for _ in range(600):
                if started.exists() or child.poll() is not None:
                    break
                time.sleep(0.05)
            assert started.exists(), "the build never began"
            (shard,) = world.cache.glob("sdists-v*/*/*/.lock")
            path = shard.parent.relative_to(world.cache).as_posix()
            before = fingerprint(world.cache)
            with pytest.raises(CannotWriteError, match="A uv is at work"):
                set_aside(str(world.cache), [path], state_dir=aside)
            assert fingerprint(world.cache) == before
        finally:
            go.touch()
            said = child.communicate()[1]
    assert child.returncode == 0, said
    set_aside(str(world.cache), [path], state_dir=aside)


@pytest.mark.skipif(sys.platform == "win32", reason="the child holds the lock through fcntl")
@pytest.mark.parametrize("lock", [".lock", f"{SHARD}/.lock"])
@pytest.mark.parametrize("how", ["shared", "exclusive"])
def test_nothing_is_moved_while_another_process_holds_a_lock(lock, how, cache, aside, hold, fingerprint):
    before = fingerprint(cache)
    hold(cache / lock, how)
    with pytest.raises(CannotWriteError, match="A uv is at work"):
        set_aside(str(cache), [f"{SHARD}/revision.rev"], state_dir=aside)
    assert fingerprint(cache) == before
    assert listed(aside) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the child holds the lock through fcntl")
@pytest.mark.parametrize("path", ["sdists-v9", "sdists-v9/path", SHARD])
def test_the_lock_of_a_shard_counts_for_every_folder_above_it(path, cache, aside, hold):
    hold(cache / SHARD / ".lock", "exclusive")
    with pytest.raises(CannotWriteError, match="A uv is at work"):
        set_aside(str(cache), [path], state_dir=aside)


@pytest.mark.skipif(sys.platform == "win32", reason="the child holds the lock through fcntl")
def test_nothing_is_put_back_while_another_process_holds_a_lock(cache, aside, hold, fingerprint):
    made = set_aside(str(cache), [f"{SHARD}/revision.rev"], state_dir=aside)
    before = fingerprint(cache)
    hold(cache / ".lock", "shared")
    with pytest.raises(CannotWriteError, match="A uv is at work"):
        put_back(made.folder)
    assert fingerprint(cache) == before


def test_no_lock_file_is_made_where_there_was_none(cache, aside):
    (cache / ".lock").unlink()
    (cache / SHARD / ".lock").unlink()
    set_aside(str(cache), [f"{SHARD}/revision.rev"], state_dir=aside)
    assert list(cache.rglob("*.lock")) == []


# --- all or nothing ---


def test_an_error_half_way_leaves_everything_as_it_was(cache, aside, monkeypatch, fingerprint):
    before = fingerprint(cache)
    real, seen = os.rename, []

    def full_after_two(source, target):
        seen.append(source)
        if len(seen) == 3:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", full_after_two)
    with pytest.raises(CannotWriteError, match="No space left"):
        set_aside(
            str(cache),
            [f"{SHARD}/{name}" for name in ("empty", "link", "revision.rev", "src")],
            state_dir=aside,
        )
    assert fingerprint(cache) == before
    assert os.listdir(aside) == []


def test_an_interruption_half_way_leaves_everything_as_it_was(cache, aside, monkeypatch, fingerprint):
    before = fingerprint(cache)
    real, seen = os.rename, []

    def interrupted(source, target):
        real(source, target)
        seen.append(source)
        if len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        set_aside(str(cache), [f"{SHARD}/{name}" for name in ("empty", "link", "src")], state_dir=aside)
    assert fingerprint(cache) == before
    assert os.listdir(aside) == []


def test_nothing_is_deleted_when_even_the_way_back_fails(cache, aside, monkeypatch):
    real, seen = os.rename, []

    def only_once(source, target):
        seen.append(source)
        if len(seen) > 1:
            raise OSError(5, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "rename", only_once)
    with pytest.raises(CannotWriteError, match="could not be brought back"):
        set_aside(str(cache), [f"{SHARD}/link", f"{SHARD}/src"], state_dir=aside)
    monkeypatch.undo()
    (kept,) = listed(aside)
    put_back(kept.folder)
    assert os.readlink(cache / SHARD / "link") == "src/a.py"


def test_one_path_that_is_not_there_keeps_the_others_in_place(cache, aside, fingerprint):
    before = fingerprint(cache)
    with pytest.raises(UsageError, match="no-such"):
        set_aside(str(cache), [f"{SHARD}/revision.rev", f"{SHARD}/no-such"], state_dir=aside)
    assert fingerprint(cache) == before


def test_what_was_changed_in_the_quarantine_is_not_put_back(cache, aside, fingerprint):
    made = set_aside(str(cache), [f"{SHARD}/src", f"{SHARD}/link"], state_dir=aside)
    before = fingerprint(cache)
    Path(made.folder, "cache", SHARD, "src", "a.py").write_text("a = 2\n")
    with pytest.raises(CannotWriteError, match="not as it was set aside"):
        put_back(made.folder)
    assert fingerprint(cache) == before


# --- across file systems ---


@pytest.fixture
def elsewhere(cache):
    """A state directory on another file system."""
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(cache).st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield folder


@pytest.mark.parametrize(
    "path", [f"{SHARD}/revision.rev", f"{SHARD}/src", f"{SHARD}/link", f"{SHARD}/empty", SHARD]
)
def test_every_kind_of_thing_goes_to_another_file_system_and_back(path, cache, elsewhere, fingerprint):
    before = fingerprint(cache)
    made = set_aside(str(cache), [path], state_dir=elsewhere)
    assert not os.path.lexists(cache / path)
    put_back(made.folder)
    assert fingerprint(cache) == before


def test_a_removal_that_fails_after_copying_leaves_everything_as_it_was(
    cache, elsewhere, monkeypatch, fingerprint
):
    before = fingerprint(cache)
    real, seen = shutil.rmtree, []

    def half_removed(path, **options):
        seen.append(path)
        if len(seen) > 1:
            real(path, **options)
            return
        os.unlink(os.path.join(path, "a.py"))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "rmtree", half_removed)
    with pytest.raises(CannotWriteError, match="Input/output"):
        set_aside(str(cache), [f"{SHARD}/src"], state_dir=elsewhere)
    assert seen[0] == str(cache / SHARD / "src")
    assert fingerprint(cache) == before
    assert os.listdir(elsewhere) == []


# --- what is refused ---


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "x\0y"])
def test_a_path_that_could_lead_out_of_the_cache_is_refused(path, cache, aside):
    with pytest.raises(UsageError, match="not a path in the cache"):
        set_aside(str(cache), [path], state_dir=aside)


def test_a_path_through_a_link_is_refused(cache, aside, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("x")
    (cache / "out").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="through the link out"):
        set_aside(str(cache), ["out/precious"], state_dir=aside)


def test_a_manifest_that_leads_out_of_the_cache_is_refused(cache, aside, tmp_path):
    made = set_aside(str(cache), [f"{SHARD}/revision.rev"], state_dir=aside)
    manifest = Path(made.folder, "manifest.json")
    manifest.write_text(manifest.read_text().replace(f"{SHARD}/revision.rev", "../revision.rev"))
    with pytest.raises(UsageError, match="not a path in the cache"):
        put_back(made.folder)


def test_a_state_directory_inside_the_cache_is_refused(cache):
    with pytest.raises(UsageError, match="inside the cache"):
        set_aside(str(cache), [f"{SHARD}/src"], state_dir=str(cache / "aside"))


# --- the commands ---


def test_the_command_says_what_it_moved_and_how_to_undo_it(cache, aside, fingerprint):
    before = fingerprint(cache)
    run = CliRunner()
    args = [str(cache / SHARD / "revision.rev"), f"{SHARD}/link", "--cache-dir", str(cache), "--yes"]
    said = run.invoke(quarantine_command, args, catch_exceptions=False).stdout
    (kept,) = listed(aside)
    assert f"{SHARD}/revision.rev  (file, 4 bytes)" in said
    assert kept.folder in said
    assert f"uvreport restore {os.path.basename(kept.folder)}" in said
    assert (
        os.path.basename(kept.folder)
        in run.invoke(restore_command, ["--list"], catch_exceptions=False).stdout
    )
    run.invoke(restore_command, [], catch_exceptions=False)
    assert fingerprint(cache) == before


def test_the_cache_is_the_one_that_uv_itself_names(cache, aside, world, uv_release, monkeypatch):
    on_path(world, uv_release("0.13.9"))
    (world.project / "uv.toml").write_text(f'cache-dir = "{cache.as_posix()}"\n')
    for name in ("UV_CACHE_DIR", "UV_NO_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", world.env["PATH"])
    monkeypatch.chdir(world.project)
    CliRunner().invoke(quarantine_command, [f"{SHARD}/src", "--yes"], catch_exceptions=False)
    (kept,) = listed(aside)
    assert kept.cache == str(cache)
    assert not (cache / SHARD / "src").exists()


def test_without_a_terminal_nothing_is_moved_unasked(cache, aside, fingerprint):
    before = fingerprint(cache)
    with pytest.raises(UsageError, match="would move"):
        CliRunner().invoke(
            quarantine_command, [f"{SHARD}/src", "--cache-dir", str(cache)], catch_exceptions=False
        )
    assert fingerprint(cache) == before


@pytest.mark.parametrize(
    ("environ", "platform", "place"),
    [
        ({"UVREPORT_STATE_DIR": "/s", "XDG_STATE_HOME": "/x"}, "linux", "/s"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "linux", "/x/uvreport/quarantine"),
        ({"HOME": "/h"}, "linux", "/h/.local/state/uvreport/quarantine"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Application Support/uvreport/quarantine"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/uvreport/quarantine"),
    ],
)
def test_quarantines_are_kept_where_the_platform_keeps_state(environ, platform, place):
    assert quarantine.state_directory(environ, platform).replace(os.sep, "/") == place


def test_collect_can_set_the_culprit_aside_in_one_go_and_restore_undoes_it(
    failing: Callable[[str], State], fingerprint: Callable[..., str], tmp_path: Path
) -> None:
    state = failing("seed")
    env = {**state.env, "UVREPORT_STATE_DIR": str(tmp_path / "state")}
    before = fingerprint(state.cache)
    done = uvreport(
        "collect",
        "--json",
        "--quarantine",
        "--output",
        str(tmp_path),
        "--",
        *state.argv,
        env=env,
        cwd=state.project,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert Path(said["quarantine"]).is_dir()
    assert not (state.cache / said["culprits"][0]).exists()
    back = uvreport("restore", env=env, cwd=state.project)
    assert back.returncode == 0, back.stderr
    assert fingerprint(state.cache) == before
