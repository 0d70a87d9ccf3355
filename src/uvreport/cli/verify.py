"""`uvreport verify`: whether a bundle is what its manifest says."""

from __future__ import annotations

import click


@click.command()
@click.argument("bundle", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: str, as_json: bool) -> None:
    """Read BUNDLE as strictly as it can be read: format, names, sizes, every digest. Exit 4 if anything is wrong."""
    import json

    from uvreport.errors import BadBundleError
    from uvreport.pack import verify

    checks = verify(bundle)
    if as_json:
        rows = [{"what": check.what, "ok": check.ok, "wrong": check.wrong} for check in checks]
        click.echo(json.dumps({"bundle": bundle, "checks": rows}, indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok ' if check.ok else 'BAD'} {check.what}{'' if check.ok else ': ' + check.wrong}")
    bad = next((check for check in checks if not check.ok), None)
    if bad is not None:
        raise BadBundleError(f"{bundle} is not sound: {bad.wrong}", hint="Ask for the file again.")
