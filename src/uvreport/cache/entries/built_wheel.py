"""`<name>-<version>-<tags>.whl` below a revision: the wheel as it was built, a ZIP. Read when its link is not there."""

from __future__ import annotations

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Judgement, Look, always, content_state


def matches(path: str) -> bool:
    return len(rest := layout.parse(path).rest) == 1 and rest[0].endswith(".whl")


def judge(look: Look) -> Judgement:
    data = look.data
    if data is None or b"PK\x05\x06" in data[-66_000:]:
        return Judgement()
    state = content_state(data) or ("truncated" if data.startswith(b"PK\x03\x04") else "garbage")
    return Judgement(
        verdict="suspicious",
        state=state,
        reason="it is no whole ZIP file: the directory at its end is not found",
    )


ENTRY = EntryKind(
    name="built wheel", buckets=("sdists",), matches=matches, judge=judge, denied=always("suspicious")
)
