"""`uvreport redact`: the same funnel for any text, file or tree."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

import click

from uvreport.errors import CannotWriteError, UsageError

if TYPE_CHECKING:
    from uvreport.redact.known import Known
    from uvreport.redact.ledger import Ledger


@click.command()
@click.argument("source", metavar="FILE|DIR|-")
@click.option(
    "--known", metavar="FILE", help="JSON object of what to treat as private, instead of asking this machine."
)
@click.option(
    "--output",
    "-o",
    metavar="OUT",
    help="Where the result goes (a directory for a directory; default: standard output).",
)
@click.option(
    "--drop-unreadable",
    is_flag=True,
    help="Leave out files of a directory that cannot be searched, and say so.",
)
@click.option(
    "--keep-map",
    metavar="FILE",
    help="Keep what was replaced by what in FILE, for yourself alone. It holds every secret: never send it.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the counts by rule as one JSON object on standard error."
)
def command(
    source: str,
    known: str | None,
    output: str | None,
    drop_unreadable: bool,
    keep_map: str | None,
    as_json: bool,
) -> None:
    """Remove user names, hosts, credentials and tokens from SOURCE. Line count and structure stay.

    Names of files and targets of links are covered too. The same value becomes the same placeholder everywhere.
    """
    from uvreport.redact import keepmap
    from uvreport.redact.known import discover_here, from_json
    from uvreport.redact.ledger import Ledger
    from uvreport.redact.tree import redact_tree

    if keep_map is not None:
        keepmap.can_write(keep_map)
    ledger = Ledger()
    private = (
        discover_here(os.environ, os.getcwd(), sys.platform) if known is None else from_json(_read(known))
    )
    if source != "-" and not os.path.lexists(source):
        raise UsageError(f"There is no {source}.", hint="Name a file, a directory, or - for standard input.")
    if source != "-" and os.path.isdir(source):
        if output is None:
            raise UsageError("A directory needs a place to go.", hint="Name one with -o OUT.")
        leave_out = _left_out if drop_unreadable else None
        counts = redact_tree(source, output, private, leave_out=leave_out, ledger=ledger)
    elif output is not None and source != "-":
        counts = redact_tree(source, output, private, ledger=ledger)
    else:
        counts = _stream(source, output, private, ledger)
    if keep_map is not None:
        keepmap.write(keep_map, ledger)
    if as_json:
        click.echo(json.dumps(counts, indent=2), err=True)


def _left_out(path: str) -> None:
    click.echo(f"left out, for it cannot be searched: {path}", err=True)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def _stream(source: str, output: str | None, private: Known, ledger: Ledger) -> dict[str, int]:
    from uvreport.redact.tree import redact_stream

    with contextlib.ExitStack() as stack:
        try:
            given = sys.stdin.buffer if source == "-" else stack.enter_context(open(source, "rb"))
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}.") from error
        if output is None:
            return redact_stream(given, sys.stdout.buffer, private, ledger=ledger)
        # Beside its place first: killed half-way, there is no half file under the name that was asked for.
        part = f"{output}.{os.getpid()}.part"
        stack.callback(_gone, part)
        try:
            with open(part, "wb") as into:
                counts = redact_stream(given, into, private, ledger=ledger)
            os.replace(part, output)
        except OSError as error:
            raise CannotWriteError(f"{output} cannot be written: {error.strerror}.") from error
        return counts


def _gone(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
