"""Private package names: which there are, and what they become."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Where a package is called by its name: locks and tables, requirements, METADATA, files of the formats that have
# the name first, cache directories.
_NAMED = re.compile(
    rb"""(?mx)
      (?: ^ | [{,] ) \s{0,8} "? name "? \s{0,3} [=:] \s{0,3} ["'] (?P<table> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) ["']
    | ^ (?:Name|Requires-Dist): [ ] (?P<metadata> [A-Za-z0-9][A-Za-z0-9._-]{0,80} )
    | ["'] (?P<requirement> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: \[ [^\]"'\r\n]{0,80} \] )?
      [ ]{0,2} (?: [=<>!~]=? | @[ ] | ;[ ] | ["'] )
    | ^ [ \t]{0,4} "?(?P<key> [A-Za-z0-9][A-Za-z0-9._-]{0,80} )"? [ ] = [ ] [{\[]
    | (?: ^ | [/\s"'`] ) (?P<file> [A-Za-z0-9][A-Za-z0-9_.]{0,80} ) -
      [0-9][A-Za-z0-9.!+_]{0,40} (?: -[A-Za-z0-9_.]{1,80} ){2,4} \.whl
    | (?: ^ | [/\s"'`] ) (?P<source> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) -
      [0-9][A-Za-z0-9.!+_]{0,40} \.(?:tar\.gz|zip|dist-info)
    | (?: ^ | [\s`"'(] ) (?P<pinned> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: == | [ ]@[ ] )
    | cache/(?:wheels|simple|sdists|built-wheels)-v[0-9]{1,3}/(?:pypi|index/[0-9a-f]{16}|url/[0-9a-f]{16})/
      (?P<entry> [a-z0-9][a-z0-9-]{0,80} ) (?: / | \.rkyv )
    """
)


def normalised(name: str) -> str:
    """The name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).strip("-").lower()


def renamed(texts: Iterable[bytes], patterns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each package name that matches one of the patterns with its new name, in the order in which they sort.

    A pattern is a name with `*` and `?`, compared after normalising: `acme-*` is also `Acme_Core`.
    """
    wanted = [re.sub(r"[-_.]+", "-", pattern.lower()) for pattern in patterns]
    found: set[str] = set()
    for text in texts:
        for match in _NAMED.finditer(text):
            name = normalised(next(value for value in match.groups() if value is not None).decode())
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted):
                found.add(name)
    width = len(str(len(found)))
    return tuple((name, f"private-{number:0{width}d}") for number, name in enumerate(sorted(found), 1))
