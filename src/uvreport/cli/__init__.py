"""The command line: only here click and rich are known, and every error becomes a sentence and an exit code."""

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import os
import signal
import sys
from typing import Any

import click

from uvreport import __version__
from uvreport.errors import CannotWriteError, UvreportError

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
    as_json = "--json" in _before_the_command(arguments)
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        _run(arguments, as_json=as_json)
    finally:
        signal.signal(signal.SIGTERM, before)


class _TerminatedError(KeyboardInterrupt):
    """Somebody asked the process to end, as `timeout` and build servers do: to be tidied up like an interrupt."""


def _terminated(_number: int, _frame: object) -> None:
    raise _TerminatedError


def _run(arguments: list[str], *, as_json: bool) -> None:
    try:
        code: Any = group.main(arguments, prog_name="uvreport", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt) as interrupt:
        _tidy()
        message = "Interrupted. Nothing was written."
        # click wraps what it catches.
        code = 143 if isinstance(interrupt.__cause__ or interrupt, _TerminatedError) else 130
        if as_json:
            _print_error(message, "", code)
        _say(message)
        sys.exit(code)
    except click.ClickException as error:
        if as_json:
            _print_error(error.format_message(), "See --help.", error.exit_code)
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno not in _THE_MACHINES:
            raise  # a bug: then its traceback is wanted
        _let_go_of_output()
        _fail(_refused(error), as_json=as_json)
    except UvreportError as error:
        _fail(error, as_json=as_json)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was asked is done: nothing is left to be interrupted
    sys.exit(code if isinstance(code, int) else 0)


# What a machine says when it cannot give what a program may well ask of it.
_THE_MACHINES = {
    errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)
}  # fmt: skip


def _refused(error: OSError) -> CannotWriteError:
    """The sentence for a machine that did not let us do what we have to."""
    where = f" ({error.filename})" if error.filename else ""
    return CannotWriteError(
        f"The machine did not let uvreport go on: {error.strerror}{where}.",
        hint="Free what is short; TMPDIR names another place for temporary files.",
    )


def _let_go_of_output() -> None:
    """What standard output holds back and cannot get rid of would fail once more, and louder, at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _tidy() -> None:
    """Takes away what an interrupt left half removed; a second one does not get in its way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    trees = sys.modules.get("uvreport.isolate.trees")
    if trees is not None:
        trees.remove_all()
        atexit.register(trees.remove_all)  # threads are waited for before that; till then they may be at it


def _before_the_command(arguments: list[str]) -> list[str]:
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _fail(error: UvreportError, *, as_json: bool) -> None:
    if as_json:
        _print_error(error.message, error.hint, error.exit_code)
    _say(error.message)
    if error.hint:
        _say(f"Hint: {error.hint}")
    sys.exit(error.exit_code)


def _print_error(message: str, hint: str, exit_code: int) -> None:
    import json

    said = {"error": {"message": message, "hint": hint, "exit_code": exit_code}}
    try:
        click.echo(json.dumps(said, indent=2))
    except OSError:  # standard output itself may be what is full
        _let_go_of_output()


def _say(text: str) -> None:
    click.echo(f"uvreport: {text}" if not text.startswith("Hint") else text, err=True)
