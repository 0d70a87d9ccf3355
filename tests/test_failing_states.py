from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.failing_states import CACHE_STATES, STATES
from tests.failing_states.state import State, flat, on_path

if TYPE_CHECKING:
    from uvreport.bundle import Uv

Failing = Callable[[str], State]


@pytest.mark.parametrize("name", STATES)
def test_it_fails_as_said_and_again_on_what_that_leaves_behind(name: str, failing: Failing) -> None:
    state = failing(name)
    for attempt in range(2):
        outcome = state.run()
        if attempt == 1 and not state.second_run:
            assert outcome.exit_code == 0
            return
        said = flat(outcome.stdout + outcome.stderr)
        assert (outcome.exit_code, [line for line in state.lines if line not in said]) == (
            state.exit_code,
            [],
        ), said


@pytest.mark.parametrize("name", CACHE_STATES)
def test_the_culprits_are_there_and_what_is_missing_is_not(name: str, failing: Failing) -> None:
    state = failing(name)
    for glob in state.culprits:
        assert len(list(state.cache.glob(glob))) == 1, glob
    for glob in state.missing:
        assert list(state.cache.glob(glob)) == []
    assert state.culprits or state.missing


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("seed", "0.6.7"), ("planner", "0.6.7"), ("editable", "0.4.24"), ("cut_revision", "0.9.30"),
        ("zeroed_sdist_pointer", "0.12.24"), ("cut_sdist_pointer", "0.12.24"), ("emptied_metadata", "0.13.9"),
        ("missing_record", "0.13.9"), ("missing_module", "0.13.9"), ("link_is_file", "0.13.9"),
        ("git_database_is_file", "0.13.9"), ("interpreter_is_directory", "0.12.24"),
        ("unreadable_bucket_file", "0.13.9"),
    ],
)  # fmt: skip
def test_it_passes_under_a_release_that_is_said_to_pass(
    name: str, release: str, failing: Failing, uv_release: Callable[[str], Uv]
) -> None:
    state = failing(name)
    assert release in state.passes
    on_path(state.person, uv_release(release))
    outcome = state.run()
    assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("name", CACHE_STATES)
def test_without_the_cache_it_passes(name: str, failing: Failing) -> None:
    # 0.6.2 would have to download what it does not have; the index of that state is gone by then.
    if name == "pruned_subdirectory":
        pytest.skip("the index was only there to fill the cache")
    state = failing(name)
    state.env["UV_NO_CACHE"] = "1"
    outcome = state.run()
    assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("name", STATES)
def test_a_copy_in_the_place_of_the_original_fails_as_said(name: str, failing: Failing) -> None:
    state = failing(name)
    original = state.person.root.with_name("original")
    state.person.root.rename(original)
    # Not shutil: the modes of folders that cannot be written are part of a state.
    subprocess.run(["cp", "-a", original, state.person.root], check=True)
    outcome = state.run()
    said = flat(outcome.stdout + outcome.stderr)
    assert (all(line in said for line in state.lines)) == state.reproducible_on_copy, said
