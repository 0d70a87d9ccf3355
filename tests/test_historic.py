"""Failures of uv's own history that are not of the cache: told apart, shown by the bundle alone, and by its text alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drafts import alike, run_draft, script_in
from tests.failing_states.historic import HISTORIC
from tests.failing_states.state import State, flat
from tests.stories import collect
from uvreport.bundle import Uv
from uvreport.pack import open_bundle


@pytest.mark.parametrize("name", HISTORIC)
def test_the_bundle_alone_and_its_text_alone_show_the_failure(
    name: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    state = HISTORIC[name](tmp_path / "there", uv_release)
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    failure = said["failure"]
    assert (failure["class"], failure["exit_code"]) == (state.class_, state.exit_code)
    assert all(line in flat(" ".join(failure["frames"])) for line in state.lines), failure["frames"]
    assert (said["culprits"], said["missing"], said["cure"]) == ([], [], [])
    assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    bundle = open_bundle(said["bundle"])
    text = Path(said["issue"]).read_text(encoding="utf-8")
    assert script_in(text)
    ran = run_draft(text, tmp_path / "draft", uv_release)
    assert alike(bundle, ran), ran.output
    raw = Path(said["bundle"]).read_bytes() + text.encode()
    assert not any(private.encode() in raw for private in state.private)


def test_a_log_about_the_lockfile_does_not_blame_an_entry_that_another_release_wrote(
    tmp_path: Path, failing: Callable[[str], State]
) -> None:
    state = failing("seed")
    shard = next(state.cache.glob("sdists-v8/path/*/revision.rev")).parent
    saved = tmp_path / "saved.txt"
    saved.write_text(
        f"DEBUG Acquired lock for `{shard}`\nerror: Failed to parse `uv.lock`\n"
        "  Caused by: TOML parse error at line 4, column 1\n  |\n4 | [[package]]\n  | ^^^^^^^^^^^\nmissing field `version`\n"
    )
    code, said, error = collect(state, tmp_path / "out", "--log", str(saved))
    assert code == 0, error
    assert said["failure"]["class"] == "lockfile"
    assert said["culprits"] == []
