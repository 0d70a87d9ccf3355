"""`uvreport quarantine`: the entries at fault leave the cache, and can come back."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from uvreport.errors import NoUsableUvError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uvreport.quarantine import Quarantine


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="BUNDLE|PATH...")
@click.option("--cache-dir", metavar="DIR", help="uv's cache, if it is not the one that uv would use.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(what: tuple[str, ...], cache_dir: str | None, yes: bool, as_json: bool) -> None:
    """Move the entries at fault out of uv's cache, all of them or none, to where `uvreport restore` finds them.

    A BUNDLE names the entries that were found to be at fault; it is verified first. A PATH is one in the cache,
    absolute or relative to it. Nothing is moved while a uv is at work in the cache.
    """
    from uvreport.quarantine import set_aside

    cache = os.path.abspath(cache_dir) if cache_dir else _cache_of_uv()
    if not os.path.isdir(cache):
        raise UsageError(f"There is no cache at {cache}.", hint="Name it with --cache-dir DIR.")
    paths: list[str] = []
    bundles: list[str] = []
    reasons: list[str] = []
    for one in what:
        path = None if one.endswith(".uvreport.zip") else _in_cache(cache, one)
        if path is not None:
            paths.append(path)
            continue
        found, reason = _of_bundle(cache, one)
        paths += found
        reasons.append(reason)
        bundles.append(os.path.basename(one))
    paths = sorted(set(paths))
    if not yes:
        _ask(cache, paths)
    made = set_aside(
        cache, paths, reason="; ".join(filter(None, reasons)) or "named by hand", bundle=", ".join(bundles)
    )
    _say(made, as_json=as_json)


def _cache_of_uv() -> str:
    from uvreport import invocation
    from uvreport.scene import find_uv, whereabouts

    try:
        uv = find_uv(None, "uv", os.environ)
    except NoUsableUvError:
        uv = None  # the variable and the default place are left
    asked = invocation.parse(("uv", "cache", "dir"))
    return whereabouts(asked, uv, os.environ, os.getcwd()).places.cache


def _in_cache(cache: str, given: str) -> str | None:
    """The path in the cache that was meant, None where it is a file elsewhere. Raises UsageError when nothing is there."""
    if not os.path.isabs(given) and os.path.lexists(os.path.join(cache, given)):
        return given.replace(os.sep, "/").rstrip("/")
    full = os.path.abspath(given)
    if not os.path.lexists(full):
        raise UsageError(
            f"There is no {given}: neither a bundle nor a path in {cache}.",
            hint="Name the cache with --cache-dir DIR if it is another.",
        )
    # Folders above may be reached through a link (/tmp on macOS); the thing itself may be a link at fault.
    for root, place in (
        (cache, full),
        (
            os.path.realpath(cache),
            os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full)),
        ),
    ):
        if place.startswith(root.rstrip(os.sep) + os.sep):
            return os.path.relpath(place, root).replace(os.sep, "/")
    return None


def _of_bundle(cache: str, file: str) -> tuple[Sequence[str], str]:
    from uvreport.pack import open_bundle
    from uvreport.quarantine import culprits_in

    bundle = open_bundle(file)  # as strict as `verify`: every digest
    return culprits_in(cache, bundle), "; ".join(culprit.reason for culprit in bundle.culprits)


def _ask(cache: str, paths: Sequence[str]) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"This would move {len(paths)} of the entries of {cache}: {', '.join(paths[:5])}.",
            hint="Say --yes to do it; nobody can be asked here.",
        )
    click.echo(f"Out of {cache} would be moved:", err=True)
    for path in paths:
        click.echo(f"  {path}", err=True)
    click.confirm("Move them?", abort=True, err=True)


def _say(made: Quarantine, *, as_json: bool) -> None:
    undo = f"uvreport restore {os.path.basename(made.folder)}"
    if as_json:
        import msgspec

        click.echo(json.dumps({**msgspec.to_builtins(made), "undo": undo}, indent=2))
        return
    click.echo(f"Moved out of {made.cache}:")
    for entry in made.entries:
        click.echo(f"  {entry.path}  ({entry.kind}, {entry.size:,} bytes)")
    click.echo(f"to      {made.folder}")
    click.echo(f"undo    {undo}")
