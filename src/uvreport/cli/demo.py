"""`uvreport demo`: the whole story on a failure that is made for it, with real uv releases."""

from __future__ import annotations

import os
import shutil
import tempfile
import time

import click


@click.command()
@click.option("--keep", is_flag=True, help="Leave the temporary folder and say where it is.")
def command(keep: bool) -> None:
    """Make the failure of astral-sh/uv#12318 from nothing, collect it, show the draft, replay it under two releases.

    Everything happens in a temporary folder. The releases are fetched once, through your own index settings.
    """
    from uvreport.demo import build_seed
    from uvreport.errors import NoUsableUvError
    from uvreport.pack import open_bundle
    from uvreport.releases import obtain
    from uvreport.replay import replay
    from uvreport.report import Request, collect

    begin = time.monotonic()
    root = os.path.realpath(tempfile.mkdtemp(prefix="uvreport-demo-"))
    try:
        click.echo(
            "Fetching uv 0.6.7 (it writes the entry), 0.6.6 (it cannot read it) and 0.6.8 (it does not look)."
        )
        seed = build_seed(root, obtain)
        click.echo(
            f"\n$ {' '.join(seed.argv)}        # with uv {seed.fails}, after uv 0.6.7 filled the cache"
        )
        out = os.path.join(root, "out")
        os.mkdir(out)
        report = collect(
            Request(
                argv=seed.argv,
                environ=dict(seed.env),
                cwd=seed.project,
                output=out,
                uv_path=obtain(seed.fails).path,
            ),
            lambda stage: click.echo(f"  ... {stage.value}"),
        )
        opened = open_bundle(report.path)
        with open(report.issue_path, encoding="utf-8") as file:
            text = file.read()
        click.echo("\nThe issue draft (its first 60 lines):\n")
        for line in text.splitlines()[:60]:
            click.echo(f"  | {line}")
        click.echo(f"\nThe bundle: {report.size_bytes} bytes, made in {report.duration_s} s.")
        for release in (seed.fails, *seed.passes):
            try:
                seen = replay(opened, obtain(release))
            except NoUsableUvError as error:
                click.echo(f"  replay under uv {release}: not possible here: {error.message}")
                continue
            said = f" ({seen.reason})" if seen.reason else ""
            click.echo(f"  replay under uv {release}: {seen.verdict}{said}")
        click.echo(f"\nDone in {time.monotonic() - begin:.0f} s.")
        if keep:
            click.echo(f"Everything is in {root}.")
    finally:
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
