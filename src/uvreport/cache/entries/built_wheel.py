"""`<name>-<version>-<tags>.whl` below a revision: the wheel as it was built, a ZIP. Read when its link is not there."""

from __future__ import annotations

import io
import os
import zipfile
import zlib

from uvreport.cache import layout
from uvreport.cache.entry import EntryKind, Glance, Judgement, Look, State, Verdict, before, content_state

# The directory at the end of a ZIP file is within its last 65,557 bytes.
_END, _END_WITHIN = b"PK\x05\x06", 66_000
_UNPACKED_LIMIT_BYTES = 500_000_000
_READER = "0.11.10"  # measured: 0.11.8 reads ZIP files with another library than 0.11.20


def matches(path: str) -> bool:
    return len(rest := layout.parse(path).rest) == 1 and rest[0].endswith(".whl")


def is_unpacked(look: Look) -> bool:
    """Whether its unpacked form is there. Then the file itself is not read."""
    return look.is_dir(look.path.removesuffix(".whl"))


def out_of_place(look: Look) -> Verdict:
    return "ignored" if is_unpacked(look) else "fatal"


def dangling(look: Look) -> Verdict:
    return "ignored" if is_unpacked(look) else "healed"


def judge(look: Look) -> Judgement:
    data = look.data
    if data is None:
        return Judgement()
    unpacked = is_unpacked(look)
    flaw = _flaw(data, look.release, deep=not unpacked)
    if flaw is None:
        return Judgement()
    state, reason, innermost = flaw
    if unpacked:
        return Judgement(
            verdict="ignored",
            state=state,
            reason=f"{reason}; its unpacked form is there and is what uv takes",
        )
    return Judgement(
        verdict="fatal", state=state, innermost=innermost,
        reason=f"{reason}; uv unpacks it, for its unpacked form is not there",
    )  # fmt: skip


def _flaw(data: bytes, release: str, *, deep: bool) -> tuple[State, str, str] | None:
    """What is wrong with it, in one word and in a sentence, and what the release says of it. `deep`: all is unpacked."""
    end = data.rfind(_END, max(0, len(data) - _END_WITHIN))
    old = before(release, _READER)
    if end < 0:
        state = content_state(data) or ("truncated" if data.startswith(b"PK\x03\x04") else "garbage")
        says = "invalid Zip archive" if old else "unable to locate the end of central directory record"
        return state, "it is no whole ZIP file: the directory at its end is not found", says
    if not before(release, "0.13.0") and end + 22 + int.from_bytes(
        data[end + 20 : end + 22], "little"
    ) != len(data):
        return "garbage", "bytes follow the end of the ZIP file", "ZIP file contains trailing contents"
    if deep and _is_garbled(data):
        says = "Invalid checksum" if old else "Bad CRC"
        return "garbage", "a file in it has not the checksum that the ZIP states", says
    return None


def _is_garbled(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # A bomb is not unpacked here; whether it is whole is then not known.
            return (
                sum(item.file_size for item in archive.infolist()) < _UNPACKED_LIMIT_BYTES
                and archive.testzip() is not None
            )
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, NotImplementedError, RuntimeError):
        return True


def harmless(glance: Glance) -> bool:
    return os.path.isdir(glance.full.removesuffix(".whl"))


ENTRY = EntryKind(
    name="built wheel", buckets=("sdists",), matches=matches, judge=judge, denied=out_of_place,
    out_of_place=out_of_place, dangling=dangling, harmless=harmless,
)  # fmt: skip
