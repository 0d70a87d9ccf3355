"""A source, member or group that the project names is not there."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="project",
    what="the project's layout or sources are not what uv expects",
    rank=85,
    fits=by_words(
        "Distribution not found at",
        r"No `?pyproject\.toml`? found",
        "(?:Workspace|workspace) member",
        r"missing an entry in `tool\.uv\.sources`",
        "Failed to parse entry",
        "does not appear to be a Python project",
        "(?:Group|Extra|extra|Dependency group|group) .{1,100}(?:is not defined|not found|was not "
        "found|does not exist)",
        "must be (?:a|an) (?:file|directory|archive)",
        "No `project` table found",
    ),
    buckets=("sdists",),
    examples=("Distribution not found at: file:///home/user/work/shared-models",),
)
