"""TOML as spans of its source, so that what stays keeps its formatting.

`tomllib` says what a text means and whether it still means something after a cut; it does not say where anything
stands. This does: sections, statements in them, elements of arrays and of inline tables.
"""

from __future__ import annotations

import functools
import re
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAME = re.compile(r"(?:^|/)(?:[^/]*\.toml|uv\.lock|poetry\.lock)\Z")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_LINE_END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_STRING = re.compile(
    r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}|' r"'''(?:[^']|'(?!''))*'{3,5}|" r'"(?:[^\\"\n]|\\.)*"|' r"'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^\s,\]}#][^,\]}#\n]*")
_COMMENT_LINE = re.compile(r"^[ \t]*#[^\n]*\n?", re.MULTILINE)


class Element(Struct, frozen=True, kw_only=True):
    """An element of an array, or an entry of an inline table. Offsets into the text.

    `start` to `end` is the element itself, `begin` is behind the comma before it, `finish` behind its own comma, or
    `end` when it has none.
    """

    begin: int
    start: int
    end: int
    finish: int
    inside: Container | None = None


class Container(Struct, frozen=True, kw_only=True):
    """An array or an inline table: `start` is its opening bracket, `end` is behind the closing one."""

    start: int
    end: int
    elements: tuple[Element, ...] = ()


class Statement(Struct, frozen=True, kw_only=True):
    """A key and its value; `start` is where the comments before it begin, `end` is behind its line."""

    start: int
    end: int
    inside: Container | None = None


class Section(Struct, frozen=True, kw_only=True):
    """A header and what belongs to it; the first one, without header, has an empty `path`.

    Of an array of tables each header has its number in the path, so that `[package.source]` belongs to one of them.
    """

    path: tuple[tuple[str, int], ...]
    start: int
    end: int
    statements: tuple[Statement, ...] = ()


class Document(Struct, frozen=True, kw_only=True):
    """A text, its sections in order, and its lines that are comments alone, as spans."""

    text: str
    sections: tuple[Section, ...]
    comments: tuple[tuple[int, int], ...]


def is_toml(path: str, data: bytes) -> bool:
    """Whether a file is TOML by its name and by what is in it."""
    return _NAME.search(path) is not None and document(data) is not None


def means_something(text: str) -> bool:
    """Whether this is TOML."""
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True


@functools.lru_cache(maxsize=64)
def document(data: bytes) -> Document | None:
    """The parts of a TOML file, None when it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not means_something(text):
        return None
    try:
        return _document(text)
    except (_LostError, RecursionError):
        return None


def containers(document: Document, depth: int) -> Iterator[Container]:
    """Every array and inline table that is `depth` others deep."""
    level = [s.inside for section in document.sections for s in section.statements if s.inside]
    for _ in range(depth):
        level = [element.inside for outer in level for element in outer.elements if element.inside]
    yield from level


def without_elements(container: Container, gone: frozenset[int]) -> list[tuple[int, int]]:
    """The spans to cut so that the elements which start at `gone` are not there; commas stay as they should be."""
    elements = container.elements
    kept = [element for element in elements if element.start not in gone]
    if len(kept) == len(elements):
        return []
    if not kept:
        return [(container.start + 1, container.end - 1)]
    spans = []
    first, last = kept[0], kept[-1]
    if elements[0] is not first:
        spans.append((elements[0].start, first.start))
    spans += [
        (element.begin, element.finish)
        for element in elements
        if element.start in gone and element.start > first.start
    ]
    if last is not elements[-1] and elements[-1].finish == elements[-1].end:
        # There was no comma behind the last one, and in an inline table there must be none.
        spans.append((last.end, last.finish))
    return spans


def cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without these spans, which may overlap."""
    out, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            out.append(text[at : max(start, at)])
            at = end
    return "".join([*out, text[at:]])


# --- reading ---


class _LostError(Exception):
    """What tomllib understands, and this reader does not: then nothing is cut."""


def _document(text: str) -> Document:
    sections: list[Section] = []
    statements: list[Statement] = []
    counts: dict[tuple[tuple[str, int], ...], int] = {}
    path: tuple[tuple[str, int], ...] = ()
    section_start = at = 0
    comments: list[tuple[int, int]] = []

    def close(end: int) -> None:
        sections.append(Section(path=path, start=section_start, end=end, statements=tuple(statements)))
        statements.clear()

    while True:
        begin, at = at, _over(_SPACE, text, at)
        comments += [found.span() for found in _COMMENT_LINE.finditer(text, begin, at)]
        if at >= len(text):
            close(len(text))
            return Document(text=text, sections=tuple(sections), comments=tuple(comments))
        if text[at] == "[":
            close(begin)
            section_start = begin
            array = text.startswith("[[", at)
            names, at = _keys(text, at + (2 if array else 1))
            at = _expect(text, _over(_BLANK, text, at), "]]" if array else "]")
            path = _numbered(names, counts, array=array)
            at = _line_end(text, at)
            continue
        _, at = _keys(text, at)
        at = _over(_BLANK, text, _expect(text, _over(_BLANK, text, at), "="))
        at, inside = _value(text, at)
        at = _line_end(text, at)
        statements.append(Statement(start=begin, end=at, inside=inside))


def _numbered(
    names: list[str], counts: dict[tuple[tuple[str, int], ...], int], *, array: bool
) -> tuple[tuple[str, int], ...]:
    path: tuple[tuple[str, int], ...] = ()
    for i, name in enumerate(names):
        head = (*path, (name, 0))
        if array and i == len(names) - 1:
            counts[head] = counts.get(head, 0) + 1
        path = (*path, (name, counts.get(head, 0)))
    return path


def _keys(text: str, at: int) -> tuple[list[str], int]:
    names = []
    while True:
        at = _over(_BLANK, text, at)
        found = _STRING.match(text, at) or _BARE_KEY.match(text, at)
        if not found:
            raise _LostError
        names.append(found[0].strip("\"'"))
        at = found.end()
        after = _over(_BLANK, text, at)
        if not text.startswith(".", after):
            return names, at
        at = after + 1


def _value(text: str, at: int) -> tuple[int, Container | None]:
    if text[at : at + 1] in {"[", "{"}:
        container = _container(text, at)
        return container.end, container
    found = _STRING.match(text, at) or _BARE_VALUE.match(text, at)
    if not found:
        raise _LostError
    return at + len(found[0].rstrip()), None


def _container(text: str, start: int) -> Container:
    closing = "]" if text[start] == "[" else "}"
    elements: list[Element] = []
    begin = start + 1
    while True:
        at = _over(_SPACE, text, begin)
        if text.startswith(closing, at):
            return Container(start=start, end=at + 1, elements=tuple(elements))
        first = at
        if closing == "}":
            _, at = _keys(text, at)
            at = _over(_BLANK, text, _expect(text, _over(_BLANK, text, at), "="))
        end, inside = _value(text, at)
        after = _over(_SPACE, text, end)
        comma = text.startswith(",", after)
        finish = after + 1 if comma else end
        elements.append(Element(begin=begin, start=first, end=end, finish=finish, inside=inside))
        begin = finish
        if not comma and not text.startswith(closing, after):
            raise _LostError


def _over(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, what: str) -> int:
    if not text.startswith(what, at):
        raise _LostError
    return at + len(what)


def _line_end(text: str, at: int) -> int:
    found = _LINE_END.match(text, at)
    if not found:
        raise _LostError
    return found.end()
