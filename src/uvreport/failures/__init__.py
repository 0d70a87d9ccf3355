"""Failure classes: what went wrong, told from the error chain, the exit code and what the cache turned out to hold."""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003 msgspec reads the annotation
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport.registry import exports

if TYPE_CHECKING:
    from uvreport.failures.chain import Chain


class Evidence(Struct, frozen=True, kw_only=True):
    """What a class is recognised by.

    `blamed` says whether the cache is at fault: True when the command passes without it, False when it fails
    the same, None when that could not be told. `states` are those of the culprits (cache/examine), `missing`
    the cache paths whose absence is at fault. `in_cache` says whether the chain names a path in the cache.
    """

    chain: Chain | None
    exit_code: int | None
    blamed: bool | None = None
    states: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    in_cache: bool = False
    incomplete_environment: bool = False

    @property
    def text(self) -> str:
        """All frames and hints in one line, for matching."""
        return " / ".join((*self.chain.frames, *self.chain.hints)) if self.chain else ""


class FailureClass(Struct, frozen=True, kw_only=True):
    """One class: `rank` orders the questions (lowest first), `buckets` are the kinds that its suspects stand in.

    `examples` are messages of real releases that belong to it.
    """

    name: str
    what: str
    rank: int
    fits: Callable[[Evidence], bool]
    buckets: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def by_words(*patterns: str) -> Callable[[Evidence], bool]:
    """Whether any of `patterns` occurs in the chain's frames or hints, case ignored."""
    compiled = re.compile("|".join(patterns), re.IGNORECASE)
    return lambda evidence: compiled.search(evidence.text) is not None


@cache
def all_classes() -> tuple[FailureClass, ...]:
    """Every failure class, in the order in which they are asked."""
    return tuple(
        sorted(exports("uvreport.failures.classes", "FAILURE", FailureClass), key=lambda c: (c.rank, c.name))
    )


def recognise(evidence: Evidence) -> FailureClass:
    """The class that `evidence` belongs to; `unknown` takes what no other does."""
    return next(c for c in all_classes() if c.fits(evidence))


def named(name: str) -> FailureClass | None:
    """The class of that name, None for a name that this release does not know."""
    return next((c for c in all_classes() if c.name == name), None)
