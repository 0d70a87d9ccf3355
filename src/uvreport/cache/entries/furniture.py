"""What belongs to no package: CACHEDIR.TAG, .gitignore, the decoy .git, locks, marks of Git checkouts."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, before

TAG = b"Signature: 8a477f597d28d172789f06886806bc55"
_NAMES = frozenset({"CACHEDIR.TAG", ".gitignore", ".git", ".lock"})


def matches(path: str) -> bool:
    place = layout.parse(path)
    if place.kind == "archive" or len(place.rest) > 1 or (place.kind == "git" and path.count("/") > 3):
        return False
    parent, _, name = path.rpartition("/")
    return name in _NAMES or name.endswith((".lock", ".ok")) or parent.endswith("/locks")


def denied(look: Look) -> Verdict:
    """The decoy is opened by every command of a release that uses the bucket (0.1.7 and later)."""
    name = look.path.rpartition("/")[2]
    return "fatal" if name == ".git" or name.endswith(".lock") or "/locks/" in look.path else "ignored"


def out_of_place(look: Look) -> Verdict:
    """What is only made when it is not there is never opened again."""
    name = look.path.rpartition("/")[2]
    return "ignored" if name in {"CACHEDIR.TAG", ".gitignore"} or name.endswith(".ok") else "fatal"


def dangling(look: Look) -> Verdict:
    """Locks of Git repositories are opened where they are; all else is made, or not looked at."""
    if "/locks/" in look.path:
        return "ignored" if before(look.release, "0.5.19") else "fatal"
    return "healed" if look.path.endswith(".ok") else "ignored"


def judge(look: Look) -> Judgement:
    name = look.path.rpartition("/")[2]
    if look.path == "CACHEDIR.TAG" and look.data != TAG and not (look.data or b"").startswith(TAG):
        return Judgement(
            verdict="ignored",
            state="empty" if not look.data else "garbage",
            reason="it has not the signature by which backup tools know a cache",
        )
    span: tuple[ReleaseRange, ...] = (since("0.8.19"),) if look.path == ".lock" else ()
    if name == ".git":
        span = (since("0.1.7"),)
    return Judgement(writers=span) if span else Judgement()


ENTRY = EntryKind(
    name="furniture",
    buckets=("", "sdists", "wheels", "simple", "git", "environments", "python", "binaries", "interpreter",
             "flat-index", "builds", "osv"),
    matches=matches,
    judge=judge,
    denied=denied,
    out_of_place=out_of_place,
    dangling=dangling,
    harmless=lambda glance: glance.what == "file",
)  # fmt: skip
