"""Text that is safe where it is put, whoever wrote it: in prose, in a code span, in a fence. Pure."""

from __future__ import annotations

import base64
import re

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
    r"|[\ud800-\udfff]"
)


def units(text: str) -> int:
    """The length of `text` as GitHub counts it: in UTF-16 units."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def clean(text: str) -> str:
    """`text` without colors, and with every character that cannot be seen (control, bidi) written out."""
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def shorten(text: str, limit: int) -> str:
    """`text`, cut at its end to `limit` UTF-16 units, and marked so."""
    if units(text) <= limit:
        return text
    kept = text[:limit]
    while units(kept) > limit - 1:
        kept = kept[:-1]
    return kept + "…"


def code(text: object, limit: int = 200) -> str:
    """`text` as one code span in one line; nothing in it is Markdown."""
    line = shorten(" ".join(clean(str(text)).split()), limit)
    if not line:
        return "(empty)"
    runs = {len(run) for run in re.findall(r"`+", line)}
    ticks = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


# A word that neither Markdown nor GitHub makes anything of: no markup, reference, mention, link or commit.
_QUIET = re.compile(r"(?!.*(?:GH-\d|www\.|://|[0-9a-f]{7}))[A-Za-z0-9 ,.:;()/'-]*", re.ASCII)


def quiet(text: str) -> bool:
    """Whether `text` may stand in prose as it is."""
    return _QUIET.fullmatch(text) is not None


def said(text: str, limit: int = 300) -> str:
    """A sentence of uvreport's own, as prose; in it what was quoted, and every word that is not quiet, as code."""
    line = shorten(" ".join(clean(text).split()), limit).rstrip(".")
    pieces = line.split("`")
    if not line or len(pieces) % 2 == 0 or not all(piece.strip() for piece in pieces[1::2]):
        return code(line, limit)
    return "".join(code(piece, limit) if n % 2 else _in_words(piece) for n, piece in enumerate(pieces))


def _in_words(piece: str) -> str:
    """`piece` with each run of words that are not quiet as one code span; blanks around it are kept."""
    if quiet(piece):
        return piece
    out: list[str] = []
    loud: list[str] = []
    for word in [*piece.split(), ""]:
        if word and not quiet(word):
            loud.append(word.rstrip(",;:") if quiet(word[-1]) else word)
            if word[-1] not in ",;:":
                continue
            out.append(code(" ".join(loud)) + word[-1])
            loud = []
            continue
        if loud:
            out.append(code(" ".join(loud)))
            loud = []
        if word:
            out.append(word)
    text = " ".join(out)
    return f"{' ' if piece[:1] == ' ' else ''}{text}{' ' if piece[-1:] == ' ' else ''}"


def sentence(text: str) -> str:
    """`text` with a capital first letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def listed(items: list[str], last: str = "and") -> str:
    """The items as English lists them: `a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def cut_middle(text: str, limit: int) -> tuple[str, int]:
    """`text` in at most `limit` UTF-16 units, and how many lines in its middle were left out for that.

    A quarter is its beginning, which introduces; the rest is its end, which decides.
    """
    if units(text) <= limit:
        return text, 0
    lines = text.split("\n")
    room = limit - 80  # for the line that says so
    head: list[str] = []
    tail: list[str] = []
    used = 0
    for line in lines:
        if used + units(line) + 1 > room // 4:
            break
        head.append(line)
        used += units(line) + 1
    for line in reversed(lines[len(head) :]):
        if used + units(line) + 1 > room:
            break
        tail.append(line)
        used += units(line) + 1
    left_out = len(lines) - len(head) - len(tail)
    return "\n".join([*head, f"[... {left_out} lines left out here ...]", *reversed(tail)]), left_out


def fenced(text: str, language: str, limit: int) -> str:
    """`text` as a fenced block of at most `limit` UTF-16 units, fences and all: cut in the middle."""
    longest_line = max(80, limit // 12)
    body = "\n".join(shorten(line, longest_line) for line in clean(text).strip("\n").split("\n"))
    fence = _fence(body)
    body, _ = cut_middle(body, limit - 2 * len(fence) - len(language) - 2)
    return f"{fence}{language}\n{body}\n{fence}"


def exact(text: str, language: str) -> str:
    """`text` as a fenced block, to be copied: not a character of it is changed."""
    fence = _fence(text)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


def _fence(text: str) -> str:
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


def base64_lines(data: bytes) -> str:
    """`data` in base64, in lines of 76 characters."""
    encoded = base64.b64encode(data).decode()
    return "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))


def hexdump(data: bytes) -> str:
    """`data` as offset, sixteen bytes, text."""
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {text}")
    return "\n".join(lines)


def size(size_bytes: int) -> str:
    """A size for people."""
    if size_bytes < 1_000:
        return f"{size_bytes} bytes" if size_bytes != 1 else "1 byte"
    return f"{size_bytes / 1e3:.1f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1e6:.1f} MB"
