"""`db/<digest>` in a git bucket: the clone of a repository. A file in its place is fatal: uv cannot remove it."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    place = layout.parse(path)
    return place.path.split("/")[1:2] == ["db"] and path.count("/") == 2


def judge(look: Look) -> Judgement:
    names = look.names(look.path)
    home = f"{look.path}/.git" if ".git" in names else look.path
    if {"HEAD", "objects"} <= set(look.names(home)):
        return Judgement()
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="there is no Git repository in it (no HEAD or no objects); uv clones it again",
        missing=tuple(f"{home}/{name}" for name in ("HEAD", "objects") if name not in look.names(home)),
    )


ENTRY = EntryKind(
    name="git database", buckets=("git",), matches=matches, judge=judge, stands="dir", denied=always("fatal")
)
