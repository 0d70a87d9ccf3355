"""Takes out of recorded output what differs between two runs on the same state: durations, random names, process ids.

Two bundles of one state have the same members and digests, so that a maintainer can tell a second report of one
failure from a report of another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(?:/[^/\s`'\":]+)*/uvreport-[a-z0-9_]{8}/\d+/tmp(?![\w-])"),
        "/tmp",  # noqa: S108 the shadow has a TMPDIR of its own
    ),
    (re.compile(r"^(\s*)\d+\.\d+s(\s+)\d+m?s(?= )", re.MULTILINE), r"\1<time>\2<time>"),
    (re.compile(r"^(\s*)\d+\.\d+s(?= (?:TRACE|DEBUG|INFO|WARN|ERROR) )", re.MULTILINE), r"\1<time>"),
    (re.compile(r"\b(in|after|took) (?:\d+m )?\d+(?:\.\d+)?(?:ns|[µu]s|ms|s|m)\b"), r"\1 <time>"),
    (re.compile(r"\b(child|process group|pid|process) (?=\d)\d+"), r"\1 <id>"),
    (re.compile(r"^(thread '[^'\n]*') \(\d+\)", re.MULTILINE), r"\1"),
    (re.compile(r"\b((?:Thread)?Id)\(\d+\)"), r"\1(<id>)"),
)


# As they are made by Python, and by uv: only as a name in a path, since `.tmp` may be the end of a host's name.
_TEMPORARY = re.compile(r"(?<=[/\\])tmp[A-Za-z0-9_]{6,8}(?!\w)|(?<![\w<>-])\.tmp[A-Za-z0-9_]{6}(?!\w)")


def steady(text: str, keep: Iterable[str] = ()) -> str:
    """`text` with durations, random names and process ids replaced; everything else as it was.

    What is in the paths `keep` stays, random or not: the places that redaction will know by these very names.
    """
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    kept = {name for path in keep for name in re.split(r"[/\\]", path)}
    return _TEMPORARY.sub(
        lambda found: found[0] if found[0] in kept else f"{found[0].partition('tmp')[0]}tmp<random>", text
    )
