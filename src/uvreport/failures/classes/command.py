"""`uv run` or `uvx` prepared everything and then found no such program."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="command",
    what="uv could not start the command that it was to run",
    rank=30,
    fits=by_words(
        "Failed to spawn:?",
        "executable named .{1,100} is not provided by package",
        "Failed to canonicalize script path",
        "No executables are provided by",
        "Failed to install entrypoints for",
        "was recursively invoked",
        "can't open file '[^']{1,400}': .{0,20}No such file",
    ),
    examples=(
        "Failed to spawn: `pytest-nope`",
        "`uv run` was recursively invoked 6 times which exceeds the limit of 5",
        "Failed to install entrypoints for `fastapi`",
    ),
)
