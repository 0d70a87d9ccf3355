"""`uvreport verify`: whether a bundle is what its manifest says."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from uvreport.cli.show import printable
from uvreport.errors import BadBundleError


@click.command()
@click.argument("bundle", type=click.Path(readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(bundle: str, as_json: bool) -> None:
    """Read BUNDLE as strictly as it can be read: format, names, sizes, every digest. Exit 4 if anything is wrong."""
    from uvreport.pack import verify

    checks = verify(bundle)
    bad = next((check for check in checks if not check.ok), None)
    if as_json:
        rows = [{"what": check.what, "ok": check.ok, "wrong": check.wrong} for check in checks]
        said: dict[str, Any] = {"bundle": bundle, "checks": rows}
        if bad is not None:
            said["error"] = {
                "message": _unsound(bundle, bad.wrong),
                "hint": _HINT,
                "exit_code": BadBundleError.exit_code,
            }
        click.echo(json.dumps(said, indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok ' if check.ok else 'BAD'} {check.what}{'' if check.ok else ': ' + check.wrong}")
    if bad is None:
        return
    if as_json:  # its object is printed
        click.echo(f"uvreport: {_unsound(bundle, bad.wrong)}\nHint: {_HINT}", err=True)
        sys.exit(BadBundleError.exit_code)
    raise BadBundleError(_unsound(bundle, bad.wrong), hint=_HINT)


_HINT = "Ask for the file again."


def _unsound(bundle: str, wrong: str) -> str:
    return printable(f"{bundle} is not sound: {wrong}")
