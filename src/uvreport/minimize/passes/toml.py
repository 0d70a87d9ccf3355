"""TOML files by their grammar: tables, lockfile packages, keys, elements of arrays and of inline tables, comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize import toml
from uvreport.minimize.driver import Cuts, Pass
from uvreport.minimize.problem import edited

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from uvreport.bundle import Bundle
    from uvreport.minimize.toml import Document

# The pieces of one document: what they are called, and the spans without them.
Spans = list[tuple[int, int]]


def _documents(bundle: Bundle) -> Iterator[tuple[str, Document]]:
    for member in bundle.members:
        if member.kind == "file" and member.path.startswith(("home/", "project/")):
            found = toml.document(member.data) if toml.is_toml(member.path, member.data) else None
            if found is not None:
                yield member.path, found


def _cutting(
    pieces_of: Callable[[Document], list[Hashable]],
    spans_of: Callable[[Document, frozenset[Hashable]], Spans],
) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    def level(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
        documents = dict(_documents(bundle))

        def without(gone: frozenset[Hashable]) -> Bundle | None:
            contents: dict[str, bytes] = {}
            by_path: dict[str, set[Hashable]] = {}
            for piece in gone:
                assert isinstance(piece, tuple)
                by_path.setdefault(piece[0], set()).add(piece[1])
            for path, mine in by_path.items():
                found = documents[path]
                text = toml.cut(found.text, spans_of(found, frozenset(mine)))
                if not toml.means_something(text):
                    return None
                contents[path] = text.encode()
            return edited(bundle, contents)

        pieces = tuple((path, piece) for path, found in documents.items() for piece in pieces_of(found))
        return Cuts(pieces=pieces, without=without)

    return level


def _sections(depth: int) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    """Sections with the same first `depth` names; 0: each section by itself."""

    def name(section: toml.Section) -> Hashable:
        return section.path[:depth] if depth else section.start

    def pieces_of(found: Document) -> list[Hashable]:
        return list(dict.fromkeys(name(section) for section in found.sections if section.path))

    def spans_of(found: Document, gone: frozenset[Hashable]) -> Spans:
        return [(s.start, s.end) for s in found.sections if s.path and name(s) in gone]

    return _cutting(pieces_of, spans_of)


def _statements(found: Document) -> list[Hashable]:
    return [statement.start for section in found.sections for statement in section.statements]


def _statement_spans(found: Document, gone: frozenset[Hashable]) -> Spans:
    return [(s.start, s.end) for section in found.sections for s in section.statements if s.start in gone]


def _elements(depth: int) -> Callable[[Bundle, frozenset[str] | None], Cuts[Bundle]]:
    def pieces_of(found: Document) -> list[Hashable]:
        return [e.start for container in toml.containers(found, depth) for e in container.elements]

    def spans_of(found: Document, gone: frozenset[Hashable]) -> Spans:
        starts = frozenset(start for start in gone if isinstance(start, int))
        return [
            span
            for container in toml.containers(found, depth)
            for span in toml.without_elements(container, starts)
        ]

    return _cutting(pieces_of, spans_of)


def _comments(found: Document) -> list[Hashable]:
    return list(found.comments)


def _comment_spans(found: Document, gone: frozenset[Hashable]) -> Spans:
    return [span for span in found.comments if span in gone]


PASS: Pass[Bundle] = Pass(
    name="TOML",
    order=40,
    levels=(
        _sections(1),
        _sections(2),
        _sections(0),
        _cutting(_statements, _statement_spans),
        *(_elements(depth) for depth in range(4)),
        _cutting(_comments, _comment_spans),
    ),
)
