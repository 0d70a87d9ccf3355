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
        "missing a `?build-system`?",
        "`backend-path` entry",
        "Package metadata (?:name|version) ",
        "Building source distributions .{0,120}disabled|Building source distributions is disabled",
        "Expected a Python module at",
        "Invalid project metadata",
        "The source distribution declares ",
        "Module root must be inside|path for the data directory",
        "Virtual environments must not be added",
        "is not a valid build source|is not supported in the `uv_build`|Can only use `--list`",
        "Pass `--wheel` explicitly|Building an `--sdist` from",
        "The built wheel `",
        "Failed to parse metadata from built wheel",
        "match-runtime = true",
        "Extra build requirement",
        "License file `|project.license-files",
        "uv does not support extra requires",
        "Failed to build .{0,300}build dependenc",
    ),
    buckets=(
        "sdists",
        "archive",
    ),
    examples=(
        "The build backend returned an error",
        "Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)",
        "Package metadata name `flask` does not match given name `dask`",
        "Building source distributions for `project` is disabled",
        "Expected a Python module at: src/foo/__init__.py",
        "`backend-path` entry `backend_dir` does not exist or is not a directory",
    ),
)
