"""Reads the error chain out of what uv printed, in each of the styles that its releases have used.

Four styles were seen in real output (releases 0.1.24 to 0.13.9):

* `error: X` followed by `  Caused by: Y` lines;
* `error: X` followed by `  cause: Y` lines, from 0.12.14 on;
* a box drawn with `×`, `├─▶`, `╰─▶` and `│` (in ASCII `x`, `|->`, `` `-> ``, `|`), wrapped to the terminal;
* a Rust panic.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

Style = Literal["caused-by", "cause", "boxed", "panic"]

ANSI = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
# ` 0.0023s   0ms DEBUG module text` up to 0.4; `DEBUG text` since. Spans of old ones: ` module::function key=value`.
LOG_LINE = re.compile(r"^\s*(?:(?:\d+(?:\.\d+)?m?s|<time>)\s+)*(?:TRACE|DEBUG|INFO|WARN|ERROR)\s")
SPAN_LINE = re.compile(r"^\s+[a-z_]\w*(?:::\w+)+ ?")

_PANIC = re.compile(r"^thread '[^']*'(?: \(\d+\))? panicked at (?P<where>.*)$")
_BOX_HEAD = re.compile(r"^ {1,2}[×x] (?P<text>.*)$")
_BOX_CAUSE = re.compile(r"^ {1,2}(?:├─▶|╰─▶|\|->|`->) ?(?P<text>.*)$")
_BOX_MORE = re.compile(r"^ {1,2}(?:│|\|) ?(?P<text>.*)$")
_BOX_TAIL = re.compile(r"^ {4,}(?P<text>\S.*)$")
_PLAIN_HEAD = re.compile(r"^error: (?P<text>.*)$")
_CAUSE = re.compile(r"^ {2,}(?P<word>Caused by|cause): ?(?P<text>.*)$")
_HINT = re.compile(r"^\s*(?:hint|help): ?")
# What the resolver logs below `TRACE Resolver derivation tree`: between two frames, where these are still being made.
_TREE_LINE = re.compile(r"^(?:term\b| +(?!(?:[×x│├╰|`]|Caused by:|cause:|hint:|help:))\S)")
# With these another uv begins: what is behind is no longer what a build backend printed.
_BEGINS = re.compile(
    r"^(?:Using (?:CPython|PyPy|GraalPy) .*interpreter at|Creating virtual environment at|Resolved \d+ )"
)
_PROGRESS = re.compile(
    r"^(?:Using (?:CPython|PyPy|Python)|Creating virtual|Resolved \d|Prepared \d|Installed \d|Uninstalled \d|"
    r"Audited |Downloading |Building |Built |Updating |Updated |Downloaded |Removed |"
    r"\s+(?:Updating|Updated|Building|Built) |warning: )"
)
# A spinner is as wide as the terminal and ends without a line end: what comes next follows it in a saved output.
_SPINNER = re.compile(r"^[\u2800-\u28ff] .*?(?P<rest>error: .*| {1,2}× .*)$")
# 0.11.29 ends a hint without a line end: the log goes on behind it.
_HINT_AND_LOG = re.compile(r"^(?P<hint>(?:hint|help): .*?\S)(?:TRACE|DEBUG|INFO|WARN) (?=[A-Z]).*$")
_BLOCK = re.compile(r"^\s*(?:\[(?:stdout|stderr)\]|--- (?:stdout|stderr):?)\s*$")


class Chain(Struct, frozen=True, kw_only=True):
    """An error chain: its frames, outermost first, each one line with the wraps undone; and how uv printed it.

    `text` is the block as printed, colours removed. `detail` is what a build backend or git printed inside it.
    """

    style: Style
    frames: tuple[str, ...]
    text: str
    hints: tuple[str, ...] = ()
    detail: str = ""


def without_log(text: str) -> list[str]:
    """The lines of `text` that are not uv's log, colours removed."""
    lines = ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    shown = (line.rsplit("\r", 1)[-1] for line in lines)
    kept: list[str] = []
    tree = False
    for line in shown:
        if LOG_LINE.match(line) or SPAN_LINE.match(line):
            tree = "Resolver derivation tree" in line
        elif not (tree and _TREE_LINE.match(line)):
            tree = False
            kept.append(_HINT_AND_LOG.sub(r"\g<hint>", _SPINNER.sub(r"\g<rest>", line)))
    return kept


def parse(text: str) -> Chain | None:
    """The last error chain in `text`, None when there is none. Never raises."""
    lines = without_log(text)
    panic = next((i for i, line in enumerate(lines) if _PANIC.match(line)), None)
    if panic is not None:
        return _panic(lines[panic:])
    start = _last_head(lines)
    if start is None:
        return None
    if _BOX_HEAD.match(lines[start]):
        return _boxed(lines[start:])
    return _plain(lines[start:])


