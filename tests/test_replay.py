"""The judge of a replay, and what the command says of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.stories import collect
from tests.test_sandbox import bundle, file
from uvreport import isolate, pythons
from uvreport.bundle import Bundle, Failure
from uvreport.cli import group
from uvreport.errors import UsageError
from uvreport.pack import open_bundle
from uvreport.replay import contained, explain, judge
from uvreport.steady import steady
from uvreport.uv import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.failing_states.state import State
    from uvreport.bundle import Uv, Verdict

SAMPLE = Path(__file__).resolve().parent.parent / "sample_bundles" / "uv-12318" / "uv-12318.uvreport.zip"
POINTER = "sdists-v9/path/0123456789abcdef/revision.rev"
CHAIN = "error: Failed to deserialize cache entry\n  Caused by: array had incorrect length, expected 4\n"
NO_NETWORK = "error: Failed to fetch: `https://idx.invalid/simple/a/`\n  Caused by: dns error\n"
FULL = "error: failed to write to file `/home/user/.cache/uv/x`\n  Caused by: No space left on device (os error 28)\n"
DENIED = "error: failed to create directory `/home/user/project/.venv/x`: Permission denied (os error 13)\n"


def failed(chain: str, class_: str = "cache-corruption", *, culprits: tuple[str, ...] = (POINTER,)) -> Bundle:
    frames = tuple(line.removeprefix("error: ").removeprefix("  Caused by: ") for line in chain.splitlines())
    failure = Failure(class_=class_, signature=f"{class_}:0", frames=frames, chain=chain)
    return bundle(
        file(f"cache/{POINTER}", "broken"), culprits=culprits, release="0.9.30", failure=failure
    )  # fmt: skip


def ended(stderr: str = "", code: int | None = 2) -> Outcome:
    return Outcome(argv=("uv", "sync"), exit_code=code, stdout="", stderr=stderr, duration_s=0.1)


def verdict(of: Bundle, outcome: Outcome, release: str = "0.9.30", **more: Any) -> Verdict:
    return judge(of, release, outcome, **{"reads": frozenset({POINTER}), **more})


def test_the_same_chain_is_reproduced_only_where_the_entry_was_read() -> None:
    assert verdict(failed(CHAIN), ended(CHAIN)).verdict == "REPRODUCED"
    unread = verdict(failed(CHAIN), ended(CHAIN), reads=frozenset())
    assert (unread.verdict, unread.reason) == ("DIFFERENT", "fails alike, but without reading the entry")
    assert verdict(failed(CHAIN), ended(CHAIN), reads=None).verdict == "REPRODUCED"  # it could not be seen
    assert verdict(failed(CHAIN), ended(CHAIN), release="0.13.9").verdict == "DIFFERENT"


def test_a_name_that_looks_random_and_was_masked_when_it_was_recorded_is_the_same() -> None:
    said = "error: Failed to read the module\n  Caused by: `.tmpAbC123` is not a package\n"
    of = failed(steady(said), "project", culprits=())
    assert "AbC123" not in of.failure.chain
    assert verdict(of, ended(said)).verdict == "REPRODUCED"


@pytest.mark.parametrize(
    ("chain", "class_"), [(NO_NETWORK, "network"), (FULL, "environment"), (DENIED, "environment")]
)
def test_what_the_machine_lacks_is_never_reproduced(chain: str, class_: str) -> None:
    assert verdict(failed(chain, class_, culprits=()), ended(chain)).verdict == "UNTESTED"


def test_a_permission_that_the_bundle_itself_takes_away_counts() -> None:
    locked = replace(
        failed(DENIED, "environment", culprits=()), members=(file("project/.venv/pyvenv.cfg", "", 0o444),)
    )
    assert verdict(locked, ended(DENIED)).verdict == "REPRODUCED"


def test_a_full_disk_is_not_the_bundles_fault_even_where_the_cache_is() -> None:
    assert verdict(failed(FULL), ended(FULL)).verdict == "UNTESTED"


def test_passing_counts_only_where_the_entry_was_read() -> None:
    of = failed(CHAIN)
    read = verdict(of, ended(code=0))
    assert (read.verdict, read.healed, read.past) == ("CLEAN", False, True)
    unread = verdict(of, ended(code=0), reads=frozenset())
    assert (unread.verdict, unread.reason) == ("UNTESTED", "entry not read: uv passed without looking at it")
    other = verdict(of, ended(code=0), release="0.13.9")
    assert other.verdict == "UNTESTED"
    assert other.reason.startswith("entry not read: the entry is in sdists-v9")


def test_a_release_that_puts_another_entry_there_has_healed_it() -> None:
    healed = verdict(failed(CHAIN), ended(code=0), changed={POINTER: "rewrote"})
    assert (healed.verdict, healed.healed, healed.reason) == ("CLEAN", True, "healed: it rewrote the entry")
    removed = verdict(failed(CHAIN), ended(code=0), changed={POINTER: "removed"})
    assert (removed.verdict, removed.healed) == ("CLEAN", True)


def test_a_python_that_does_not_suit_says_nothing_of_the_entry() -> None:
    said = "error: No interpreter found for Python >=3.13 in search path\n"
    assert verdict(failed(CHAIN), ended(said), reads=frozenset()).verdict == "UNTESTED"


def test_needing_code_is_past_the_entry_only_where_it_was_read() -> None:
    said = "error: Failed to build `a`\n  Caused by: exit status: 77\n"
    past = verdict(failed(CHAIN), ended(said), needed_code=True)
    assert (past.verdict, past.past) == ("UNTESTED", True)
    before = verdict(failed(CHAIN), ended(said), needed_code=True, reads=frozenset())
    assert (before.verdict, before.past) == ("UNTESTED", False)


def test_git_that_is_not_run_is_not_another_failure() -> None:
    said = "error: Git operation failed\n  Caused by: process didn't exit successfully: `git init` (exit status: 77)\n"
    seen = verdict(failed(CHAIN), ended(said), needed_code=True)
    assert (seen.verdict, seen.past) == ("UNTESTED", True)
    assert "needs code: git" in seen.reason


# -- with real releases


def test_a_torn_pointer_is_healed_by_a_later_release(
    failing: Callable[[str], State], uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    state = failing("cut_revision")
    code, answer, said = collect(state, tmp_path / "output")
    assert code == 0, said
    opened = open_bundle(answer["bundle"])
    without = contained(opened, uv_release("0.9.30")).verdict
    assert (without.verdict, without.past, without.code_executed) == ("UNTESTED", True, False)
    with_code = contained(opened, uv_release("0.9.30"), allow_code=True).verdict
    assert (with_code.verdict, with_code.reason) == ("CLEAN", "healed: it rewrote the entry")


def run(*words: str) -> None:
    group.main(["replay", *words], standalone_mode=False)


def test_several_bundles_are_answered_in_the_order_given(
    uv_release: Callable[[str], Uv], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.uvreport.zip"
    copy.write_bytes(SAMPLE.read_bytes())
    for release in ("0.6.6", "0.6.7"):
        uv_release(release)
    run("--json", str(copy), str(SAMPLE), "--uv", "0.6.6", "--uv", "0.6.7", "--jobs", "4")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["bundle"], row["uv"], row["verdict"]) for row in rows] == [
        (str(path), release, said)
        for path in (copy, SAMPLE)
        for release, said in (("0.6.6", "REPRODUCED"), ("0.6.7", "CLEAN"))
    ]


def test_the_matrix_has_a_row_for_each_release_and_a_column_for_each_python(
    uv_release: Callable[[str], Uv], capsys: pytest.CaptureFixture[str]
) -> None:
    found = [p for p in pythons.at_hand() if p.version.startswith("3.1")][:2]
    names = [word for python in found for word in ("--python", python.executable)]
    releases = [word for r in ("0.6.6", "0.13.9") for word in ("--uv", uv_release(r).release)]
    run("--json", "--matrix", str(SAMPLE), *releases, *names)
    rows = json.loads(capsys.readouterr().out)
    assert [(row["uv"], row["python"]) for row in rows] == [
        (release, python.version) for release in ("0.6.6", "0.13.9") for python in found
    ]
    assert {row["verdict"] for row in rows if row["uv"] == "0.6.6"} == {"REPRODUCED"}
    run("--matrix", str(SAMPLE), *releases, *names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["uv", *(word for p in found for word in ("Python", p.version))]
    assert lines[2].split() == ["0.6.6", *["REPRODUCED"] * len(found)]


def test_moved_is_answered_apart_and_said_so(
    uv_release: Callable[[str], Uv], capsys: pytest.CaptureFixture[str]
) -> None:
    uv_release("0.13.9")
    run("--json", "--transplant", str(SAMPLE), "--uv", "0.13.9")
    as_is, moved = json.loads(capsys.readouterr().out)
    assert as_is["transplanted"] is None
    assert as_is["reason"].startswith("entry not read")
    assert moved["transplanted"] == [{"from": "sdists-v8", "to": "sdists-v11"}]
    assert not moved["reason"].startswith("entry not read")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="namespaces are Linux's")
def test_the_explanation_names_every_way_in_order_and_why_it_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    opened = open_bundle(SAMPLE)
    monkeypatch.setenv(isolate.VARIABLE, "none")
    said = explain(opened, uv_release("0.6.6"))
    assert [way.name for way in said.isolation] == ["bubblewrap", "namespaces", "none"]
    assert not any(way.taken for way in said.isolation)
    assert all(way.why for way in said.isolation)
    assert said.code == "nothing is run"
    assert said.layers == ()
    trusted = explain(opened, uv_release("0.6.6"), trust=True)
    assert [way.taken for way in trusted.isolation] == [False, False, True]
    assert "--offline" in trusted.command
    assert any(opened.culprits[0].path in line for line in trusted.restored)


def test_the_explanation_comes_before_the_verdict(
    uv_release: Callable[[str], Uv], capsys: pytest.CaptureFixture[str]
) -> None:
    uv_release("0.6.6")
    run("--explain", str(SAMPLE))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("isolation: bubblewrap:") for line in lines)
    assert any(line.startswith("layer: seccomp: ") for line in lines)
    assert any(line.startswith("code: none is run") for line in lines)
    assert lines[-1].startswith("uv 0.6.6: REPRODUCED")


def test_pythons_are_found_where_the_variable_names_them_and_each_once(tmp_path: Path) -> None:
    inside = tmp_path / "3.x" / "bin"
    inside.mkdir(parents=True)
    os.symlink(pythons.ours().executable, inside / "python3")
    broken = inside / "python3.9"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    found = pythons.at_hand({pythons.VARIABLE: str(tmp_path), "HOME": str(tmp_path)})
    assert found == (pythons.ours(),)


def test_a_python_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError) as caught:
        pythons.choose("2.0")
    assert pythons.ours().version in caught.value.hint
    with pytest.raises(UsageError, match="does not answer"):
        pythons.choose("/bin/sh")
