"""`uvreport replay`: the maintainer's half."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from uvreport.bundle import Bundle, Uv, Verdict
from uvreport.cli.seconds import Seconds
from uvreport.pythons import Python  # noqa: TC001 msgspec reads the annotation
from uvreport.transplant import Move  # noqa: TC001 msgspec reads the annotation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from uvreport.replay import Explanation


class _Job(Struct, frozen=True, kw_only=True):
    """One replay to be made. `uv` is None for a release that cannot be had, for the reason `why`."""

    name: str  # the bundle, as it was given
    bundle: Bundle
    uv: Uv | None
    wanted: str
    python: Python
    why: str = ""
    moved: tuple[Move, ...] = ()
    keep: str | None = None


@click.command()
@click.argument("bundles", metavar="BUNDLE...", type=click.Path(readable=False), nargs=-1, required=True)
@click.option(
    "--uv",
    "uvs",
    metavar="RELEASE|PATH",
    multiple=True,
    help="Which uv (default: the reporter's release). Repeatable.",
)
@click.option(
    "--python",
    "names",
    metavar="VERSION|PATH",
    multiple=True,
    help="Which Python uv finds (default: the one that runs uvreport). Repeatable.",
)
@click.option(
    "--matrix",
    is_flag=True,
    help="A table of releases (--uv, or all at hand) and Pythons (--python, or all at hand).",
)
@click.option(
    "--transplant",
    is_flag=True,
    help="Where a release does not read the entry: also with the entry moved to where it would look for it.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="First say what contains it and why, what is restored, and what would run.",
)
@click.option("--trust", is_flag=True, help="Replay even where this machine cannot contain it.")
@click.option(
    "--allow-code", is_flag=True, help="Let the bundle's own code run (a build backend), contained."
)
@click.option("--keep", metavar="DIR", help="Leave the restored place in DIR and print how to enter it.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(min=1), help="Replays at once (default: one for each core)."
)
@click.option("--timeout", "timeout_s", metavar="SECONDS", type=Seconds(), default=60.0, show_default=True)
@click.option(
    "--exit-status",
    is_flag=True,
    help="Exit 0 if clean, 1 if reproduced, 125 if it cannot be told, as `git bisect run` wants.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def command(
    bundles: tuple[str, ...],
    uvs: tuple[str, ...],
    names: tuple[str, ...],
    matrix: bool,
    transplant: bool,
    explain: bool,
    trust: bool,
    allow_code: bool,
    keep: str | None,
    jobs: int | None,
    timeout_s: float,
    exit_status: bool,
    as_json: bool,
) -> None:
    """Restore each BUNDLE in a throwaway place without network or home, run its command there, and judge.

    By default not a line of a bundle's own code is run.
    """
    from uvreport.pack import open_bundle
    from uvreport.replay import contained
    from uvreport.replay import explain as explanation
    from uvreport.transplant import transplant as move

    opened = [(path, open_bundle(path)) for path in bundles]
    wanted = list(
        _jobs(opened, _releases(uvs, opened, matrix=matrix), _pythons(names, matrix=matrix), transplant)
    )
    if keep is not None:
        wanted = _places(wanted, keep)
    why = {
        id(job): explanation(job.bundle, job.uv, trust=trust, allow_code=allow_code, python=job.python)
        for job in wanted
        if explain and job.uv is not None and not job.moved
    }
    if not as_json:
        for job in wanted:
            if id(job) in why:
                click.echo(_explained(why[id(job)], job, alone=len(opened) < 2))

    def run(job: _Job) -> Verdict:
        if job.uv is None:
            return Verdict(verdict="UNTESTED", uv=job.wanted, reason=job.why)
        bundle = move(job.bundle, job.uv.release) if job.moved else job.bundle
        seen = contained(
            bundle,
            job.uv,
            trust=trust,
            allow_code=allow_code,
            keep=job.keep,
            timeout_s=timeout_s,
            python=job.python,
        )
        if job.keep is not None:
            click.echo(
                f"The place of uv {job.uv.release} is {job.keep}. To enter it:\n  {seen.enter}", err=True
            )
        return seen.verdict

    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(min(len(wanted), jobs or os.cpu_count() or 1)) as pool:
        for job, v in zip(wanted, pool.map(run, wanted), strict=True):
            verdicts.append(v)
            if not as_json and not matrix:
                click.echo(_said(v, job, several=len(opened) > 1, pythons=bool(names)))
    if as_json:
        rows = [_row(v, job, why.get(id(job))) for job, v in zip(wanted, verdicts, strict=True)]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif matrix:
        for name, _ in opened:
            click.echo(
                _table(name, [(j, v) for j, v in zip(wanted, verdicts, strict=True) if j.name == name])
            )
    if exit_status:
        sys.exit(_status([v.verdict for job, v in zip(wanted, verdicts, strict=True) if not job.moved]))


# -- what is replayed ------------------------------------------------------------------------------


def _releases(
    uvs: Sequence[str], opened: Sequence[tuple[str, Bundle]], *, matrix: bool
) -> Callable[[Bundle], Iterable[tuple[str, Uv | None, str]]]:
    """Gives, for a bundle, each release that is wanted, its uv, and why there is none."""
    from uvreport.errors import NoUsableUvError
    from uvreport.releases import of_reporter, on_disk, order, resolve

    at_hand = on_disk() if matrix and not uvs else ()
    found: dict[str, tuple[Uv | None, str]] = {}

    def wanted(bundle: Bundle) -> Iterable[tuple[str, Uv | None, str]]:
        own = bundle.run.uv.release
        names = uvs or (sorted({*at_hand, own}, key=order) if matrix else [own])
        for name in names:
            if name not in found:
                try:
                    found[name] = (resolve(name) if name in uvs else of_reporter(name), "")
                except NoUsableUvError as error:
                    if len(names) < 2 and len(opened) < 2:
                        raise
                    found[name] = (None, error.message)
            yield (name, *found[name])

    return wanted


def _pythons(names: Sequence[str], *, matrix: bool) -> tuple[Python, ...]:
    from uvreport import pythons

    if names:
        return tuple(dict.fromkeys(pythons.choose(name) for name in names))
    return pythons.at_hand() if matrix else (pythons.ours(),)


def _jobs(
    opened: Sequence[tuple[str, Bundle]],
    releases: Callable[[Bundle], Iterable[tuple[str, Uv | None, str]]],
    found: Sequence[Python],
    transplant: bool,
) -> Iterable[_Job]:
    from uvreport.transplant import moves

    for name, bundle in opened:
        for wanted, uv, why in releases(bundle):
            for python in found:
                job = _Job(name=name, bundle=bundle, uv=uv, wanted=wanted, python=python, why=why)
                yield job
                moved = moves(bundle, uv.release) if transplant and uv is not None else ()
                if moved:
                    yield _Job(name=name, bundle=bundle, uv=uv, wanted=wanted, python=python, moved=moved)


def _places(jobs: Sequence[_Job], keep: str) -> list[_Job]:
    """The jobs, each with a folder of its own, named after what tells it from the others."""
    from msgspec.structs import replace

    several = {
        "name": len({job.name for job in jobs}) > 1,
        "uv": len({job.wanted for job in jobs}) > 1,
        "python": len({job.python for job in jobs}) > 1,
    }
    out = []
    for job in jobs:
        parts = [os.path.basename(job.name).removesuffix(".uvreport.zip")] if several["name"] else []
        parts += [job.uv.release if job.uv else job.wanted] if several["uv"] else []
        parts += [job.python.version] if several["python"] else []
        parts += ["moved"] if job.moved else ["as-is"] if any(other.moved for other in jobs) else []
        out.append(replace(job, keep=os.path.join(keep, *parts)))
    return out


# -- telling ---------------------------------------------------------------------------------------


def _row(v: Verdict, job: _Job, why: Explanation | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "uv": v.uv, "verdict": v.verdict, "signature": v.signature, "reason": v.reason, "healed": v.healed,
        "code_executed": v.code_executed, "duration_s": v.duration_s, "python": job.python.version, "bundle": job.name,
        "transplanted": [{"from": move.old, "to": move.new} for move in job.moved] or None,
    }  # fmt: skip
    if why is not None:
        import msgspec

        row["explain"] = msgspec.to_builtins(why)
    return row


def _said(v: Verdict, job: _Job, *, several: bool, pythons: bool) -> str:
    reason = f" ({v.reason})" if v.reason else ""
    ran = "code of the bundle was run" if v.code_executed else "no code was run"
    which = f"{job.name}: " if several else ""
    with_ = f" with Python {job.python.version}" if pythons else ""
    if job.moved:
        where = " and ".join(f"from {move.old} to {move.new}" for move in job.moved)
        with_ += f", if the entry were written today (moved {where})"
    return f"{which}uv {v.uv}{with_}: {v.verdict}{reason} in {v.duration_s:.2f} s, {ran}"


def _table(name: str, rows: Sequence[tuple[_Job, Verdict]]) -> str:
    """Releases down, Pythons across; below it each reason once."""
    pythons = list(dict.fromkeys(job.python for job, _ in rows))
    lines: dict[str, dict[Python, str]] = {}
    reasons: dict[str, list[str]] = {}
    for job, v in rows:
        label = f"{v.uv} moved" if job.moved else v.uv
        lines.setdefault(label, {})[job.python] = v.verdict
        if v.reason:
            who = reasons.setdefault(f"{v.verdict}: {v.reason}", [])
            if label not in who:
                who.append(label)
    first = max(len("uv"), *map(len, lines))
    widths = [max(len(p.version) + 7, len("REPRODUCED")) for p in pythons]

    def line(label: str, cells: Iterable[str]) -> str:
        return "  ".join(
            [label.ljust(first), *(c.ljust(w) for c, w in zip(cells, widths, strict=True))]
        ).rstrip()

    out = [name, line("uv", (f"Python {p.version}" for p in pythons))]
    out += [line(label, (cells.get(p, "") for p in pythons)) for label, cells in lines.items()]
    out += [f"{', '.join(who)}: {reason}" for reason, who in reasons.items()]
    return "\n".join(out)


def _explained(why: Explanation, job: _Job, *, alone: bool) -> str:
    lines = [] if alone else [f"{job.name}:"]
    lines.append(f"uv {job.uv.release if job.uv else job.wanted} at {why.uv}, {why.python}")
    lines += [f"isolation: {one.name}: {'taken' if one.taken else one.why}" for one in why.isolation]
    lines += [f"layer: {one.name}: {'' if one.there else 'not there: '}{one.why}" for one in why.layers]
    lines.append(f"command: {why.command}")
    lines += [f"restored: {text}" for text in why.restored]
    lines.append(f"variables: {', '.join(why.variables) or 'none of the reporter'}")
    if why.left_out:
        lines.append(f"left out: {', '.join(why.left_out)} (of the reporter's machine)")
    lines.append(f"code: {why.code}")
    return "\n".join(lines)


def _status(verdicts: list[str]) -> int:
    if "REPRODUCED" in verdicts:
        return 1
    return 0 if all(v == "CLEAN" for v in verdicts) else 125
