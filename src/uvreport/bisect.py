"""Finds from which release to which a failure is there, with few runs.

Pure: it is handed the releases, what is known of them beforehand, and a judge. It gives one step for each run, so that
whoever draws them can, and can fetch what will be needed next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from uvreport.cache.buckets import version_key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from uvreport.bundle import Verdict

Answer = Literal["bad", "clean", "unknown"]
Why = Literal["start", "gallop", "epoch", "narrow", "confirm", "all"]

# So many answers of "unknown" between two known ones, and the boundary is given as a range.
PATIENCE = 8


class Row(Struct, frozen=True, kw_only=True):
    """What is searched: releases, oldest first, and what is known of them without a run.

    `start` is the release that fails. `unread` are those that cannot have read the entry, `absent` those that cannot be
    had, each with the reason. `epochs` gives a name to each stretch of releases with the same buckets. `seen` are verdicts
    that are settled: of these releases nothing is asked again.
    """

    releases: tuple[str, ...]
    start: str
    unread: Mapping[str, str] = {}
    absent: Mapping[str, str] = {}
    epochs: Mapping[str, str] = {}
    seen: Mapping[str, Verdict] = {}


class Step(Struct, frozen=True, kw_only=True):
    """A run that is about to be made (`verdict` is None), or has been.

    `sure` are releases that will be asked next whatever comes, `perhaps` those that may be, likely ones first.
    """

    release: str
    why: Why
    verdict: Verdict | None = None
    answer: Answer | None = None
    runs: int = 0
    sure: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


class Stretch(Struct, frozen=True, kw_only=True):
    """Releases from `first` to `last`, both seen to fail.

    `good_before` and `good_after` are the nearest seen to be without the failure, "" where there is none. The
    `unsure` ones stand between these and the stretch: nothing can be said of them. The boundary is exact where there are
    none.
    """

    first: str
    last: str
    good_before: str = ""
    good_after: str = ""
    unsure_before: tuple[str, ...] = ()
    unsure_after: tuple[str, ...] = ()


class Untested(Struct, frozen=True, kw_only=True):
    """Neighbours of which the same can be said: nothing, and why."""

    first: str
    last: str
    reason: str


class Found(Struct, frozen=True, kw_only=True):
    """What came of it. `verdicts` are the last ones, by release; `flaky` those that did not answer the same twice."""

    row: Row
    bad: tuple[Stretch, ...]
    untested: tuple[Untested, ...]
    verdicts: dict[str, Verdict]
    answers: dict[str, Answer]
    flaky: tuple[str, ...]
    runs: int

    @property
    def around(self) -> Stretch | None:
        """The stretch that the start is in."""
        return next((s for s in self.bad if _within(self.row.start, s)), None)

    @property
    def fixed_in(self) -> str:
        """The first release after the last stretch that was seen to be without the failure, "" when there is none."""
        return self.bad[-1].good_after if self.bad else ""

    @property
    def healed(self) -> bool:
        """Whether that release put another entry in the place of the one at fault."""
        return bool(self.fixed_in) and self.verdicts[self.fixed_in].healed


def answer(verdict: Verdict) -> Answer:
    """What a verdict says here: another failure, or none at all that can be judged, is "unknown"."""
    if verdict.verdict == "REPRODUCED":
        return "bad"
    return "clean" if verdict.verdict == "CLEAN" or verdict.past else "unknown"


def bisect(
    row: Row, judge: Callable[[str], Verdict], *, everything: bool = False, confirm: bool = True
) -> Generator[Step, None, Found]:
    """Gives each run as it is made, and returns what was found.

    It gallops from the start to both sides, asks one release of every epoch that was not asked, and then narrows every
    boundary that it has seen. What decides a boundary is asked twice, and a third time where the two differ. Islands
    within one epoch can be missed, unless `everything` is asked.
    """
    search = _Search(row, judge)
    if search.at(row.start) not in search.known:
        yield from search.ask(search.at(row.start), "start", perhaps=search.first_of_both_sides())
    if everything:
        pending = search.untested()
        for n, i in enumerate(pending):
            if i not in search.known:
                yield from search.ask(i, "all", sure=pending[n + 1 :])
    else:
        if search.known[search.at(row.start)] == "bad":
            yield from search.gallop()
        yield from search.epochs()
        yield from search.narrow()
    while confirm and (doubtful := search.doubtful()):
        for n, i in enumerate(doubtful):
            yield from search.again(i, sure=doubtful[n + 1 :])
        if not everything:
            yield from search.narrow()
    return search.found()


class _Search:
    """What is known so far, by the place of a release in the row of those that can be asked."""

    def __init__(self, row: Row, judge: Callable[[str], Verdict]) -> None:
        self.row = row
        self.judge = judge
        self.releases = tuple(release for release in row.releases if release not in row.unread)
        self.places = {release: i for i, release in enumerate(self.releases)}
        self.known: dict[int, Answer] = {
            i: "unknown" for i, release in enumerate(self.releases) if release in row.absent
        }
        self.verdicts: dict[int, Verdict] = {
            i: row.seen[release] for i, release in enumerate(self.releases) if release in row.seen
        }
        self.known |= {i: answer(verdict) for i, verdict in self.verdicts.items()}
        self.asked: dict[int, list[Answer]] = {}
        self.runs = 0

    def at(self, release: str) -> int:
        return self.places[release]

    def untested(self, first: int = 0, last: int | None = None) -> list[int]:
        end = len(self.releases) if last is None else last + 1
        return [i for i in range(max(0, first), end) if i not in self.known]

    # -- asking

    def ask(
        self, i: int, why: Why, *, sure: Iterable[int] = (), perhaps: Iterable[int] = ()
    ) -> Iterator[Step]:
        release = self.releases[i]
        fresh = [j for j in dict.fromkeys(sure) if j != i]
        maybe = [j for j in dict.fromkeys(perhaps) if j != i and j not in fresh and j not in self.known]
        step = Step(
            release=release,
            why=why,
            runs=self.runs,
            sure=tuple(self.releases[j] for j in fresh),
            perhaps=tuple(self.releases[j] for j in maybe),
        )
        yield step
        verdict = self.judge(release)
        self.runs += 1
        said = answer(verdict)
        self.verdicts[i] = verdict
        self.asked.setdefault(i, []).append(said)
        self.known[i] = _most(self.asked[i])
        yield Step(release=release, why=why, verdict=verdict, answer=said, runs=self.runs)

    def again(self, i: int, *, sure: Iterable[int] = ()) -> Iterator[Step]:
        """Asks a second time, and a third time when that differs."""
        before = self.verdicts[i]
        yield from self.ask(i, "confirm", sure=sure)
        if len(set(self.asked[i])) > 1:
            yield from self.ask(i, "confirm", sure=sure)
            if answer(self.verdicts[i]) != self.known[i]:
                self.verdicts[i] = before

    # -- where to ask

    def first_of_both_sides(self) -> list[int]:
        start = self.at(self.row.start)
        return [i for i in (start + 1, start - 1) if 0 <= i < len(self.releases) and i not in self.known]

    def gallop(self) -> Iterator[Step]:
        """From the start to both sides by 1, 2, 4, ... releases, in turns, until one does not fail."""
        start = self.at(self.row.start)
        step, sides = 1, [1, -1]
        while sides:
            wanted = {side: self._leap(start, side, step) for side in sides}
            sides = [side for side in sides if wanted[side] is not None]
            further = [self._leap(start, side, step * 2, beyond=wanted[side]) for side in sides]
            for side in list(sides):
                i = wanted[side]
                assert i is not None
                others = [j for other in sides if other != side and (j := wanted[other]) is not None]
                yield from self.ask(
                    i,
                    "gallop",
                    sure=[j for j in others if j not in self.known],
                    perhaps=[j for j in further if j is not None],
                )
                if self.known[i] == "clean" or not 0 < i < len(self.releases) - 1:
                    sides.remove(side)
            step *= 2

    def _leap(self, start: int, side: int, step: int, *, beyond: int | None = None) -> int | None:
        """The place `step` releases from the start, or the nearest further on that was not asked; the last one at most."""
        last = len(self.releases) - 1 if side > 0 else 0
        to = start + side * step
        to = min(to, last) if side > 0 else max(to, last)
        ahead = [i for i in range(to, last + side, side) if i not in self.known and i != beyond]
        return ahead[0] if ahead and start != last else None

    def epochs(self) -> Iterator[Step]:
        """One release of every epoch of which none was asked, the middle one."""
        for _ in range(3):  # what answers nothing is asked for in the same epoch again
            members: dict[str, list[int]] = {}
            for i, release in enumerate(self.releases):
                members.setdefault(self.row.epochs.get(release, ""), []).append(i)
            pending = []
            for places in members.values():
                open_ = [i for i in places if i not in self.known]
                if open_ and not any(self.known.get(i, "unknown") != "unknown" for i in places):
                    pending.append(open_[len(open_) // 2])
            for n, i in enumerate(pending):
                yield from self.ask(i, "epoch", sure=pending[n + 1 :])

    def narrow(self) -> Iterator[Step]:
        """Asks the middle of each gap between a release that fails and the next that does not, until there is none."""
        while gaps := self._gaps():
            middles = [_nearest(gap, wanted) for gap, wanted in gaps]
            i = middles[0]
            gap = gaps[0][0]
            yield from self.ask(i, "narrow", sure=middles[1:], perhaps=_quarters(gap, i))

    def _gaps(self) -> list[tuple[list[int], int]]:
        """Untested places at each boundary, and the place where to ask: the middle between the two sides."""
        sides = [i for i in range(len(self.releases)) if self.known.get(i) in {"bad", "clean"}]
        found = []
        for before, after in zip([-1, *sides], [*sides, len(self.releases)], strict=True):
            answers = {self.known.get(before, "end"), self.known.get(after, "end")}
            if "bad" not in answers or len(answers) == 1:
                continue
            inside = range(before + 1, after)
            vain = sum(1 for i in inside if i in self.asked)
            open_ = [i for i in inside if i not in self.known]
            if not open_ or vain >= PATIENCE:
                continue
            # At the end of the row there is no other side: what is at the very end decides the most.
            if before < 0:
                wanted = 0 if not vain else (before + after) // 2
            elif after == len(self.releases):
                wanted = after - 1 if not vain else (before + after) // 2
            else:
                wanted = (before + after) // 2
            found.append((open_, wanted))
        return found

    def doubtful(self) -> list[int]:
        """What decides a boundary and was asked only once."""
        sides = [i for i in range(len(self.releases)) if self.known.get(i) in {"bad", "clean"}]
        answers = ["", *(self.known[i] for i in sides), ""]
        edges = set()
        for n, i in enumerate(sides, 1):
            beside = {answers[n - 1], answers[n + 1]}
            if (answers[n] == "bad" and beside != {"bad"}) or (answers[n] == "clean" and "bad" in beside):
                edges.add(i)
        return sorted(i for i in edges if len(self.asked.get(i, ())) == 1)

    # -- the answer

    def found(self) -> Found:
        return Found(
            row=self.row,
            bad=self._stretches(),
            untested=self._untested(),
            verdicts={self.releases[i]: verdict for i, verdict in sorted(self.verdicts.items())},
            answers={self.releases[i]: said for i, said in sorted(self.known.items())},
            flaky=tuple(self.releases[i] for i, said in sorted(self.asked.items()) if len(set(said)) > 1),
            runs=self.runs,
        )

    def _stretches(self) -> tuple[Stretch, ...]:
        sides = [i for i in range(len(self.releases)) if self.known.get(i) in {"bad", "clean"}]
        groups: list[list[int]] = []
        joined = False
        for i in sides:
            if self.known[i] == "clean":
                joined = False
            elif joined:
                groups[-1].append(i)
            else:
                groups.append([i])
                joined = True
        out = []
        for group in groups:
            cleans = [i for i in sides if self.known[i] == "clean"]
            before = max((i for i in cleans if i < group[0]), default=-1)
            after = min((i for i in cleans if i > group[-1]), default=len(self.releases))
            out.append(
                Stretch(
                    first=self.releases[group[0]],
                    last=self.releases[group[-1]],
                    good_before=self.releases[before] if before >= 0 else "",
                    good_after=self.releases[after] if after < len(self.releases) else "",
                    unsure_before=self.releases[before + 1 : group[0]],
                    unsure_after=self.releases[group[-1] + 1 : after],
                )
            )
        return tuple(out)

    def _untested(self) -> tuple[Untested, ...]:
        """Releases of which a run says nothing: not read, not to be had, or not told; neighbours alike as one."""
        out: list[Untested] = []
        last = ""
        for release in self.row.releases:
            i = self.places.get(release)
            reason = self.row.unread.get(release, "")
            if i is not None and self.known.get(i) == "unknown":
                verdict = self.verdicts.get(i)
                reason = verdict.reason or verdict.verdict if verdict else self.row.absent[release]
            if reason and out and last == _alike(reason, release):
                out[-1] = Untested(first=out[-1].first, last=release, reason=out[-1].reason)
            elif reason:
                out.append(Untested(first=release, last=release, reason=reason))
            last = _alike(reason, release) if reason else ""
        return tuple(out)


def _alike(reason: str, release: str) -> str:
    return reason.replace(release, "")


def _most(answers: Sequence[Answer]) -> Answer:
    """What was answered most often; "unknown" where that is not one."""
    counts = sorted(((answers.count(one), one) for one in set(answers)), reverse=True)
    return "unknown" if len(counts) > 1 and counts[0][0] == counts[1][0] else counts[0][1]


def _nearest(places: Sequence[int], wanted: int) -> int:
    return min(places, key=lambda i: (abs(i - wanted), i))


def _quarters(gap: Sequence[int], middle: int) -> list[int]:
    """Where the next question falls on either side of `middle`."""
    low, high = [i for i in gap if i < middle], [i for i in gap if i > middle]
    return [half[len(half) // 2] for half in (high, low) if half]


def _within(release: str, stretch: Stretch) -> bool:
    return version_key(stretch.first) <= version_key(release) <= version_key(stretch.last)


# -- what changed in between -----------------------------------------------------------------------

_HEADING = re.compile(r"^#{1,4}\s+\[?v?(\d+\.\d+\.\d+)\b")
_BULLET = re.compile(r"^[-*+]\s+(.*)$")


def changes(changelog: str, after: str, through: str) -> dict[str, tuple[str, ...]]:
    """The titles of the changes in the releases after `after` up to `through`, by release, oldest first.

    `changelog` is Markdown with a heading for each release (`## 0.6.8`) and lists below it.
    """
    low, high = version_key(after), version_key(through)
    found: dict[str, list[str]] = {}
    here: list[str] | None = None
    for line in changelog.splitlines():
        heading = _HEADING.match(line)
        if heading:
            wanted = low < version_key(heading[1]) <= high
            here = found.setdefault(heading[1], []) if wanted else None
        elif re.match(r"^#{1,2}\s", line):
            here = None
        elif here is not None and (bullet := _BULLET.match(line)):
            here.append(bullet[1].strip())
        elif (
            here and line.startswith("  ") and line.strip() and not line.lstrip().startswith(("-", "*", "+"))
        ):
            here[-1] += " " + line.strip()  # a title that goes on in the next line
    return {release: tuple(found[release]) for release in sorted(found, key=version_key)}
