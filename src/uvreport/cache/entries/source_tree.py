"""`src` below a revision (`source` or the archive's name up to 0.5.0): what wheels are built from."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, always

_ARCHIVES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar", ".tbz", ".txz")


def matches(path: str) -> bool:
    place = layout.parse(path)
    return bool(place.revision and place.rest) and (
        place.rest[0] in {"src", "source"} or place.rest[0].endswith(_ARCHIVES)
    )


def judge(look: Look) -> Judgement:
    span = since("0.5.1") if look.place.rest[0] == "src" else ReleaseRange("0.0.5", "0.5.0")
    if len(look.place.rest) > 1 or look.what != "dir" or look.names(look.path):
        return Judgement(writers=(span,))
    return Judgement(
        verdict="suspicious", state="incomplete", reason="the unpacked source is empty", writers=(span,)
    )


ENTRY = EntryKind(
    name="unpacked source",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    stands="any",
    denied=always("fatal"),
)
