"""The text as it reads once its escapes are undone, with the way back to the bytes that stood there."""

from __future__ import annotations

import bisect
import html
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPE = re.compile(
    rb"%[0-9A-Fa-f]{2}"
    rb"|\x1b\[[0-9;:]{0,20}m"
    rb"|\\(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}"
    rb"|[0-3][0-7]{2}|[\\/\"'nrtb @:#&=;!$()*?])"
    rb"|&(?:[#][0-9]{1,7}|[#]x[0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos|commat|sol|bsol|colon|period|nbsp);"
)
_MARKS = (b"%", b"\\", b"&", b"\x1b")
_LINE_MAX = 65536


class View(NamedTuple):
    """Decoded text and, for each piece that was an escape, where it is in both texts.

    `starts` and `ends` are offsets in `text` of the decoded pieces; `raw_starts` and `raw_ends` are theirs in
    the original. Between pieces the two run side by side.
    """

    text: bytes
    starts: list[int]
    ends: list[int]
    raw_starts: list[int]
    raw_ends: list[int]

    def raw(self, start: int, end: int) -> tuple[int, int]:
        """Where `text[start:end]` stands in the original; an escape that is cut is taken whole."""
        return self._raw_start(start), self._raw_end(end)

    def _raw_start(self, at: int) -> int:
        i = bisect.bisect_right(self.starts, at) - 1
        if i < 0:
            return at
        if at < self.ends[i]:
            return self.raw_starts[i]
        return self.raw_ends[i] + at - self.ends[i]

    def _raw_end(self, at: int) -> int:
        i = bisect.bisect_left(self.starts, at) - 1
        if i < 0:
            return at
        if at <= self.ends[i]:
            return self.raw_ends[i]
        return self.raw_ends[i] + at - self.ends[i]

    def spelling(self, raw: bytes, start: int, end: int) -> dict[bytes, bytes]:
        """How the special characters of `text[start:end]` were written in `raw`: decoded piece -> escape."""
        spelled: dict[bytes, bytes] = {}
        for i in range(bisect.bisect_left(self.starts, start), len(self.starts)):
            if self.starts[i] >= end:
                break
            decoded = self.text[self.starts[i] : self.ends[i]]
            if len(decoded) == 1:
                spelled[decoded] = raw[self.raw_starts[i] : self.raw_ends[i]]
        return spelled


def _undone(escape: bytes) -> bytes:
    first = escape[:1]
    if first == b"\x1b":  # a colour, which says nothing
        return b""
    if first == b"%":
        return bytes.fromhex(escape[1:].decode())
    if first == b"&":
        return html.unescape(escape.decode()).encode()
    second = escape[1:2]
    if second in (b"u", b"U"):
        digits = escape[2:].strip(b"{}")
        if b"\\" in digits:  # a surrogate pair
            high, low = int(digits[:4], 16), int(digits[6:], 16)
            pair = chr(high) + chr(low)
            return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        number = int(digits, 16)
        return (chr(number) if number < 0x110000 else "\ufffd").encode("utf-8", "replace")
    if second == b"x":
        return bytes.fromhex(escape[2:].decode())
    if second in b"0123":
        return bytes((int(escape[1:], 8),))
    # `\b` is more often a Windows path than a backspace: both characters stay, as one piece that ends a word.
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\\b"}.get(second, second)


def _escapes(text: bytes) -> Iterator[re.Match[bytes]]:
    """Every escape, found in the lines that have one of the marks: the pattern alone runs at 120 MB/s."""
    ends: dict[bytes, int] = {mark: text.find(mark) for mark in _MARKS}
    done = 0
    while True:
        nearest = min((at for at in ends.values() if at >= 0), default=-1)
        if nearest < 0:
            return
        found = text.find(b"\n", nearest)
        line_end = len(text) if found < 0 else found
        yield from _ESCAPE.finditer(text, max(done, nearest), line_end)
        done = line_end
        for mark, at in ends.items():
            if 0 <= at < line_end:
                ends[mark] = text.find(mark, line_end)


