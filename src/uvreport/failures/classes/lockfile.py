"""uv.lock cannot be read, is of another schema, or does not fit the project."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="lockfile",
    what="the lockfile cannot be used",
    rank=40,
    fits=by_words(
        r"Failed to parse `?(?:uv|[\w.-]+)\.lock`?",
        "lockfile at .{1,200} needs to be updated",
        "lockfile at .{1,200} unsupported schema",
        "unsupported schema version",
        "Unable to find lockfile",
        "Could not find .{0,40}lockfile",
        "Found duplicate package .{1,200}lock",
        "lockfile .{0,80}(?:is missing|is outdated|inconsistent)",
        r"Failed to parse .{0,100}pylock\S*\.toml",
        r"Not a valid `pylock\.toml` file",
        "Failed to parse the lockfile",
        "requires a script lockfile",
        "not compatible with the lockfile",
        "non-canonical formatting",
        "but the lockfile records|Multiple active package entries|includes both a registry",
        r"Found duplicate package `[^`]{1,200} @ ",
    ),
    examples=(
        "Failed to parse `uv.lock`",
        "The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.",
        "The lockfile at `uv.lock` uses an unsupported schema version (v2, but only v1 is supported).",
        "Not a valid `pylock.toml` file: pylock.toml",
        "The current Python platform is not compatible with the lockfile's supported environments: `sys_platform == 'x'`",
    ),
)
