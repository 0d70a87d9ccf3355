"""`checkouts/<digest>/<commit>` in a git bucket: a working tree, whole once `.ok` is there (in v0 inside it)."""

from __future__ import annotations

import os

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    place = layout.parse(path)
    return place.path.split("/")[1:2] == ["checkouts"] and path.count("/") == 3 and not path.endswith(".ok")


def judge(look: Look) -> Judgement:
    ok = f"{look.path}/.ok" if look.place.bucket == "git-v0" else f"{look.path}.ok"
    if os.path.lexists(look.full(ok)):
        return Judgement()
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="the mark of a finished checkout is not there; uv checks it out again",
        missing=(ok,),
    )


ENTRY = EntryKind(
    name="git checkout", buckets=("git",), matches=matches, judge=judge, stands="dir", denied=always("fatal")
)
