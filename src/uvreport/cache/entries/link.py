"""A link into archive-v0: a symlink on Unix, from 0.6.0 on a small text file on Windows.

In an sdists bucket uv finds a built wheel through it; a link that leads nowhere is made anew, but a plain file in its
place is taken for the wheel's directory. In a wheels bucket the pointer beside it is what is read.
"""

from __future__ import annotations

import os
import posixpath
import re

from uvreport.cache import layout
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entries.archive import dist_info
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, before

_TEXT = re.compile(rb"archive-v\d+/[-_0-9A-Za-z]+\Z")


def matches(path: str) -> bool:
    place = layout.parse(path)
    if place.kind == "environments":
        return len(place.rest) == 1 and layout.HEX16.match(place.rest[0]) is not None
    if len(place.rest) != 1 or place.rest[0].endswith((".msgpack", ".rev", ".http", ".lock", ".whl")):
        return False
    if place.kind == "wheels":
        return place.rest[0].count("-") >= 2
    return layout.is_wheel_stem(place.rest[0])


def archive_of(look: Look) -> str:
    """The cache-relative path of the archive that the link names, "" when it names none."""
    if look.what == "link" or look.target:
        names = look.target.replace("\\", "/").rstrip("/").split("/")
        return f"{names[-2]}/{names[-1]}" if len(names) > 1 and names[-2].startswith("archive-v") else ""
    text = (look.data or b"").strip()
    return text.decode() if _TEXT.match(text) else ""


def writers(look: Look) -> tuple[ReleaseRange, ...]:
    """By the form of the target (relative from 0.11.17 on) and the length of the id."""
    name = archive_of(look).rpartition("/")[2]
    if not look.target or not name:
        return (since("0.6.0"),) if name else ()
    absolute = look.target.startswith("/") or re.match(r"[A-Za-z]:|\\\\", look.target)
    first, last = ("0.0.5", "0.11.16") if absolute else ("0.11.17", "")
    span = ReleaseRange(first, last) if last else since(first)
    by_id = {21: ReleaseRange("0.0.5", "0.11.8"), 16: since("0.11.9")}.get(len(name))
    both = span.intersect(by_id) if by_id else span
    return (both,) if both else ()


def out_of_place(look: Look) -> Verdict:
    return "fatal" if look.place.kind == "sdists" else "ignored"


def judge(look: Look) -> Judgement:
    archive = archive_of(look)
    links_to = (archive,) if archive else ()
    if look.place.kind == "environments" and look.what in {"dir", "file"}:
        return _environment(look)
    if look.what == "dir":  # a tool that follows links made the cache: uv installs from it all the same
        if not dist_info(look, look.path):
            return Judgement(
                verdict=out_of_place(look), state="wrong-kind", innermost="Missing .dist-info directory",
                reason="a directory without dist-info stands where a link to an unpacked wheel should be",
            )  # fmt: skip
        return Judgement(reason="a directory stands where a link should be; uv reads it just as well")
    seen = writers(look)
    if look.what == "file" and os.name == "nt":
        state_ok = bool(archive) and look.is_dir(archive)
        return Judgement(
            verdict="readable" if state_ok else "ignored", state="ok" if state_ok else "dangling",
            writers=seen, links_to=links_to, decoded={"archive": archive},
        )  # fmt: skip
    if look.what == "file":
        size = f"{look.size_bytes} byte{'' if look.size_bytes == 1 else 's'}"
        return Judgement(
            verdict=out_of_place(look), state="wrong-kind", links_to=links_to,
            reason=f"a plain file of {size} stands where a link to an unpacked wheel should be",
            innermost="Not a directory (os error 20)",
        )  # fmt: skip
    decoded = {"target": look.target}
    reached = os.path.join(look.full(posixpath.dirname(look.path)), look.target)
    if (
        look.place.kind == "environments"
        and os.path.isdir(reached)
        and "pyvenv.cfg" not in os.listdir(reached)
    ):
        return Judgement(
            verdict="healed", state="incomplete", writers=seen, decoded=decoded, links_to=links_to,
            reason="there is no pyvenv.cfg where it leads, so that is no environment; uv makes it anew",
        )  # fmt: skip
    if os.path.isdir(reached):
        return Judgement(writers=seen, decoded=decoded, links_to=links_to)
    moved = bool(archive) and look.is_dir(archive)
    reason = f"it leads to {look.target}, which is not there"
    if moved:
        reason += "; the archive itself is in this cache, so the cache has been moved"
    return Judgement(
        verdict="healed", state="dangling", reason=reason, writers=seen, decoded=decoded, links_to=links_to
    )


def _environment(look: Look) -> Judgement:
    """Of what stands where a link to a whole environment should be. uv moves a new link over it, which a file lets it."""
    if look.what == "file":
        return Judgement(
            verdict="healed",
            state="wrong-kind",
            reason="a file stands where a link to an environment should be",
        )
    if "pyvenv.cfg" in look.names(look.path) and not before(look.release, "0.6.0"):
        return Judgement(reason="a directory stands where a link should be; uv runs from it just as well")
    return Judgement(
        verdict="fatal", state="wrong-kind", innermost="Is a directory (os error 21)",
        reason="a directory stands where a link to an environment should be, and uv cannot move a link over it",
    )  # fmt: skip


ENTRY = EntryKind(
    name="link to an archive",
    buckets=("sdists", "wheels", "environments"),
    matches=matches,
    judge=judge,
    stands="link",
    out_of_place=out_of_place,
    harmless=lambda glance: glance.what == "link",  # one that leads nowhere is passed over
)
