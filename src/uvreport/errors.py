"""Every way in which uvreport can fail to do what was asked.

An exception here means "I cannot do what you asked". The answer to what was asked is a value, never an
exception. Each carries one finished sentence, a hint that says what to do next, and the exit code of the
table in docs/cli.md.
"""

from __future__ import annotations

from typing import ClassVar


class UvreportError(Exception):
    """What all of them have in common: a finished message, a hint, an exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CannotWriteError(UvreportError):
    """The machine did not let us write: disk full, no permission, a path that is a file. Nothing was left behind."""

    exit_code = 1


class UsageError(UvreportError):
    """What was asked makes no sense as asked: no such directory, nothing to run, flags that contradict."""

    exit_code = 2


class NothingToReportError(UvreportError):
    """The command succeeded, or its failure is not uv's."""

    exit_code = 3


class BadBundleError(UvreportError):
    """The bundle is unreadable, damaged, hostile or of a format that this release does not know."""

    exit_code = 4


class RedactionError(UvreportError):
    """Redaction could not be completed, so nothing was written."""

    exit_code = 5


class SecretFoundError(RedactionError):
    """The last look found something private in the finished bytes, so nothing was written."""


class NoUsableUvError(UvreportError):
    """There is no uv to run, or the one that is there does not answer."""

    exit_code = 6


class FailureNotThereError(UvreportError):
    """Bisect or minimize was asked for, but the failure is not there to begin with."""

    exit_code = 7


class UnsafeSandboxError(UvreportError):
    """A replay cannot be contained on this machine, and `--trust` was not given."""

    exit_code = 8
