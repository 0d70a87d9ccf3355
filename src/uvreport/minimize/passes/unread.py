"""What the failing run did not even read: one look at the times of access instead of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Cuts, Pass
from uvreport.minimize.problem import culprits, keeping

if TYPE_CHECKING:
    from collections.abc import Hashable

    from uvreport.bundle import Bundle


def _unread(bundle: Bundle, reads: frozenset[str] | None) -> Cuts[Bundle]:
    """The files that were not read, of the cache, the project and the home each at once.

    Links stay: following one is not seen. Directories stay where something in them was read; that one is there at
    all can matter, but for that the finer passes are.
    """
    if reads is None:
        return Cuts(pieces=(), without=lambda _: None)
    needed = culprits(bundle) | reads
    folders = {path.rpartition("/")[0] for path in needed}
    unread = frozenset(
        member.path
        for member in bundle.members
        if member.path not in needed and member.kind != "link"
        if member.kind != "dir" or not any(f == member.path or f.startswith(member.path + "/") for f in folders)
    )  # fmt: skip

    def without(gone: frozenset[Hashable]) -> Bundle:
        return keeping(bundle, lambda m: m.path not in unread or m.path.split("/")[0] not in gone)

    tops = dict.fromkeys(path.split("/")[0] for path in sorted(unread))
    return Cuts(pieces=tuple(top for top in ("cache", "home", "project") if top in tops), without=without)


PASS: Pass[Bundle] = Pass(name="what was not read", order=0, levels=(_unread,))
