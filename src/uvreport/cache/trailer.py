"""The HTTP cache policy that uv appends to what it fetched: told apart, taken off, put back.

Old (..0.12.24): data, policy, u64 length of the policy. New (0.13.0..): data, zeros to a multiple of 16, policy,
u32 CRC-32 of zeros and policy and the last 8 bytes, u64 length of the data. All little end first. The policy is
an rkyv archive; in the new form it begins with an id of 16 characters.
"""

from __future__ import annotations

import struct
import zlib
from typing import Literal

from msgspec import Struct

Form = Literal["none", "old", "crc"]


class Parts(Struct, frozen=True, kw_only=True):
    """A file taken apart. `problem` is uv's own message when the trailer is not sound, and then `data` is all of it.

    `stated` is the number in the last 8 bytes, -1 when there are not that many.
    """

    form: Form
    data: bytes
    policy: bytes = b""
    stated: int = -1
    problem: str = ""


def split(raw: bytes, expect: Form | None = None) -> Parts:
    """The parts of a file that has a trailer of the form `expect`, or of the form that it turns out to have.

    Without `expect`: the new form if its checksum is right, else the old form if its length fits, else none.
    """
    if expect == "none":
        return Parts(form="none", data=raw)
    if expect == "crc":
        return _split_crc(raw)
    if expect == "old":
        return _split_old(raw)
    found = _split_crc(raw)
    if not found.problem:
        return found
    found = _split_old(raw)
    return found if not found.problem else Parts(form="none", data=raw, stated=found.stated)


def _split_crc(raw: bytes) -> Parts:
    if len(raw) < 12:
        return Parts(form="crc", data=raw, problem="HTTP cache entry is shorter than its trailer")
    crc, stated = struct.unpack("<IQ", raw[-12:])
    start = -(-stated // 16) * 16
    if start > len(raw) - 12:
        return Parts(form="crc", data=raw, stated=stated, problem="invalid HTTP cache payload length")
    if zlib.crc32(raw[-8:], zlib.crc32(raw[stated:-12])) != crc:
        return Parts(form="crc", data=raw, stated=stated, problem="HTTP cache policy checksum mismatch")
    return Parts(form="crc", data=raw[:stated], policy=raw[start:-12], stated=stated)


def _split_old(raw: bytes) -> Parts:
    if len(raw) < 8:
        problem = (
            f"data-with-cache-policy buffer should be at least 8 bytes in length, but is {len(raw)} bytes"
        )
        return Parts(form="old", data=raw, problem=problem)
    stated = int.from_bytes(raw[-8:], "little")
    if stated > len(raw) - 8:
        problem = (
            f"invalid cache entry: data-with-cache-policy has cache policy length of {stated}, "
            f"but total buffer size is {len(raw)}"
        )
        return Parts(form="old", data=raw, stated=stated, problem=problem)
    cut = len(raw) - 8 - stated
    return Parts(form="old", data=raw[:cut], policy=raw[cut:-8], stated=stated)


def join(data: bytes, policy: bytes, form: Form) -> bytes:
    """The file again: padding, lengths and checksum are computed."""
    if form == "none":
        return data
    if form == "old":
        return data + policy + struct.pack("<Q", len(policy))
    covered = bytes(-len(data) % 16) + policy
    length = struct.pack("<Q", len(data))
    return data + covered + struct.pack("<I", zlib.crc32(covered + length)) + length


def url(policy: bytes) -> str:
    """The URL that was fetched, "" when it is not found.

    It is looked for by rkyv's own relative pointer to it, so neighbouring strings are not taken along.
    """
    found = policy.find(b"http")
    if not 0 <= found <= 64:
        return ""
    for at in range(found + 8 & ~3, len(policy) - 7, 4):
        length, offset = struct.unpack_from("<Ii", policy, at)
        if at + offset == found:
            for size in (length, (length & 0x3F) | ((length & ~0xFF) >> 2)):  # rkyv 0.7, rkyv 0.8
                if 8 <= size <= at - found:
                    return policy[found : found + size].decode("utf-8", "replace")
    return ""
