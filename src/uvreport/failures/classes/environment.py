"""Something outside uv's own data stands in the way: permissions, a broken environment, a full disk."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="environment",
    what="the environment, a tool or the disk cannot be used",
    rank=90,
    fits=by_words(
        "Permission denied",
        "Access is denied",
        "Read-only file system",
        "No space left on device",
        "Too many open files",
        "Project virtual environment directory|Virtual environment redirect file",
        "Failed to create virtual ?env(?:ironment)?",
        "Failed to initialize cache at",
        "Cannot uninstall package; `RECORD`|Unable to uninstall `",
        "Failed to read metadata from:? .{0,400}(?:dist-info|egg-info|egg-link)",
        "when waiting for lock on|Could not acquire lock",
        "Executables? already exists?",
        "is not installed(?:;|$)",
        "(?:missing a valid|has an invalid) receipt|does not have a lockfile; reinstall",
        "rendered unusable by the removal of the cache",
        "requested open file limit",
        "is not in PATH",
        "File name too long|Too many levels of symbolic links|Is a directory|Not a directory|File exists",
        "No such file or directory|cannot find the (?:path|file) specified",
        "stream did not contain valid UTF-8|is not valid UTF-8",
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
