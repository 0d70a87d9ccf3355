"""Texts in base64 or hex inside of a text: where they are and what they say."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sixteen characters that may be base64 of printable ASCII: of every three bytes the top bits are 001 to 011, which
# leaves 24, 24 and 32 of 64 characters in the first three places. A random text passes once in 40,000 times.
_SAYS_TEXT = re.compile(rb"(?:[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){4}")
# The same for two characters in UTF-16, as PowerShell encodes commands: every other byte is nothing.
_SAYS_WIDE = re.compile(rb"(?:[A-Za-z0-9+/_-][AQgw][AB][A-Za-z0-9+/_-]A[A-H][AEIMQUYcgkosw048]A){3}")
_UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET = _UPPER + b"abcdefghijklmnopqrstuvwxyz0123456789+/-_"
_HEX = b"0123456789abcdef"
# Each byte as what it may be: "A" a capital, "d" the first digit of printable ASCII in hex, "h" another one, "a" the rest
# of base64. A search that begins with one byte runs at the speed of memory, one that begins with a class at 30 MB/s.
_KINDS = bytes(
    0x41
    if byte in _UPPER
    else 0x64
    if byte in b"234567"
    else 0x68
    if byte in _HEX
    else 0x61
    if byte in _ALPHABET
    else 0x20
    for byte in range(256)
)
_BASE64_HINT = re.compile(rb"A[Aadh]{11}")
_HEX_HINTS = tuple(re.compile(first + rb"d[dhA](?:d[dhA]){15,}(?![dh])") for first in (rb" ", rb"a"))
_HEX_FIRST = re.compile(rb"(?:d[dhA]){16,}(?![dh])")
_GZIP = b"H4sI"
_UNPACKED_MOST = 65_536
_LEAST = 16
# Lines that belong together have one width, and nothing but an indent or the same words before them.
_LINES_MOST = 4000
_INDENT = b" \t>#|*;\"'"
_BEFORE = _INDENT + b":="
_LINE_END = b" \t\r=\"',\\"
_TEXT = bytes(byte for byte in range(256) if 0x20 <= byte != 0x7F or byte in b"\t\r\n")
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Encoded(NamedTuple):
    """A run of `how` ("base64" or "hex") from `start` to `end`, and what it says as far as that is text.

    Where a run is wrapped, `pieces` are its lines.
    """

    start: int
    end: int
    how: str
    said: bytes
    pieces: tuple[tuple[int, int], ...] = ()


def runs(text: bytes) -> Iterator[Encoded]:
    """The texts in base64 (16 characters or more) and in hex (32 or more) inside of a text."""
    kinds = text.translate(_KINDS)
    match = _BASE64_HINT.search(kinds)
    done = joined = 0
    while match is not None:
        start = kinds.rfind(b" ", done, match.start()) + 1 or done
        end = kinds.find(b" ", match.end())
        end = done = end if end >= 0 else len(kinds)
        if end - start >= _LEAST:
            said = _said(text[start:end])
            if said:
                padding = text[end : end + 2]
                yield Encoded(start, end + len(padding) - len(padding.lstrip(b"=")), "base64", said)
            if start >= joined and text[end : end + 1] in _ENDS:
                pieces = _lines(text, kinds, start, end, joined)
                if pieces:
                    joined = pieces[-1][1]
                    yield from _wrapped(text, pieces, "base64")
        match = _BASE64_HINT.search(kinds, end)
    first = _HEX_FIRST.match(kinds)
    places = [first.span()] if first is not None else []
    for hint in _HEX_HINTS:
        places += [(found.start() + 1, found.end()) for found in hint.finditer(kinds)]
    joined = 0
    for start, end in places:
        if start >= joined and text[end : end + 1] in _ENDS:
            pieces = _lines(text, kinds, start, end, joined)
            if pieces:
                joined = pieces[-1][1]
                yield from _wrapped(text, pieces, "hex")
        with contextlib.suppress(binascii.Error):
            yield Encoded(start, end, "hex", _printable(binascii.unhexlify(text[start:end])))


def _lines(text: bytes, kinds: bytes, start: int, end: int, floor: int) -> list[tuple[int, int]]:
    """The runs of consecutive lines that one text is wrapped over, around the one that is given; none if it is not.

    The first and the last may have another length than those between them.
    """
    here = (start, end)
    before = text[text.rfind(b"\n", floor, start) + 1 or floor : start]
    if before and before[-1] not in _BEFORE:
        return []
    below: list[tuple[int, int]] = []
    at = text.find(b"\n", end)
    width = 0
    while at >= 0 and len(below) < _LINES_MOST:
        line_end = text.find(b"\n", at + 1)
        run = _run_of(text, kinds, at + 1, line_end if line_end >= 0 else len(text), before)
        size = run[1] - run[0]
        width = width or (size if below or size > end - start else max(size, end - start))
        if not size or size > width:
            break
        below.append(run)
        if size < width:
            break
        at = line_end
    above: list[tuple[int, int]] = []
    width = end - start
    at = text.rfind(b"\n", floor, start)
    while at > floor and len(above) < _LINES_MOST:
        line_start = text.rfind(b"\n", floor, at) + 1 or floor
        run = _run_of(text, kinds, line_start, at, text[line_start:at])
        if run[1] - run[0] < _LEAST:
            break
        above.append(run)
        if run[1] - run[0] != width:
            break
        at = line_start - 1
    if not above and not below:
        return []
    return [*reversed(above), here, *below]


def _run_of(text: bytes, kinds: bytes, start: int, end: int, before: bytes) -> tuple[int, int]:
    """The run that a line ends with, empty if it has none or if other words stand before it than `before`."""
    last = start + len(text[start:end].rstrip(_LINE_END))
    first = max(start, kinds.rfind(b" ", start, last) + 1)
    ahead = text[start:first]
    if last - first < 2 or (ahead and ahead[-1] not in _INDENT):
        return start, start
    if ahead != before and ahead.strip(_INDENT):
        return start, start
    return first, last


def _wrapped(text: bytes, pieces: list[tuple[int, int]], how: str) -> Iterator[Encoded]:
    run = b"".join(text[first:last] for first, last in pieces)
    said = b""
    if how == "base64":
        said = _said(run)
    else:
        with contextlib.suppress(binascii.Error):
            said = _printable(binascii.unhexlify(run[: len(run) - len(run) % 2]))
    if said:
        yield Encoded(pieces[0][0], pieces[-1][1], how, said, tuple(pieces))


_ENDS = frozenset((b"\n", b"\r", b"=", b'"', b"'", b" ", b"\\"))


def _said(run: bytes) -> bytes:
    """The text that a run of base64 says; empty where it says none."""
    if run.startswith(_GZIP):
        return _unpacked(run)
    hit = _SAYS_TEXT.search(run)
    if hit is None:
        return _said_wide(run) if run.count(b"A") * 5 >= len(run) else b""
    # What stands before the first whole group may be a prefix that is no part of it, as a directory is of a file name.
    whole = run[hit.start() % 4 :].translate(_STANDARD)
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    try:
        decoded = base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""
    middle = hit.start() // 4 * 3
    return decoded[len(decoded[:middle].rstrip(_TEXT)) : middle] + _printable(decoded[middle:])


def _unpacked(run: bytes) -> bytes:
    """What gzip in base64 says at its beginning: cloud-init and Helm write settings so."""
    with contextlib.suppress(binascii.Error, ValueError, zlib.error):
        packed = base64.b64decode(run.translate(_STANDARD)[: len(run) // 4 * 4])
        return _printable(zlib.decompressobj(31).decompress(packed, _UNPACKED_MOST))
    return b""


def _said_wide(run: bytes) -> bytes:
    hit = _SAYS_WIDE.search(run)
    if hit is None:
        return b""
    whole = run[hit.start() % 4 :].translate(_STANDARD)
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    try:
        decoded = base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""
    odd = hit.start() // 4 * 3 % 2
    return decoded[odd:].decode("utf-16-le", "replace").encode("utf-8", "replace")


def _printable(decoded: bytes) -> bytes:
    return decoded[: len(decoded) - len(decoded.lstrip(_TEXT))]
