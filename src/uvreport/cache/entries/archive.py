"""A directory of archive-v0: an unpacked wheel, or an environment. RECORD is held against what is on disk."""

from __future__ import annotations

import base64
import csv
import hashlib
import os

from uvreport.cache import layout
from uvreport.cache.buckets import EVERY, ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, before

# What is missing or damaged is named up to this many paths.
_NAMED = 50
_RECORD_LIMIT_BYTES = 32_000_000


def matches(path: str) -> bool:
    return len(layout.parse(path).path.split("/")) == 2


def writers(name: str) -> tuple[ReleaseRange, ...]:
    """By the length of the id."""
    return ({21: ReleaseRange("0.0.5", "0.11.8"), 16: since("0.11.9")}.get(len(name), EVERY),)


def dist_info(look: Look, archive: str) -> str:
    """The name of the wheel's dist-info directory, "" when there is none."""
    return next((name for name in look.names(archive) if name.endswith(".dist-info")), "")


def record_rows(look: Look, archive: str, info: str) -> list[tuple[str, str, str]] | None:
    """Path, hash and size of every row of RECORD, None when it cannot be read."""
    try:
        with open(look.full(f"{archive}/{info}/RECORD"), "rb") as file:
            text = file.read(_RECORD_LIMIT_BYTES).decode("utf-8")
        rows = [[*row, "", "", ""][:3] for row in csv.reader(text.splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError):
        return None
    return [(row[0].replace("\\", "/"), row[1], row[2]) for row in rows]


def judge(look: Look) -> Judgement:
    return judge_archive(look, look.path, hashes=False)


def judge_archive(look: Look, archive: str, *, hashes: bool) -> Judgement:
    """The judgement of an unpacked wheel. With `hashes` every file is read and held against its hash."""
    seen = writers(archive.rpartition("/")[2])
    names = look.names(archive)
    if "pyvenv.cfg" in names:
        return Judgement(writers=seen, decoded={"environment": True})
    info = dist_info(look, archive)
    if not info:
        what = "it is empty" if not names else "there is no dist-info directory in it"
        return Judgement(
            verdict="fatal", state="incomplete", writers=seen, reason=f"{what}, so it is no unpacked wheel"
        )
    decoded = {"wheel": info.removesuffix(".dist-info")}
    needed = [f"{archive}/{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
    missing = [path for path in needed if not os.path.lexists(look.full(path))]
    damaged = [path for path in needed if path not in missing and _size(look, path) == 0]
    verdict: Verdict = "readable"
    if any(path.endswith(("/RECORD", "/WHEEL")) for path in missing + damaged):
        verdict = "fatal"
    elif missing or damaged:  # METADATA is compared with the wheel's name from 0.6.4 on
        verdict = "suspicious" if before(look.release, "0.6.4") else "fatal"
    rows = record_rows(look, archive, info)
    if rows is None and verdict == "readable":
        damaged.append(f"{archive}/{info}/RECORD")
        verdict = "fatal"
    for name, digest, size in rows or ():
        path = f"{archive}/{name}"
        if (
            path in needed
            or name.startswith(("/", ".."))
            or "/../" in name
            or name.endswith((".pyc", ".jws", ".p7s"))
        ):
            continue
        on_disk = _size(look, path)
        if on_disk is None:
            missing.append(path)
        elif (size.isdigit() and on_disk != int(size)) or (
            hashes and digest and not _same(look, path, digest)
        ):
            damaged.append(path)
    if not missing and not damaged:
        return Judgement(writers=seen, decoded=decoded)
    if verdict == "readable":  # uv installs what is there and says nothing
        verdict = "suspicious"
    return Judgement(
        verdict=verdict, state="incomplete", writers=seen, decoded=decoded, reason=_sentence(archive, missing, damaged),
        innermost=_innermost(missing, damaged), missing=tuple(missing[:_NAMED]), damaged=tuple(damaged[:_NAMED]),
    )  # fmt: skip


def _size(look: Look, path: str) -> int | None:
    try:
        return os.stat(look.full(path)).st_size
    except (OSError, ValueError):
        return None


def _same(look: Look, path: str, digest: str) -> bool:
    name, _, value = digest.partition("=")
    if name not in hashlib.algorithms_guaranteed or not value or name.startswith("shake"):
        return True
    try:
        with open(look.full(path), "rb") as file:
            found = hashlib.new(name, file.read(), usedforsecurity=False)
    except OSError:
        return False
    return base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode() == value.rstrip("=")


def _sentence(archive: str, missing: list[str], damaged: list[str]) -> str:
    def some(paths: list[str]) -> str:
        names = [path.removeprefix(archive + "/") for path in paths]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")

    said = []
    if missing:
        said.append(f"missing from the unpacked wheel: {some(missing)}")
    if damaged:
        said.append(f"empty or not what RECORD says: {some(damaged)}")
    return "; ".join(said)


def _innermost(missing: list[str], damaged: list[str]) -> str:
    if any(path.endswith(("/RECORD", "/METADATA", "/WHEEL")) for path in missing):
        return "No such file or directory (os error 2)"
    if any(path.endswith("/METADATA") for path in damaged):
        return "The wheel is invalid: Metadata field Name not found"
    return ""


ENTRY = EntryKind(name="archive", buckets=("archive",), matches=matches, judge=judge, stands="dir")
