"""`uvreport replay`: the maintainer's half."""

from __future__ import annotations

import json
import os
import sys

import click


@click.command()
@click.argument("bundle", type=click.Path())
@click.option(
    "--uv",
    "uvs",
    metavar="RELEASE|PATH",
    multiple=True,
    help="Which uv (default: the reporter's release). Repeatable.",
)
@click.option("--trust", is_flag=True, help="Replay even where this machine cannot contain it.")
@click.option(
    "--allow-code", is_flag=True, help="Let the bundle's own code run (a build backend), contained."
)
@click.option("--keep", metavar="DIR", help="Leave the restored place in DIR and print how to enter it.")
@click.option(
    "--timeout", "timeout_s", metavar="SECONDS", type=click.FloatRange(min=1), default=60.0, show_default=True
)
@click.option(
    "--exit-status",
    is_flag=True,
    help="Exit 0 if clean, 1 if reproduced, 125 if it cannot be told, as `git bisect run` wants.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def command(
    bundle: str,
    uvs: tuple[str, ...],
    trust: bool,
    allow_code: bool,
    keep: str | None,
    timeout_s: float,
    exit_status: bool,
    as_json: bool,
) -> None:
    """Restore BUNDLE in a throwaway place without network or home, run its command there, and judge.

    By default not a line of the bundle's own code is run.
    """
    from uvreport.bundle import Verdict
    from uvreport.errors import NoUsableUvError
    from uvreport.pack import open_bundle
    from uvreport.releases import resolve
    from uvreport.replay import contained

    opened = open_bundle(bundle)
    verdicts = []
    for name in uvs or (opened.run.uv.release,):
        try:
            uv = resolve(name)
        except NoUsableUvError as error:
            if len(uvs) <= 1:
                raise
            verdicts.append(Verdict(verdict="UNTESTED", uv=name, reason=error.message))
            continue
        place = keep if keep is None or len(uvs) < 2 else os.path.join(keep, uv.release)
        seen = contained(opened, uv, trust=trust, allow_code=allow_code, keep=place, timeout_s=timeout_s)
        verdicts.append(seen.verdict)
        if place is not None:
            click.echo(f"The place of uv {uv.release} is {place}. To enter it:\n  {seen.enter}", err=True)
    if as_json:
        rows = [
            {
                "uv": v.uv, "verdict": v.verdict, "signature": v.signature, "reason": v.reason,
                "code_executed": v.code_executed, "duration_s": v.duration_s,
            }
            for v in verdicts
        ]  # fmt: skip
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for v in verdicts:
            said = f" ({v.reason})" if v.reason else ""
            ran = "code of the bundle was run" if v.code_executed else "no code was run"
            click.echo(f"uv {v.uv}: {v.verdict}{said} in {v.duration_s:.2f} s, {ran}")
    if exit_status:
        sys.exit(_status([v.verdict for v in verdicts]))


def _status(verdicts: list[str]) -> int:
    if "REPRODUCED" in verdicts:
        return 1
    return 0 if all(v == "CLEAN" for v in verdicts) else 125
