"""The words of the command line: options with their values, then each word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from uvreport.minimize.driver import Cuts, Pass

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from uvreport.bundle import Bundle

Piece = tuple[int, int]  # the first word and the one behind the last


def _options(argv: Sequence[str]) -> list[Piece]:
    """Every option together with the word behind it, if that can be its value."""
    return [
        (i, i + 2)
        for i in range(1, len(argv) - 1)
        if argv[i].startswith("-") and not argv[i + 1].startswith("-") and "=" not in argv[i]
    ]


def _words(argv: Sequence[str]) -> list[Piece]:
    return [(i, i + 1) for i in range(1, len(argv))]


def _cutting(
    pieces_of: Callable[[Sequence[str]], list[Piece]],
) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    def level(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
        argv, examined = bundle.run.argv, bundle.run.examined or bundle.run.argv
        where = {index: at for index, at in enumerate(_matched(argv, _of_uv(examined))) if at >= 0}
        # What was not run was not tried either: of the person's own program nothing is cut.
        pieces = [piece for piece in pieces_of(argv) if all(i in where for i in range(*piece))]

        def without(gone: frozenset[Hashable]) -> Bundle:
            cut = {i for piece in pieces if piece in gone for i in range(*piece)}
            there = {where[i] for i in cut}
            run = replace(
                bundle.run,
                argv=tuple(word for i, word in enumerate(argv) if i not in cut),
                examined=tuple(word for i, word in enumerate(examined) if i not in there),
            )
            return replace(bundle, run=run)

        return Cuts(pieces=tuple(pieces), without=without)

    return level


def _of_uv(examined: Sequence[str]) -> Sequence[str]:
    """The words up to the stand-in for the person's program: `python -c PROGRAM NAME`."""
    return examined[:-4] if tuple(examined[-4:-2]) == ("python", "-c") else examined


def _matched(argv: Sequence[str], examined: Sequence[str]) -> list[int]:
    """For each word of `argv` its place in `examined`, in order, -1 for one that is not there."""
    found, start = [], 0
    for word in argv:
        at = next((i for i in range(start, len(examined)) if examined[i] == word), -1)
        found.append(at)
        start = at + 1 if at >= 0 else start
    return found


PASS: Pass[Bundle] = Pass(name="command", order=70, levels=(_cutting(_options), _cutting(_words)))
