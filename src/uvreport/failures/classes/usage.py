"""A command line that this release refuses before doing anything."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="usage",
    what="uv does not know the command line",
    rank=20,
    fits=by_words(
        "^unrecognized subcommand",
        "^unexpected argument",
        "^the argument .{1,200} cannot be used",
        "^the following required arguments",
        "^invalid value .{1,200} for '[-<]",
        "^a value is required for",
        "^unexpected value",
        "^There is no command `",
        "^`-{1,2}[a-z][^`]{1,60}` (?:cannot|is not supported|does not|flag|option)",
        "^The `-{1,2}[a-z][^`]{1,60}` (?:option|flag) (?:cannot|can only|requires)",
        "^pip(?:-compile|-sync)?'s `",
        "^It looks (?:like )?you (?:tried|provided)",
        "^Cannot (?:specify|run|read|install) .{1,200}(?:stdin|alongside|with a|via|`uv)",
        "^Using `[^`]{1,100}` is not supported",
        "^(?:invalid|Only one) .{0,20}(?:bump|version) component",
        "^Cannot perform ambiguous update",
        "^`--[^`]{1,60}` and `--[^`]{1,60}` cannot be used together",
        "^`uv [a-z ]{1,30}(?: --[a-z-]{1,30})?` (?:does not support|only accepts)",
        "didn't increase the version|did you mean to pass `--bump|^`--bump` values|for `--bump ",
        "is not a supported output format|^Expected the output filename",
        "provided with `--from` (?:does not match|conflicts)",
        "^(?:No username|No password) provided|^(?:Username|Password) cannot be empty|^When using `--token`",
        "^(?:Adding|Reading) requirements from .{1,60} is not supported",
    ),
    examples=(
        "unrecognized subcommand 'run'",
        "unexpected argument '--frozen' found",
        "invalid value '1' for '--no-cache'",
        "There is no command `foobar` for `uv`. Did you mean one of:",
        "`--outdated` cannot be used with `--format freeze`",
        "pip-compile's `--resolver=legacy` is unsupported (uv always backtracks)",
        "It looks like you tried to run a Python script at `script.py`, which is not supported by `uv tool run`",
    ),
)
