"""The lines of text files that are not TOML: requirements, scripts, sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Cuts, Pass
from uvreport.minimize.problem import edited
from uvreport.minimize.toml import is_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from uvreport.bundle import Bundle, Member

MOST_LINES = 2_000  # of a longer file all or nothing


def _texts(bundle: Bundle) -> list[Member]:
    return [
        member
        for member in bundle.members
        if member.kind == "file" and member.path.startswith(("home/", "project/")) and member.data
        if not is_toml(member.path, member.data)
    ]  # fmt: skip


def _whole(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
    """The content of each file, archives and other binary files too: often it only has to be there."""

    def without(gone: frozenset[Hashable]) -> Bundle:
        return edited(bundle, {str(path): b"" for path in gone})

    return Cuts(pieces=tuple(member.path for member in _texts(bundle)), without=without)


def _blocks(blank_between: bool) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    def level(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
        parts: dict[tuple[str, int], bytes] = {}
        for member in _texts(bundle):
            lines = member.data.splitlines(keepends=True)
            if b"\0" in member.data or len(lines) > MOST_LINES:
                continue
            number = 0
            for line in lines:
                number += not blank_between or not line.strip()
                parts[member.path, number] = parts.get((member.path, number), b"") + line

        def without(gone: frozenset[Hashable]) -> Bundle:
            files: dict[str, bytes] = {}
            for (path, number), text in parts.items():
                files[path] = files.get(path, b"") + (b"" if (path, number) in gone else text)
            return edited(bundle, files)

        return Cuts(pieces=tuple(parts), without=without)

    return level


PASS: Pass[Bundle] = Pass(name="lines", order=50, levels=(_whole, _blocks(True), _blocks(False)))
