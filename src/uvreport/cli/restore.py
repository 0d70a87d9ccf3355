"""`uvreport restore`: what was set aside is in the cache again, as it was."""

from __future__ import annotations

import json
import os

import click

from uvreport.errors import UsageError


@click.command()
@click.argument("quarantine", required=False, metavar="[QUARANTINE]")
@click.option("--list", "only_list", is_flag=True, help="Only say what has been set aside.")
@click.option("--force", is_flag=True, help="Replace what uv has written anew in the same place.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(quarantine: str | None, only_list: bool, force: bool, as_json: bool) -> None:
    """Put what `uvreport quarantine` moved back into the cache: QUARANTINE (a name or a folder), or the latest."""
    import msgspec

    from uvreport.quarantine import listed, put_back

    kept = listed()
    if only_list:
        if as_json:
            click.echo(json.dumps({"quarantines": [msgspec.to_builtins(one) for one in kept]}, indent=2))
            return
        for one in kept:
            click.echo(f"{os.path.basename(one.folder)}  {one.created}  {one.cache}")
            for entry in one.entries:
                click.echo(f"  {entry.path}  ({entry.kind}, {entry.size:,} bytes)")
        if not kept:
            click.echo("Nothing has been set aside.")
        return
    if quarantine is None:
        if not kept:
            raise UsageError("Nothing has been set aside.", hint="See `uvreport quarantine --help`.")
        folder = kept[-1].folder
    else:
        folder = next((one.folder for one in kept if os.path.basename(one.folder) == quarantine), quarantine)
    done = put_back(folder, force=force)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(done), indent=2))
        return
    click.echo(f"Put back into {done.cache}:")
    for entry in done.entries:
        click.echo(f"  {entry.path}  ({entry.kind}, {entry.size:,} bytes)")
