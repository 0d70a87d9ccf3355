"""A bundle's entry at fault, moved to where another release would look for it.

uv renames a bucket when the form of its entries changes, so a later release never reads what an earlier one broke.
Moved, the entry shows whether that release would fail as well if it were written today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from uvreport.cache import layout
from uvreport.cache.buckets import bucket, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvreport.bundle import Bundle


class Move(Struct, frozen=True, order=True):
    """Names of two buckets: where the entry was, and where it is now."""

    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.old} to {self.new}"


def at_fault(bundle: Bundle) -> tuple[str, ...]:
    """The cache paths that the bundle blames: culprits, what is missing, and what has to go with them."""
    return tuple(
        dict.fromkeys((*(culprit.path for culprit in bundle.culprits), *bundle.missing, *bundle.cure))
    )


def moves(bundle: Bundle, release: str) -> tuple[Move, ...]:
    """What has to move for `release` to read the entries; () when they are where it looks, or nothing can move.

    A release that has no bucket of that kind at all cannot be asked.
    """
    found = set()
    for path in at_fault(bundle):
        old = path.split("/")[0]
        kind = kind_of(old)
        if kind is None:
            continue
        new = bucket(kind, release)
        if new is None:
            return ()
        if new != old:
            found.add(Move(old, new))
    return tuple(sorted(found))


def transplant(bundle: Bundle, release: str) -> Bundle:
    """The bundle with the entries at fault, and all that is filed beside them, in the buckets of `release`.

    The rest of the cache stays. What the release's own bucket had at the same place gives way. The same bundle when
    there is nothing to move.
    """
    renamed = {move.old: move.new for move in moves(bundle, release)}
    if not renamed:
        return bundle
    shards = _shards(path for path in at_fault(bundle) if path.split("/")[0] in renamed)

    def move(path: str) -> str:
        top, _, rest = path.partition("/")
        within = path in shards or any(path.startswith(shard + "/") for shard in shards)
        return "/".join(filter(None, (renamed[top], rest))) if top in renamed and within else path

    cache = bundle.places.cache + "/"
    moved = {}
    for member in bundle.members:
        top, _, rest = member.path.partition("/")
        if top != "cache":
            continue
        target = member.target
        if member.kind == "link" and target.startswith(cache):
            target = cache + move(target.removeprefix(cache))
        moved[member.path] = replace(member, path=f"cache/{move(rest)}", target=target)
    arrived = {now.path for was, now in moved.items() if now.path != was}
    return replace(
        bundle,
        members=tuple(
            moved.get(member.path, member)
            for member in bundle.members
            if member.path not in arrived or member.path != moved[member.path].path
        ),
        culprits=tuple(replace(culprit, path=move(culprit.path)) for culprit in bundle.culprits),
        missing=tuple(map(move, bundle.missing)),
        cure=tuple(map(move, bundle.cure)),
        relations=tuple(replace(relation, entry=move(relation.entry)) for relation in bundle.relations),
    )


def _shards(paths: Iterable[str]) -> frozenset[str]:
    """What a reader looks at as a whole, for each path; the path itself where that is not known."""
    return frozenset(layout.parse(path).shard or path for path in paths)
