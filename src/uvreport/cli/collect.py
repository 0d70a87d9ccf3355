"""`uvreport collect`: the reporter's half."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from uvreport.bundle import Stage
from uvreport.cli.seconds import Seconds
from uvreport.errors import UsageError

if TYPE_CHECKING:
    from uvreport.report import Report


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("uv_command", nargs=-1, type=click.UNPROCESSED, metavar="[-- UV COMMAND...]")
@click.option(
    "--log",
    metavar="FILE",
    help="Take this saved output instead of running anything (`-` reads standard input).",
)
@click.option("--output", "-o", metavar="DIR", default=".", show_default=True, help="Where the bundle goes.")
@click.option("--project", metavar="DIR", help="The project, if it is not the one around this directory.")
@click.option("--cache-dir", metavar="DIR", help="uv's cache, if it is not the one that uv would use.")
@click.option("--uv", "uv_path", metavar="PATH", help="The uv that fails, if it is not the one on PATH.")
@click.option(
    "--run-program", is_flag=True, help="Run your own program too; by default only uv's part is run."
)
@click.option(
    "--without",
    metavar="COLLECTOR",
    multiple=True,
    help="Leave out the facts of one collector (see docs/cli.md).",
)
@click.option("--timeout", "timeout_s", metavar="SECONDS", type=Seconds(), default=120.0, show_default=True,
              help="How long the command may take on the copy.")  # fmt: skip
@click.option(
    "--private",
    metavar="PATTERN",
    multiple=True,
    help="Rename the packages that match, as in --private 'acme-*', everywhere (see docs/redaction.md).",
)
@click.option(
    "--keep-map",
    metavar="FILE",
    help="Keep what was removed, with its placeholders, in this new file on this machine. Never attach it.",
)
@click.option(
    "--drop-unreadable",
    is_flag=True,
    help="Leave out what cannot be searched for secrets, instead of stopping.",
)
@click.option(
    "--quarantine",
    is_flag=True,
    help="Then move what is at fault out of the cache (`uvreport restore` undoes it).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    uv_command: tuple[str, ...],
    log: str | None,
    output: str,
    project: str | None,
    cache_dir: str | None,
    uv_path: str | None,
    run_program: bool,
    without: tuple[str, ...],
    timeout_s: float,
    private: tuple[str, ...],
    keep_map: str | None,
    drop_unreadable: bool,
    quarantine: bool,
    as_json: bool,
) -> None:
    """Run the failing uv command again on a copy, find what is at fault, and write one redacted, proven bundle.

    Nothing of yours is changed: project, cache, environment and tools stay as they are. Give the command behind `--`:

        uvreport collect -- uv run pytest
    """
    from uvreport.report import Request, collect

    text = _saved(log) if log else None
    if not uv_command and text is None:
        uv_command = _choose(project or os.getcwd())
    progress = Progress(quiet=as_json)
    try:
        report = collect(
            Request(
                argv=uv_command,
                environ=dict(os.environ),
                cwd=os.getcwd(),
                output=output,
                project=project,
                cache_dir=cache_dir,
                uv_path=uv_path,
                log=text,
                run_program=run_program,
                without=without,
                timeout_s=timeout_s,
                drop_unreadable=drop_unreadable,
                private=private,
                keep_map=keep_map,
            ),
            progress,
        )
    finally:
        progress.close()
    taken = _set_aside(report) if quarantine else None
    for pattern in report.unmatched:
        click.echo(
            f"Warning: no package here matches --private {pattern}. Nothing was renamed for it.", err=True
        )
    if as_json:
        said = {**as_object(report), "quarantine": taken, "map": keep_map}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        _tell(report, taken)
        if keep_map is not None:
            click.echo("")
            click.echo(f"What was removed is in {keep_map}, for you alone: do not attach it, do not send it.")


def as_object(report: Report) -> dict[str, Any]:
    """The answer as one JSON object. Paths in it are this machine's own: it is for the person, not for the issue."""
    found = report.snapshot
    proof = report.bundle.proof
    return {
        "bundle": report.path,
        "issue": report.issue_path,
        "failure": {
            "class": found.failure.class_,
            "signature": found.failure.signature,
            "frames": list(found.failure.frames),
            "exit_code": found.run.exit_code,
        },
        "culprits": [culprit.path for culprit in found.culprits],
        "missing": list(found.missing),
        "cure": list(found.cure),
        "details": [
            {
                "path": c.path,
                "kind": c.kind,
                "state": c.state,
                "reason": c.reason,
                "writers": c.writers,
                "confirmed": c.confirmed,
            }
            for c in found.culprits
        ],
        "triage": found.triage,
        "proof": {"verdict": proof.verdict, "uv": proof.uv, "reason": proof.reason} if proof else None,
        "redactions": report.counts,
        "renamed": dict(report.renamed),
        "gaps": [{"what": gap.what, "why": gap.why} for gap in report.bundle.gaps],
        "size_bytes": report.size_bytes,
        "duration_s": report.duration_s,
    }


