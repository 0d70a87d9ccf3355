"""The structs that several kinds of entries are made of, by release, and what tells who wrote one.

Field order and names are those of uv's sources; `rust` is the name that uv's messages use.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta

from uvreport.cache.buckets import NEWEST, ReleaseRange, since, version_key
from uvreport.cache.serde import U8, U32, U64, Shape, quoted

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z", re.ASCII)
_VERSION = re.compile(
    r"v?(?:\d+!)?\d+(?:\.\d+)*"
    r"(?:[-_.]?(?:alpha|a|beta|b|preview|pre|c|rc)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.ASCII | re.IGNORECASE,
)
_ID = re.compile(r"[-_0-9A-Za-z]{16}\Z", re.ASCII)
_WHEEL = re.compile(r"[^-/\\]+-[^-/\\]+(?:-[^-/\\]+)?-[^-/\\]+-[^-/\\]+-[^-/\\]+\.whl\Z")


def bad_name(text: str) -> str:
    """What uv says of a package or extra name, "" for a good one."""
    if _NAME.match(text):
        return ""
    return (
        f'Not a valid package or extra name: "{text}". Names must start and end with a letter or digit and may '
        "only contain -, _, ., and alphanumeric characters."
    )


def bad_version(text: str) -> str:
    """What uv says of a version, "" for a good one."""
    stripped = text.strip(" \t\n\r\f\v")
    found = _VERSION.match(stripped)
    if found is None:
        body = stripped[1:] if stripped[:1] in {"v", "V"} else stripped
        if re.match(r"\d+!", body):
            return (
                "expected version to have a non-empty release component after an epoch, "
                "but no ASCII digits after the epoch were found"
            )
        return "expected version to start with a number, but no leading ASCII digits were found"
    if found.end() == len(stripped):
        big = next((n for n in re.findall(r"\d+", stripped) if int(n[:40]) >= 2**64 - 1), "")
        if big:
            return f"expected number less than or equal to {2**64 - 2}, but number found in {quoted(big)} exceeds it"
        return ""
    rest = stripped[found.end() :]
    if rest == ".*":
        return "wildcards are not allowed in a version"
    if rest[0] == "+":
        return (
            "found a `+` indicating the start of a local component in a version, but did not find any "
            "alphanumeric ASCII segment following the `+`"
        )
    return f"after parsing `{found[0]}`, found `{rest}`, which is not part of a valid version"


def bad_requirement(text: str) -> str:
    """A complaint about a requirement that does not begin with a package name, "" otherwise (not uv's whole check)."""
    found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", text, re.ASCII)
    if found:
        return ""
    start = text.strip()[:1]
    return (
        f"Expected package name starting with an alphanumeric character, found `{start}`"
        if start
        else ("Empty field is not allowed for PEP508")
    )


def bad_id16(text: str) -> str:
    """What uv 0.11.9 and 0.11.10 say of an id, "" for one of theirs."""
    return "" if _ID.match(text) else f"invalid ID: {quoted(text)} (must be 16 ID characters in the alphabet)"


def bad_hex(text: str) -> str:
    """What newer releases say of the digits of a hash, "" for good ones."""
    good = re.fullmatch(r"[0-9a-fA-F]*", text, re.ASCII)
    return "" if good else f"Invalid hash digest (expected only hexadecimal characters): `{text}`"


def bad_hash(hashes: Any) -> str:
    """The first of an entry's hashes (decoded, in either form) that none can be, "" when all can be."""
    for one in hashes:
        digest = one["digest"] if "digest" in one else next(iter(one.values()))
        if bad_hex(digest):
            return str(digest)
    return ""


def has_bad_hash(release: str, hashes: Any) -> bool:
    """The same of hashes that `release` has decoded: whether there is one. Newer ones refuse it when they decode."""
    if version_key(release) >= (0, 12, 14):
        return False
    return any(bad_hex(one.digest) for one in hashes)


def bad_wheel(text: str) -> str:
    """What uv says of the file name of a wheel, "" for a good one (tags are not looked at)."""
    if _WHEEL.match(text) and _NAME.match(text.partition("-")[0]):
        return ""
    if not text.endswith(".whl"):
        return "is invalid: Must end with .whl"
    if not _NAME.match(text.partition("-")[0]):
        return "has an invalid package name"  # before it, in quotes that changed, the file name
    return "is invalid: Must have a Python tag"


Name: TypeAlias = Annotated[str, Meta(extra={"check": bad_name})]
Version: TypeAlias = Annotated[str, Meta(extra={"check": bad_version})]
Requirement: TypeAlias = Annotated[str, Meta(extra={"check": bad_requirement})]
Wheel: TypeAlias = Annotated[str, Meta(extra={"check": bad_wheel})]
Hex: TypeAlias = Annotated[str, Meta(extra={"check": bad_hex})]
Id16: TypeAlias = Annotated[str, Meta(extra={"check": bad_id16})]


class SystemTime(Shape, frozen=True):
    """A point in time: seconds and nanoseconds since 1970."""

    rust: ClassVar[str] = "SystemTime"
    noun: ClassVar[str] = "the timestamp"

    secs_since_epoch: U64
    nanos_since_epoch: U32


class HashDigest(Shape, frozen=True):
    """A hash, up to 0.7.0."""

    rust: ClassVar[str] = "HashDigest"
    noun: ClassVar[str] = "a hash"

    algorithm: Literal["Md5", "Sha256", "Sha384", "Sha512"]
    digest: str


class HashDigestBlake(Shape, frozen=True):
    """A hash, from 0.7.1 on."""

    rust: ClassVar[str] = "HashDigest"
    noun: ClassVar[str] = "a hash"

    algorithm: Literal["Md5", "Sha256", "Sha384", "Sha512", "Blake2b"]
    digest: str


class HashDigestHex(Shape, frozen=True):
    """A hash, from 0.12.14 on (measured: not checked in 0.12.13, checked in 0.12.24)."""

    rust: ClassVar[str] = "HashDigest"
    noun: ClassVar[str] = "a hash"

    algorithm: Literal["Md5", "Sha256", "Sha384", "Sha512", "Blake2b"]
    digest: Hex


# From 0.13.0 on a hash is an enum with its value inside: one entry, the algorithm and the hash.
HashDigestEnum: TypeAlias = Annotated[
    dict[Literal["Md5", "Sha256", "Sha384", "Sha512", "Blake2b"], Hex],
    Meta(min_length=1, max_length=1, extra={"tagged": True}),
]


# The cache info: what says whether a local source has changed since.


class _CacheInfo(Shape, frozen=True):
    rust: ClassVar[str] = "CacheInfo"
    noun: ClassVar[str] = "the cache info"


class TimestampCommit2(_CacheInfo, frozen=True):
    """0.4.8..0.4.22."""

    timestamp: SystemTime | None
    commit: str | None


class TimestampCommit3(_CacheInfo, frozen=True):
    """0.4.23..0.5.11."""

    timestamp: SystemTime | None
    commit: str | None
    tags: dict[str, str] | None


class CacheInfo4(_CacheInfo, frozen=True):
    """0.5.12..0.6.6, which leave the environment out when it is empty."""

    timestamp: SystemTime | None
    commit: str | None
    tags: dict[str, str] | None
    env: dict[str, str | None] = {}  # noqa: RUF012 -- msgspec copies it


# Either the time at which a directory was made, or its inode.
DirectoryTimestamp: TypeAlias = Annotated[
    Any, Meta(extra={"untagged": ("DirectoryTimestamp", (SystemTime, U64))})
]


class CacheInfo5(_CacheInfo, frozen=True):
    """0.6.7 and later."""

    timestamp: SystemTime | None
    commit: str | None
    tags: dict[str, str] | None
    env: dict[str, str | None] = {}  # noqa: RUF012 -- msgspec copies it
    directories: dict[str, DirectoryTimestamp | None] = {}  # noqa: RUF012 -- msgspec copies it


# Readers 0.4.8..0.4.25 also take the bare timestamp that older releases wrote.
CacheInfoWire2: TypeAlias = Annotated[
    Any, Meta(extra={"untagged": ("CacheInfoWire", (SystemTime, TimestampCommit2))})
]
CacheInfoWire3: TypeAlias = Annotated[
    Any, Meta(extra={"untagged": ("CacheInfoWire", (SystemTime, TimestampCommit3))})
]


# The revision: which directory of the shard holds what was built.


class _Revision(Shape, frozen=True):
    rust: ClassVar[str] = "Revision"
    noun: ClassVar[str] = "the revision"


class Revision2(_Revision, frozen=True):
    """0.1.32..0.7.0."""

    id: str
    hashes: list[HashDigest]


class Revision2Blake(_Revision, frozen=True):
    """0.7.1..0.11.33, without the two that follow."""

    id: str
    hashes: list[HashDigestBlake]


class Revision2Strict(_Revision, frozen=True):
    """0.11.9..0.11.10, which refuse the ids of before."""

    id: Id16
    hashes: list[HashDigestBlake]


class Revision3(_Revision, frozen=True):
    """0.12.0..0.12.24; written as a map from 0.12.2 on."""

    id: str
    hashes: list[HashDigestBlake]
    size: U64 | None = None


class Revision3Hex(_Revision, frozen=True):
    """0.12.14..0.12.24."""

    id: str
    hashes: list[HashDigestHex]
    size: U64 | None = None


class Revision3Enum(_Revision, frozen=True):
    """0.13.0 and later, which refuse ids of another length."""

    id: Id16
    hashes: list[HashDigestEnum]
    size: U64 | None


# The archive: which directory of archive-v0 holds the unpacked wheel.


class _Archive(Shape, frozen=True):
    rust: ClassVar[str] = "Archive"
    noun: ClassVar[str] = "the archive"


class Archive2(_Archive, frozen=True):
    """0.1.32..0.5.31."""

    id: str
    hashes: list[HashDigest]


class Archive3(_Archive, frozen=True):
    """0.6.0..0.6.3."""

    id: str
    hashes: list[HashDigest]
    version: U8


class Archive4(_Archive, frozen=True):
    """0.6.4..0.7.0."""

    id: str
    hashes: list[HashDigest]
    filename: Wheel
    version: U8


class Archive4Blake(_Archive, frozen=True):
    """0.7.1..0.11.33."""

    id: str
    hashes: list[HashDigestBlake]
    filename: Wheel
    version: U8


class Archive5(_Archive, frozen=True):
    """0.12.0..0.12.24; written as a map from 0.12.2 on."""

    id: str
    hashes: list[HashDigestBlake]
    filename: Wheel
    version: U8
    size: U64 | None = None


class Archive5Hex(_Archive, frozen=True):
    """0.12.14..0.12.24."""

    id: str
    hashes: list[HashDigestHex]
    filename: Wheel
    version: U8
    size: U64 | None = None


class Archive5Enum(_Archive, frozen=True):
    """0.13.0 and later."""

    id: str
    hashes: list[HashDigestEnum]
    filename: Wheel
    version: U8
    size: U64 | None


# The metadata that a resolution needs.


class _Metadata(Shape, frozen=True, rename="kebab"):
    rust: ClassVar[str] = "ResolutionMetadata"
    noun: ClassVar[str] = "the metadata"


class MetadataOld(_Metadata, frozen=True, rename="kebab"):
    """..0.1.24."""

    rust: ClassVar[str] = "Metadata23"

    metadata_version: str
    name: Name
    version: Version
    requires_dist: list[Requirement]
    requires_python: str | None
    provides_extras: list[Name]


class Metadata5(_Metadata, frozen=True, rename="kebab"):
    """0.1.25..0.5.18."""

    name: Name
    version: Version
    requires_dist: list[Requirement]
    requires_python: str | None
    provides_extras: list[Name]


class Metadata6(_Metadata, frozen=True, rename="kebab"):
    """0.5.19 and later."""

    name: Name
    version: Version
    requires_dist: list[Requirement]
    requires_python: str | None
    provides_extras: list[Name]
    dynamic: bool = False


# Who wrote it: ranges for what is seen in a decoded value (plain lists and dicts, no field names).


def _is_time(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value)


def cache_info_writers(value: Any) -> tuple[ReleaseRange, ...]:
    """The releases that write such a cache info (or the bare timestamp of before)."""
    if _is_time(value):
        return (ReleaseRange("0.1.32", "0.4.7"),)
    if not isinstance(value, list) or not (value and (value[0] is None or _is_time(value[0]))):
        return ()
    return {
        2: (ReleaseRange("0.4.8", "0.4.22"),),
        3: (ReleaseRange("0.4.23", "0.6.6"),),
        4: (ReleaseRange("0.5.12", "0.6.6"),),
        5: (since("0.6.7"),),
    }.get(len(value), ())


def id_writers(value: Any) -> tuple[ReleaseRange, ...]:
    """The releases that make ids of this length."""
    if not isinstance(value, str) or not re.fullmatch(r"[-_0-9A-Za-z]+", value):
        return ()
    return {21: (ReleaseRange("0.0.5", "0.11.8"),), 16: (since("0.11.9"),)}.get(len(value), ())


_ARRAYS_AGAIN = ReleaseRange("0.13.0", NEWEST)
_MAPS = ReleaseRange("0.12.2", "0.12.24")
_FIRST_SIZES = ReleaseRange("0.12.0", "0.12.1")


def _by_length(value: Any, lengths: dict[int, tuple[ReleaseRange, ...]]) -> tuple[ReleaseRange, ...]:
    spans: tuple[ReleaseRange, ...]
    if isinstance(value, dict):
        ids, spans = id_writers(value.get("id")), (_MAPS,)
    elif isinstance(value, list) and value:
        ids, spans = id_writers(value[0]), lengths.get(len(value), ())
    else:
        return ()
    return tuple(both for a in spans for b in ids if (both := a.intersect(b)) is not None)


def revision_writers(value: Any) -> tuple[ReleaseRange, ...]:
    """The releases that write such a revision."""
    if isinstance(value, str):
        return (ReleaseRange("0.0.5", "0.1.31"),)
    return _by_length(value, {2: (ReleaseRange("0.1.32", "0.11.33"),), 3: (_FIRST_SIZES, _ARRAYS_AGAIN)})


def archive_writers(value: Any) -> tuple[ReleaseRange, ...]:
    """The releases that write such an archive pointer."""
    if isinstance(value, str):
        return (ReleaseRange("0.0.5", "0.1.31"),)
    return _by_length(
        value,
        {
            2: (ReleaseRange("0.1.32", "0.5.31"),),
            3: (ReleaseRange("0.6.0", "0.6.3"),),
            4: (ReleaseRange("0.6.4", "0.11.33"),),
            5: (_FIRST_SIZES, _ARRAYS_AGAIN),
        },
    )


def metadata_writers(value: Any) -> tuple[ReleaseRange, ...]:
    """The releases that write such metadata."""
    if not isinstance(value, list):
        return ()
    if len(value) == 5:
        return (ReleaseRange("0.1.25", "0.5.18"),)
    if len(value) == 6 and isinstance(value[5], bool):
        return (since("0.5.19"),)
    if len(value) == 6 and isinstance(value[5], list):
        return (ReleaseRange("0.0.5", "0.1.24"),)
    return ()
