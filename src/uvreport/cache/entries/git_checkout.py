"""`checkouts/<digest>/<commit>` in a git bucket: a working tree, whole once `.ok` is there (in v0 inside it)."""

from __future__ import annotations

import os

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always, before


def matches(path: str) -> bool:
    place = layout.parse(path)
    return place.path.split("/")[1:2] == ["checkouts"] and path.count("/") == 3 and not path.endswith(".ok")


def judge(look: Look) -> Judgement:
    if look.what == "file":
        return Judgement(
            verdict="fatal", state="wrong-kind", reason="a file stands where a directory should be",
            innermost="Not a directory (os error 20)",
        )  # fmt: skip
    if look.what == "link":
        return Judgement(
            verdict="fatal" if before(look.release, "0.5.19") else "healed", state="dangling",
            innermost="process didn't exit successfully", reason=f"a link to {look.target}, which is not there",
        )  # fmt: skip
    ok = f"{look.path}/.ok" if look.place.bucket == "git-v0" else f"{look.path}.ok"
    if os.path.exists(look.full(ok)):
        if look.names(look.path) or look.place.bucket == "git-v0":
            return Judgement()
        return Judgement(
            verdict="healed", state="incomplete", reason="the checkout is empty; uv checks it out again"
        )
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="the mark of a finished checkout is not there; uv checks it out again",
        missing=(ok,),
    )


ENTRY = EntryKind(
    name="git checkout", buckets=("git",), matches=matches, judge=judge, stands="any", denied=always("fatal")
)
