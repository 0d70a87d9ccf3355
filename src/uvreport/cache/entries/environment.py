"""`<name>-<digest>` in an environments bucket: the environment of a script, made anew when it is not whole."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    place = layout.parse(path)
    return path.count("/") == 1 and not layout.HEX16.match(place.path.split("/")[1])


def judge(look: Look) -> Judgement:
    if look.what != "dir" or "pyvenv.cfg" in look.names(look.path):
        return Judgement()
    return Judgement(
        verdict="healed",
        state="incomplete",
        reason="there is no pyvenv.cfg in it, so it is no environment; uv makes it anew",
        missing=(f"{look.path}/pyvenv.cfg",),
    )


ENTRY = EntryKind(
    name="environment",
    buckets=("environments",),
    matches=matches,
    judge=judge,
    stands="any",
    denied=always("healed"),
)
