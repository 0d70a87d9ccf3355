"""`uvreport bisect`: in which releases a bundle's failure is."""

from __future__ import annotations

import contextlib
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from uvreport.cli.intervals import as_object, tell, tell_moved
from uvreport.cli.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from uvreport.bisect import Found, Row, Step
    from uvreport.bundle import Bundle, Uv, Verdict

DOWNLOADS = 3  # at once; more are no faster, and the index is not ours
AHEAD = 6  # so many of the releases that will surely be asked are started on before it is their turn
KEPT_AHEAD = 2  # so many of those that may be asked are fetched


@click.command()
@click.argument("bundle", type=click.Path(readable=False))
@click.option("--good", "goods", metavar="RELEASE", multiple=True,
              help="Search no further than this release, which does not fail. Once for each side.")  # fmt: skip
@click.option("--bad", metavar="RELEASE", help="Start here (default: the reporter's release).")
@click.option("--all", "everything", is_flag=True, help="Run every release that reads the entry.")
@click.option(
    "--transplant",
    is_flag=True,
    help="Also run older and newer releases with the entry moved to where they would look for it.",
)
@click.option(
    "--changelog",
    metavar="FILE",
    type=click.Path(readable=False),
    help="uv's CHANGELOG.md: print what changed in between.",
)
@click.option(
    "--allow-code", is_flag=True, help="Let the bundle's own code run (a build backend), contained."
)
@click.option("--trust", is_flag=True, help="Replay even where this machine cannot contain it.")
@click.option("--offline", is_flag=True, help="Use only the releases that are on this machine.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(min=1), help="Runs at once (default: one for each core)."
)
@click.option("--timeout", "timeout_s", metavar="SECONDS", type=Seconds(), default=60.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    bundle: str,
    goods: tuple[str, ...],
    bad: str | None,
    everything: bool,
    transplant: bool,
    changelog: str | None,
    allow_code: bool,
    trust: bool,
    offline: bool,
    jobs: int | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Replay BUNDLE under release after release of uv, and say from which to which the failure is there.

    A release that never reads the entry at fault is not run, and not called good.
    """
    from uvreport.pack import open_bundle
    from uvreport.replay import contained
    from uvreport.transplant import transplant as moved

    begin = time.monotonic()
    text = _read(changelog) if changelog else None
    opened = open_bundle(bundle)
    row = row_of(opened, goods=goods, bad=bad, offline=offline)

    def run(release: str, uv: Uv, *, move: bool = False) -> Verdict:
        given = moved(opened, release) if move else opened
        return contained(given, uv, allow_code=allow_code, trust=trust, timeout_s=timeout_s).verdict

    def said(line: str) -> None:
        if not as_json:
            click.echo(line, err=True)

    with contextlib.closing(Runs(run, jobs=jobs or os.cpu_count() or 1, offline=offline, said=said)) as runs:
        found = search(row, runs, everything=everything, said=said)
        _check(found, goods)
        wider = moved_row(opened, found, offline=offline) if transplant else None
        moving = None
        if wider is not None:
            said("With the entry moved to where each other release looks for it:")
            moved_runs = Runs(
                lambda release, uv: run(release, uv, move=True), jobs=runs.jobs, offline=offline, said=said
            )
            with contextlib.closing(moved_runs) as others:
                moving = search(wider, others, everything=everything, said=said)
    duration_s = round(time.monotonic() - begin, 3)
    if as_json:
        answer = as_object(found, moving, text, opened)
        answer["duration_s"] = duration_s
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    for line in tell(found, text):
        click.echo(line)
    if transplant:
        for line in tell_moved(moving, opened):
            click.echo(line)
    further = f" and {moving.runs} with the entry moved" if moving else ""
    ran = any(v.code_executed for v in (moving or found).verdicts.values())
    code = "code of the bundle was run" if ran else "no code was run"
    click.echo(f"{found.runs} runs{further} in {duration_s:.1f} s, {code}.")


def _read(path: str) -> str:
    from uvreport.errors import UsageError

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error


# -- which releases --------------------------------------------------------------------------------


def row_of(
    bundle: Bundle, *, goods: Iterable[str] = (), bad: str | None = None, offline: bool = False
) -> Row:
    """The releases to search for a bundle. Raises UsageError, or FailureNotThereError when nothing can be there."""
    from uvreport import releases
    from uvreport.bisect import Row
    from uvreport.errors import FailureNotThereError, UsageError
    from uvreport.replay import unread_by

    for text in (*goods, *([bad] if bad else [])):
        if not releases.is_release(text):
            raise UsageError(
                f"{text!r} is not a uv release.", hint=f"Name one as in {releases.newest()}, without `v`."
            )
    start = bad or bundle.run.uv.release
    if not start:
        raise UsageError(
            "The bundle does not say which release failed.", hint="Name one that fails with --bad RELEASE."
        )
    if not releases.is_release(start):
        raise UsageError(
            f"The bundle says {start!r}, which is not a uv release.",
            hint="Name one that fails with --bad RELEASE.",
        )
    everything = sorted({*releases.known(), start, *goods}, key=releases.order)
    at = releases.order(start)
    low = max((g for g in goods if releases.order(g) < at), key=releases.order, default=everything[0])
    high = min((g for g in goods if releases.order(g) > at), key=releases.order, default=everything[-1])
    if start in goods:
        raise UsageError(f"uv {start} cannot be both good and bad.")
    found = tuple(r for r in everything if releases.order(low) <= releases.order(r) <= releases.order(high))
    unread = {r: why for r in found if (why := unread_by(bundle, r))}
    if start in unread:
        raise FailureNotThereError(
            f"uv {start} does not fail on this bundle: it never reads the entry. {_sentence(unread[start])}",
            hint=f"The bundle is from uv {bundle.run.uv.release}. "
            f"`uvreport replay --transplant --uv {start}` moves the entry.",
        )
    return Row(
        releases=found,
        start=start,
        unread=unread,
        absent=_absent(found) if offline else {},
        epochs=_epochs(bundle, found),
    )


def moved_row(bundle: Bundle, found: Found, *, offline: bool) -> Row | None:
    """The releases that read the entry, and on both sides those for which it can be moved; None without such.

    What was found of the first is settled.
    """
    from uvreport import releases
    from uvreport.bisect import Row
    from uvreport.transplant import moves

    others = [r for r in releases.known() if r not in found.verdicts and moves(bundle, r)]
    absent = _absent(others) if offline else {}
    if not set(others) - set(absent):
        return None
    # What was not asked stands between two of the same answer, or at a boundary that could not be told.
    unsure = {r for s in found.bad for r in (*s.unsure_before, *s.unsure_after)} - found.verdicts.keys()
    everything = tuple(sorted({*found.verdicts, *unsure, *others}, key=releases.order))
    return Row(
        releases=everything,
        start=found.row.start,
        absent={**dict.fromkeys(unsure, "not told"), **absent},
        epochs=_epochs(bundle, everything),
        seen=found.verdicts,
    )


def _absent(wanted: Iterable[str]) -> dict[str, str]:
    from uvreport import releases

    here = set(releases.on_disk())
    return {r: "not on this machine" for r in wanted if r not in here}


def _epochs(bundle: Bundle, wanted: Iterable[str]) -> dict[str, str]:
    """A name for what each release calls the buckets that a bundle has something in, and those of packages."""
    from uvreport.cache.buckets import bucket, kind_of

    tops = {member.path.split("/")[1] for member in bundle.members if member.path.startswith("cache/")}
    kinds = sorted({"wheels", "sdists"} | {kind for top in tops if (kind := kind_of(top))})
    return {r: " ".join(bucket(kind, r) or "-" for kind in kinds) for r in wanted}


# -- running ---------------------------------------------------------------------------------------


def search(row: Row, runs: Runs, *, everything: bool = False, said: Callable[[str], None]) -> Found:
    """What bisect finds, with every step prepared by `runs` and told to `said`.

    Raises FailureNotThereError as soon as the reporter's release does not fail.
    """
    from uvreport.bisect import bisect

    steps = bisect(row, runs.judge, everything=everything)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        if step.verdict is None:
            runs.expect(step)
        else:
            said(_line(step))
            if step.why == "start" and step.answer != "bad":
                _not_there(step.verdict)


def _not_there(verdict: Verdict) -> None:
    from uvreport.errors import FailureNotThereError

    why = f": {verdict.reason}" if verdict.reason else ""
    raise FailureNotThereError(
        f"uv {verdict.uv} does not fail on this bundle as it did for the reporter ({verdict.verdict}{why}).",
        hint="See what happens with `uvreport replay --explain`; where it needs code, give --allow-code.",
    )


def _line(step: Step) -> str:
    verdict = step.verdict
    assert verdict is not None
    reason = f" ({verdict.reason})" if step.answer == "unknown" else ""
    said = {"bad": "fails", "clean": "passes it", "unknown": "not told"}[step.answer or "unknown"]
    return f"{step.runs:4} uv {step.release:8} {said:10} {step.why}{reason}"


class Runs:
    """Runs under releases, several at once, each fetched before it is needed."""

    def __init__(
        self,
        run: Callable[[str, Uv], Verdict],
        *,
        jobs: int,
        offline: bool,
        said: Callable[[str], None],
    ) -> None:
        self.jobs = jobs
        self._run = run
        self._offline = offline
        self._said = said
        self._fetching = ThreadPoolExecutor(DOWNLOADS)
        self._running = ThreadPoolExecutor(jobs)
        self._uvs: dict[str, Future[Uv]] = {}
        self._ahead: dict[str, Future[Verdict]] = {}

    def close(self) -> None:
        """Waits for what runs, and begins nothing more."""
        self._running.shutdown(cancel_futures=True)
        self._fetching.shutdown(cancel_futures=True)

    def expect(self, step: Step) -> None:
        """Starts on what a step announces: fetches, and runs what will surely be asked."""
        for release in (step.release, *step.sure[:AHEAD]):
            if release not in self._ahead:
                self._ahead[release] = self._running.submit(self._do, release, self._fetch(release))
        for release in step.perhaps[:KEPT_AHEAD]:
            self._fetch(release)

    def judge(self, release: str) -> Verdict:
        """The verdict of one run, that was perhaps begun before."""
        ahead = self._ahead.pop(release, None)
        return ahead.result() if ahead else self._do(release, self._fetch(release))

    def _fetch(self, release: str) -> Future[Uv]:
        from uvreport import releases

        if release not in self._uvs:
            self._uvs[release] = self._fetching.submit(
                releases.obtain, release, offline=self._offline, progress=self._said
            )
        return self._uvs[release]

    def _do(self, release: str, uv: Future[Uv]) -> Verdict:
        from uvreport import releases
        from uvreport.bundle import Verdict
        from uvreport.errors import NoUsableUvError

        try:
            there = uv.result()
        except NoUsableUvError as error:
            return Verdict(
                verdict="UNTESTED", uv=release, reason=f"no such release to be had: {error.message}"
            )
        verdict = self._run(release, there)
        if verdict.reason.startswith("uv did not end within"):
            verdict = self._run(release, there)  # a busy machine is no answer
        releases.let_go(there)
        return verdict


def _check(found: Found, goods: Iterable[str]) -> None:
    from uvreport.errors import FailureNotThereError, UsageError

    if found.around is None:
        raise FailureNotThereError(
            f"uv {found.row.start} failed in one run and not in another, so nothing can be told.",
            hint="Replay it a few times to see how often it fails.",
        )
    for good in goods:
        if found.answers.get(good) == "bad":
            raise UsageError(
                f"uv {good} was given as good, and the failure is there.",
                hint="Give another one with --good.",
            )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
