"""Something outside uv's own data stands in the way: permissions, a broken environment, a full disk."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="environment",
    what="the virtual environment or the disk cannot be used",
    rank=90,
    fits=by_words(
        "Permission denied",
        "Access is denied",
        "Read-only file system",
        "No space left on device",
        "Too many open files",
        "Failed to create virtual environment",
        "No virtual environment found",
        "[Bb]roken virtual environment",
        "not a (?:valid|compatible) (?:Python )?(?:virtual )?environment",
        "externally managed",
        "Invalid cross-device link",
        "Disk quota exceeded",
        "Broken symlink at",
    ),
    buckets=("archive",),
    examples=(
        (
            "failed to create directory "
            "`/home/user/project/.venv/lib/python3.11/site-packages/acme_core`: Permission denied (os error 13)"
        ),
    ),
)
