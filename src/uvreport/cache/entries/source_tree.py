"""`src` below a revision (`source` or the archive's name up to 0.5.0): what wheels are built from."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, always

_ARCHIVES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar", ".tbz", ".txz")


def matches(path: str) -> bool:
    place = layout.parse(path)
    return bool(place.revision and place.rest) and (
        place.rest[0] in {"src", "source"} or place.rest[0].endswith(_ARCHIVES)
    )


def judge(look: Look) -> Judgement:
    span = since("0.5.1") if look.place.rest[0] == "src" else ReleaseRange("0.0.5", "0.5.0")
    if len(look.place.rest) > 1 or (look.what == "dir" and look.names(look.path)):
        return Judgement(writers=(span,))
    if look.what == "file":
        return Judgement(
            verdict="fatal", state="wrong-kind", writers=(span,), innermost="Not a directory (os error 20)",
            reason="a file stands where the unpacked source should be",
        )  # fmt: skip
    verdict: Verdict = "ignored" if is_built(look, look.place.base) else "fatal"
    why = "; what was built from it is there, so uv does not need it" if verdict == "ignored" else ""
    if look.what == "dir":
        return Judgement(
            verdict=verdict, state="incomplete", reason=f"the unpacked source is empty{why}", writers=(span,),
            innermost="does not appear to be a Python project, as neither",
        )  # fmt: skip
    return Judgement(
        verdict=verdict, state="dangling", writers=(span,), innermost="Not a directory (os error 20)",
        reason=f"a link to {look.target}, which is not there{why}",
    )  # fmt: skip


def is_built(look: Look, build: str) -> bool:
    """Whether a wheel that was built from the source is there in its unpacked form."""
    return any(layout.is_wheel_stem(name) and look.is_dir(f"{build}/{name}") for name in look.names(build))


ENTRY = EntryKind(
    name="unpacked source",
    buckets=("sdists",),
    matches=matches,
    judge=judge,
    stands="any",
    denied=always("fatal"),
)
