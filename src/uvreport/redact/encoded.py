"""Texts in base64 or hex inside of a text: where they are and what they say."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sixteen characters that may be base64 of printable ASCII: of every three bytes the top bits are 001 to 011, which
# leaves 24, 24 and 32 of 64 characters in the first three places. A random text passes once in 40,000 times.
_SAYS_TEXT = re.compile(rb"(?:[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){4}")
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
_LEAST = 16
_TEXT = bytes(byte for byte in range(256) if 0x20 <= byte != 0x7F or byte in b"\t\r\n")
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Encoded(NamedTuple):
    """A run of `how` ("base64" or "hex") from `start` to `end`, and what it says as far as that is text."""

    start: int
    end: int
    how: str
    said: bytes


def runs(text: bytes) -> Iterator[Encoded]:
    """The texts in base64 (16 characters or more) and in hex (32 or more) inside of a text."""
    kinds = text.translate(_KINDS)
    match = _BASE64_HINT.search(kinds)
    done = 0
    while match is not None:
        start = kinds.rfind(b" ", done, match.start()) + 1 or done
        end = kinds.find(b" ", match.end())
        end = done = end if end >= 0 else len(kinds)
        if end - start >= _LEAST:
            said = _said(text[start:end])
            if said:
                padding = text[end : end + 2]
                yield Encoded(start, end + len(padding) - len(padding.lstrip(b"=")), "base64", said)
        match = _BASE64_HINT.search(kinds, end)
    first = _HEX_FIRST.match(kinds)
    places = [first.span()] if first is not None else []
    for hint in _HEX_HINTS:
        places += [(found.start() + 1, found.end()) for found in hint.finditer(kinds)]
    for start, end in places:
        with contextlib.suppress(binascii.Error):
            yield Encoded(start, end, "hex", _printable(binascii.unhexlify(text[start:end])))


def _said(run: bytes) -> bytes:
    """The text that a run of base64 says; empty where it says none."""
    hit = _SAYS_TEXT.search(run)
    if hit is None:
        return b""
    # What stands before the first whole group may be a prefix that is no part of it, as a directory is of a file name.
    whole = run[hit.start() % 4 :].translate(_STANDARD)
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    try:
        decoded = base64.b64decode(whole + b"=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""
    middle = hit.start() // 4 * 3
    return decoded[len(decoded[:middle].rstrip(_TEXT)) : middle] + _printable(decoded[middle:])


def _printable(decoded: bytes) -> bytes:
    return decoded[: len(decoded) - len(decoded.lstrip(_TEXT))]
