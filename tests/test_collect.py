"""`uvreport collect`, whole, on failures that real releases made."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.failing_states import STATES
from tests.failing_states.state import Person, State, put
from tests.stories import SRC, collect, replay, uvreport
from uvreport.bundle import Uv
from uvreport.pack import open_bundle

Failing = Callable[[str], State]
NOT_UVS = "program_fails"


def _fit(paths: list[str], globs: tuple[str, ...]) -> bool:
    return all(any(fnmatch.fnmatch(p, g) for g in globs) for p in paths) and all(
        any(fnmatch.fnmatch(p, g) for p in paths) for g in globs
    )


@pytest.mark.parametrize("name", [name for name in STATES if name != NOT_UVS])
def test_a_failure_becomes_one_bundle_with_its_class_its_culprits_and_an_honest_proof(
    name: str, failing: Failing, tmp_path: Path
) -> None:
    state = failing(name)
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    assert said["failure"]["class"] == state.class_
    assert _fit(said["culprits"], state.culprits)
    assert _fit(said["missing"], state.missing)
    assert said["proof"]["uv"] == state.fails
    on_cache = bool(state.culprits or state.missing)
    if on_cache:
        assert said["cure"]
        # Where the index is gone by now, that cannot be tried.
        assert said["triage"].startswith(
            (
                "With `--no-cache` the command passes",
                "With `--no-cache` uv gets past",
                "With `--no-cache` the command could",
            )
        )
    if on_cache and state.reproducible_on_copy:
        assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    elif said["proof"]["verdict"] != "REPRODUCED":
        assert said["proof"]["reason"]
    text = Path(said["issue"]).read_text(encoding="utf-8")
    flat = " ".join(text.split())
    silent = state.class_ == "cache-stale-result"  # what is seen there is the program's, and it is not run
    for line in () if silent else state.lines:
        if not any(value in line for value in state.private) and str(state.person.root) not in line:
            assert line in flat
    raw = Path(said["bundle"]).read_bytes() + Path(said["issue"]).read_bytes()
    for value in state.private:
        assert value.encode() not in raw
    assert open_bundle(said["bundle"]).failure.signature == said["failure"]["signature"]


@pytest.mark.parametrize(
    "name", ["seed", "planner", "cut_sdist_pointer", "emptied_metadata", "git_database_is_file"]
)
def test_a_stranger_without_network_sees_the_same_failure_and_never_on_a_release_that_passes(
    name: str, failing: Failing, uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    state = failing(name)
    _, said, _ = collect(state, tmp_path / "out")
    passing = [uv_release(release).path for release in state.passes[:2]]
    first, *others = replay(said["bundle"], state.uv.path, *passing, elsewhere=tmp_path / "stranger")
    assert first["verdict"] == "REPRODUCED", first
    assert first["code_executed"] is False
    for other in others:
        assert other["verdict"] in {"CLEAN", "UNTESTED"}, other
        assert other["verdict"] == "CLEAN" or other["reason"]


def test_a_program_that_fails_by_itself_is_not_reported_as_uvs_failure(
    failing: Failing, tmp_path: Path
) -> None:
    state = failing(NOT_UVS)
    code, said, error = collect(state, tmp_path / "out")
    assert code == 3
    assert "your program's own failure, not uv's" in error
    assert said["error"]["exit_code"] == 3
    assert list((tmp_path / "out").iterdir()) == []


def test_the_persons_program_is_not_run_unless_asked_for(failing: Failing, tmp_path: Path) -> None:
    state = failing("seed")
    mark = state.project / "mark"
    script = state.project / "touch_it.py"
    script.write_text(f"open({str(mark)!r}, 'w').close()\n")
    done = uvreport(
        "collect", "--output", str(tmp_path), "--", "uv", "run", "--no-project", "touch_it.py",
        env=state.env, cwd=state.project,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["seed", "missing_record", "git_database_is_file", "interpreter_is_directory"]
)
def test_nothing_of_the_persons_changes_not_even_a_time(
    name: str, failing: Failing, fingerprint: Callable[..., str], tmp_path: Path
) -> None:
    state = failing(name)
    temporary = (state.person.root / "tmp",)  # TMPDIR: whoever makes a file there changes its time
    there = set(temporary[0].iterdir())
    before = fingerprint(state.person.root, without=temporary)
    code, _, error = collect(state, tmp_path / "out")
    assert code == 0, error
    assert fingerprint(state.person.root, without=temporary) == before
    assert set(temporary[0].iterdir()) == there


def test_two_runs_on_one_state_give_the_same_members_and_digests(failing: Failing, tmp_path: Path) -> None:
    state = failing("seed")
    members = []
    for n in ("one", "two"):
        _, said, _ = collect(state, tmp_path / n)
        members.append(
            {m.path: hashlib.sha256(m.data).hexdigest() for m in open_bundle(said["bundle"]).members}
        )
    assert members[0] == members[1]


def test_a_saved_log_becomes_a_bundle_without_running_anything(failing: Failing, tmp_path: Path) -> None:
    state = failing("seed")
    outcome = state.run()
    saved = tmp_path / "saved.txt"
    saved.write_text(outcome.stderr)
    done = uvreport(
        "collect", "--json", "--log", str(saved), "--output", str(tmp_path), "--", *state.argv,
        env=state.env, cwd=state.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "cache-format-skew"
    assert _fit(said["culprits"], state.culprits)
    assert "nothing was run" in said["details"][0]["confirmed"]


def test_a_saved_log_is_enough_without_the_command_that_printed_it(failing: Failing, tmp_path: Path) -> None:
    state = failing("seed")
    saved = tmp_path / "saved.txt"
    saved.write_text(state.run().stderr)
    done = uvreport(
        "collect", "--json", "--log", str(saved), "--output", str(tmp_path), env=state.env, cwd=state.project
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "cache-format-skew"
    assert said["proof"]["verdict"] == "UNTESTED"


def test_a_command_that_hangs_becomes_a_bundle_that_says_so(world: Person, tmp_path: Path) -> None:
    stand_in = tmp_path / "bin" / "uv"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\n[ "$1" = --version ] && { echo "uv 0.9.30"; exit; }\nsleep 60\n')
    stand_in.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    begin = time.monotonic()
    done = uvreport(
        "collect", "--json", "--uv", str(stand_in), "--cache-dir", str(world.cache), "--timeout", "1",
        "--output", str(out), "--", "uv", "sync", env=world.env, cwd=world.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "hang"
    assert {"what": "the end of the run", "why": "uv did not end within 1 s"} in said["gaps"]
    assert time.monotonic() - begin < 40


def _refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_no_uv_is_said_in_one_sentence(world: Person, tmp_path: Path) -> None:
    env = {**world.env, "PATH": "/usr/bin:/bin"}
    done = uvreport("collect", "--output", str(tmp_path), "--", "uv", "sync", env=env, cwd=world.project)
    _refused(done, 6, "There is no `uv` on PATH", "--uv PATH")
    assert list(tmp_path.glob("*.zip")) == []


def test_no_command_and_no_project_is_said_with_what_to_give(world: Person, tmp_path: Path) -> None:
    done = uvreport("collect", "--output", str(tmp_path), env=world.env, cwd=world.home)
    _refused(done, 2, "no command", "uvreport collect -- ")


def test_what_is_not_a_uv_command_is_refused(world: Person, tmp_path: Path) -> None:
    _refused(uvreport("collect", "--", "bash", "x", env=world.env, cwd=world.project), 2, "`bash` is not uv")


def test_a_project_that_is_not_there_is_refused(failing: Failing, tmp_path: Path) -> None:
    state = failing("lockfile_out_of_date")
    code, _, error = collect(state, tmp_path / "out", "--project", "no/such")
    assert code == 2
    assert "no/such" in error


def test_an_output_directory_that_cannot_be_written_is_told_before_anything_runs(
    failing: Failing, tmp_path: Path
) -> None:
    state = failing("lockfile_out_of_date")
    (tmp_path / "file").write_text("")
    code, said, error = collect_into(state, tmp_path / "file")
    assert code == 1
    assert "is not a directory" in error
    assert said["error"]["exit_code"] == 1


def collect_into(state: State, out: Path) -> tuple[int, dict[str, dict[str, object]], str]:
    done = uvreport(
        "collect", "--json", "--output", str(out), "--", *state.argv, env=state.env, cwd=state.project
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_cache_that_is_a_file_is_a_failure_to_report(failing: Failing, tmp_path: Path) -> None:
    state = failing("lockfile_out_of_date")
    (tmp_path / "cache").write_text("not a directory")
    done = uvreport(
        "collect", "--json", "--cache-dir", str(tmp_path / "cache"), "--output", str(tmp_path), "--", "uv", "sync",
        env=state.env, cwd=state.project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cache").read_text() == "not a directory"
    assert json.loads(done.stdout)["failure"]["class"].startswith("cache-")


@pytest.mark.parametrize(
    "argv", [("uvx", "--offline", "ruff", "check"), ("uv", "tool", "run", "--offline", "ruff")]
)
def test_a_tool_that_cannot_be_had_is_observed_without_running_it(
    argv: tuple[str, ...], failing: Failing, fingerprint: Callable[..., str], tmp_path: Path
) -> None:
    state = failing("lockfile_out_of_date")
    uvx = state.person.root / "bin" / "uvx"  # what uvx is; uvreport starts the uv beside it
    uvx.write_text('#!/bin/sh\nexec uv tool run "$@"\n')
    uvx.chmod(0o755)
    out = tmp_path / "out"
    out.mkdir()
    before = fingerprint(state.cache)
    done = uvreport("collect", "--json", "--output", str(out), "--", *argv, env=state.env, cwd=state.project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "network"
    assert "ruff was not found in the cache" in " ".join(said["failure"]["frames"])
    assert said["duration_s"] < 30
    assert fingerprint(state.cache) == before


def test_a_cache_that_may_not_be_read_is_a_permission_failure_with_a_gap(
    failing: Failing, tmp_path: Path
) -> None:
    state = failing("lockfile_out_of_date")
    state.cache.chmod(0)
    # Without the power to read everything all the same.
    prefix = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
    done = uvreport(
        "collect", "--json", "--output", str(tmp_path), "--", "uv", "sync",
        env=state.env, cwd=state.project, prefix=prefix,
    )  # fmt: skip
    state.cache.chmod(0o755)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "cache-permission"
    assert any(gap["what"] == "what the cache holds" for gap in said["gaps"])


@pytest.mark.parametrize(
    ("delay_s", "number", "code"),
    [
        (0.2, signal.SIGINT, 130), (0.5, signal.SIGINT, 130), (0.9, signal.SIGINT, 130), (0.4, signal.SIGTERM, 143),
        (0.8, signal.SIGTERM, 143),
    ],
)  # fmt: skip
def test_an_interrupt_leaves_nothing_behind_and_says_so(
    failing: Failing, tmp_path: Path, delay_s: float, number: int, code: int
) -> None:
    state = failing("seed")
    out = tmp_path / "out"
    out.mkdir()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvreport", "collect", "--output", str(out), "--", *state.argv],
        env={**state.env, "PYTHONPATH": SRC, "TMPDIR": str(scratch), "HOME": str(state.home)},
        cwd=state.project,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    time.sleep(delay_s)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    if len(list(out.iterdir())) == 2:  # it was done before the signal came
        assert "Traceback" not in error
        return
    assert process.returncode == code, error
    assert "Traceback" not in error
    assert list(out.iterdir()) == []
    assert list(scratch.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(failing: Failing, tmp_path: Path) -> None:
    state = failing("lockfile_out_of_date")
    out = tmp_path / "out"
    out.mkdir()
    done = uvreport(
        "collect", "--output", str(out), "--", *state.argv, env=state.env, cwd=state.project,
        prefix=("prlimit", "--fsize=4096"),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert list(out.iterdir()) == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom uvreport.cli import group\n"
        "try: group.main(['--help'], prog_name='uvreport')\nexcept SystemExit: pass\n"
        "print(sorted({'jinja2','zstandard','rich','cpuinfo','msgspec','distro'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": SRC},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == "[]"
    assert "collect" in done.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"not a zip at all", "not a"), (None, "no")],
)
@pytest.mark.parametrize("command", ["replay", "show", "verify"])
def test_what_is_not_a_bundle_is_refused_by_every_command(
    command: str, content: bytes | None, words: str, world: Person, tmp_path: Path
) -> None:
    path = tmp_path / "x.uvreport.zip"
    if content is not None:
        path.write_bytes(content)
    done = uvreport(command, str(path), env=world.env, cwd=world.project)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr


def test_a_cut_bundle_and_one_of_another_format_are_refused(failing: Failing, tmp_path: Path) -> None:
    state = failing("lockfile_out_of_date")
    _, said, _ = collect(state, tmp_path / "out")
    whole = Path(said["bundle"]).read_bytes()
    cut = tmp_path / "cut.uvreport.zip"
    cut.write_bytes(whole[: len(whole) // 2])
    _refused(uvreport("verify", str(cut), env=state.env, cwd=state.project), 4)
    newer = tmp_path / "newer.uvreport.zip"
    with zipfile.ZipFile(said["bundle"]) as old, zipfile.ZipFile(newer, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename == "manifest.json":
                data = json.dumps({**json.loads(data), "format": 99}).encode()
            new.writestr(info, data)
    _refused(uvreport("verify", str(newer), env=state.env, cwd=state.project), 4, "99")


# What cannot be searched, through the whole command.


def _packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return out.getvalue()


def _nested() -> bytes:
    data = b"x"
    for number in range(6):
        data = _packed(inner=data) if number % 2 else gzip.compress(data, mtime=0)
    return data


def _encrypted() -> bytes:
    data = bytearray(_packed(a=b"x"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


UNREADABLE = {
    "nested": (_nested, "nested too deep"),
    "encrypted": (_encrypted, "an encrypted zip file"),
    "bomb": (lambda: gzip.compress(bytes(80_000_000)), "a decompression bomb"),
    "damaged": (lambda: _packed(a=b"x" * 500)[:40] + _packed(a=b"x" * 500)[45:], "does not open"),
    "opaque": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(90), "a 7z archive"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_searched_stops_collect_or_is_left_out_as_a_gap(
    kind: str, failing: Failing, tmp_path: Path
) -> None:
    make, why = UNREADABLE[kind]
    state = failing("emptied_metadata")
    culprit = state.culprit()  # taken as it is, whatever it is
    put(culprit, make())
    name = f"cache/{culprit.relative_to(state.cache)}"
    kept = tmp_path / "map.json"
    code, said, error = collect(state, tmp_path / "out", "--keep-map", str(kept))
    assert code == 5, (code, error)
    assert f"{name} cannot be looked into: it is" in error
    assert why in error
    assert "--drop-unreadable" in error
    assert said["error"]["exit_code"] == 5
    assert list((tmp_path / "out").iterdir()) == []
    assert not kept.exists()
    if kind != "nested":  # once is enough: all go the same way from here
        return
    code, said, error = collect(state, tmp_path / "out", "--drop-unreadable")
    assert code == 0, error
    (gap,) = [gap for gap in said["gaps"] if "left out by redaction" in gap["why"]]
    assert gap["what"] == name
    assert not any(m.path == name for m in open_bundle(said["bundle"]).members)


# The table of what was removed.


def test_the_map_is_for_its_owner_alone_and_never_in_the_bundle(failing: Failing, tmp_path: Path) -> None:
    state = failing("seed")
    kept = tmp_path / "map.json"
    code, said, error = collect(state, tmp_path / "out", "--keep-map", str(kept))
    assert code == 0, error
    assert said["map"] == str(kept)
    assert kept.stat().st_mode & 0o777 == 0o600
    table = {row["value"]: row["placeholder"] for row in json.loads(kept.read_text())["replaced"]}
    assert table["jana.kovar"] == "user"
    assert table["jana.kovar@corp.example"] == "person1@example.invalid"
    assert table[str(state.home)] == "/home/user"
    names = [m.path for m in open_bundle(said["bundle"]).members]
    assert not any("map.json" in name for name in names)
    before = kept.read_bytes()
    code, said, error = collect(state, tmp_path / "again", "--keep-map", str(kept))
    assert code == 1
    assert "is there already" in error
    assert kept.read_bytes() == before
    assert list((tmp_path / "again").iterdir()) == []


def test_a_pattern_that_no_package_matches_is_said(failing: Failing, tmp_path: Path) -> None:
    code, said, error = collect(failing("seed"), tmp_path / "out", "--private", "acme-*")
    assert code == 0, error
    assert "no package here matches --private acme-*" in error
    assert said["renamed"] == {}


def test_the_list_of_redactions_tells_names_links_variables_arguments_and_lines(
    failing: Failing, tmp_path: Path
) -> None:
    state = failing("planner")
    code, said, error = collect(state, tmp_path / "out", "--private", "acme-*")
    assert code == 0, error
    listed = uvreport("show", "--redactions", said["bundle"], env=state.env, cwd=state.home).stdout
    for place in ("link target", "environment ", "  name", "culprit ", "line "):
        assert place in listed, place
    for value in (*state.private, "acme"):
        assert value not in listed
