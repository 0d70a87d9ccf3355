"""Cutting members by the directories that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Cuts
from uvreport.minimize.problem import culprits, keeping

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from uvreport.bundle import Bundle


def below(top: str, depth: int) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    """The level that cuts everything with the same first `depth` names below `top`; 0: each member by itself."""

    def level(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
        kept = culprits(bundle)

        def piece(path: str) -> Hashable:
            parts = path.split("/")
            return "/".join(parts[: depth + 1]) if depth else path

        mine = [m.path for m in bundle.members if m.path.startswith(top + "/") and m.path not in kept]
        pieces = tuple(dict.fromkeys(map(piece, mine)))
        chosen = frozenset(mine)

        def without(gone: frozenset[Hashable]) -> Bundle:
            return keeping(bundle, lambda m: m.path not in chosen or piece(m.path) not in gone)

        return Cuts(pieces=pieces, without=without)

    return level
