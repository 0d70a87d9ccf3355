"""The command line: only here click and rich are known, and every error becomes a sentence and an exit code."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from uvreport import __version__
from uvreport.errors import UvreportError

# Help texts stand here so that `uvreport --help` imports no command.
COMMANDS = {
    "bisect": "Find the releases of uv in which a bundle's failure is.",
    "check": "Walk a cache for what a release would choke on.",
    "collect": "Make one file of a uv command that just failed.",
    "demo": "See it all happen on a failure made for the purpose.",
    "diff": "What differs between two bundles.",
    "minimize": "Cut from a bundle all that its failure does not need.",
    "quarantine": "Take what is at fault out of uv's cache, to be put back at will.",
    "redact": "Remove what is private from any file, folder or stream.",
    "replay": "Run the failing command of a bundle, contained and offline.",
    "restore": "Put back what was taken out of uv's cache.",
    "show": "What a bundle holds.",
    "verify": "Check every digest and rule of a bundle.",
}


class Lazy(click.Group):
    """A group that imports a command's module when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click calls it so
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 click calls it so
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"uvreport.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 click calls it so
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes are in docs/cli.md. A bundle is a stranger's file: opening one runs nothing.",
)
@click.version_option(__version__, prog_name="uvreport")
def group() -> None:
    """The bug-report bundler for uv: a failing command becomes one file that fails the same way elsewhere.

    Right after the failure:  uvreport collect -- uv run pytest
    """


def main(argv: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code: Any = group.main(arguments, prog_name="uvreport", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _tidy()
        _say("Interrupted. Nothing was written.")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except UvreportError as error:
        _fail(error, as_json="--json" in _before_the_command(arguments))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was asked is done: nothing is left to be interrupted
    sys.exit(code if isinstance(code, int) else 0)


def _tidy() -> None:
    """Takes away what an interrupt left half removed; a second one does not get in its way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trees = sys.modules.get("uvreport.isolate.trees")
    if trees is not None:
        trees.remove_all()


def _before_the_command(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _fail(error: UvreportError, *, as_json: bool) -> None:
    if as_json:
        import json

        said = {"error": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}}
        click.echo(json.dumps(said, indent=2))
    _say(error.message)
    if error.hint:
        _say(f"Hint: {error.hint}")
    sys.exit(error.exit_code)


def _say(text: str) -> None:
    click.echo(f"uvreport: {text}" if not text.startswith("Hint") else text, err=True)
