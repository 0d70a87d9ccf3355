"""A directory of archive-v0: an unpacked wheel, or an environment. RECORD is held against what is on disk."""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import os
import re
import stat as modes
from typing import TYPE_CHECKING

from uvreport.cache import layout, shapes, wheel_files
from uvreport.cache.buckets import EVERY, ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Verdict, always, before, contents, is_denied

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What is missing or damaged is named up to this many paths.
_NAMED = 50
_RECORD_LIMIT_BYTES = 32_000_000
# The oldest release asks for the most.
_STRICTEST = "0.4.13"
_BEGINNING = re.compile(rb"Metadata-Version: [12]\.[0-9]+\r?\nName: ([!-~]+)\r?\nVersion: ([!-~]+)\r?\n")


def matches(path: str) -> bool:
    return len(layout.parse(path).path.split("/")) == 2


def writers(name: str) -> tuple[ReleaseRange, ...]:
    """By the length of the id."""
    return ({21: ReleaseRange("0.0.5", "0.11.8"), 16: since("0.11.9")}.get(len(name), EVERY),)


def dist_info(look: Look, archive: str) -> str:
    """The name of the wheel's dist-info directory, "" when there is none."""
    return next((name for name in look.names(archive) if name.endswith(".dist-info")), "")


def is_environment(look: Look, archive: str) -> bool:
    """Whether an entry of an environments bucket leads to this archive, whatever is in it."""
    for top in look.names(""):
        if top.startswith("environments-v"):
            for digest in look.names(top):
                for name in look.names(f"{top}/{digest}"):
                    try:
                        if os.readlink(look.full(f"{top}/{digest}/{name}")).endswith(archive):
                            return True
                    except OSError:
                        continue
    return False


def unusable(look: Look) -> Verdict:
    """Of an archive that cannot be entered: an environment is made anew, a wheel is needed."""
    return "healed" if is_environment(look, look.path) else "fatal"


def record_rows(look: Look, archive: str, info: str) -> list[tuple[str, str, str]] | None:
    """Path, hash and size of every row of RECORD, None when it cannot be read."""
    try:
        record = look.full(f"{archive}/{info}/RECORD")
        return _rows(contents(record, min(os.stat(record).st_size, _RECORD_LIMIT_BYTES)))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError):
        return None


def _rows(record: bytes) -> list[tuple[str, str, str]]:
    text = record.decode("utf-8")
    lines = text.splitlines()
    plain = _plain_rows(text, lines)
    if plain is not None:
        return plain
    rows = [[*row, "", "", ""][:3] for row in csv.reader(lines) if row]
    return [(row[0].replace("\\", "/"), row[1], row[2]) for row in rows]


def _plain_rows(text: str, lines: list[str]) -> list[tuple[str, str, str]] | None:
    """The rows of nearly every RECORD: csv gives the same, more slowly. None where it is another one."""
    if _is_plain(text, lines):
        try:
            return [(name, digest, size) for name, digest, size in [line.split(",") for line in lines]]
        except ValueError:
            pass
    return None


def _is_plain(text: str, lines: list[str]) -> bool:
    """Whether csv would take nothing but commas for more than text, and would not refuse any of it."""
    limit = csv.field_size_limit()
    return not ('"' in text or "\\" in text or "\0" in text) and (
        len(text) <= limit or all(len(line) <= limit for line in lines)
    )


def is_whole(full: str, names: Iterable[str], sizes: Mapping[str, int]) -> bool:
    """Whether it is certain that `judge` finds nothing wrong with the archive at `full`, on any release.

    `names` are those in it, `sizes` has the bytes of every plain file below it by its path inside. Raises OSError,
    ValueError or csv.Error where RECORD cannot be read.
    """
    if "pyvenv.cfg" in names:
        return True
    info = min((name for name in names if name.endswith(".dist-info")), default="")
    needed = (f"{info}/METADATA", f"{info}/RECORD", f"{info}/WHEEL")
    if not info or not all(map(sizes.get, needed)):
        return False
    record = contents(f"{full}/{needed[1]}", min(sizes[needed[1]], _RECORD_LIMIT_BYTES))
    text = record.decode("utf-8")
    rows = _plain_rows(text, text.splitlines())
    if rows is None and wheel_files.record_complaint(record):
        return False
    for name, _, size in _rows(record) if rows is None else rows:
        on_disk = sizes.get(name)
        if size and size != str(on_disk) and (not size.isdecimal() or not _is_exempt(name)):
            return False
        if on_disk is None and not _is_exempt(name):
            return False
    return not _wheel_complaint(contents(f"{full}/{needed[2]}", min(sizes[needed[2]], 65536))) and (
        _begins_well(contents(f"{full}/{needed[0]}", 512), info)
        or not wheel_files.complaint(
            "METADATA", contents(f"{full}/{needed[0]}", min(sizes[needed[0]], 65536)), info, _STRICTEST
        )
    )


@functools.lru_cache(maxsize=256)  # many wheels have the same
def _wheel_complaint(data: bytes) -> str:
    return wheel_files.complaint("WHEEL", data, "", _STRICTEST)


