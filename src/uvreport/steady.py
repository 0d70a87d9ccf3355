"""Takes out of recorded output what differs between two runs on the same state: durations, random names, process ids.

Two bundles of one state have the same members and digests, so that a maintainer can tell a second report of one
failure from a report of another.
"""

from __future__ import annotations

import re

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(?:/[^/\s`'\":]+)*/uvreport-[a-z0-9_]{8}/\d+/tmp(?![\w-])"),
        "/tmp",  # noqa: S108 the shadow has a TMPDIR of its own
    ),
    (re.compile(r"^(\s*)\d+\.\d+s(\s+)\d+m?s(?= )", re.MULTILINE), r"\1<time>\2<time>"),
    (re.compile(r"^(\s*)\d+\.\d+s(?= (?:TRACE|DEBUG|INFO|WARN|ERROR) )", re.MULTILINE), r"\1<time>"),
    (re.compile(r"\b(in|after|took) (?:\d+m )?\d+(?:\.\d+)?(?:ns|[µu]s|ms|s|m)\b"), r"\1 <time>"),
    (re.compile(r"(?<=[/\\.])tmp[A-Za-z0-9_]{6,8}(?![A-Za-z0-9_])"), "tmp<random>"),
    (re.compile(r"\b(child|process group|pid|process) (?=\d)\d+"), r"\1 <id>"),
    (re.compile(r"^(thread '[^'\n]*') \(\d+\)", re.MULTILINE), r"\1"),
    (re.compile(r"\b((?:Thread)?Id)\(\d+\)"), r"\1(<id>)"),
)


def steady(text: str) -> str:
    """`text` with durations, random names and process ids replaced; everything else as it was."""
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text
