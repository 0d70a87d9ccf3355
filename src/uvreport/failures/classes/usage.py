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
        "^invalid value .{1,200} for '--",
        "^a value is required for",
        "^unexpected value",
    ),
    examples=(
        "unrecognized subcommand 'run'",
        "unexpected argument '--frozen' found",
        "invalid value '1' for '--no-cache'",
    ),
)
