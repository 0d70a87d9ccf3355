"""The historic failures of ../shared/cases, from the states that their own scripts leave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import shared_cases
from tests.cache.test_examine import blamed, check_blame
from tests.failing_states.state import flat
from tests.stories import replay
from uvreport import releases

pytestmark = pytest.mark.skipif(
    not shared_cases.names(), reason="the shared cases are not beside this checkout"
)


@pytest.fixture(scope="session")
def uvs() -> Path:
    """Where the cases' scripts keep the releases that they install; kept between runs."""
    folder = Path(os.path.dirname(releases.store())) / "case-releases"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", shared_cases.names())
def test_collect_and_replay_say_what_is_true_of_the_case(
    name: str, tmp_path: Path, uvs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.conftest import MACHINE

    for key, value in MACHINE.items():  # the scripts install with the machine's own index settings
        monkeypatch.setenv(key, value)
    case = shared_cases.build(name, tmp_path / name, uvs)
    facts = case.facts
    if case.is_of_the_cache:
        bad = blamed(case.folder / "cache", facts["uv"]["fails"])
        check_blame(bad, facts["cache"]["culprits"], facts["cache"].get("absent", []))
        seen = flat((case.folder / "seen").read_text())
        assert all(finding.innermost in seen or finding.state == "stale" for finding in bad)
    code, said, error = shared_cases.collect(case, tmp_path / "out")
    if not facts["uv_failure"]:
        assert code == 3
        assert "not uv's" in error
        return
    assert code == 0, error
    assert said["failure"]["class"] == facts["class"]
    assert shared_cases.matches(said["culprits"], facts["cache"]["culprits"]), said["culprits"]
    stays = facts["replay"]["copy_to_same_path"] == "same"
    if case.is_of_the_cache and stays:
        assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    raw = Path(said["bundle"]).read_bytes() + Path(said["issue"]).read_bytes()
    private = facts.get("private", {})
    for value in [private.get("user", ""), *private.get("emails", []), *private.get("secrets", [])]:
        assert not value or value.encode() not in raw, value
    fails = facts["uv"]["fails"]
    there = sorted(v for v in facts["uv"]["passes"] if (uvs / v / "bin" / "uv").exists())
    near = [v for v in facts["uv"].get("passes_same_bucket", []) if v in there]
    passing = list(dict.fromkeys([*near[:1], *there[-2:]]))
    rows = replay(
        said["bundle"],
        *(str(uvs / v / "bin" / "uv") for v in (fails, *passing)),
        elsewhere=tmp_path / "stranger",
    )
    if case.is_of_the_cache and stays:
        assert rows[0]["verdict"] == "REPRODUCED", rows[0]
    for row in rows[1:]:
        assert row["verdict"] != "REPRODUCED", row
        assert row["verdict"] == "CLEAN" or row["reason"], row
