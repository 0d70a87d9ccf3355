"""`uvreport minimize` with real releases: what is left, that it is a bundle like any other, and what it refuses."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests import shared_cases, stories
from uvreport import minimize
from uvreport.bundle import Bundle, Member, Uv
from uvreport.minimize import problem
from uvreport.pack import fit, open_bundle, open_whole, verify, write
from uvreport.replay import replay
from uvreport.smallest import LARGE_BYTES, Judge, is_large, lean, search

SAMPLE = stories.ROOT / "sample_bundles/uv-12318/uv-12318.uvreport.zip"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "dorothea"
    home.mkdir()
    found = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return found | {name: os.environ[name] for name in ("UVREPORT_UVS",) if name in os.environ}


@pytest.fixture
def seed(tmp_path: Path, uv_release: Callable[[str], Uv]) -> Path:
    uv_release("0.6.6")
    return Path(shutil.copy(SAMPLE, tmp_path / "seed.uvreport.zip"))


def minimized(bundle: Path, env: dict[str, str], *words: str) -> dict[str, Any]:
    done = stories.uvreport("minimize", "--json", str(bundle), *words, env=env, cwd=bundle.parent)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_seed_becomes_one_entry_of_46_bytes_and_a_project_of_two_files(
    seed: Path, env: dict[str, str], uv_release: Callable[[str], Uv]
) -> None:
    said = minimized(seed, env)
    path = seed.with_name("seed.min.uvreport.zip")
    assert said["bundle"] == str(path)
    assert [check.wrong for check in verify(path) if not check.ok] == []
    before, after = open_bundle(seed), open_whole(path)
    kept = [member for member in after.bundle.members if member.path.startswith(problem.RESTORED)]
    assert [(m.path.split("/")[0], len(m.data)) for m in kept if m.path.startswith("cache/")] == [
        ("cache", 46)
    ]
    assert len(kept) == 3
    assert after.bundle.culprits == before.culprits
    assert after.bundle.failure.signature == before.failure.signature
    assert after.bundle.proof is not None
    assert (after.bundle.proof.verdict, after.bundle.proof.reason) == ("REPRODUCED", "")
    assert replay(after.bundle, uv_release("0.6.6")).verdict == "REPRODUCED"
    assert replay(after.bundle, uv_release("0.6.7")).verdict != "REPRODUCED"
    # It says the same of itself everywhere, and where it is from.
    assert after.bundle.failure.chain in after.bundle.run.stderr
    assert "seed.min.uvreport.zip" in after.issue
    about = json.loads(next(m.data for m in after.bundle.members if m.path == "facts/minimized.json"))
    assert about["members_after"] == 3
    data = {member.path: member.data for member in after.bundle.members}
    for one in after.bundle.redactions:
        if one.offset >= 0:
            assert data[one.member].startswith(one.placeholder.encode(), one.offset)
    # What is as small as it can be stays as it is.
    again = minimized(path, env, "-o", str(seed.with_name("again.uvreport.zip")))
    assert again["members"] == {"before": 3, "after": 3}
    assert again["problem_bytes"]["before"] == again["problem_bytes"]["after"]


def test_nothing_of_the_machine_that_minimized_is_in_the_result(seed: Path, env: dict[str, str]) -> None:
    minimized(seed, env, "--max-seconds", "0")
    opened = open_bundle(seed.with_name("seed.min.uvreport.zip"))
    text = opened.run.stderr + opened.run.stdout
    assert "dorothea" not in text
    assert sys.base_prefix.removesuffix("/usr") not in text or sys.base_prefix == "/usr"


def test_it_refuses_to_overwrite(seed: Path, env: dict[str, str]) -> None:
    there = seed.with_name("seed.min.uvreport.zip")
    there.write_text("mine")
    done = stories.uvreport("minimize", str(seed), env=env, cwd=seed.parent)
    assert (done.returncode, there.read_text()) == (1, "mine")
    assert "is there already" in done.stderr


def test_a_failure_that_is_not_there_ends_with_7_and_writes_nothing(
    seed: Path, env: dict[str, str], uv_release: Callable[[str], Uv]
) -> None:
    uv_release("0.6.7")
    done = stories.uvreport("minimize", "--uv", "0.6.7", str(seed), env=env, cwd=seed.parent)
    assert done.returncode == 7
    assert "CLEAN" in done.stderr
    assert not seed.with_name("seed.min.uvreport.zip").exists()


def test_when_time_is_up_the_best_so_far_is_written(seed: Path, env: dict[str, str]) -> None:
    said = minimized(seed, env, "--max-seconds", "0")
    assert said["runs"] == 1
    assert said["stopped"] == "stopped after 0 s"
    assert said["proof"]["verdict"] == "REPRODUCED"


def test_interrupted_it_writes_the_best_so_far(seed: Path, env: dict[str, str]) -> None:
    environ = {**env, "PYTHONPATH": stories.SRC, "UVREPORT_CACHE_DIR": os.environ["UVREPORT_CACHE_DIR"]}
    with subprocess.Popen(
        [sys.executable, "-m", "uvreport", "minimize", "--json", str(seed)],
        env=environ, cwd=seed.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("it fails")
        assert process.stderr.readline().startswith("run 2")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    said = json.loads(stdout)
    assert said["stopped"] == "interrupted"
    assert said["members"]["after"] < said["members"]["before"]
    assert said["proof"]["verdict"] == "REPRODUCED"


def test_it_does_not_slip_to_another_bug(seed: Path, uv_release: Callable[[str], Uv]) -> None:
    """The entry cut short fails too, with another message; emptied, uv heals it or says something else again."""
    original = open_bundle(seed)
    judge = Judge(original, uv_release("0.6.6"))
    assert judge(original).same
    path = f"cache/{original.culprits[0].path}"
    entry = next(member.data for member in original.members if member.path == path)
    for other in (entry[:10], b"", entry[:-1] + b"\x00", b"\x93\x00\x01\x02"):
        assert not judge(problem.edited(original, {path: other})).same
    assert not judge(problem.keeping(original, lambda m: m.path != path)).same


def test_how_many_runs_are_made_at_once_changes_no_step(uv_release: Callable[[str], Uv]) -> None:
    original = open_bundle(SAMPLE)

    def found(jobs: int) -> list[tuple[str, bool, int]]:
        steps = search(original, Judge(original, uv_release("0.6.6")), jobs=jobs)
        return [(step.pass_, step.failed, step.size) for step in steps]

    assert found(3) == found(1)


def test_of_a_large_cache_no_more_than_the_shard_at_fault_is_put_back(
    uv_release: Callable[[str], Uv],
) -> None:
    bundle = large(open_bundle(SAMPLE))
    with contextlib.closing(search(bundle, Judge(bundle, uv_release("0.6.6")), jobs=1)) as steps:
        first = next(steps)
    assert first.failed
    shard = os.path.dirname(bundle.culprits[0].path)
    assert all(m.path.startswith(f"cache/{shard}") for m in first.best.members if m.path.startswith("cache/"))


def large(original: Bundle) -> Bundle:
    chance = random.Random(1)
    extra = [
        Member(path=f"cache/wheels-v5/pypi/package-{n}/package_{n}-1.0-py3-none-any.msgpack", data=chance.randbytes(8_000))
        for n in range(LARGE_BYTES // 8_000 + 1)
    ]  # fmt: skip
    return replace(original, members=tuple(sorted((*original.members, *extra), key=lambda m: m.path)))


def test_a_large_cache_part_loses_what_the_failure_does_not_need_and_keeps_what_is_small(
    uv_release: Callable[[str], Uv],
) -> None:
    original = open_bundle(SAMPLE)
    bundle = large(original)
    assert is_large(bundle)
    begin = time.monotonic()
    found = lean(bundle, uv_release("0.6.6"))
    assert time.monotonic() - begin < 10  # 3 s, and what one run takes on a busy machine
    assert found.members == original.members
    assert [gap.what for gap in found.gaps if gap not in original.gaps] == ["32 cache entries (0.3 MB)"]
    assert open_bundle(write(fit(found), "", "")) == found


def test_a_small_cache_part_is_left_alone(uv_release: Callable[[str], Uv]) -> None:
    original = open_bundle(SAMPLE)
    assert lean(original, Uv(path="/nothing/is/started", release="0.6.6")) is original


def test_a_bundle_that_does_not_fail_the_same_way_keeps_its_cache_part(
    uv_release: Callable[[str], Uv],
) -> None:
    bundle = large(open_bundle(SAMPLE))
    assert lean(bundle, uv_release("0.6.7")) is bundle


@pytest.mark.parametrize(
    ("name", "left"),
    [("corrupt-archive-module-missing", 8), ("8488-cacheinfowire", 3)],
)
def test_a_shared_case_gets_small_and_its_entry_keeps_its_state(
    name: str, left: int, tmp_path: Path, env: dict[str, str], uv_release: Callable[[str], Uv]
) -> None:
    if name not in shared_cases.names():
        pytest.skip("the shared cases are not here")
    uvs = os.environ.get("UVREPORT_UVS")
    if not uvs:
        pytest.skip("make.sh wants a folder with all releases")
    case = shared_cases.build(name, tmp_path / "case", Path(uvs))
    code, answer, stderr = shared_cases.collect(case, tmp_path / "out")
    assert code == 0, stderr
    said = minimized(Path(answer["bundle"]), env)
    assert said["proof"]["verdict"] == "REPRODUCED"
    assert said["members"]["after"] <= left
    after = open_bundle(said["bundle"])
    assert after.failure.signature == answer["failure"]["signature"]
    assert after.culprits == open_bundle(answer["bundle"]).culprits


def test_the_passes_come_in_their_order() -> None:
    names = [one.name for one in minimize.every_pass()]
    assert names[:4] == ["what was not read", "cache", "project", "home"]
    assert len(names) == len(set(names)) == 9
