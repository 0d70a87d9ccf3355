"""`<name>-<digest>` in an environments bucket: the environment of a script, made anew when it is not whole."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.buckets import ReleaseRange
from uvreport.cache.entry import EntryKind, Judgement, Look, before


def matches(path: str) -> bool:
    place = layout.parse(path)
    return path.count("/") == 1 and not layout.HEX16.match(place.path.split("/")[1])


def judge(look: Look) -> Judgement:
    if look.what == "dir" and "pyvenv.cfg" in look.names(look.path):
        return Judgement()
    if look.what == "dir":
        return Judgement(
            verdict="healed",
            state="incomplete",
            reason="there is no pyvenv.cfg in it, so it is no environment; uv makes it anew",
            missing=(f"{look.path}/pyvenv.cfg",),
        )
    # The newest write over whatever it is; those of before stop when they would clear or make the directory.
    if look.what == "link":
        return Judgement(
            verdict="fatal" if look.release in ReleaseRange("0.8.1", "0.11.28") else "healed",
            state="dangling", innermost="File exists (os error 17)",
            reason=f"a link to {look.target}, which is not there, stands where an environment should be",
        )  # fmt: skip
    return Judgement(
        verdict="fatal" if before(look.release, "0.11.30") else "healed", state="wrong-kind",
        innermost="Not a directory (os error 20)", reason="a file stands where an environment should be",
    )  # fmt: skip


ENTRY = EntryKind(
    name="environment",
    buckets=("environments",),
    matches=matches,
    judge=judge,
    stands="any",
)
