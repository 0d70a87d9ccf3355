"""`db/<digest>` in a git bucket: the clone of a repository. A file in its place is fatal: uv cannot remove it."""

from __future__ import annotations

import os
import re

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always, before, contents, is_denied


def matches(path: str) -> bool:
    place = layout.parse(path)
    return place.path.split("/")[1:2] == ["db"] and path.count("/") == 2


def displaced(look: Look, *, dangling: str) -> Judgement | None:
    """The judgement of what is no directory where Git's should be; None of a directory. `dangling` is said of a link."""
    if look.what == "file":
        return Judgement(
            verdict="fatal", state="wrong-kind", reason="a file stands where a directory should be",
            innermost="Not a directory (os error 20)",
        )  # fmt: skip
    if look.what == "link":
        return Judgement(
            verdict="fatal" if before(look.release, "0.5.19") else "healed", state="dangling", innermost=dangling,
            reason=f"a link to {look.target}, which is not there",
        )  # fmt: skip
    return None


def judge(look: Look) -> Judgement:
    if found := displaced(look, dangling="File exists (os error 17)"):
        return found
    names = look.names(look.path)
    home = f"{look.path}/.git" if ".git" in names else look.path
    if {"HEAD", "objects"} <= set(look.names(home)):
        if _is_head(look.full(f"{home}/HEAD")):
            return Judgement()
        return Judgement(
            verdict="healed",
            state="garbage",
            reason="its HEAD is none, so Git takes it for no repository; uv clones it again",
            damaged=(f"{home}/HEAD",),
        )
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="there is no Git repository in it (no HEAD or no objects); uv clones it again",
        missing=tuple(f"{home}/{name}" for name in ("HEAD", "objects") if name not in look.names(home)),
    )


def _is_head(full: str) -> bool:
    try:
        if is_denied(os.stat(full)):
            return False
        return re.match(rb"ref:\s*refs/|[0-9a-f]{40}", contents(full, 4096)) is not None
    except OSError:
        return False


ENTRY = EntryKind(
    name="git database", buckets=("git",), matches=matches, judge=judge, stands="any", denied=always("fatal")
)
