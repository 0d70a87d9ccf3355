"""`uvreport collect` where one entry is not all there is to it."""

from __future__ import annotations

import fnmatch
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.failing_states.several import BUILDERS
from tests.stories import collect, replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Builder
    from uvreport.bundle import Uv


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_all_that_is_at_fault_is_found_and_without_it_the_command_passes(
    build: Builder, uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    state = build(tmp_path / "state", uv_release)
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    assert said["failure"]["class"] == state.class_
    assert len(said["culprits"]) == len(state.culprits)
    for glob in state.culprits:
        assert any(fnmatch.fnmatch(path, glob) for path in said["culprits"]), said["culprits"]
    assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    uvs = [uv_release(release).path for release in (state.fails, *state.passes)]
    verdicts = replay(said["bundle"], *uvs, elsewhere=tmp_path / "elsewhere")
    assert [v["verdict"] == "REPRODUCED" for v in verdicts] == [True, *(False for _ in state.passes)]
    for path in said["cure"]:
        assert path.count("/") or path in state.culprits  # never a whole bucket for a file in it
        at = state.cache / path
        shutil.rmtree(at) if at.is_dir() and not at.is_symlink() else at.unlink()
    outcome = state.run()
    assert outcome.exit_code == 0, outcome.stderr
