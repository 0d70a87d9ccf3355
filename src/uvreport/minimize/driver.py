"""Delta debugging over a problem of any kind: passes say what can be cut, the judge says what still fails.

After Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), coarse pieces before fine
ones as in Misherghi and Su, "HDD" (2006). Pure: no clock, no files, no processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from uvreport.errors import FailureNotThereError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterator, Sequence

P = TypeVar("P")


class Answer(Struct, frozen=True, kw_only=True):
    """What a judge says of one problem: whether it fails the same way, else why not.

    `reads` are the parts that the failing run looked at, None where that is not known: what passes may begin with.
    """

    same: bool
    reason: str = ""
    reads: frozenset[str] | None = None


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
    """One run of the judge: which pass asked, whether it `failed` the same way, and the best problem so far."""

    pass_: str
    runs: int
    failed: bool
    best: P
    size: int


def minimize(
    problem: P,
    passes: Sequence[Pass[P]],
    judge: Callable[[P], Answer],
    *,
    key: Callable[[P], Hashable],
    size: Callable[[P], int],
) -> Iterator[Step[P]]:
    """Every run of the judge as a step; the last one's `best` is the answer, and any one's is one so far.

    Of the answer no single piece that a pass knows can be cut. Nothing is judged twice: problems with the same
    `key` are the same. Nothing that is not smaller by `size` is taken. Raises FailureNotThereError when the problem
    does not fail to begin with.
    """
    search = _Search(problem, judge, key, size)
    first = search.ask(problem)
    assert first is not None
    if not first.same:
        raise FailureNotThereError(
            f"The failure is not there to begin with: {first.reason or 'the run came to something else'}.",
            hint="`uvreport replay` says more; --uv names another release.",
        )
    search.reads = first.reads
    yield search.step("", failed=True)
    while True:
        before = key(search.best)
        for one in passes:
            for level in one.levels:
                yield from _level(search, one.name, level(search.best, search.reads))
        if key(search.best) == before:
            return


class _Search(Generic[P]):
    def __init__(
        self, problem: P, judge: Callable[[P], Answer], key: Callable[[P], Hashable], size: Callable[[P], int]
    ) -> None:
        self.best = problem
        self.reads: frozenset[str] | None = None
        self.runs = 0
        self._judge, self._key, self._size = judge, key, size
        self._refused: set[Hashable] = set()
        self.best_size = size(problem)

    def known(self, candidate: P | None) -> bool:
        """Whether it is known that this problem is no answer."""
        return (
            candidate is None
            or self._size(candidate) >= self.best_size
            or self._key(candidate) in self._refused
        )

    def ask(self, candidate: P) -> Answer:
        self.runs += 1
        answer = self._judge(candidate)
        if answer.same:
            self.best, self.reads, self.best_size = candidate, answer.reads, self._size(candidate)
        else:
            self._refused.add(self._key(candidate))
        return answer

    def step(self, name: str, *, failed: bool) -> Step[P]:
        return Step(pass_=name, runs=self.runs, failed=failed, best=self.best, size=self.best_size)


def _level(search: _Search[P], name: str, cuts: Cuts[P]) -> Generator[Step[P], None, None]:
    kept, gone = list(cuts.pieces), frozenset[object]()
    if all(search.known(cuts.without(frozenset([piece]))) for piece in kept):
        return  # each one is known to be needed
    chunk = len(kept)
    while chunk:
        progress, at = False, 0
        while at < len(kept):
            part = frozenset(kept[at : at + chunk])
            candidate = cuts.without(gone | part)
            if candidate is None or search.known(candidate):
                at += chunk
                continue
            failed = search.ask(candidate).same
            if failed:
                gone, progress = gone | part, True
                del kept[at : at + chunk]
            else:
                at += chunk
            yield search.step(name, failed=failed)
        # Once one piece is gone, one that was needed before may no longer be.
        chunk = min(chunk, len(kept)) if chunk == 1 and progress else min(chunk // 2, len(kept))
