"""The content of a file of any kind, redacted: text, structured text, UTF-16, archives, other bytes."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from uvreport.errors import RedactionError
from uvreport.redact import archives, structured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from uvreport.redact.engine import Engine, Span

Note = "Callable[[str, list[tuple[int, str, str]]], None]"

_UTF16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def is_text(data: bytes) -> bool:
    """Whether bytes are text that can be edited freely: UTF-8, or an 8-bit encoding that is mostly ASCII."""
    if b"\0" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        head = data[:4096]
        odd = sum(byte >= 0x80 for byte in head)
        return odd * 10 < len(head) and re.search(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]", head) is None
    return True


def as_text(data: bytes) -> bytes:
    """The bytes as UTF-8 where a byte order mark says that they are UTF-16, else as they are."""
    for mark, codec in _UTF16:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace").encode("utf-8", "replace")
    return data


def spans(engine: Engine, name: str, text: bytes) -> list[Span]:
    """Everything private in a text, by its structure too where its name says that it has one."""
    form = structured.form_of(name)
    if not form:
        return engine.spans(text)
    return engine.spans(text, structured.spans(form, text, structured.parsed(form, text)))


def texts(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every text in a file, as (name, bytes): itself, or what is inside of it, however deep.

    Raises CannotLookInsideError.
    """
    if not archives.kind_of(data):
        yield name, as_text(data)
        return
    inside: list[tuple[str, bytes]] = []

    def look(inner: str, content: bytes) -> tuple[str, bytes]:
        inside.append((inner, as_text(content)))
        return inner, content

    _archive(data, look, archives.Budget(len(data)), 1)
    for inner, content in inside:
        if inner:
            yield "", inner.encode("utf-8", "surrogateescape")
        yield inner, content


def redacted(
    engine: Engine,
    where: str,
    name: str,
    data: bytes,
    note: Callable[[str, list[tuple[int, str, str]]], None],
) -> bytes:
    """The bytes of a file without what is private; the very same bytes where there is nothing.

    `where` is what errors and notes call it, `name` what says its form. `note` is told (where, replacements).
    Raises CannotLookInsideError, and RedactionError where a structured file would no longer parse.
    """
    if not archives.kind_of(data):
        return _flat(engine, where, name, data, note)

    def inside(inner: str, content: bytes) -> tuple[str, bytes]:
        told = inner
        if inner:
            new, log = engine.redact(inner.encode("utf-8", "surrogateescape"))
            told = new.decode("utf-8", "surrogateescape")
            note(f"{where}!{told}", [(-1, rule, placeholder) for _, rule, placeholder in log])
        return told, _flat(engine, f"{where}!{told}", inner, content, note) if content else content

    new = _archive(data, inside, archives.Budget(len(data)), 1)
    return archives.recorded(new, data) if new != data else data


def _archive(
    data: bytes, edit: Callable[[str, bytes], tuple[str, bytes]], budget: archives.Budget, depth: int
) -> bytes:
    if depth > archives.DEPTH_MOST:
        raise archives.CannotLookInsideError("nested too deep in other archives")

    def deeper(name: str, inner: bytes) -> tuple[str, bytes]:
        try:
            if inner and archives.kind_of(inner):
                return (edit(name, b"")[0] if name else name), _archive(inner, edit, budget, depth + 1)
        except archives.CannotLookInsideError as problem:
            raise archives.CannotLookInsideError(
                str(problem), "/".join(filter(None, (name, problem.inside)))
            ) from problem
        return edit(name, inner)

    return archives.edited(data, deeper, budget)


def _flat(
    engine: Engine,
    where: str,
    name: str,
    data: bytes,
    note: Callable[[str, list[tuple[int, str, str]]], None],
) -> bytes:
    for mark, codec in _UTF16:
        if data.startswith(mark) and len(data) % 2 == 0:
            try:
                text = data[len(mark) :].decode(codec)
            except UnicodeDecodeError:
                break
            new = _text(engine, where, name, text.encode("utf-8", "surrogatepass"), note)
            return mark + new.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass")
    if is_text(data):
        return _text(engine, where, name, data, note)
    found = [
        span
        for span in engine.spans(data)
        if span.rule.startswith("known-") or (span.kind in ("secret", "email") and _is_printable(span.value))
    ]
    new, log = engine.replaced(data, found, keep_length=True)
    note(where, log)
    return new


def _is_printable(value: bytes) -> bool:
    return value.isascii() and value.decode("ascii").isprintable()


def _text(
    engine: Engine,
    where: str,
    name: str,
    text: bytes,
    note: Callable[[str, list[tuple[int, str, str]]], None],
) -> bytes:
    form = structured.form_of(name)
    tree = structured.parsed(form, text) if form else None
    found = engine.spans(text, structured.spans(form, text, tree)) if form else engine.spans(text)
    if not found:
        return text
    new, log = engine.replaced(text, found)
    if tree is not None and not structured.same_shape(tree, structured.parsed(form, new)):
        new = structured.by_literal(text, lambda piece: engine.redact(piece)[0])
        if not structured.same_shape(tree, structured.parsed(form, new)):
            raise RedactionError(
                f"A {form.upper()} file would no longer parse once redacted. Nothing was written.",
                hint="Please report this: uvreport edits such files in a way that keeps them whole, and here it did not.",
            )
    note(where, log)
    return new
