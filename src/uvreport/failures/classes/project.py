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
        r"is missing a `\[project\]` table|project with a `\[project\]` table",
        "malformed dependency groups",
        r"Detected a cycle in `dependency-groups`|Failed to find group `|Group `[^`]{1,100}` includes the",
        "are incompatible with the .{0,40}conflicts:",
        "Found conflicting extras",
        "Requested extras? not found",
        "marked as unmanaged",
        "Package `[^`]{1,100}` not found in workspace",
        "Could not find root package",
        "Workspace does not contain any",
        r"dependency `[^`]{1,100}` could not be found in|Dependency `[^`]{1,100}` was not found in `project",
        "self-dependencies are not permitted",
        "did not resolve to a (?:Git repository|local directory)",
        "is not a valid package name",
        "already initialized",
        "references an undeclared index|Could not find an index named|Index not found: `",
        "Directory not found for index",
        "Failed to read `--find-links` directory",
        r"^File not found: `",
        "Project (?:directory|path) `[^`]{1,300}` (?:does not exist|is not a)",
        "is inside the cache directory",
        "dynamic (?:project )?versions? (?:in|yet)",
        "Workspace dependency `",
        "must refer to (?:a )?local (?:directory|archive)",
        "cannot be upgraded",
    ),
    buckets=("sdists",),
    examples=(
        "Distribution not found at: file:///home/user/work/shared-models",
        "Project `svc` has malformed dependency groups",
        "Groups `dev` and `test` are incompatible with the declared conflicts: {`svc:dev`, `svc:test`}",
        "The dependency `anyio` could not be found in `project.dependencies`",
        "Requested extra not found: bar",
        "The project is marked as unmanaged: /home/user/work/svc",
        "File not found: `requirements.txt`",
    ),
)
