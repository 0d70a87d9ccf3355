"""`uvreport minimize`: the smallest bundle that fails the same way."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from uvreport.cli.seconds import Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvreport.bundle import Bundle
    from uvreport.minimize import Step


@click.command()
@click.argument("bundle", type=click.Path(readable=False))
@click.option(
    "--output", "-o", metavar="OUT", help="The file to write (default: NAME.min.uvreport.zip beside it)."
)
@click.option("--uv", "release", metavar="RELEASE|PATH", help="Which uv (default: the reporter's release).")
@click.option(
    "--timeout", "--timeout-s", "timeout_s", metavar="SECONDS", type=Seconds(), default=60.0, show_default=True,
    help="How long one run may take.",
)  # fmt: skip
@click.option(
    "--max-seconds", metavar="SECONDS", type=click.FloatRange(min=0),
    help="Stop after so long and keep the best so far.",
)  # fmt: skip
@click.option(
    "--jobs", metavar="N", type=click.IntRange(min=1), help="Runs at once (default: one for each core)."
)
@click.option("--trust", is_flag=True, help="Replay even where this machine cannot contain it.")
@click.option(
    "--allow-code", is_flag=True, help="Let the bundle's own code run (a build backend), contained."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    bundle: str,
    output: str | None,
    release: str | None,
    timeout_s: float,
    max_seconds: float | None,
    jobs: int | None,
    trust: bool,
    allow_code: bool,
    as_json: bool,
) -> None:
    """Cut from BUNDLE all that its failure does not need, and write what is left as a bundle of its own.

    Cache entries, files, TOML tables and keys, lockfile packages, lines, variables and options go as long as uv fails
    with the same error and the entry at fault is in the same state. Ctrl-C keeps the best so far.
    """
    import hashlib

    from msgspec.structs import replace

    from uvreport import pack, render
    from uvreport.isolate import trees
    from uvreport.minimize import problem
    from uvreport.releases import of_reporter, resolve
    from uvreport.replay import Replay, prove
    from uvreport.smallest import Judge, restated, search

    begin = time.monotonic()
    path = output or _beside(bundle)
    original = pack.open_bundle(bundle)
    _check_place(path)  # before the search, which takes its time
    with open(bundle, "rb") as file:
        given = file.read()
    uv = of_reporter(original.run.uv.release) if release is None else resolve(release)
    judge = Judge(original, uv, timeout_s=timeout_s, trust=trust, allow_code=allow_code)
    last: Step[Bundle] | None = None
    stopped = ""
    try:
        with _drawn() as draw, contextlib.closing(search(original, judge, jobs=jobs)) as steps:
            for step in steps:
                last = step
                draw(step)
                if step.answer is None:
                    continue
                if max_seconds is not None and time.monotonic() - begin > max_seconds:
                    stopped = f"stopped after {max_seconds:g} s"
                    break
    except KeyboardInterrupt:
        if last is None or last.answer is None:
            raise
        stopped = "interrupted"
        trees.remove_all()  # the place of the run that was interrupted
    assert last is not None
    assert last.answer is not None
    seen = last.answer.seen
    assert isinstance(seen, Replay)
    smaller = restated(
        original, last.best, seen, uv=uv, digest=hashlib.sha256(given).hexdigest(), clean=_cleaner()
    )
    smaller = pack.fit(smaller)
    packed = pack.open_bundle(pack.write(smaller, "", ""))
    proof = prove(packed, uv, trust=trust, allow_code=allow_code, timeout_s=timeout_s)
    smaller = replace(smaller, proof=proof)
    name = os.path.basename(path)
    data = pack.write(
        smaller, render.issue(smaller, file_name=name), render.report_html(smaller, file_name=name)
    )
    _check_place(path)  # another may have been there first
    pack.save(data, path)
    members = [sum(m.path.startswith(problem.RESTORED) for m in b.members) for b in (original, smaller)]
    said = {
        "bundle": path,
        "uv": uv.release,
        "runs": last.runs,
        "duration_s": round(time.monotonic() - begin, 3),
        "stopped": stopped,
        "members": {"before": members[0], "after": members[1]},
        "problem_bytes": {"before": problem.size(original), "after": problem.size(smaller)},
        "file_bytes": {"before": len(given), "after": len(data)},
        "kept": [member.path for member in smaller.members if member.path.startswith(problem.RESTORED)],
        "argv": list(smaller.run.argv),
        "proof": {"verdict": proof.verdict, "uv": proof.uv, "reason": proof.reason},
    }
    if as_json:
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    from uvreport.cli.show import printable

    how = f" ({stopped}: this is the best so far)" if stopped else ""
    click.echo(
        f"{path}: {members[0]} members became {members[1]}, {len(given):,} bytes {len(data):,}, "
        f"in {last.runs} runs of uv {uv.release} and {said['duration_s']} s{how}."
    )
    for member in smaller.members:
        if member.path.startswith(problem.RESTORED):
            click.echo(printable(f"  {member.path}  {len(member.data)} bytes"))
    reason = f" ({proof.reason})" if proof.reason else ""
    click.echo(f"Replayed from its own bytes: {proof.verdict}{reason}.")


def _beside(bundle: str) -> str:
    from uvreport.pack import SUFFIX

    stem = bundle[: -len(SUFFIX)] if bundle.endswith(SUFFIX) else os.path.splitext(bundle)[0]
    return f"{stem}.min{SUFFIX}"


def _check_place(path: str) -> None:
    """Raises CannotWriteError where nothing can be written at `path`, as far as can be told without writing."""
    from uvreport.errors import CannotWriteError

    hint = "Name another file with -o OUT."
    folder, name = os.path.split(path)
    if os.path.lexists(path):
        raise CannotWriteError(f"{path} is there already.", hint=hint)
    if not os.path.isdir(folder or "."):
        raise CannotWriteError(f"{path} cannot be written: {folder} is not a directory.", hint=hint)
    if not os.access(folder or ".", os.W_OK | os.X_OK):
        raise CannotWriteError(f"{path} cannot be written: {folder or '.'} is not writable.", hint=hint)
    if len(os.fsencode(name)) > _LONGEST:
        raise CannotWriteError(f"{path} cannot be written: the name is too long.", hint=hint)


_LONGEST = 200  # bytes of a name; while it is written, it has some more


def _cleaner() -> Callable[[str], str]:
    """Takes out of uv's output what is private on this machine: the place of its Python, say."""
    from uvreport.redact.known import discover_here
    from uvreport.redact.tree import redact_stream

    known = discover_here(os.environ, os.getcwd(), sys.platform)

    def clean(text: str) -> str:
        out = io.BytesIO()
        redact_stream(io.BytesIO(text.encode()), out, known)
        return out.getvalue().decode("utf-8", "replace")

    return clean


@contextlib.contextmanager
def _drawn() -> Iterator[Callable[[Step[Bundle]], None]]:
    """Shows each step on standard error: one line that changes on a terminal, else a line whenever it got smaller."""
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("replaying the bundle") as status:
            yield lambda step: status.update(_line(step))
        return
    best = [0]

    def plain(step: Step[Bundle]) -> None:
        if step.size != best[0]:
            best[0] = step.size
            click.echo(_line(step), err=True)

    yield plain


def _line(step: Step[Bundle]) -> str:
    from uvreport.minimize.problem import RESTORED

    if step.answer is None:
        return f"run {step.runs}: with only the entry at fault in the cache it does not fail so"
    members = sum(member.path.startswith(RESTORED) for member in step.best.members)
    what = f"{members} members, {step.size:,} bytes"
    return f"run {step.runs}: {what}; cutting {step.pass_}" if step.pass_ else f"it fails: {what}"
