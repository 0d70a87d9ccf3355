"""The bundles of `sample_bundles/`: sound, and still failing as they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.failing_states import samples
from uvreport.bundle import Uv
from uvreport.pack import open_bundle, verify
from uvreport.replay import replay

FOLDER = Path(__file__).resolve().parent.parent / "sample_bundles"
SAMPLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> tuple[Path, dict[str, Any]]:
    folder = FOLDER / request.param
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return folder / f"{request.param}.uvreport.zip", expected


def test_there_is_a_sample_of_every_state_that_one_is_made_of() -> None:
    assert [name for name, _, _ in samples.SAMPLES] == SAMPLES


def test_a_sample_is_sound_and_says_what_is_expected(sample: tuple[Path, dict[str, Any]]) -> None:
    path, expected = sample
    assert [check.wrong for check in verify(path) if not check.ok] == []
    opened = open_bundle(path)
    assert opened.failure.class_ == expected["class"]
    assert opened.failure.signature == expected["signature"]
    assert opened.proof is not None
    assert (opened.proof.verdict, opened.proof.uv) == (expected["proof"]["verdict"], expected["proof"]["uv"])
    raw = path.read_bytes()
    for value in expected["private"]:
        assert value.encode() not in raw


def test_a_sample_replays_as_it_did_when_it_was_made(
    sample: tuple[Path, dict[str, Any]], uv_release: Callable[[str], Uv]
) -> None:
    path, expected = sample
    opened = open_bundle(path)
    seen = {release: replay(opened, uv_release(release)) for release in expected["replays"]}
    assert {release: verdict.verdict for release, verdict in seen.items()} == expected["replays"]
    assert not any(verdict.code_executed for verdict in seen.values())
