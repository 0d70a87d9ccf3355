"""`hashes.msgpack`: the hashes of an archive inside a Git repository (0.11.16 and later)."""

from __future__ import annotations

from typing import Any, ClassVar

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, always, judge_msgpack
from uvreport.cache.serde import Shape


class RevisionHashes(Shape, frozen=True):
    rust: ClassVar[str] = "RevisionHashes"
    noun: ClassVar[str] = "the hashes"

    hashes: list[shapes.HashDigestBlake]


READERS = (Reader(since("0.11.16"), RevisionHashes),)


def matches(path: str) -> bool:
    return layout.parse(path).rest == ("hashes.msgpack",)


def writers(_: Any) -> tuple[ReleaseRange, ...]:
    return (since("0.11.16"),)


def judge(look: Look) -> Judgement:
    return judge_msgpack(look, READERS, writers=writers, broken=always("fatal"))


ENTRY = EntryKind(name="source hashes", buckets=("sdists",), matches=matches, judge=judge, readers=READERS)
