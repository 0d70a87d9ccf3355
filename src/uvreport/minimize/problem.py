"""A bundle as a problem: how large it is, when two are the same, and what goes with what is cut."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from uvreport.bundle import Bundle, Member

MEMBER_BYTES = 512  # what a member costs in the evidence beside its content
RESTORED = ("cache/", "home/", "project/")  # the members that a replay depends on


def size(bundle: Bundle) -> int:
    """How large the problem is, in bytes: what is restored, the command and its variables."""
    members = sum(
        MEMBER_BYTES + len(member.path) + len(member.data)
        for member in bundle.members
        if member.path.startswith(RESTORED)
    )
    words = sum(len(word) + 1 for word in bundle.run.argv)
    return members + words + sum(len(name) + len(value) + 2 for name, value in bundle.run.env.items())


def key(bundle: Bundle) -> Hashable:
    """A digest of all that a replay depends on."""
    found = hashlib.sha256()
    for member in bundle.members:
        if member.path.startswith(RESTORED):
            about = (member.path, member.kind, member.mode, member.target, len(member.data))
            found.update(repr(about).encode("utf-8", "surrogateescape"))
            found.update(member.data)
    run = (bundle.run.argv, bundle.run.examined, sorted(bundle.run.env.items()), bundle.relations)
    found.update(repr(run).encode("utf-8", "surrogateescape"))
    return found.digest()


def keeping(bundle: Bundle, wanted: Callable[[Member], bool]) -> Bundle:
    """The bundle with only those of its restored members; what spoke of the others goes with them."""
    members = tuple(m for m in bundle.members if not m.path.startswith(RESTORED) or wanted(m))
    if len(members) == len(bundle.members):
        return bundle
    there = {member.path for member in members}
    return replace(
        bundle,
        members=members,
        relations=tuple(r for r in bundle.relations if f"cache/{r.entry}" in there),
    )


def edited(bundle: Bundle, contents: Mapping[str, bytes]) -> Bundle:
    """The bundle with other contents of these members, by path."""
    return replace(
        bundle,
        members=tuple(
            replace(member, data=contents[member.path]) if member.path in contents else member
            for member in bundle.members
        ),
    )


def culprits(bundle: Bundle) -> frozenset[str]:
    """The paths of the members that are at fault: they are never cut."""
    return frozenset(f"cache/{culprit.path}" for culprit in bundle.culprits)
