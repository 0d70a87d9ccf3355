"""A build backend, or what it needs, failed."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="build",
    what="a package could not be built",
    rank=75,
    fits=by_words(
        "build backend returned an error",
        "Build backend failed",
        r"Failed to (?:resolve|install) requirements from `?(?:build-system|setup\.py)",
        "Call to `[^`]{1,200}` failed",
        "missing a build-system",
        "Failed to build .{0,300}build dependenc",
    ),
    buckets=(
        "sdists",
        "archive",
    ),
    examples=(
        "The build backend returned an error",
        "Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)",
    ),
)
