"""`uvreport check`: a whole cache, judged for one release, without running uv."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable

import pytest

from tests.failing_states import CACHE_STATES
from tests.failing_states.state import Person, State
from tests.stories import uvreport

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
