"""The bytes of a large culprit, where they are msgpack: emptier strings, shorter arrays and maps.

A small one stays as it is: it is what uv wrote, and tells who wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from uvreport.cache import trailer
from uvreport.minimize.driver import Cuts, Pass
from uvreport.minimize.problem import culprits, edited

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from uvreport.bundle import Bundle

SMALL_BYTES = 1_024
MOST_PIECES = 2_000
MOST_DEPTH = 32
_ENDINGS = (".rev", ".msgpack", ".http")

Path = tuple[
    int, ...
]  # the way from the value to one in it: numbers in arrays, and in maps in the order of keys


def _values(bundle: Bundle) -> dict[str, tuple[Any, trailer.Parts]]:
    """The culprits that are worth it, decoded, by the paths of their members."""
    found: dict[str, tuple[Any, trailer.Parts]] = {}
    guilty = culprits(bundle)
    for member in bundle.members:
        if member.path not in guilty or len(member.data) <= SMALL_BYTES or not member.path.endswith(_ENDINGS):
            continue
        parts = trailer.split(member.data)
        try:
            value = msgspec.msgpack.decode(parts.data)
            same = msgspec.msgpack.encode(value) == parts.data
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError):
            continue
        if same:
            found[member.path] = value, parts
    return found


def _level(
    pieces_of: Callable[[Any, Path], list[Path]], change: Callable[[Any, frozenset[Path], Path], Any]
) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    def level(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
        values = _values(bundle)

        def without(gone: frozenset[Hashable]) -> Bundle:
            contents: dict[str, bytes] = {}
            for path, (value, parts) in values.items():
                mine = frozenset(piece[1] for piece in gone if isinstance(piece, tuple) and piece[0] == path)
                if mine:
                    data = msgspec.msgpack.encode(change(value, mine, ()))
                    contents[path] = trailer.join(data, parts.policy, parts.form)
            return edited(bundle, contents)

        pieces = [(path, piece) for path, (value, _) in values.items() for piece in pieces_of(value, ())]
        return Cuts(pieces=tuple(pieces[:MOST_PIECES]), without=without)

    return level


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _items(value: Any, at: Path) -> list[Path]:
    if len(at) > MOST_DEPTH:
        return []
    return [
        found
        for i, inner in enumerate(_inner(value))
        for found in ((*at, i), *_items(inner, (*at, i)))
    ]  # fmt: skip


def _without_items(value: Any, gone: frozenset[Path], at: Path) -> Any:
    kept = [
        (i, _without_items(inner, gone, (*at, i)))
        for i, inner in enumerate(_inner(value))
        if (*at, i) not in gone
    ]
    if isinstance(value, dict):
        keys = list(value)
        return {keys[i]: inner for i, inner in kept}
    return [inner for _, inner in kept] if isinstance(value, list) else value


def _texts(value: Any, at: Path) -> list[Path]:
    if isinstance(value, str | bytes):
        return [at] if value else []
    if len(at) > MOST_DEPTH:
        return []
    return [found for i, inner in enumerate(_inner(value)) for found in _texts(inner, (*at, i))]


def _without_texts(value: Any, gone: frozenset[Path], at: Path) -> Any:
    if at in gone and isinstance(value, str | bytes):
        return type(value)()
    inner = [_without_texts(one, gone, (*at, i)) for i, one in enumerate(_inner(value))]
    if isinstance(value, dict):
        return dict(zip(value, inner, strict=True))
    return inner if isinstance(value, list) else value


PASS: Pass[Bundle] = Pass(
    name="bytes of the culprit",
    order=80,
    levels=(_level(_items, _without_items), _level(_texts, _without_texts)),
)
