"""The table from private value to placeholder, kept on the person's own machine: what `--keep-map` writes."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from uvreport.errors import CannotWriteError

if TYPE_CHECKING:
    from uvreport.redact.ledger import Ledger

_WARNING = "Private: these are the values that redaction took out. Never attach this file to an issue and never send it."


def can_write(path: str) -> None:
    """Raises CannotWriteError when `path` is there already, or when its directory is not or may not be written to."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.lexists(path):
        raise CannotWriteError(
            f"{path} is there already, and a table of secrets replaces nothing.",
            hint="Name a file that does not exist with --keep-map FILE.",
        )
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWriteError(
            f"{path} cannot be written: {folder} is no directory, or not yours to write to.",
            hint="Name another place with --keep-map FILE.",
        )


def write(path: str, ledger: Ledger, *, bundle: str = "") -> None:
    """Writes the table as JSON to a new file that only its owner can read (where modes exist); leaves no half file.

    `bundle` is the name of the file that the placeholders are in. Raises CannotWriteError.
    """
    table = {
        "warning": _WARNING,
        "bundle": bundle,
        "replaced": [
            {"kind": kind, "value": value, "placeholder": placeholder}
            for kind, value, placeholder in sorted(ledger.table(), key=lambda row: (row[0], row[2], row[1]))
        ],
    }
    data = json.dumps(table, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
    try:
        # Neither a file that is there nor a link that leads elsewhere; nobody else's to read, not for a moment.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise CannotWriteError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another file with --keep-map FILE."
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as problem:
        with contextlib.suppress(OSError):
            os.unlink(path)
        if isinstance(problem, OSError):
            raise CannotWriteError(f"{path} cannot be written: {problem.strerror}.") from problem
        raise
