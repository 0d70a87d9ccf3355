"""Where in a text each of many literals may stand, found in one pass: what the engine looks at, and nothing else.

Two sieves, with the same result once the engine has looked: one of the standard library alone, one of RE2 (the
`re2` extra). A sieve may name a place where a literal is not; it never leaves out one where it is.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from uvreport.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# By number of the literal: stretches of text, in order and apart, each of whole lines.
Regions = dict[int, list[tuple[int, int]]]
ENGINES = ("stdlib", "re2")
ENGINE_VARIABLE = "UVREPORT_ENGINE"


class Wanted(NamedTuple):
    """A literal in lower case. `sketch` is given instead for what has none: a pattern of what must be there.

    A sketch is one that RE2 takes, too, and has no class of digits that is not all of them. `narrow` is what RE2 may
    ask for behind the literal: without it nobody wants to know of the literal.
    """

    literal: bytes
    sketch: bytes = b""
    narrow: bytes = b""


def chosen() -> str:
    """The name of the sieve to use: what UVREPORT_ENGINE says, else RE2 where it is installed."""
    said = os.environ.get(ENGINE_VARIABLE, "")
    if said and said not in ENGINES:
        raise UsageError(f"{ENGINE_VARIABLE} is {said}.", hint=f"It may be {' or '.join(ENGINES)}, or unset.")
    if said == "stdlib":
        return said
    if importlib.util.find_spec("re2") is not None:
        return "re2"
    if said == "re2":
        raise UsageError(
            f"{ENGINE_VARIABLE} is re2, and google-re2 is not installed.",
            hint="Install it with the extra: uvreport[re2]. Without it uvreport does the same, slower.",
        )
    return "stdlib"


@functools.lru_cache(maxsize=8)
def sieve(wanted: tuple[Wanted, ...], engine: str) -> Callable[[bytes], Regions]:
    """What finds regions in lower-cased text. Cached: engines that know the same are made again and again."""
    return _of_re2(wanted) if engine == "re2" else _of_words(wanted)


def _windows(low: bytes, size: int) -> Iterator[tuple[int, int]]:
    """The text in stretches of whole lines, each of `size` bytes and what its last line has more."""
    begin = 0
    while begin < len(low):
        end = low.find(b"\n", begin + size) + 1 or len(low)
        yield begin, end
        begin = end


def _add(regions: Regions, number: int, begin: int, end: int) -> None:
    known = regions.setdefault(number, [])
    if known and known[-1][1] == begin:
        known[-1] = (known[-1][0], end)
    else:
        known.append((begin, end))


# --- with the standard library -----------------------------------------------------------------------------------

# Bytes that end a word when the words of a text are collected. No literal is looked for across them. Digits are one
# digit: most of the distinct words of a log differ in nothing else.
_SEPARATORS = b" \t\r\n\v\f\"'`<>()[]{},;=/\\|&?"
_SHAPE = bytes(
    0x20 if byte in _SEPARATORS else 0x30 if byte in b"0123456789" else byte for byte in range(256)
)
_HEX = b"0abcdef"  # what a hexadecimal digit may be after that
_DIGEST_LEAST = 32
_WINDOW = 1 << 18
_SMALL = 4096  # bytes; below this, collecting words costs more than it saves
_RARE = (
    b"\t",
    b'"',
    b"'",
    b"`",
    b"<",
    b">",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\",
    b"|",
    b"&",
    b"?",
    b"$",
    b"#",
    b"%",
    b"~",
    b"@",
)
_LEAST_SHARED = 3  # bytes of a piece that is looked for in place of all literals that hold it
_MOST_PLACES = 4096
_MANY = 64  # hits in a window; the engine finds more of them faster than it walks through a list
_FEW = 24  # hexadecimal literals that are looked for one by one


def _key(literal: bytes) -> bytes:
    """The longest piece of a literal that holds no separator, as it stands among the words of a text."""
    return max(literal.translate(_SHAPE).split() or [b""], key=len)


def _raw_key(literal: bytes) -> bytes:
    """The same piece as it stands in the text, with its digits."""
    key, shape = _key(literal), literal.translate(_SHAPE)
    at = shape.find(key)
    return literal[at : at + len(key)]


def _grams(data: bytes, size: int) -> set[int]:
    """All pieces of `size` bytes (4 or 8) of some data, as numbers."""
    found: set[int] = set()
    view = memoryview(data)
    for shift in range(min(size, len(data))):
        whole = (len(data) - shift) // size * size
        found.update(view[shift : shift + whole].cast("I" if size == 4 else "Q"))
    return found


def _gram(key: bytes, at: int, size: int) -> int:
    return memoryview(key[at : at + size]).cast("I" if size == 4 else "Q")[0]


class _Key(NamedTuple):
    number: int
    key: bytes
    first: int = 0
    last: int = 0
    eight: int = 0


def _of_words(wanted: tuple[Wanted, ...]) -> Callable[[bytes], Regions]:
    """The sieve that collects the distinct words of each window, and looks for the literals among them.

    A literal of four bytes or more is first looked up by its four-byte pieces: a set lookup each, so that their
    number hardly matters.
    """
    everywhere: list[int] = []
    sketches: list[tuple[int, re.Pattern[bytes]]] = []
    over_lines = [(number, want.literal) for number, want in enumerate(wanted) if b"\n" in want.literal]
    shorts: list[_Key] = []
    longs: list[_Key] = []
    in_hex: list[_Key] = []
    for number, want in enumerate(wanted):
        if b"=" in want.sketch or b"/" in want.sketch:
            everywhere.append(number)  # it reaches over words
            continue
        if want.sketch:
            sketches.append((number, re.compile(want.sketch)))
            continue
        if b"\n" in want.literal:
            continue
        key = _key(want.literal)
        if not key:
            everywhere.append(number)
            continue
        made = _Key(number, key)
        if len(key) >= 4:
            made = _Key(number, key, _gram(key, 0, 4), _gram(key, len(key) - 4, 4))
            longs.append(made)
        else:
            shorts.append(made)
        if not key.translate(None, _HEX):
            in_hex.append(made._replace(eight=_gram(key, 0, 8)) if len(key) >= 8 else made)
    literals = [want.literal for want in wanted]
    raws = [_raw_key(literal) for literal in literals]
    rare = [{byte for byte in _RARE if byte in literal} for literal in literals]

    def small(low: bytes) -> Regions:
        whole = [(0, len(low))]
        return {
            number: whole
            for number, literal in enumerate(literals)
            if (literal in low if literal else bool(wanted[number].sketch))
        }

    def regions(low: bytes) -> Regions:
        if len(low) < _SMALL:
            return small(low)
        found: Regions = {number: [(0, len(low))] for number in everywhere}
        for number, literal in over_lines:
            if literal in low:
                found[number] = [(0, len(low))]
        for begin, end in _windows(low, _WINDOW):
            split = set(low[begin:end].translate(_SHAPE).split())
            # Digests are most of the distinct bytes of a log; only what is hexadecimal itself can be in them.
            digests = {
                word for word in split if len(word) >= _DIGEST_LEAST and not word.translate(None, _HEX)
            }
            words, hexes = b"\n".join(split - digests), b"\n".join(digests)
            fours = _grams(words, 4)
            here = {made.number for made in shorts if made.key in words}
            here.update(
                made.number
                for made in longs
                if made.first in fours and made.last in fours and made.key in words
            )
            here.update(number for number, sketch in sketches if sketch.search(words))
            if hexes:
                eights = _grams(hexes, 8) if len(in_hex) > _FEW else None
                here.update(
                    made.number
                    for made in in_hex
                    if (eights is None or not made.eight or made.eight in eights) and made.key in hexes
                )
            by_key: dict[bytes, list[int]] = {}
            absent = {byte for byte in _RARE if low.find(byte, begin, end) < 0}
            for number in here:
                raw = raws[number]
                if absent and not absent.isdisjoint(rare[number]):
                    continue
                if len(raw) < _LEAST_SHARED or raw == literals[number]:
                    _add(found, number, begin, end)
                else:
                    by_key.setdefault(raw, []).append(number)
            for raw, numbers in by_key.items():
                _exact(found, low, raw, [(number, literals[number]) for number in numbers], begin, end)
        return found

    return regions


def _exact(
    found: Regions, low: bytes, raw: bytes, sought: list[tuple[int, bytes]], begin: int, end: int
) -> None:
    """Adds where in a window each of some literals stands, all of which hold `raw`, by one search for that.

    `token`, `token=` and `/token/` cost one search, not three, and the ones that are not there cost nothing more.
    """
    places: list[int] = []
    at = low.find(raw, begin, end)
    while at >= 0:
        places.append(at)
        if len(places) > _MOST_PLACES:
            for number, _ in sought:
                _add(found, number, begin, end)
            return
        at = low.find(raw, at + 1, end)
    if not places:
        return
    for number, literal in sought:
        size, before = len(literal), literal.index(raw)
        hits = [
            (place - before, place - before + size)
            for place in places
            if place >= before and low.startswith(literal, place - before)
        ]
        if len(hits) > _MANY:
            _add(found, number, begin, end)
        elif hits:
            found.setdefault(number, []).extend(hits)


# --- with RE2 ----------------------------------------------------------------------------------------------------

# Larger pieces hold more literals each, and so name more places where a literal is not; in smaller ones the calls
# cost more than the search.
_PIECE = 16_384
_MEMORY = 256 << 20  # what its automaton may take; it forgets states before it fails
_MOST = 20_000  # literals; the automaton of more would take longer to build than it saves
# Stands at the end of every piece and must be found there: an automaton that gave up says the same as one that
# found nothing.
_MARK = b"\xff\x00uvreport\x00\xff"


def _of_re2(wanted: tuple[Wanted, ...]) -> Callable[[bytes], Regions]:
    """The sieve that runs one automaton of all literals over pieces of 16 KB; what it cannot do, words do."""
    slow = _of_words(wanted)
    state: list[Callable[[bytes], Regions]] = []

    def regions(low: bytes) -> Regions:
        # Building the automaton takes longer than looking through a short text.
        if len(low) < _PIECE:
            return slow(low)
        if not state:
            state.append(_automaton(wanted, slow) if len(wanted) <= _MOST else slow)
        return state[0](low)

    return regions


def _automaton(wanted: tuple[Wanted, ...], slow: Callable[[bytes], Regions]) -> Callable[[bytes], Regions]:
    re2: Any = importlib.import_module("re2")
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _MEMORY
    patterns = re2.Set.SearchSet(options)
    numbers: list[int] = []
    over_lines: list[tuple[int, bytes]] = []
    for number, want in enumerate(wanted):
        if b"\n" in want.literal:
            over_lines.append((number, want.literal))
            continue
        patterns.Add(want.sketch or _escaped(want.literal) + want.narrow)
        numbers.append(number)
    patterns.Add(_escaped(_MARK))
    mark = len(numbers)
    try:
        patterns.Compile()
    except re2.error:
        return slow
    match = patterns.Match

    def regions(low: bytes) -> Regions:
        found: Regions = {number: [(0, len(low))] for number, literal in over_lines if literal in low}
        for begin, end in _windows(low, _PIECE):
            hits = match(low[begin:end] + _MARK)
            if not hits or mark not in hits:
                return slow(low)
            if len(hits) > 1:
                for hit in hits:
                    if hit != mark:
                        _add(found, numbers[hit], begin, end)
        return found

    return regions


def _escaped(literal: bytes) -> bytes:
    return b"".join(
        bytes((byte,)) if bytes((byte,)).isalnum() and byte < 0x80 else b"\\x%02x" % byte for byte in literal
    )
