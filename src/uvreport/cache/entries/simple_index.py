"""`<name>.rkyv` in a simple bucket: an index's page of a package, as rkyv, with the HTTP cache policy. Healed.

The rkyv body has no version in it and is not decoded here: only the trailer says whether the file is whole.
"""

from __future__ import annotations

import posixpath
import re

from uvreport.cache import layout, trailer
from uvreport.cache.entry import (
    EntryKind,
    Judgement,
    Look,
    always,
    healed_anyway,
    judge_trailer,
    trailer_writers,
)  # fmt: skip


def matches(path: str) -> bool:
    return len(rest := layout.parse(path).rest) == 1 and rest[0].endswith(".rkyv")


def judge(look: Look) -> Judgement:
    fault = judge_trailer(look, broken=always("healed"))
    if fault is not None:
        return fault
    parts = trailer.split(look.data or b"")
    url = trailer.url(parts.policy)
    name = posixpath.basename(url.partition("?")[0].rstrip("/"))
    if name and re.sub(r"[-_.]+", "-", name).lower() != look.place.rest[0].removesuffix(".rkyv"):
        return Judgement(
            verdict="healed", state="garbage", writers=trailer_writers(parts.form), decoded={"url": url},
            reason=f"it was fetched from {url}, which is the page of another package; uv fetches its own",
        )  # fmt: skip
    return Judgement(writers=trailer_writers(parts.form), decoded={"url": url, "data_bytes": len(parts.data)})


ENTRY = EntryKind(
    name="simple index", buckets=("simple",), matches=matches, judge=judge, denied=always("healed"),
    harmless=healed_anyway,
)  # fmt: skip
