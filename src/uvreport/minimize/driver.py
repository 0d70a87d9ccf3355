"""Delta debugging over a problem of any kind: passes say what can be cut, the judge says what still fails.

After Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), coarse pieces before fine
ones as in Misherghi and Su, "HDD" (2006). Pure: no clock, no files, no processes.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from uvreport.errors import FailureNotThereError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

P = TypeVar("P")


class Answer(Struct, frozen=True, kw_only=True):
    """What a judge says of one problem: whether it fails the same way, else why not.

    `reads` are the parts that the failing run looked at, None where that is not known: what passes may begin with.
    `seen` is whatever the judge wants to be found beside the answer.
    """

    same: bool
    reason: str = ""
    reads: frozenset[str] | None = None
    seen: object = None


class Cuts(Struct, Generic[P], frozen=True, kw_only=True):
    """The pieces that can be cut from one problem, and the problem `without` some of them, None when that is none."""

    pieces: tuple[Hashable, ...]
    without: Callable[[frozenset[Hashable]], P | None]


class Pass(Struct, Generic[P], frozen=True, kw_only=True):
    """One way of making a problem smaller: `name` is what it cuts.

    `levels` go from coarse to fine. Each is asked about the smallest problem so far and what the run of that read.
    """

    name: str
    order: int
    levels: tuple[Callable[[P, frozenset[str] | None], Cuts[P]], ...]


class Step(Struct, Generic[P], frozen=True, kw_only=True):
    """One run of the judge: which pass asked, whether it `failed` the same way, and the best problem so far.

    `answer` is what was said of the best, None while nothing has failed the same way.
    """

    pass_: str
    runs: int
    failed: bool
    best: P
    size: int
    answer: Answer | None


def minimize(
    problem: P,
    passes: Sequence[Pass[P]],
    judge: Callable[[P], Answer],
    *,
    key: Callable[[P], Hashable],
    size: Callable[[P], int],
    guess: P | None = None,
    expect: Callable[[Iterator[P]], None] = lambda _: None,
) -> Iterator[Step[P]]:
    """Every run of the judge as a step; the last one's `best` is the answer, and any one's is one so far.

    Of the answer no single piece that a pass knows can be cut. Nothing is judged twice: problems with the same
    `key` are the same. Nothing that is not smaller by `size` is taken. Raises FailureNotThereError when the problem
    does not fail to begin with.

    `guess` is a smaller problem that is likely to do: where it fails the same way, the whole is never judged.
    `expect` is told, before each question, what will be asked next, that one first, for as long as nothing fails the
    same way. It may take as many as it likes; what it does with them changes nothing in the answer.
    """
    search = _Search(problem, judge, key, size)
    if guess is not None and search.size(guess) < search.best_size:
        expect(iter((guess,)))  # the whole may be a thousand times larger
        failed = search.ask(guess).same
        yield search.step("", failed=failed)
    if search.answer is None:
        expect(iter((problem,)))
        first = search.ask(problem)
        if not first.same:
            raise FailureNotThereError(
                f"The failure is not there to begin with: {first.reason or 'the run came to something else'}.",
                hint="`uvreport replay` says more; --uv names another release.",
            )
        yield search.step("", failed=True)
    levels = tuple((one.name, level) for one in passes for level in one.levels)
    place: _Place[P] | None = _Place(level=0)
    while place is not None:
        coming = _Peeked(_asked(search, levels, place))
        place = None
        while (trial := coming.next()) is not None:
            expect(itertools.chain((trial.candidate,), (later.candidate for later in coming.further())))
            failed = search.ask(trial.candidate).same
            yield search.step(levels[trial.place.level][0], failed=failed)
            if failed:
                place = trial.after
                break


class _Search(Generic[P]):
    def __init__(
        self, problem: P, judge: Callable[[P], Answer], key: Callable[[P], Hashable], size: Callable[[P], int]
    ) -> None:
        self.best = problem
        self.answer: Answer | None = None
        self.runs = 0
        self.key, self.size = key, size
        self.refused: set[Hashable] = set()
        self.best_size = size(problem)
        self._judge = judge

    @property
    def reads(self) -> frozenset[str] | None:
        return self.answer.reads if self.answer else None

    def ask(self, candidate: P) -> Answer:
        self.runs += 1
        answer = self._judge(candidate)
        if answer.same:
            self.best, self.answer, self.best_size = candidate, answer, self.size(candidate)
        else:
            self.refused.add(self.key(candidate))
        return answer

    def step(self, name: str, *, failed: bool) -> Step[P]:
        return Step(
            pass_=name, runs=self.runs, failed=failed, best=self.best, size=self.best_size, answer=self.answer
        )


class _Place(Struct, Generic[P], frozen=True, kw_only=True):
    """How far the search is: in which level, with which pieces `kept` and `gone`, at which chunk of them.

    `cuts` is None at the beginning of a level. `chunk` is a number of pieces, `at` the first of the next chunk.
    `progress` is whether a chunk of this size went, `cut` whether anything did since the first level.
    """

    level: int
    cuts: Cuts[P] | None = None
    kept: tuple[Hashable, ...] = ()
    gone: frozenset[Hashable] = frozenset()
    chunk: int = 0
    at: int = 0
    progress: bool = False
    cut: bool = False


class _Trial(Struct, Generic[P], frozen=True, kw_only=True):
    """A problem to judge: asked at `place`, and where to go on `after` it has failed the same way."""

    candidate: P
    place: _Place[P]
    after: _Place[P]


def _asked(
    search: _Search[P],
    levels: Sequence[tuple[str, Callable[[P, frozenset[str] | None], Cuts[P]]]],
    place: _Place[P],
) -> Iterator[_Trial[P]]:
    """What is asked from `place` on, to the end of the search, if no answer is that it fails the same way."""
    # The search does not move meanwhile, so a generator that is ahead of the answers gives the same as one that waits.
    refused: set[Hashable] = set()

    def known(candidate: P | None) -> bool:
        """Whether it will be known that this problem is no answer."""
        if candidate is None or search.size(candidate) >= search.best_size:
            return True
        key = search.key(candidate)
        return key in search.refused or key in refused

    cut = place.cut
    while True:
        for number in range(place.level, len(levels)):
            if number > place.level or place.cuts is None:
                cuts = levels[number][1](search.best, search.reads)
                if all(known(cuts.without(frozenset([piece]))) for piece in cuts.pieces):
                    continue  # each one is known to be needed
                place = _Place(level=number, cuts=cuts, kept=cuts.pieces, chunk=len(cuts.pieces), cut=cut)
            for trial in _chunks(place):
                if not known(trial.candidate):
                    yield trial
                    refused.add(search.key(trial.candidate))
        if not cut:
            return
        place, cut = _Place(level=0), False


def _chunks(place: _Place[P]) -> Iterator[_Trial[P]]:
    """The chunks of one level, from `place` on."""
    cuts, kept, chunk, at, progress = place.cuts, place.kept, place.chunk, place.at, place.progress
    assert cuts is not None
    while chunk:
        while at < len(kept):
            part = frozenset(kept[at : at + chunk])
            candidate = cuts.without(place.gone | part)
            if candidate is not None:
                here = replace(place, chunk=chunk, at=at, progress=progress)
                after = replace(
                    here,
                    kept=kept[:at] + kept[at + chunk :],
                    gone=place.gone | part,
                    progress=True,
                    cut=True,
                )
                yield _Trial(candidate=candidate, place=here, after=after)
            at += chunk
        # Once one piece is gone, one that was needed before may no longer be.
        chunk = min(chunk, len(kept)) if chunk == 1 and progress else min(chunk // 2, len(kept))
        at, progress = 0, False


class _Peeked(Generic[P]):
    """An iterator of which one can see more than the next."""

    def __init__(self, trials: Iterator[_Trial[P]]) -> None:
        self._trials = trials
        self._ahead: deque[_Trial[P]] = deque()

    def next(self) -> _Trial[P] | None:
        return self._ahead.popleft() if self._ahead else next(self._trials, None)

    def further(self) -> Iterator[_Trial[P]]:
        """What comes behind the next, without taking it."""
        at = 0
        while True:
            if at == len(self._ahead):
                found = next(self._trials, None)
                if found is None:
                    return
                self._ahead.append(found)
            yield self._ahead[at]
            at += 1