def _begins_well(metadata: bytes, info: str) -> bool:
    """Whether it begins as that of nearly every wheel, so that `wheel_files` has no complaint on any release."""
    found = _BEGINNING.match(metadata)
    if found is None:
        return False
    name, version = found[1].decode(), found[2].decode()
    spelled, _, stated = info.removesuffix(".dist-info").partition("-")
    return (
        version == stated
        and name.replace("-", "_").lower() == spelled.replace("-", "_").lower()
        and not shapes.bad_name(name)
        and not shapes.bad_version(version)
    )


def _is_exempt(name: str) -> bool:
    """Whether a row of RECORD says nothing of what is in the archive, or of what may change."""
    return name.startswith(("/", "..")) or "/../" in name or name.endswith((".pyc", ".jws", ".p7s"))


def _stated(size: str) -> int | None:
    """The size in a row of RECORD, None when there is none. Python refuses to read longer numbers."""
    return int(size) if size.isdecimal() and len(size) <= 4000 else None


def judge(look: Look) -> Judgement:
    return judge_archive(look, look.path, hashes=False)


def judge_archive(look: Look, archive: str, *, hashes: bool) -> Judgement:
    """The judgement of an unpacked wheel. With `hashes` every file is read and held against its hash."""
    seen = writers(archive.rpartition("/")[2])
    names = look.names(archive)
    if "pyvenv.cfg" in names:
        return Judgement(writers=seen, decoded={"environment": True})
    info = dist_info(look, archive)
    if not info and is_environment(look, archive):
        return Judgement(
            verdict="healed", state="incomplete", writers=seen,
            reason="there is no pyvenv.cfg in it, so it is no environment; uv makes it anew",
        )  # fmt: skip
    if not info:
        what = "it is empty" if not names else "there is no dist-info directory in it"
        return Judgement(
            verdict="fatal", state="incomplete", writers=seen, reason=f"{what}, so it is no unpacked wheel",
            innermost="Missing .dist-info directory",
        )  # fmt: skip
    if not look.is_dir(f"{archive}/{info}"):
        return Judgement(
            verdict="fatal", state="incomplete", writers=seen, innermost="Missing .dist-info directory",
            reason=f"{info} is no directory, so it is no unpacked wheel", damaged=(f"{archive}/{info}",),
        )  # fmt: skip
    decoded = {"wheel": info.removesuffix(".dist-info")}
    missing: list[str] = []
    damaged: list[str] = []
    innermost = ""
    for file in wheel_files.FILES:
        path = f"{archive}/{info}/{file}"
        complaint, absent = _complaint(look, path, file, info)
        innermost = innermost or complaint
        if complaint:
            (missing if absent else damaged).append(path)
    verdict: Verdict = "fatal" if innermost else "readable"
    record = f"{archive}/{info}/RECORD"
    rows = record_rows(look, archive, info) if record not in (*missing, *damaged) else []
    # Without a line in it, it installs, and what was installed is on no list.
    if rows is None or (not rows and _size(look, record) == 0):
        damaged.append(record)
    for name, digest, size in rows or ():
        path = f"{archive}/{name}"
        if path == record or path in damaged or path in missing or _is_exempt(name):
            continue
        on_disk = _size(look, path)
        if on_disk is None:
            missing.append(path)
        elif _stated(size) not in {None, on_disk} or (hashes and digest and not _same(look, path, digest)):
            damaged.append(path)
    if not missing and not damaged:
        return Judgement(writers=seen, decoded=decoded)
    if verdict == "readable":  # uv installs what is there and says nothing
        verdict = "suspicious"
    return Judgement(
        verdict=verdict, state="incomplete", writers=seen, decoded=decoded, reason=_sentence(archive, missing, damaged),
        innermost=innermost, missing=tuple(missing[:_NAMED]), damaged=tuple(damaged[:_NAMED]),
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
        said.append(f"empty, garbled or not what RECORD says: {some(damaged)}")
    return "; ".join(said)


def _complaint(look: Look, path: str, file: str, info: str) -> tuple[str, bool]:
    """What the release says of one of the three files that it reads, and whether that is because it is not there."""
    full = look.full(path)
    try:
        found = os.stat(full)
    except (OSError, ValueError):
        return "No such file or directory (os error 2)", True
    if modes.S_ISDIR(found.st_mode):
        if file == "RECORD" and before(look.release, "0.5.0"):  # which gives no cause for it
            return "failed to read from file", False
        return "Is a directory (os error 21)", False
    if is_denied(found):
        return "Permission denied (os error 13)", False
    try:
        data = contents(full, min(found.st_size, _RECORD_LIMIT_BYTES))
    except OSError:
        return "", False
    return wheel_files.complaint(file, data, info, look.release), False


ENTRY = EntryKind(
    name="archive",
    buckets=("archive",),
    matches=matches,
    judge=judge,
    stands="dir",
    out_of_place=unusable,
    denied=unusable,
    dangling=always("ignored"),  # the pointers to it say what that comes to
)
