"""`uvreport diff`: two reports side by side."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("a", type=click.Path(readable=False))
@click.argument("b", type=click.Path(readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(a: str, b: str, as_json: bool) -> None:
    """What differs between the bundles A and B: failure, command, uv, system, Python, variables, settings, entries, files.

    Exit 0, whether or not anything differs. Nothing of the bundles is run.
    """
    from msgspec import to_builtins

    from uvreport.cli.show import printable
    from uvreport.diff import diff
    from uvreport.pack import open_bundle

    found = diff(open_bundle(a), open_bundle(b))
    if as_json:
        said = {
            "a": a,
            "b": b,
            "equal": found.equal,
            "same_failure": found.same_failure,
            "differences": to_builtins(found.differences),
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    if found.equal:
        click.echo("The two are equal, but for when and by what they were made.")
        return
    click.echo(
        "The same failure, by its signature."
        if found.same_failure
        else "Not the same failure, by their signatures."
    )
    topic = ""
    for one in found.differences:
        if one.topic != topic:
            topic = one.topic
            click.echo(f"\n{topic}")
        if one.a is None or one.b is None:
            side, value = ("A", one.a) if one.b is None else ("B", one.b)
            click.echo(printable(f"  only in {side}: {_short(one.what)} ({_short(value or '')})"))
        else:
            click.echo(printable(f"  {_short(one.what)}: {_short(one.a)} -> {_short(one.b)}"))
        for line in one.lines:
            click.echo(printable(f"      {_short(line)}"))


def _short(text: str) -> str:
    text = " ".join(text.splitlines())
    return text if len(text) <= 200 else text[:197] + "..."
