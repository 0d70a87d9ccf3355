"""What makes two failures the same.

uv prints one bug in many forms: other paths, other wrapping, other outer frames by phase, another style by
release. The signature is taken from what stays: the frames without the ones that only say *for which package*,
with everything that belongs to one machine replaced, and white space dropped because wraps fall anywhere.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Likeness = Literal["exact", "leaf", "different"]

# Frames that say for which package or in which phase; one bug has several of them, by command and release.
_OUTER = re.compile(
    r"^(?:Failed to (?:build|read|download|download and build|fetch wheel|generate package metadata for|install|"
    r"prepare distributions|determine installation plan|resolve|parse metadata)\b|"
    r"Request failed after \d|Failed to (?:inspect|query) Python interpreter\b|IO error while reading (?:data|marker)\b)"
)

# A wrap can fall inside a path or URL, after `-` or `/`; undone, it leaves a space there.
_REST = r"(?:[^\s`'\",;()\[\]]|(?<=[-/]) (?=[\w.]*[-/.]))*"
_TOKENS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"`[^`]*(?://|[/\\])[^`]*`"), "<place>"),
    (re.compile(r"\b(?:git\+)?(?:https?|file|ssh|git|ftp)://" + _REST, re.IGNORECASE), "<place>"),
    (re.compile(r"(?:\\\\\?\\)?\b[a-z]:\\[^\s`'\":]*", re.IGNORECASE), "<place>"),
    (
        re.compile(r"(?<![\w<>/.])(?:~|\.{0,2})/[^\s`'\":,()]" + _REST.replace("[^\\s", "[^\\s:", 1)),
        "<place>",
    ),
    (re.compile(r"\b(?:sha256|sha512|sha384|md5|blake2b):[0-9a-f]{16,}", re.IGNORECASE), "<hash>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hash>"),
    (re.compile(r"\b(?:Thread)?Id\(\d+\)"), "<id>"),
    (re.compile(r"(?<![\w.])v?\d+(?:\.\d+)+(?:[a-z]+\d*)?(?:\.(?:post|dev)\d+)?(?!\w)"), "<version>"),
    # A cut entry: which of the two is said depends on whether the cut falls inside a string.
    (re.compile(r"\bunexpected end of file\b"), "failed to fill whole buffer"),
    # What is wrong with the content of a TOML file: uv's own words stay, the place in the file does not count.
    (
        re.compile(
            r"(?<=TOML parse error) at line \d+, column \d+\b.*?\^ ?"
            r"(?=(?:missing field|unknown|duplicate) |invalid (?:type|value|"
            r"length)|data did not)",
            re.DOTALL,
        ),
        " ",
    ),
    # What a TOML parser says of a syntax error changed with uv 0.8.0: there the place is what stays.
    (re.compile(r"(?<=TOML parse error at line )(\d+, column \d+)\b.*", re.DOTALL), r"\1"),
    # Which hook of a backend is called first differs by release.
    (
        re.compile(
            r"(?<=\w)\.(?:build_(?:wheel|sdist|editable)|prepare_metadata_for_build_(?:wheel|editable)"
            r"|get_requires_for_build_(?:wheel|sdist|editable))\b(?=\W* failed)"
        ),
        "",
    ),
    (re.compile(r"\b(?:system|search) path\b"), "path"),
    (re.compile(r":\d+:\d+$"), ""),  # line and column of a panic move with every release
)
_BASENAME = re.compile(r"archive-v0[/\\][^/\\`'\"]+[/\\](?P<rest>[^`'\":]+)")
_DIST_INFO = re.compile(r"[\w.]+-[\w.!+]+(\.dist-info)")
_EXCEPTION = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt)): ?(?P<text>.*)$"
)

_DERIVATION = re.compile(r"Because\b.*\b(?:we can conclude that|unsatisfiable)\b", re.DOTALL)
_IN_CONFLICT = re.compile(
    r"\b([A-Za-z0-9][\w.-]*?)(?:\[[\w,.-]+\])? ?(?:[=!~]=|[<>]=?)|\bversions? of ([A-Za-z0-9][\w.-]*\w)\b"
    r"|\b([A-Za-z0-9][\w.-]*\w) (?:was|were) not found\b"
)
_NOT_TO_BE_HAD = (
    (
        "none",
        re.compile(r"\b(?:there (?:is|are) no versions?|only .*? (?:is|are) available and you require)\b"),
    ),
    ("unknown", re.compile(r"\bnot found in the (?:package registry|cache|provided)\b")),
    ("offline", re.compile(r"\bnetwork (?:was|is) disabled\b")),
    ("python", re.compile(r"\b(?:Python version|requires-python|does not satisfy Python)\b", re.IGNORECASE)),
    ("wheels", re.compile(r"\bno (?:usable )?wheels\b|\bno wheel|\bno (?:matching )?\w+ tag\b")),
    ("yanked", re.compile(r"\byanked\b")),
)


def core(frames: Sequence[str], detail: str = "") -> tuple[str, ...]:
    """The normalised frames that carry the fault, outermost first; never empty unless `frames` is.

    `detail` is the output of a build backend: its last exception line is the fault then.
    """
    inner = [frame for frame in frames if not _OUTER.match(frame)] or list(frames[-1:])
    found = [normalise(frame) for frame in inner]
    # Some releases repeat the innermost message as a frame of its own.
    found = [text for i, text in enumerate(found) if i == 0 or text != found[i - 1]]
    raised = last_exception(detail)
    if raised:
        found.append(normalise(raised))
    return tuple(found)


def last_exception(detail: str) -> str:
    """The last `Type: message` of a traceback in `detail`, "" when there is none.

    With the lines below it, up to an empty one: a terminal that is narrow has wrapped the message.
    """
    lines = [line.strip() for line in detail.splitlines()]
    last = next((i for i in range(len(lines) - 1, -1, -1) if _EXCEPTION.match(lines[i])), None)
    if last is None:
        return ""
    end = next((i for i in range(last, len(lines)) if not lines[i]), len(lines))
    return " ".join(lines[last:end])


def normalise(text: str) -> str:
    """`text` with what belongs to one machine or run replaced, without white space and quotes, in lower case.

    Of a derivation (`Because ..., we can conclude that ...`) stays which packages are in conflict and why one cannot be
    had: releases arrange the steps and write the ranges in different ways.
    """
    if _DERIVATION.match(text):
        return _derived(text)
    kept = ""
    in_archive = _BASENAME.search(text)
    if in_archive:  # which file is missing from an archive is the fault; whose archive it is, is not
        kept = "|" + _DIST_INFO.sub(r"*\1", re.sub(r"\s", "", in_archive["rest"]))
    for pattern, token in _TOKENS:
        text = pattern.sub(token, text)
    return (re.sub(r"[\s`'\"]+", "", text).rstrip(":.") + kept).lower()


def _derived(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    names = {
        found.lower().replace("_", "-") for groups in _IN_CONFLICT.findall(text) for found in groups if found
    }
    reasons = [word for word, pattern in _NOT_TO_BE_HAD if pattern.search(text)]
    return "|".join(["because", *reasons, *sorted(names)])


def signature(class_: str, normal: Sequence[str], culprit_kinds: Iterable[str] = ()) -> str:
    """`class:` and 12 hex digits over the normalised frames and the kinds of culprits."""
    text = "\n".join([class_, *normal, *sorted(set(culprit_kinds))])
    return f"{class_}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def likeness(one: Sequence[str], other: Sequence[str]) -> Likeness:
    """How alike two lists of normalised frames are: all frames, the innermost one, or not."""
    if tuple(one) == tuple(other):
        return "exact"
    if one and other and one[-1] == other[-1]:
        return "leaf"
    return "different"
