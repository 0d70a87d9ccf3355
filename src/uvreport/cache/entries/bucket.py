"""A bucket itself: a directory that every release which uses it has to be able to make or enter."""

from __future__ import annotations

from uvreport.cache.buckets import kind_of
from uvreport.cache.entry import EntryKind, Judgement, Look, always


def matches(path: str) -> bool:
    return "/" not in path and kind_of(path) is not None


def judge(_: Look) -> Judgement:
    """A directory as it should be, which says nothing of what is in it."""
    return Judgement(verdict="unknown", state="unknown", reason="no entry of this bucket was found to be bad")


ENTRY = EntryKind(
    name="bucket", buckets=("",), matches=matches, judge=judge, stands="dir", dangling=always("fatal")
)
