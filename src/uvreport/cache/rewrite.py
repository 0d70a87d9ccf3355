"""The same entry with an edit applied to every string in it: still valid, and the same bytes where nothing changed.

msgpack is gone through token by token: only strings are written anew, every number keeps the width that uv gave it.
rkyv and what cannot be decoded is edited at equal length: rkyv finds its strings by their distance.
"""

from __future__ import annotations

import json
import re
import struct
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from uvreport.cache import layout, trailer
from uvreport.cache.buckets import releases_of, version_key

if TYPE_CHECKING:
    from collections.abc import Callable

# Text in the midst of other bytes: at least four characters of printable ASCII or UTF-8.
_RUN = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){4,}"
)
# Where strings that stand side by side in rkyv may be told apart without tearing a URL or a path in two.
_PIECE = re.compile(r"(?=https?://|file://)|(?<=[\s\"'<>])")
_LONG_RUN = 2_000
_WORD = re.compile(r"[^/\\:@?&=#\s\"'<>,;]+|.", re.DOTALL)


def rewrite(path: str, data: bytes, edit: Callable[[str], str]) -> bytes:
    """The entry at `path` (relative to the cache root) with `edit` applied to every string in it.

    Where `edit` changes nothing, `data` itself. Strings in msgpack, JSON and text may change their length; in
    rkyv, in cache policies and in what cannot be decoded a replacement is padded with `_` or cut.
    """
    new = _rewrite(path, data, edit)
    return data if new == data else new


def _rewrite(path: str, data: bytes, edit: Callable[[str], str]) -> bytes:
    kind = _encoding(path)
    if kind == "msgpack":
        return _msgpack(data, edit) or edit_equal(data, edit)
    if kind in {"fetched", "rkyv"}:
        parts = trailer.split(data, _form(path))
        if parts.problem or parts.form == "none":
            return edit_equal(data, edit)
        body = edit_equal(parts.data, edit) if kind == "rkyv" else _msgpack(parts.data, edit)
        if body is None:
            return edit_equal(data, edit)
        return trailer.join(body, edit_equal(parts.policy, edit), parts.form)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return edit_equal(data, edit)
    if "\0" in text:
        return edit_equal(data, edit)
    if path.endswith(".json"):
        return _json(text, edit)
    return edit(text).encode("utf-8", "surrogateescape")


def _encoding(path: str) -> str:
    """How an entry is written, by its path: "msgpack", "fetched" (msgpack and a policy), "rkyv" or "text"."""
    place = layout.parse(path)
    name = path.rpartition("/")[2]
    if place.kind == "archive" or (place.kind == "sdists" and len(place.rest) > 1):
        return "text"
    if name.endswith(".rkyv") or (place.kind == "flat-index" and name.endswith(".msgpack")):
        return "rkyv"
    if name.endswith(".http"):
        return "fetched"
    if name.endswith(".rev"):
        return "msgpack"
    if not name.endswith(".msgpack"):
        return "text"
    if name == "manifest.msgpack" and place.kind == "sdists":
        return "fetched" if place.source in {"pypi", "index", "url"} else "msgpack"
    return "fetched" if place.kind in {"wheels", "python", "osv"} else "msgpack"


def _form(path: str) -> trailer.Form | None:
    span = releases_of(path.partition("/")[0])
    if span is None:
        return None
    return "crc" if version_key(span.first) >= (0, 13, 0) else "old"


