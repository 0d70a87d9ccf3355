"""`uvreport check`: a whole cache, judged for one release, without running uv."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.check import RELEASE, fill

from tests.failing_states import CACHE_STATES
from tests.failing_states.state import Person, State
from tests.stories import SRC, uvreport
from uvreport.cache.examine import examine, walk
from uvreport.check import check
from uvreport.locate import cures

Failing = Callable[[str], State]


@pytest.mark.parametrize("name", CACHE_STATES)
def test_what_the_failing_release_chokes_on_is_found_and_nothing_else(
    name: str, failing: Failing, fingerprint: Callable[..., str]
) -> None:
    state = failing(name)
    before = fingerprint(state.cache)
    done = uvreport(
        "check",
        "--json",
        "--cache-dir",
        str(state.cache),
        "--uv",
        state.fails,
        env=state.env,
        cwd=state.project,
    )
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    paths = [p for one in said["findings"] for p in (one["damaged"] or one["missing"] or [one["path"]])]
    wanted = (*state.culprits, *state.missing)
    assert all(any(fnmatch.fnmatch(path, glob) for glob in wanted) for path in paths), paths
    assert all(any(fnmatch.fnmatch(path, glob) for path in paths) for glob in state.culprits), paths
    assert all(one["reason"] and one["cure"] for one in said["findings"])
    assert said["entries"] > 0
    assert said["bytes"] > 0
    assert fingerprint(state.cache) == before


def test_a_release_that_reads_the_entry_finds_nothing_and_exits_0(failing: Failing) -> None:
    state = failing("seed")
    done = uvreport(
        "check", "--cache-dir", str(state.cache), "--uv", "0.6.7", env=state.env, cwd=state.project
    )
    assert done.returncode == 0, done.stdout
    assert "nothing wrong" in done.stdout


def test_the_cache_and_the_release_are_those_of_the_uv_on_path(failing: Failing) -> None:
    state = failing("seed")
    done = uvreport("check", "--package", "my-package", env=state.env, cwd=state.project)
    assert done.returncode == 1, done.stderr
    assert "revision.rev" in done.stdout
    assert "can have been written by uv 0.6.7" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cache-dir", "no/such", "--uv", "0.6.6"], "no/such"),
        (["--cache-dir", ".", "--uv", "six"], "six is not"),
    ],
)
def test_bad_input_is_one_sentence(world: Person, words: list[str], said: str) -> None:
    done = uvreport("check", *words, env=world.env, cwd=world.project)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def _away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Puts something else in the place of an entry."""

    def harm(path: Path) -> None:
        _away(path)
        make(path)

    return harm


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "cut to one byte": lambda path: path.write_bytes(path.read_bytes()[:1]),
    "empty": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another shape": lambda path: path.write_bytes(b"\x92\x01\x02"),
    "a length that wraps around": lambda path: path.write_bytes(
        path.read_bytes()[:-8] + b"\xfe" + b"\xff" * 7
    ),
    "closed": lambda path: path.chmod(0o000),
    "gone": _away,
    "a directory": _instead(Path.mkdir),
    "a file": _instead(lambda path: path.write_bytes(b"x")),
    "a link to nothing": _instead(lambda path: path.symlink_to("nothing")),
    "a pipe": _instead(os.mkfifo),
}
ON_FILES = frozenset(list(DAMAGES)[:7])


@pytest.mark.parametrize("name", ["seed", "missing_module", "cut_sdist_pointer"])
def test_the_quick_walk_finds_what_a_look_at_every_entry_finds_whatever_was_done_to_the_cache(
    name: str, failing: Failing, tmp_path: Path
) -> None:
    state, readers = failing(name), ("0.4.11", "0.6.7", "0.11.20", "0.13.9")
    cache = state.cache
    inside = [path for path in (cache / "archive-v0").rglob("*") if path.is_file()]
    targets = [*(cache / entry for entry in walk(str(cache))), *inside]
    found = 0
    for at, target in enumerate(sorted({path.relative_to(cache) for path in targets})):
        for damage, harm in DAMAGES.items():
            copy = tmp_path / f"{at} {damage}"
            shutil.copytree(cache, copy, symlinks=True)
            path = copy / target
            if damage in ON_FILES and (path.is_symlink() or not path.is_file()):
                continue
            harm(path)
            for release in (readers[at % 4], state.fails):
                found += _agree(str(copy), release)
            shutil.rmtree(copy)
    assert found > 20


def _agree(cache: str, release: str, processes: int = 1) -> int:
    """Holds the quick walk against a look at every entry; how much is wrong."""
    entries = list(walk(cache))
    wanted = {path for path in entries if examine(cache, path, release).verdict in {"fatal", "suspicious"}}
    said = check(cache, release, processes=processes)
    assert {one.finding.path for one in said.wrong} == wanted, (cache, release)
    assert said.entries == len(entries)
    assert said.size_bytes == sum(
        os.lstat(os.path.join(here, file)).st_size
        for here, folders, files in os.walk(cache)
        for file in [*files, *(folder for folder in folders if os.path.islink(os.path.join(here, folder)))]
    )
    return len(wanted)


@pytest.fixture
def spoiled(tmp_path: Path) -> str:
    """A cache of more than a hundred wheels, a few of them damaged."""
    fill(tmp_path, 2500)
    for number in (3, 40, 77):
        (tmp_path / "archive-v0" / f"{number:016d}" / f"package_{number}" / "module_1.py").unlink()
    for pointer in sorted(tmp_path.glob("wheels-v6/url/*/*/*.rev"))[::10]:
        pointer.write_bytes(pointer.read_bytes()[:9])
    return str(tmp_path)


def test_in_the_cache_of_the_benchmark_nothing_is_wrong(tmp_path: Path) -> None:
    fill(tmp_path, 300)
    assert _agree(str(tmp_path), RELEASE) == 0


def test_two_processes_find_what_one_finds(spoiled: str) -> None:
    assert _agree(spoiled, RELEASE, processes=2) > 3


def test_the_cure_of_an_archive_is_the_archive_and_all_that_leads_to_it(spoiled: str) -> None:
    wrong = [one for one in check(spoiled, RELEASE).wrong if one.finding.kind == "archive"]
    assert len(wrong) == 3
    for one in wrong:
        assert one.cure == cures(spoiled, one.finding)[0]
        assert len(one.cure) >= 3  # the archive, a link and a pointer


def test_an_archive_is_looked_at_when_only_its_package_is_asked_for(spoiled: str) -> None:
    said = check(spoiled, RELEASE, package="Package_40")
    assert [one.finding.path for one in said.wrong] == ["archive-v0/0000000000000040"]
    assert said.entries < 20


@pytest.mark.skipif(sys.platform != "linux", reason="a second process is started there only")
def test_an_interrupt_ends_both_processes_with_one_sentence(tmp_path: Path) -> None:
    fill(tmp_path, 8000)
    argv = [sys.executable, "-m", "uvreport", "check", "--cache-dir", str(tmp_path), "--uv", RELEASE]
    ends = []
    for delay in range(10):
        process = subprocess.Popen(
            argv, env={**os.environ, "PYTHONPATH": SRC}, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        helpers: list[str] = []
        while process.poll() is None and not (helpers := children.read_text().split()):
            time.sleep(0.0002)
        time.sleep(delay / 2000)
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=30)
        assert not any(Path(f"/proc/{helper}").exists() for helper in helpers)
        ends.append((process.returncode, complaints))
    interrupted = [complaints for code, complaints in ends if code == 130]  # the others had ended before
    assert interrupted, ends
    assert all("Interrupted" in complaints and "Traceback" not in complaints for complaints in interrupted)
