"""`uvreport check`: what in the cache a release would choke on."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.status import Status

    from uvreport.check import Checked


@click.command()
@click.option("--cache-dir", metavar="DIR", help="The cache, if it is not the one that uv would use.")
@click.option(
    "--uv", "release", metavar="RELEASE", help="Judge for this release (default: that of the uv on PATH)."
)
@click.option("--package", metavar="NAME", default="", help="Only the entries of this package.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(cache_dir: str | None, release: str | None, package: str, as_json: bool) -> None:
    """Walk the whole cache without running anything of it. Exit 0: nothing wrong; 1: something found."""
    from uvreport.cache.buckets import version_key
    from uvreport.check import check
    from uvreport.errors import UsageError

    if release is not None:
        try:
            version_key(release)
        except ValueError as error:
            raise UsageError(f"{release} is not a release of uv.", hint="Give one like 0.6.6.") from error
    root, reader = cache_dir, release
    if root is None or reader is None:
        from uvreport.invocation import parse
        from uvreport.scene import find_uv, whereabouts

        uv = find_uv(None, "uv", os.environ)
        root = root or whereabouts(parse(("uv", "sync")), uv, os.environ, os.getcwd()).places.cache
        reader = reader or uv.release
    progress = Progress(quiet=as_json)
    try:
        found = check(
            os.path.abspath(root), reader, package=package, progress=progress, processes=_processors()
        )
    finally:
        progress.close()
    if as_json:
        click.echo(json.dumps(as_object(found), indent=2, ensure_ascii=False))
    else:
        _tell(found)
    sys.exit(1 if found.wrong else 0)


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def as_object(found: Checked) -> dict[str, object]:
    """The answer as one JSON object."""
    return {
        "cache_dir": found.cache_dir,
        "uv": found.release,
        "entries": found.entries,
        "bytes": found.size_bytes,
        "duration_s": found.duration_s,
        "findings": [
            {
                "path": one.finding.path,
                "kind": one.finding.kind,
                "verdict": one.finding.verdict,
                "state": one.finding.state,
                "reason": one.finding.reason,
                "writers": str(one.finding.writers) if one.finding.writers else "",
                "package": one.finding.package,
                "size_bytes": one.finding.size_bytes,
                "missing": list(one.finding.missing),
                "damaged": list(one.finding.damaged),
                "cure": list(one.cure),
            }
            for one in found.wrong
        ],
        "mixed": [
            {
                "bucket": mixture.bucket,
                "ranges": [
                    {"writers": str(one.writers), "entries": one.entries, "example": one.example}
                    for one in mixture.writings
                ],
            }
            for mixture in found.mixed
        ],
    }


def _tell(found: Checked) -> None:
    for one in found.wrong:
        finding = one.finding
        what = f"{finding.package}, " if finding.package else ""
        click.echo(f"{finding.path}  ({what}{finding.kind}, {finding.size_bytes} bytes)")
        click.echo(f"    {finding.reason}")
        if finding.writers:
            click.echo(f"    can have been written by uv {finding.writers}")
        click.echo(f"    cure: {' and '.join(one.cure)}")
    for mixture in found.mixed:
        by = "; ".join(
            f"{one.entries} by uv {one.writers}, such as {one.example}" for one in mixture.writings
        )
        click.echo(f"{mixture.bucket} was written by more than one release: {by}")
    wrong = f"{len(found.wrong)} that uv {found.release} would choke on" if found.wrong else "nothing wrong"
    click.echo(
        f"{found.entries} entries, {found.size_bytes / 1e6:.1f} MB, {wrong}, {found.duration_s:.2f} s."
    )


class Progress:
    """A count on a terminal, nothing elsewhere. It is a thread, and begins with the first number that it is told."""

    def __init__(self, *, quiet: bool) -> None:
        self._status: Status | None = None
        self._quiet = quiet or not sys.stderr.isatty()

    def __call__(self, entries: int) -> None:
        if self._quiet:
            return
        if self._status is None:
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        self._status.update(f"{entries} entries")

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