def _saved(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.buffer.read().decode("utf-8", "replace")
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", hint="Give the file with uv's output."
        ) from error


def _choose(folder: str) -> tuple[str, ...]:
    from uvreport.history import latest

    if sys.stdin.isatty() and sys.stderr.isatty():
        offered = latest(os.environ, sys.platform)
        if offered:
            click.echo("Which command failed?", err=True)
            for i, words in enumerate(offered, 1):
                click.echo(f"  {i}  {' '.join(words)}", err=True)
            picked = click.prompt("Number", type=click.IntRange(1, len(offered)), default=1, err=True)
            return offered[picked - 1]
    if any(os.path.isfile(os.path.join(place, "pyproject.toml")) for place in _upwards(folder)):
        return ("uv", "sync")
    raise UsageError(
        "There is no command, and no project here to try `uv sync` on.",
        hint="Put the failing command after `--`: uvreport collect -- uv pip install six",
    )


def _upwards(folder: str) -> list[str]:
    places = [os.path.abspath(folder)]
    while os.path.dirname(places[-1]) != places[-1]:
        places.append(os.path.dirname(places[-1]))
    return places


class Progress:
    """Shows each step on a terminal while it lasts; says nothing where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._status: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True)
            self._status = self._console.status("")
            self._status.start()

    def __call__(self, stage: Stage) -> None:
        if self._status is not None:
            steps = list(Stage)
            self._status.update(f"[{steps.index(stage) + 1}/{len(steps)}] {stage.value} ...")

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def _set_aside(report: Report) -> str | None:
    """Where what is at fault was moved, after the bundle that holds it was verified; None when nothing is."""
    from uvreport.errors import BadBundleError
    from uvreport.pack import verify
    from uvreport.quarantine import set_aside

    found = report.snapshot
    paths = found.cure or tuple(culprit.path for culprit in found.culprits)
    if not paths:
        return None
    wrong = [check.wrong for check in verify(report.path) if not check.ok]
    if wrong:
        raise BadBundleError(f"{report.path} is not sound ({wrong[0]}), so the cache was left as it is.")
    return set_aside(found.places.cache, paths, reason=found.failure.signature, bundle=report.path).folder


def _tell(report: Report, taken: str | None) -> None:
    from uvreport.render import summary

    for line in summary(report.bundle):
        click.echo(line)
    click.echo("")
    if report.counts:
        click.echo(
            "Removed: " + ", ".join(f"{n} x {rule}" for rule, n in sorted(report.counts.items())) + "."
        )
    else:
        click.echo("Removed: nothing that is private was found.")
    if report.renamed:
        click.echo("Renamed: " + ", ".join(f"{old} is {new}" for old, new in report.renamed) + ".")
    click.echo("")
    click.echo("What to do next:")
    click.echo(f"  1. Read {report.issue_path}: it is the text of your issue, and nothing was sent anywhere.")
    click.echo(
        "  2. Open https://github.com/astral-sh/uv/issues/new, paste it, and drag this file into the box:"
    )
    click.echo(f"     {report.path} ({report.size_bytes / 1000:.0f} kB)")
    if taken is not None:
        click.echo(f"  3. Work on: what was at fault is out of the cache now. It is in {taken}")
        click.echo("     and goes back with: uvreport restore")
    elif report.snapshot.cure:
        click.echo("  3. To work on meanwhile, this is all that has to go from the cache (keep the rest):")
        for path in report.snapshot.cure:
            click.echo(f"     {os.path.join(report.snapshot.places.cache, *path.split('/'))}")
        click.echo(f"     Not to lose it: uvreport quarantine {report.path}")
    else:
        click.echo(f"  3. See it fail again from the bundle alone: uvreport replay {report.path}")