def last_words(text: str) -> Chain | None:
    """The last line in `text` that is not log, as a chain; None when there is none. For what `parse` knows nothing of."""
    last = [line for line in without_log(text) if line.strip()][-5:]
    return Chain(style="cause", frames=(last[-1],), text="\n".join(last)) if last else None


def _last_head(lines: list[str]) -> int | None:
    # A block quotes the output of build backends, which have `error:` lines of their own: those are inside.
    # In a box it is indented; elsewhere it ends where another uv begins.
    start = None
    inside = False
    for i, line in enumerate(lines):
        if _BLOCK.match(line) and start is not None:
            inside = True
        elif inside and start is not None:
            boxed = _BOX_HEAD.match(lines[start]) is not None
            inside = not (_BEGINS.match(line) or (boxed and re.match(r"[^\s│├╰|`]", line)))
        box = _BOX_HEAD.match(line) is not None
        if (_PLAIN_HEAD.match(line) and not inside) or (
            box
            and (
                not inside
                or (i + 1 < len(lines) and (_BOX_CAUSE.match(lines[i + 1]) or _BOX_MORE.match(lines[i + 1])))
            )
        ):
            if box and line.lstrip().startswith("x ") and not _ascii_box(lines, i):
                continue
            start = i
            inside = False
    return start


def _ascii_box(lines: list[str], i: int) -> bool:
    # "  x text" is an ordinary line unless the line after it goes on with the box.
    return i + 1 < len(lines) and bool(_BOX_CAUSE.match(lines[i + 1]) or _BOX_MORE.match(lines[i + 1]))


def _panic(lines: list[str]) -> Chain:
    head = _PANIC.match(lines[0])
    where = head["where"] if head else ""
    quoted = re.match(r"^'(?P<message>.*)', (?P<where>\S+:\d+:\d+)$", where)  # before Rust 1.73
    if quoted:
        message, where = quoted["message"], quoted["where"]
    else:
        message = lines[1].strip() if len(lines) > 1 else ""
    shown = [line for line in lines if line.strip()]
    return Chain(
        style="panic",
        frames=(f"panicked at {where.rstrip(':')}", message),
        text="\n".join(shown).rstrip(),
    )


def _plain(lines: list[str]) -> Chain:
    head = _PLAIN_HEAD.match(lines[0])
    frames: list[list[str]] = [[head["text"] if head else lines[0]]]
    style: Style = "caused-by"
    hints: list[list[str]] = []
    detail: list[str] = []
    shown = [lines[0]]
    into = frames
    for line in lines[1:]:
        cause = _CAUSE.match(line)
        if cause and not detail:
            style = "cause" if cause["word"] == "cause" else style
            frames.append([cause["text"]])
            into = frames
        elif _HINT.match(line) and not detail:
            hints.append([_HINT.sub("", line)])
            into = hints
        elif _BLOCK.match(line) or detail:
            if _PROGRESS.match(line):
                break
            detail.append(line)
        elif _PROGRESS.match(line):
            break
        else:
            into[-1].append(line)
        shown.append(line)
    return Chain(
        style=style,
        frames=tuple(_flat(frame) for frame in frames),
        text="\n".join(shown).rstrip(),
        hints=tuple(_flat(hint) for hint in hints),
        detail="\n".join(detail).strip(),
    )


def _boxed(lines: list[str]) -> Chain:
    head = _BOX_HEAD.match(lines[0])
    frames: list[list[str]] = [[head["text"] if head else lines[0]]]
    hints: list[list[str]] = []
    detail: list[str] = []
    shown = [lines[0]]
    into = frames
    for line in lines[1:]:
        cause = _BOX_CAUSE.match(line)
        more = _BOX_MORE.match(line)
        tail = _BOX_TAIL.match(line)
        if cause:
            frames.append([cause["text"]])
            into = frames
        elif re.match(r"^(?: {2})?(?:help|hint): ", line) or (tail and _HINT.match(tail["text"])):
            hints.append([_HINT.sub("", line)])
            into = hints
        elif _BLOCK.match(line) or (detail and into is frames and (tail or not line.strip())):
            detail.append(line.removeprefix("      "))
        elif more:
            into[-1].append(more["text"])
        elif tail:
            into[-1].append(tail["text"])
        elif line.strip():
            break
        shown.append(line)
    return Chain(
        style="boxed",
        frames=tuple(_flat(frame) for frame in frames),
        text="\n".join(shown).rstrip(),
        hints=tuple(_flat(hint) for hint in hints),
        detail="\n".join(detail).strip(),
    )


def _flat(parts: list[str]) -> str:
    return " ".join(part.strip() for part in parts if part.strip())
