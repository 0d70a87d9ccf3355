"""`<stem>.msgpack` in a wheels bucket: the metadata of a fetched wheel, with the HTTP cache policy. Healed."""

from __future__ import annotations

import os

import msgspec
from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.entries.distribution_metadata import READERS, normal
from uvreport.cache.entry import (
    EntryKind,
    Glance,
    Judgement,
    Look,
    always,
    before,
    healed_anyway,
    judge_fetched,
)


def matches(path: str) -> bool:
    place = layout.parse(path)
    return len(place.rest) == 1 and place.rest[0].endswith(".msgpack")


def judge(look: Look) -> Judgement:
    found = judge_fetched(look, READERS, writers=shapes.metadata_writers, broken=always("healed"))
    if found.state != "ok" or before(look.release, "0.5.1"):  # where the name is not compared
        return found
    name = normal(str(found.decoded["name"]))
    if name == normal(look.place.package):
        return found
    return replace(
        found, verdict="fatal", state="garbage", innermost="does not match given name",
        reason=f"it is the metadata of {name}, filed under {look.place.package}",
    )  # fmt: skip


def harmless(glance: Glance) -> bool:
    if not healed_anyway(glance):
        return False
    # The name is the first field, spelled as in the path.
    name = msgspec.msgpack.encode(os.path.basename(os.path.dirname(glance.full)))
    with open(glance.full, "rb", buffering=0) as file:
        return before(glance.release, "0.5.1") or file.read(1 + len(name))[1:] == name


ENTRY = EntryKind(
    name="wheel metadata",
    buckets=("wheels",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=always("healed"),
    harmless=harmless,
)
