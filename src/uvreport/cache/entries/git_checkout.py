"""`checkouts/<digest>/<commit>` in a git bucket: a working tree, whole once `.ok` is there (in v0 inside it)."""

from __future__ import annotations

import os

from uvreport.cache import layout
from uvreport.cache.entries.git_database import displaced
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    place = layout.parse(path)
    return place.path.split("/")[1:2] == ["checkouts"] and path.count("/") == 3 and not path.endswith(".ok")


def judge(look: Look) -> Judgement:
    if found := displaced(look, dangling="process didn't exit successfully"):
        return found
    ok = f"{look.path}/.ok" if look.place.bucket == "git-v0" else f"{look.path}.ok"
    if os.path.exists(look.full(ok)):
        if look.names(look.path) or look.place.bucket == "git-v0":
            lost = tuple(f"{look.path}/{name}" for name in tracked(look) if not _is_there(look, name))
            if not lost:
                return Judgement()
            return Judgement(
                verdict="suspicious",
                state="incomplete",
                reason=f"{len(lost)} of the files that were checked out are gone; uv takes it for whole",
                missing=lost[:20],
            )
        return Judgement(
            verdict="healed", state="incomplete", reason="the checkout is empty; uv checks it out again"
        )
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="the mark of a finished checkout is not there; uv checks it out again",
        missing=(ok,),
    )


def _is_there(look: Look, name: str) -> bool:
    return os.path.lexists(look.full(f"{look.path}/{name}"))


_MOST_INDEX_BYTES = 4_000_000
_FIXED = 62  # ten numbers of four bytes, the object's SHA-1, the flags
_SUBMODULE = 0o160000


def tracked(look: Look) -> tuple[str, ...]:
    """The files that Git's index (version 2 or 3, SHA-1) lists; empty for what cannot be read."""
    try:
        with open(look.full(f"{look.path}/.git/index"), "rb") as file:
            data = file.read(_MOST_INDEX_BYTES)
    except OSError:
        return ()
    if data[:4] != b"DIRC" or int.from_bytes(data[4:8], "big") not in {2, 3}:
        return ()
    found: list[str] = []
    at = 12
    for _ in range(int.from_bytes(data[8:12], "big")):
        more = 2 if data[at + 60 : at + 61] >= b"\x40" and data[at + 60] & 0x40 else 0
        end = data.find(b"\0", at + _FIXED + more)
        if end < 0:
            return ()
        name = data[at + _FIXED + more : end]
        if int.from_bytes(data[at + 24 : at + 28], "big") & 0o170000 != _SUBMODULE:
            found.append(os.fsdecode(name))
        length = _FIXED + more + len(name)
        at += length + 8 - length % 8
    return tuple(found)


ENTRY = EntryKind(
    name="git checkout", buckets=("git",), matches=matches, judge=judge, stands="any", denied=always("fatal")
)