def _json(text: str, edit: Callable[[str], str]) -> bytes:
    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return edit(value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {edit(key): walk(item) for key, item in value.items()}
        return value

    try:
        value = json.loads(text)
        new = walk(value)
    except (ValueError, RecursionError):
        return edit(text).encode("utf-8", "surrogateescape")
    if new == value:
        return text.encode("utf-8")
    return json.dumps(new, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")


# msgpack, token by token.

_SIZES = {
    0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I",
    0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I",
}  # fmt: skip
_FIXED = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4,
    0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17,
}  # fmt: skip
_STR, _BIN, _OTHER = "str", "bin", "other"


def _tokens(data: bytes) -> list[tuple[str, int, int, int]] | None:
    """Kind, start, start of the content and end of every token of one msgpack value; None where it is none.

    Containers are tokens of their own, their items follow. No recursion, so depth costs nothing.
    """
    out: list[tuple[str, int, int, int]] = []
    at, left, size = 0, 1, len(data)
    while left:
        if at >= size:
            return None
        left -= 1
        start, marker = at, data[at]
        at += 1
        kind, length = _OTHER, 0
        if marker in _SIZES:
            width = struct.calcsize(_SIZES[marker])
            if at + width > size:
                return None
            length = struct.unpack_from(_SIZES[marker], data, at)[0]
            at += width
        if marker < 0x80 or marker >= 0xE0:
            pass
        elif marker < 0x90 or marker in {0xDE, 0xDF}:
            left += 2 * (length if marker >= 0xDE else marker & 0x0F)
            length = 0
        elif marker < 0xA0 or marker in {0xDC, 0xDD}:
            left += length if marker >= 0xDC else marker & 0x0F
            length = 0
        elif marker < 0xC0:
            kind, length = _STR, marker & 0x1F
        elif marker in {0xD9, 0xDA, 0xDB}:
            kind = _STR
        elif marker in {0xC4, 0xC5, 0xC6}:
            kind = _BIN
        elif marker in {0xC7, 0xC8, 0xC9}:
            length += 1
        elif marker in _FIXED:
            length = _FIXED[marker]
        else:
            return None
        if at + length > size or left > size:  # each token still to come needs a byte
            return None
        out.append((kind, start, at, at + length))
        at += length
    return out


def _msgpack(data: bytes, edit: Callable[[str], str]) -> bytes | None:
    tokens = _tokens(data)
    if tokens is None:
        return None
    out: list[bytes] = []
    end = 0
    for kind, start, content, end in tokens:
        if kind == _OTHER:
            out.append(data[start:end])
            continue
        raw = data[content:end]
        try:
            new = edit(raw.decode("utf-8")).encode("utf-8", "surrogateescape")
        except UnicodeDecodeError:
            new = edit_equal(raw, edit)
        if len(new) == len(raw):
            out.append(data[start:content] + new)
        else:
            out.append((_str_header if kind == _STR else _bin_header)(len(new)) + new)
    return b"".join(out) + edit_equal(data[end:], edit)


def _str_header(size: int) -> bytes:
    if size < 32:
        return bytes([0xA0 | size])
    if size < 0x100:
        return struct.pack(">BB", 0xD9, size)
    return struct.pack(">BH", 0xDA, size) if size < 0x10000 else struct.pack(">BI", 0xDB, size)


def _bin_header(size: int) -> bytes:
    if size < 0x100:
        return struct.pack(">BB", 0xC4, size)
    return struct.pack(">BH", 0xC5, size) if size < 0x10000 else struct.pack(">BI", 0xC6, size)


# Bytes whose length must not change.


def edit_equal(data: bytes, edit: Callable[[str], str]) -> bytes:
    """`data` with `edit` applied to the text found in it, every replacement padded with `_` or cut to its length."""
    out: list[bytes] = []
    end = 0
    known: dict[str, bytes] = {}
    for found in _RUN.finditer(data):
        out.append(data[end : found.start()])
        end = found.end()
        try:
            text = found[0].decode("utf-8")
        except UnicodeDecodeError:  # surrogates and the like
            out.append(found[0])
            continue
        for piece in _PIECE.split(text) if len(text) > _LONG_RUN else (text,):
            new = known.get(piece)
            if new is None:
                after = edit(piece)
                new = known[piece] = piece.encode() if after == piece else _fit(piece, after)
            out.append(new)
    out.append(data[end:])
    return b"".join(out)


def _fit(before: str, after: str) -> bytes:
    """`after` in as many bytes as `before` has: word by word, so that what was not replaced stays in its place."""
    size = len(before.encode())
    plain = after.encode("utf-8", "surrogateescape")
    if len(plain) == size:
        return plain
    old, new = _WORD.findall(before), _WORD.findall(after)
    out: list[bytes] = []
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        kept, wanted = "".join(old[a:b]).encode(), "".join(new[c:d]).encode("utf-8", "surrogateescape")
        out.append(kept if what == "equal" else _sized(wanted, len(kept)))
    return b"".join(out)


def _sized(text: bytes, size: int) -> bytes:
    cut = text[:size]
    if len(cut) < len(text):  # not in the middle of a character
        cut = cut.decode("utf-8", "ignore").encode()
    return cut + b"_" * (size - len(cut))


def strings(path: str, data: bytes) -> list[str]:
    """All strings in an entry, in order: those of its msgpack or JSON, and the text found in any other bytes."""
    out: list[str] = []

    def note(text: str) -> str:
        out.append(text)
        return text

    rewrite(path, data, note)
    return out
