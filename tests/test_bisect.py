"""Bisect: against the linear answer on made-up rows, and against real releases on real failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.failing_states.pointers import _sdist_file
from tests.failing_states.state import State, on_path, put
from tests.stories import collect
from uvreport.bisect import PATIENCE, Answer, Found, Row, Step, Stretch, bisect, changes
from uvreport.bundle import Verdict
from uvreport.cli import group
from uvreport.cli.bisect import moved_row, row_of
from uvreport.errors import FailureNotThereError, UsageError
from uvreport.pack import open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uvreport.bundle import Bundle, Uv

SAMPLE = Path(__file__).resolve().parent.parent / "sample_bundles" / "uv-12318" / "uv-12318.uvreport.zip"

VERDICTS: dict[Answer, Verdict] = {
    "bad": Verdict(verdict="REPRODUCED", uv=""),
    "clean": Verdict(verdict="CLEAN", uv=""),
    "unknown": Verdict(verdict="UNTESTED", uv="", reason="needs code"),
}


def names(count: int) -> tuple[str, ...]:
    return tuple(f"0.{i // 10}.{i % 10}" for i in range(count))


def searched(
    answers: Sequence[Answer],
    start: int,
    *,
    epochs: Mapping[str, str] | None = None,
    everything: bool = False,
    confirm: bool = False,
    lies: Mapping[int, Answer] | None = None,
) -> tuple[Found, list[Step]]:
    """What is found where release `i` answers `answers[i]`, but the first time `lies[i]`."""
    releases = names(len(answers))
    asked: list[str] = []

    def judge(release: str) -> Verdict:
        i = releases.index(release)
        first = release not in asked
        asked.append(release)
        return VERDICTS[(lies or {}).get(i, answers[i]) if first else answers[i]]

    row = Row(releases=releases, start=releases[start], epochs=epochs or {})
    steps = bisect(row, judge, everything=everything, confirm=confirm)
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            found: Found = end.value
            assert found.runs == len(asked)
            return found, seen


def linear(answers: Sequence[Answer]) -> list[tuple[str, str]]:
    """The stretches that fail, by looking at every release."""
    out: list[tuple[str, str]] = []
    joined = False
    for release, said in zip(names(len(answers)), answers, strict=True):
        if said == "bad" and joined:
            out[-1] = (out[-1][0], release)
        elif said == "bad":
            out.append((release, release))
            joined = True
        elif said == "clean":
            joined = False
    return out


def spans(found: Found) -> list[tuple[str, str]]:
    return [(s.first, s.last) for s in found.bad]


@st.composite
def contiguous(draw: st.DrawFn) -> tuple[list[Answer], int]:
    """A row with one stretch that fails, and a place in it."""
    count = draw(st.integers(1, 120))
    first = draw(st.integers(0, count - 1))
    last = draw(st.integers(first, count - 1))
    row: list[Answer] = ["bad" if first <= i <= last else "clean" for i in range(count)]
    return row, draw(st.integers(first, last))


@given(contiguous())
def test_one_stretch_is_found_exactly_and_in_few_runs(case: tuple[list[Answer], int]) -> None:
    answers, start = case
    found, _ = searched(answers, start)
    assert spans(found) == linear(answers)
    assert not any(s.unsure_before or s.unsure_after for s in found.bad)
    assert found.runs <= 4 * len(answers).bit_length() + 2


@given(contiguous(), st.data())
def test_where_some_cannot_tell_the_boundary_is_a_range_that_holds_the_truth(
    case: tuple[list[Answer], int], data: st.DataObject
) -> None:
    truth, start = case
    hidden = data.draw(st.sets(st.integers(0, len(truth) - 1)).map(lambda s: s - {start}))
    answers: list[Answer] = ["unknown" if i in hidden else said for i, said in enumerate(truth)]
    found, _ = searched(answers, start)
    (stretch,) = found.bad
    ((first, last),) = linear(truth)
    assert first == stretch.first or first in stretch.unsure_before
    assert last == stretch.last or last in stretch.unsure_after
    if len(hidden) < PATIENCE:
        assert spans(found) == linear(answers)
        told = {r for r, said in zip(names(len(truth)), answers, strict=True) if said != "unknown"}
        assert not told & {*stretch.unsure_before, *stretch.unsure_after}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=1, max_size=12), st.data())
def test_islands_in_epochs_of_their_own_are_found(
    stretches: list[tuple[bool, int]], data: st.DataObject
) -> None:
    answers: list[Answer] = []
    epochs: dict[str, str] = {}
    for n, (bad, count) in enumerate(stretches):
        for _ in range(count):
            epochs[names(len(answers) + 1)[-1]] = str(n)
            answers.append("bad" if bad else "clean")
    bads = [i for i, said in enumerate(answers) if said == "bad"]
    assume(bads)
    found, _ = searched(answers, data.draw(st.sampled_from(bads)), epochs=epochs)
    assert spans(found) == linear(answers)


@given(st.lists(st.sampled_from(("bad", "clean", "unknown")), min_size=1, max_size=40), st.data())
def test_asking_all_is_exact_on_any_row(answers: list[Answer], data: st.DataObject) -> None:
    bads = [i for i, said in enumerate(answers) if said == "bad"]
    assume(bads)
    found, _ = searched(answers, data.draw(st.sampled_from(bads)), everything=True)
    assert spans(found) == linear(answers)
    assert found.runs == len(answers)


@given(contiguous(), st.data())
def test_a_release_that_answers_wrong_once_does_not_change_the_answer(
    case: tuple[list[Answer], int], data: st.DataObject
) -> None:
    answers, start = case
    liar = data.draw(st.integers(0, len(answers) - 1))
    assume(liar != start)
    wrong: Answer = "clean" if answers[liar] == "bad" else "bad"
    found, _ = searched(answers, start, confirm=True, lies={liar: wrong})
    assert spans(found) == linear(answers)
    assert found.flaky in ((), (names(liar + 1)[-1],))


@given(contiguous(), st.booleans())
def test_what_a_step_says_will_surely_be_asked_is_asked(
    case: tuple[list[Answer], int], everything: bool
) -> None:
    answers, start = case
    epochs = {release: release[:3] for release in names(len(answers))}
    _, steps = searched(answers, start, epochs=epochs, everything=everything, confirm=True)
    for i, step in enumerate(steps):
        later = {other.release for other in steps[i + 1 :]}
        assert set(step.sure) <= later


def test_releases_that_cannot_read_the_entry_are_not_asked_and_not_called_good() -> None:
    releases = names(10)
    asked = []

    def judge(release: str) -> Verdict:
        asked.append(release)
        return VERDICTS["bad"]

    unread = dict.fromkeys((*releases[:3], *releases[7:]), "another bucket")
    row = Row(releases=releases, start=releases[4], unread=unread, absent={releases[5]: "withdrawn"})
    steps = bisect(row, judge)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: Found = end.value
    assert not set(asked) & {*unread, releases[5]}
    assert found.bad == (Stretch(first=releases[3], last=releases[6]),)
    assert [(u.first, u.last, u.reason) for u in found.untested] == [
        ("0.0.0", "0.0.2", "another bucket"), ("0.0.5", "0.0.5", "withdrawn"), ("0.0.7", "0.0.9", "another bucket"),
    ]  # fmt: skip
    assert found.fixed_in == ""


def test_the_titles_of_the_changes_in_between_are_those_of_later_releases() -> None:
    text = (
        "# Changelog\n\n## 0.6.9\n\n### Bug fixes\n\n- Heal it ([#1](x))\n  in two lines\n  - a detail\n\n"
        "## 0.6.8\n\n- Bump the bucket\n\n## 0.6.7\n\n- Old\n"
    )
    assert changes(text, "0.6.7", "0.6.9") == {
        "0.6.8": ("Bump the bucket",),
        "0.6.9": ("Heal it ([#1](x)) in two lines",),
    }


# -- with real releases


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    group.main(["bisect", "--json", *words], standalone_mode=False)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_seed_is_in_0_6_0_to_0_6_6(
    uv_release: Callable[[str], Uv], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for release in ("0.6.0", "0.6.2", "0.6.4", "0.6.5", "0.6.6", "0.6.7"):
        uv_release(release)
    log = tmp_path / "CHANGELOG.md"
    log.write_text("## 0.6.7\n\n- Write one field more\n\n## 0.6.6\n\n- Something else\n")
    answer = run(str(SAMPLE), "--changelog", str(log), capsys=capsys)
    assert answer["bad"] == [{"first": "0.6.0", "last": "0.6.6"}]
    assert (answer["fixed_in"], answer["healed"], answer["code_executed"]) == ("0.6.7", False, False)
    assert answer["runs"] <= 30
    (ended,) = (row for row in answer["changes"] if row["what"] == "What ended it")
    assert ended["titles"] == {"0.6.7": ["Write one field more"]}
    assert answer["untested"][-1]["reason"] == "the entry is in sdists-v8, and uv 0.13.9 uses sdists-v11"


def path_sdist(root: Path, uv_release: Callable[[str], Uv], writer: str, reader: str, *, cut: bool) -> Bundle:
    """A bundle of a project whose local source distribution `writer` built and `reader` cannot use."""
    who = _sdist_file(root, lambda _: uv_release(writer))
    state = State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release(reader)),
        exit_code=2,
        lines=(),
        class_="",
        culprits=("sdists-v*/path/*/revision.rev",),
    )
    if cut:
        put(state.culprit(), state.culprit().read_bytes()[:10])
    code, answer, said = collect(state, root / "output")
    assert code == 0, said
    return open_bundle(answer["bundle"])


def save(bundle: Bundle, path: Path) -> str:
    from uvreport import pack

    pack.save(pack.write(bundle, "", ""), path)
    return str(path)


def test_19298_is_in_two_releases(
    uv_release: Callable[[str], Uv], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for release in ("0.11.8", "0.11.9", "0.11.10", "0.11.11"):
        uv_release(release)
    bundle = path_sdist(tmp_path, uv_release, "0.11.8", "0.11.9", cut=False)
    path = save(bundle, tmp_path / "b.uvreport.zip")
    answer = run(path, "--good", "0.11.8", "--good", "0.11.11", capsys=capsys)
    assert answer["bad"] == [{"first": "0.11.9", "last": "0.11.10"}]
    assert answer["fixed_in"] == "0.11.11"
    assert answer["boundaries"][0]["good_before"] == "0.11.8"
    with pytest.raises(FailureNotThereError, match="does not fail"):
        run(path, "--bad", "0.11.8", capsys=capsys)
    with pytest.raises(FailureNotThereError, match="never reads the entry"):
        run(path, "--bad", "0.13.9", capsys=capsys)
    with pytest.raises(UsageError, match="given as good"):
        run(path, "--good", "0.11.8", "--good", "0.11.10", capsys=capsys)


def test_a_cut_pointer_is_still_fatal_where_it_would_be_written_today(
    uv_release: Callable[[str], Uv], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for release in ("0.6.7", "0.6.8", "0.9.30", "0.12.24", "0.13.9"):
        uv_release(release)
    bundle = path_sdist(tmp_path, uv_release, "0.6.8", "0.9.30", cut=True)
    path = save(bundle, tmp_path / "b.uvreport.zip")
    answer = run(path, "--offline", "--transplant", capsys=capsys)
    assert answer["bad"] == [{"first": "0.6.8", "last": "0.12.24"}]
    assert answer["fixed_in"] is None
    # Whoever had written it, from the first release that is here to the last.
    (moved,) = answer["transplant"]["bad"]
    assert moved["last"] == "0.13.9"
    assert answer["transplant"]["verdicts"][moved["first"]] == "REPRODUCED"
    assert not set(answer["transplant"]["verdicts"]) & set(answer["verdicts"])
    assert {"from": "sdists-v9", "to": "sdists-v11"} in answer["transplant"]["moved"]
    assert {"from": "sdists-v9", "to": "sdists-v8"} in answer["transplant"]["moved"]
    assert answer["runs"] <= 30


def test_a_row_is_cut_at_what_is_given_as_good_and_starts_where_it_is_told() -> None:
    bundle = open_bundle(SAMPLE)
    row = row_of(bundle, goods=("0.6.3", "0.6.7"), bad="0.6.5")
    assert row.releases == ("0.6.3", "0.6.4", "0.6.5", "0.6.6", "0.6.7")
    assert row.start == "0.6.5"
    with pytest.raises(UsageError, match="both good and bad"):
        row_of(bundle, goods=("0.6.6",))
    with pytest.raises(UsageError, match="not a uv release"):
        row_of(bundle, bad="yesterday")


def test_the_entry_is_moved_to_releases_on_both_sides_and_what_was_found_is_settled() -> None:
    bundle = open_bundle(SAMPLE)
    row = row_of(bundle)
    seen = {"0.6.0": VERDICTS["bad"], "0.6.6": VERDICTS["bad"], "0.6.7": VERDICTS["clean"]}
    found = Found(row=row, bad=(), untested=(), verdicts=seen, answers={}, flaky=(), runs=3)
    wider = moved_row(bundle, found, offline=False)
    assert wider is not None
    at = wider.releases.index("0.6.0")
    assert wider.releases[at : at + 4] == ("0.6.0", "0.6.6", "0.6.7", "0.6.8")
    assert wider.releases[at - 1].startswith("0.5.")
    asked = []

    def judge(release: str) -> Verdict:
        asked.append(release)
        return VERDICTS["bad"]

    steps = list(bisect(wider, judge))
    assert not set(asked) & set(seen)
    assert min(map(wider.releases.index, asked)) < at < max(map(wider.releases.index, asked))
    assert steps


def test_a_boundary_that_could_not_be_told_stays_one_when_the_entry_is_moved() -> None:
    bundle = open_bundle(SAMPLE)
    stretch = Stretch(first="0.6.4", last="0.6.6", good_before="0.6.1", unsure_before=("0.6.2", "0.6.3"))
    seen = {"0.6.1": VERDICTS["clean"], "0.6.4": VERDICTS["bad"], "0.6.6": VERDICTS["bad"]}
    found = Found(
        row=row_of(bundle), bad=(stretch,), untested=(), verdicts=seen, answers={}, flaky=(), runs=3
    )
    wider = moved_row(bundle, found, offline=False)
    assert wider is not None
    assert {"0.6.2", "0.6.3"} == wider.absent.keys()
