"""What a redaction rule is: a shape that is private wherever it stands."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable


class Probe(Struct, frozen=True):
    """Where to look for a shape that has no literal: a pattern over lower-cased text that begins with a literal.

    `sketch` is what of it RE2 can say (no look-around); it must match wherever `pattern` does. Both stay in a line.
    """

    pattern: str
    sketch: str


class Rule(Struct, frozen=True, kw_only=True):
    """One shape that is removed, found by a literal first and then by a pattern anchored there.

    `literals` are in lower case and looked for without regard to case; where one stands, the match begins
    `back_max` bytes before it at most, as far back as bytes of `back` reach, or at what `start` says (-1: not
    here). `follows` is a pattern for what must come next in lower-cased text on the same line, and `not_after` a class
    of what may not come before: they only save time, and change nothing. A rule with no useful literal has
    `probes`; one that has not even those gives `words`, a pattern for all candidates, and is slow.

    What goes is what the named groups of `pattern` cover; a group's name, digits aside, is the kind of
    placeholder (redact/ledger.py). Every quantifier is bounded. `accept` has the last word. `removes` are pairs
    of a text and what comes out; `keeps` are look-alikes that stay.
    """

    name: str
    what: str
    source: str
    literals: tuple[str, ...] = ()
    pattern: str
    fold: bool = True
    back: bytes = b""
    back_max: int = 0
    start: Callable[[bytes, int], int] | None = None
    words: str = ""
    follows: str = ""
    not_after: str = ""
    probes: tuple[Probe, ...] = ()
    words_with: bytes = b""
    accept: Callable[[re.Match[bytes]], bool] | None = None
    removes: tuple[tuple[str, str], ...]
    keeps: tuple[str, ...]


@functools.cache
def compiled(pattern: str, fold: bool) -> re.Pattern[bytes]:
    """The pattern over bytes, compiled when a text first needs it (sixty of them cost 60 ms)."""
    return re.compile(pattern.encode(), re.VERBOSE | (re.IGNORECASE if fold else 0))
