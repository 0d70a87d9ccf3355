"""A file of an unpacked wheel: held against its row of RECORD, hash and all."""

from __future__ import annotations

from msgspec.structs import replace

from uvreport.cache import wheel_files
from uvreport.cache.entries.archive import dist_info, judge_archive, record_rows, writers
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, content_state


def matches(path: str) -> bool:
    return path.count("/") >= 2


def judge(look: Look) -> Judgement:
    archive = look.place.shard
    name = look.path.removeprefix(archive + "/")
    seen = writers(archive.rpartition("/")[2])
    if look.what == "dir":
        return Judgement(writers=seen)
    info = dist_info(look, archive)
    whole = judge_archive(look, archive, hashes=False)
    plainly = content_state(look.data or b"")
    if look.path in whole.damaged:
        return replace(
            whole, state=plainly or "garbage", damaged=(), missing=(), decoded=None,
            reason=f"{name} is {'empty' if plainly == 'empty' else 'not what RECORD says'}",
        )  # fmt: skip
    row = next((row for row in record_rows(look, archive, info) or () if row[0] == name), None)
    if row is not None and row[1] and look.path in judge_archive(look, archive, hashes=True).damaged:
        return Judgement(
            verdict="suspicious",
            state=plainly or "garbage",
            writers=seen,
            reason=f"{name} has not the hash in RECORD",
        )
    return Judgement(writers=seen)


def denied(look: Look) -> Verdict:
    """What uv reads to install. All else it links, where the file system lets it; what comes of that cannot be read."""
    name = look.path.rpartition("/")[2]
    if look.what == "dir" or (name in wheel_files.FILES and ".dist-info/" in look.path):
        return "fatal"
    return "suspicious"


ENTRY = EntryKind(
    name="file of an archive",
    buckets=("archive",),
    matches=matches,
    judge=judge,
    stands="any",
    denied=denied,
)
