"""The search by itself, with judges that are plain predicates over sets of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvreport.errors import FailureNotThereError
from uvreport.minimize import Answer, Cuts, Pass, Step, minimize

Numbers = frozenset[int]


def dividing(by: int) -> Callable[[Numbers, frozenset[str] | None], Cuts[Numbers]]:
    """The level that cuts all numbers with one quotient by `by` at once."""

    def level(problem: Numbers, _: frozenset[str] | None) -> Cuts[Numbers]:
        return Cuts(
            pieces=tuple(sorted({n // by for n in problem})),
            without=lambda gone: frozenset(n for n in problem if n // by not in gone),
        )

    return level


PASSES = (Pass(name="all", order=1, levels=(dividing(100), dividing(10), dividing(1))),)


def steps(problem: Numbers, fails: Callable[[Numbers], bool]) -> list[Step[Numbers]]:
    return list(
        minimize(problem, PASSES, lambda p: Answer(same=fails(p)), key=lambda p: p, size=len)
    )  # fmt: skip


problems = st.frozensets(st.integers(0, 300), min_size=1, max_size=60)


@st.composite
def with_monotone_judges(draw: st.DrawFn) -> tuple[Numbers, list[Numbers]]:
    """A problem, and sets of which at least one must be there in whole for it to fail."""
    problem = draw(problems)
    parts = st.frozensets(st.sampled_from(sorted(problem)), max_size=6)
    return problem, draw(st.lists(parts, min_size=1, max_size=4))


@given(with_monotone_judges())
def test_of_a_monotone_failure_no_single_piece_is_left_that_is_not_needed(
    given_: tuple[Numbers, list[Numbers]],
) -> None:
    problem, needed = given_
    best = steps(problem, lambda p: any(part <= p for part in needed))[-1].best
    assert best in needed
    assert not any(part < best for part in needed)


@given(problems, st.integers(1, 7), st.integers(0, 6))
def test_of_any_failure_the_answer_fails_and_is_one_minimal(problem: Numbers, by: int, rest: int) -> None:
    def fails(p: Numbers) -> bool:
        return p == problem or (bool(p) and sum(p) % by == rest)

    best = steps(problem, fails)[-1].best
    assert fails(best)
    assert [n for n in best if fails(best - {n})] == []


@given(with_monotone_judges())
def test_it_never_gets_larger_and_every_step_on_the_way_fails(given_: tuple[Numbers, list[Numbers]]) -> None:
    problem, needed = given_

    def fails(p: Numbers) -> bool:
        return any(part <= p for part in needed)

    found = steps(problem, fails)
    sizes = [step.size for step in found]
    assert sizes == sorted(sizes, reverse=True)
    assert all(fails(step.best) and len(step.best) == step.size for step in found)


@given(with_monotone_judges())
def test_what_is_smallest_stays_as_it_is(given_: tuple[Numbers, list[Numbers]]) -> None:
    problem, needed = given_

    def fails(p: Numbers) -> bool:
        return any(part <= p for part in needed)

    best = steps(problem, fails)[-1].best
    assert steps(best, fails)[-1].best == best


@given(problems, st.integers(1, 7), st.integers(0, 6), st.integers(1, 9))
def test_how_many_questions_are_looked_at_ahead_changes_no_step(
    problem: Numbers, by: int, rest: int, ahead: int
) -> None:
    def fails(p: Numbers) -> bool:
        return p == problem or (bool(p) and sum(p) % by == rest)

    def look(coming: Iterator[Numbers]) -> None:
        list(itertools.islice(coming, ahead))

    found = minimize(problem, PASSES, lambda p: Answer(same=fails(p)), key=lambda p: p, size=len, expect=look)
    assert list(found) == steps(problem, fails)


@given(with_monotone_judges())
def test_what_is_expected_is_what_is_asked_until_something_fails_the_same_way(
    given_: tuple[Numbers, list[Numbers]],
) -> None:
    problem, needed = given_
    expected: list[list[Numbers]] = []
    asked: list[tuple[Numbers, bool]] = []

    def judge(p: Numbers) -> Answer:
        asked.append((p, any(part <= p for part in needed)))
        return Answer(same=asked[-1][1])

    def expect(coming: Iterator[Numbers]) -> None:
        expected.append(list(itertools.islice(coming, 4)))

    list(minimize(problem, PASSES, judge, key=lambda p: p, size=len, expect=expect))
    for n, coming in enumerate(expected):
        if n:  # of the whole nothing is known
            hit = next((i for i, (_, same) in enumerate(asked[n:]) if same), len(asked))
            assert coming[: hit + 1] == [p for p, _ in asked[n:]][: min(4, hit + 1)]


def test_where_a_guess_fails_the_same_way_the_whole_is_never_judged() -> None:
    asked: list[Numbers] = []

    def judge(problem: Numbers) -> Answer:
        asked.append(problem)
        return Answer(same=7 in problem)

    whole, guess = frozenset(range(1000)), frozenset({7, 8})
    found = list(minimize(whole, PASSES, judge, key=lambda p: p, size=len, guess=guess))
    assert whole not in asked
    assert asked[0] == guess
    assert found[-1].best == {7}


def test_where_a_guess_does_not_fail_the_whole_is_searched() -> None:
    whole, guess = frozenset(range(20)), frozenset({8, 9})
    found = list(
        minimize(
            whole, PASSES, lambda p: Answer(same=7 in p), key=lambda p: p, size=len, guess=guess
        )
    )  # fmt: skip
    assert (found[0].best, found[0].answer, found[1].failed) == (whole, None, True)
    assert found[-1].best == {7}


def test_where_neither_a_guess_nor_the_whole_fails_the_failure_is_not_there() -> None:
    with pytest.raises(FailureNotThereError):
        list(
            minimize(
                frozenset({1, 2}), PASSES, lambda _: Answer(same=False), key=lambda p: p, size=len,
                guess=frozenset({1}),
            )
        )  # fmt: skip


@given(with_monotone_judges())
def test_nothing_is_judged_twice(given_: tuple[Numbers, list[Numbers]]) -> None:
    problem, needed = given_
    asked: list[Numbers] = []

    def fails(p: Numbers) -> bool:
        asked.append(p)
        return any(part <= p for part in needed)

    found = steps(problem, fails)
    assert len(asked) == len(set(asked)) == found[-1].runs == len(found)


def test_one_needed_piece_of_twenty_thousand_is_found_in_few_runs() -> None:
    found = steps(frozenset(range(20_000)), lambda p: 12_318 in p)
    assert found[-1].best == {12_318}
    assert found[-1].runs < 40


def test_a_failure_that_is_not_there_is_refused_with_its_reason() -> None:
    with pytest.raises(FailureNotThereError, match="it passed"):
        next(
            minimize(
                1, (), lambda _: Answer(same=False, reason="it passed"), key=lambda p: p, size=lambda p: p
            )
        )


def test_a_pass_is_told_what_the_run_of_the_smallest_problem_read() -> None:
    told: list[frozenset[str] | None] = []

    def level(problem: Numbers, reads: frozenset[str] | None) -> Cuts[Numbers]:
        told.append(reads)
        return Cuts(pieces=tuple(problem), without=lambda gone: problem - frozenset(gone))

    def judge(problem: Numbers) -> Answer:
        return Answer(same=1 in problem, reads=frozenset(map(str, problem)))

    one = Pass(name="one", order=1, levels=(level,))
    list(minimize(frozenset({1, 2, 3}), (one,), judge, key=lambda p: p, size=len))
    assert told[0] == frozenset({"1", "2", "3"})
    assert told[-1] == frozenset({"1"})


def test_a_cut_that_is_no_problem_is_not_judged() -> None:
    asked: list[Hashable] = []

    def judge(problem: Numbers) -> Answer:
        asked.append(problem)
        return Answer(same=True)

    one = Pass[Numbers](
        name="one", order=1, levels=(lambda p, _: Cuts(pieces=tuple(p), without=lambda _: None),)
    )
    assert [step.best for step in minimize(frozenset({1}), (one,), judge, key=lambda p: p, size=len)] == [{1}]
    assert asked == [frozenset({1})]
