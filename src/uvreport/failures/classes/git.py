"""Fetching or checking out a git dependency failed."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="git",
    what="git failed, or a repository is not what was expected",
    rank=55,
    fits=by_words(
        "Git operation failed",
        "failed to (?:clone|fetch) (?:into|branch|tag|commit|all)",
        "Git executable not found",
        "failed to find branch",
        r"process didn't exit successfully: .{0,40}git\b",
        "revision .{1,80} not found",
        "Exact Git revision",
        "Failed to initialize Git repository|Attempted to initialize a Git repository",
        r"git\+\S{1,400}` has no subdirectory|git\+\S{1,400}.{0,40}(?:missing|LFS)",
    ),
    buckets=(
        "git",
        "sdists",
    ),
    examples=(
        "Git operation failed",
        "failed to clone into: /home/user/.cache/uv/git-v0/db/df873ca31bdf50af",
    ),
)