def unescaped(text: bytes, lines_only: bool = True) -> View | None:
    """The lines of `text` that hold an escape, one level undone; None where no line does.

    Percent, JSON, TOML, Python, Rust, git's octal and HTML escapes alike: which language a line of a log quotes
    cannot be known. Lines without any are left out.
    """
    if not any(mark in text for mark in _MARKS):
        return None
    pieces: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    raw_starts: list[int] = []
    raw_ends: list[int] = []
    out = 0
    copied = 0  # everything of `text` before this is in `pieces` or left out on purpose
    line_end = -1
    for match in _escapes(text) if lines_only else _ESCAPE.finditer(text):
        at, after = match.span()
        if lines_only and at > line_end:
            if starts:
                # The rest of the line before, and its end if the next line is this one.
                line_start = text.rfind(b"\n", line_end, at) + 1
                rest = line_end + 1 if line_start == line_end + 1 else line_end
                pieces.append(text[copied:rest])
                out += rest - copied
                copied = rest
            line_start = text.rfind(b"\n", copied, at) + 1 or copied
            if line_start > copied or not starts:
                # Lines left out: one piece stands for all of them.
                begin = max(line_start, at - _LINE_MAX)
                # The NUL keeps a pattern that crosses lines from crossing this.
                pieces.append(b"\n\0\n")
                starts.append(out)
                out += 3
                ends.append(out)
                raw_starts.append(copied)
                raw_ends.append(begin)
                copied = begin
            found = text.find(b"\n", after)
            line_end = len(text) if found < 0 else found
        if at > copied:
            pieces.append(text[copied:at])
            out += at - copied
        undone = _undone(match.group())
        pieces.append(undone)
        starts.append(out)
        out += len(undone)
        ends.append(out)
        raw_starts.append(at)
        raw_ends.append(after)
        copied = after
    if not starts:
        return None
    tail = len(text) if not lines_only else line_end
    pieces.append(text[copied:tail])
    return View(b"".join(pieces), starts, ends, raw_starts, raw_ends)


# A wrap that uv made inside of a word of its error chain: after `-`, `/` and the like, before an indented rest.
_WRAP = re.compile(rb"(?<=[-/._@=&%?:])\r?\n(?:[ ]{0,4}\xe2\x94\x82[ ]{1,12}|[ ]{2,12})(?=[^\s\xe2])")
_CHAIN_MARKS = (b"\xe2\x95\xb0\xe2\x94\x80", b"\xc3\x97")


def unwrapped(text: bytes) -> View | None:
    """The text with the wraps of uv's error chains undone; None where there are none."""
    if not any(mark in text for mark in _CHAIN_MARKS):
        return None
    pieces: list[bytes] = []
    starts: list[int] = []
    raw_starts: list[int] = []
    raw_ends: list[int] = []
    copied = out = 0
    for match in _WRAP.finditer(text):
        pieces.append(text[copied : match.start()])
        out += match.start() - copied
        starts.append(out)
        raw_starts.append(match.start())
        raw_ends.append(match.end())
        copied = match.end()
    if not starts:
        return None
    pieces.append(text[copied:])
    return View(b"".join(pieces), starts, list(starts), raw_starts, raw_ends)


def composed(outer: View, inner: View) -> View:
    """`inner`, a view of `outer.text`, as a view of the original text."""
    starts: list[int] = []
    ends: list[int] = []
    raw_starts: list[int] = []
    raw_ends: list[int] = []
    # Pieces of both levels, in order of where they are in the outer text.
    i = j = 0
    shift = 0  # outer offset + shift = inner offset, between pieces
    while i < len(inner.starts) or j < len(outer.starts):
        inner_at = inner.raw_starts[i] if i < len(inner.starts) else len(outer.text) + 1
        outer_at = outer.starts[j] if j < len(outer.starts) else len(outer.text) + 1
        if inner_at <= outer_at:
            raw_start, raw_end = outer.raw(inner_at, max(inner.raw_ends[i], inner_at))
            if inner.raw_ends[i] == inner_at:
                raw_end = raw_start
            starts.append(inner.starts[i])
            ends.append(inner.ends[i])
            raw_starts.append(raw_start)
            raw_ends.append(raw_end)
            shift = inner.ends[i] - inner.raw_ends[i]
            while j < len(outer.starts) and outer.starts[j] < inner.raw_ends[i]:
                j += 1
            i += 1
        else:
            starts.append(outer_at + shift)
            ends.append(outer.ends[j] + shift)
            raw_starts.append(outer.raw_starts[j])
            raw_ends.append(outer.raw_ends[j])
            j += 1
    return View(inner.text, starts, ends, raw_starts, raw_ends)
