"""An entry of the cache as it is found, what a reader makes of it, and what every kind of entry has in common."""

from __future__ import annotations

import errno
import functools
import os
import stat as modes
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from uvreport.cache import layout, shapes, trailer
from uvreport.cache.buckets import EVERY, NEWEST, ReleaseRange, common, hull, releases_of, since, version_key
from uvreport.cache.serde import Fault, Read, accepts, read

if TYPE_CHECKING:
    from collections.abc import Callable

Verdict = Literal["readable", "fatal", "healed", "ignored", "not-read", "unknown", "suspicious"]
State = Literal[
    "ok", "truncated", "zeroed", "empty", "garbage", "foreign", "wrong-kind", "dangling", "unreadable",
    "incomplete", "stale", "missing", "unknown",
]  # fmt: skip
What = Literal["file", "dir", "link", "missing", "other"]

# More than any entry that was seen (a simple index of 4 MB); what is larger is not read.
READ_LIMIT_BYTES = 64_000_000


class Look(Struct, frozen=True, kw_only=True):
    """What stands at a path of the cache, and for which release it is judged.

    `data` is a file's content: empty for directories and links, None when it could not be read. `denied` goes by
    the mode bits, so that it says the same for root as for the person.
    """

    root: str
    path: str
    place: layout.Place
    release: str
    what: What
    mode: int = 0
    size_bytes: int = 0
    target: str = ""
    denied: bool = False
    data: bytes | None = b""

    def full(self, relative: str) -> str:
        """The path on this machine of another path of the cache."""
        return os.path.join(self.root, *relative.split("/"))

    def is_dir(self, relative: str) -> bool:
        """Whether a directory stands there, links followed."""
        return os.path.isdir(self.full(relative))

    def standing(self, relative: str) -> tuple[str, ...]:
        """The path if anything stands there, be it a link to nowhere."""
        return (relative,) if os.path.lexists(self.full(relative)) else ()

    def names(self, relative: str) -> list[str]:
        """The names in a directory, sorted; empty when it cannot be listed."""
        try:
            return sorted(os.listdir(self.full(relative)))
        except OSError:
            return []


class Judgement(Struct, frozen=True, kw_only=True):
    """What one reader makes of an entry. See `Finding` for the fields."""

    verdict: Verdict = "readable"
    state: State = "ok"
    reason: str = ""
    innermost: str = ""
    writers: tuple[ReleaseRange, ...] = (EVERY,)
    decoded: Any = None
    links_to: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    spans: dict[str, tuple[int, int]] = {}


class Reader(Struct, frozen=True):
    """Releases that read one shape."""

    releases: ReleaseRange
    shape: Any


class Glance(Struct, frozen=True):
    """A file or a link of a bucket that `release` uses, as a walk comes by it. It can be read by the person.

    `full` is the path on this machine, `archives` are the names of the directories in archive-v0.
    """

    release: str
    what: Literal["file", "link"]
    full: str
    size_bytes: int
    archives: frozenset[str]

    def data(self) -> bytes:
        """The content of a file. Raises OSError, and for what is too large to be an entry."""
        if self.size_bytes > READ_LIMIT_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return contents(self.full, self.size_bytes)

    def tail(self, size: int) -> bytes:
        """The last `size` bytes of a file, or all of it. Raises OSError."""
        with open(self.full, "rb", buffering=0) as file:
            file.seek(max(0, self.size_bytes - size))
            return file.read(size)


class EntryKind(Struct, frozen=True, kw_only=True):
    """A kind of entry: where it is found, what stands there, how each release reads it, and how it is judged.

    `buckets` are kinds of buckets, "" for the cache's root. `stands` is what has to be there. `readers` are the
    schemas by release. `judge` is asked only when the right kind of thing stands there and can be read;
    `out_of_place` is the verdict when something else does, `dangling` when it is a link to nowhere (which uv takes
    for nothing and writes over), `denied` when it may not be read. `harmless` is for
    walks over whole caches: True only where it is certain that the judgement is neither "fatal" nor "suspicious".
    """

    name: str
    buckets: tuple[str, ...]
    matches: Callable[[str], bool]
    judge: Callable[[Look], Judgement]
    stands: Literal["file", "dir", "link", "any"] = "file"
    readers: tuple[Reader, ...] = ()
    out_of_place: Callable[[Look], Verdict] = lambda _: "fatal"
    dangling: Callable[[Look], Verdict] = lambda _: "healed"
    denied: Callable[[Look], Verdict] = lambda _: "fatal"
    harmless: Callable[[Glance], bool] = lambda _: False


def always(verdict: Verdict) -> Callable[[Look], Verdict]:
    """A verdict that depends on nothing."""
    return lambda _: verdict


def before(release: str, version: str) -> bool:
    """Whether `release` is older than `version`."""
    return version_key(release) < version_key(version)


# Reading msgpack entries.


def shape_for(readers: tuple[Reader, ...], release: str) -> Any:
    """The shape that `release` reads, None when none is known for it."""
    return next((reader.shape for reader in readers if release in reader.releases), None)


def span_of(readers: tuple[Reader, ...], data: bytes) -> tuple[ReleaseRange, ...]:
    """The releases that can read `data`."""
    return tuple(reader.releases for reader in readers if accepts(reader.shape, data))


def judge_msgpack(
    look: Look,
    readers: tuple[Reader, ...],
    *,
    writers: Callable[[Any], tuple[ReleaseRange, ...]],
    broken: Callable[[Look], Verdict],
    data: bytes | None = None,
    form: trailer.Form = "none",
) -> Judgement:
    """The judgement of a file that is one msgpack value, or of `data` taken out of it.

    `writers` gets the decoded value in plain lists and maps, `broken` says what the release does with what it
    cannot decode.
    """
    data = (look.data or b"") if data is None else data
    shape = shape_for(readers, look.release)
    if shape is None:
        return Judgement(
            verdict="unknown", state="unknown", reason=f"how uv {look.release} reads this is not known"
        )
    seen = common(writers(plain(data)), trailer_writers(form))
    got = read(shape, data)
    if got.fault is None:
        return Judgement(writers=seen, decoded=got.value, spans=got.spans)
    elsewhere = span_of(readers, data)
    decoded = None
    if elsewhere:
        foreign = read(shape_for(readers, elsewhere[-1].last), data)
        decoded = foreign.value
    state = _state(data, readers, got, foreign=bool(elsewhere))
    return Judgement(
        verdict=broken(look),
        state=state,
        reason=_reason(look, data, state, got.fault, _by(look, seen) if elsewhere else None),
        innermost=got.fault.innermost,
        writers=seen if elsewhere else (EVERY,),
        decoded=decoded,
        spans=got.spans,
    )


def _by(look: Look, seen: tuple[ReleaseRange, ...]) -> ReleaseRange | None:
    span = releases_of(look.place.bucket)
    return hull(common((span,), seen) if span else seen)


def plain(data: bytes) -> Any:
    """The value in plain lists, maps, strings and numbers; None when it is no msgpack."""
    # Decoder.decode refuses bytes after the value, which uv does not mind: they are cut off.
    end = read(Any, data).end
    try:
        return msgspec.msgpack.decode(data[:end])
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, MemoryError):
        return None


def trailer_writers(form: trailer.Form) -> tuple[ReleaseRange, ...]:
    """The releases that write this form of trailer."""
    if form == "crc":
        return (since("0.13.0"),)
    return (EVERY,) if form == "none" else (ReleaseRange("0.0.5", "0.12.24"),)


def content_state(data: bytes) -> State | None:
    """Whether it is "empty" or "zeroed"; None where it is neither."""
    if not data:
        return "empty"
    return "zeroed" if data.count(0) == len(data) else None


def _state(data: bytes, readers: tuple[Reader, ...], got: Read, *, foreign: bool) -> State:
    if foreign:
        return "foreign"
    plainly = content_state(data)
    if plainly:
        return plainly
    # Cut, not garbled: some release's reader is content until the bytes run out.
    for reader in readers:
        other = read(reader.shape, data)
        if other.fault and other.fault.kind == "eof" and (other.spans or other.fault.where or len(data) < 3):
            return "truncated"
    return "garbage" if got.fault else "ok"


def _reason(look: Look, data: bytes, state: State, fault: Fault, writers: ReleaseRange | None) -> str:
    uv = f"uv {look.release}"
    if state == "empty":
        return f"the file is empty; {uv} needs a value in it"
    if state == "zeroed":
        return f"all {len(data)} bytes are zero, as after a crash before the data reached the disk"
    if state == "truncated":
        return f"the file ends after {len(data)} bytes, in the middle of {_field(fault)}"
    by = f" (this is how uv {writers} writes it)" if state == "foreign" and writers else ""
    if fault.kind == "longer":
        bound = "at most" if fault.least < fault.most else "exactly"
        return f"{fault.what} has {fault.found} fields; {uv} reads {bound} {fault.most}{by}"
    if fault.kind == "shorter" and fault.found >= 0:
        bound = "at least" if fault.least < fault.most else "exactly"
        return f"{fault.what} has {fault.found} fields; {uv} reads {bound} {fault.least}{by}"
    if state == "foreign":
        return f"{uv} cannot take {_field(fault)} in this form{by}"
    return f"{_field(fault)} is not what any uv writes: {fault.message}"


def _field(fault: Fault) -> str:
    return f"`{fault.where}`" if fault.where else "the value"


# Files with an HTTP cache policy behind them.


def expected_form(release: str) -> trailer.Form:
    """The trailer that `release` writes and reads."""
    return "old" if before(release, "0.13.0") else "crc"


def judge_fetched(
    look: Look,
    readers: tuple[Reader, ...],
    *,
    writers: Callable[[Any], tuple[ReleaseRange, ...]],
    broken: Callable[[Look], Verdict],
) -> Judgement:
    """The judgement of a msgpack value with an HTTP cache policy behind it."""
    raw = look.data or b""
    fault = judge_trailer(look, broken=broken)
    parts = trailer.split(raw, expected_form(look.release))
    if fault is not None:
        if fault.state == "garbage" and accepts_head(readers, raw):
            return msgspec.structs.replace(
                fault, state="truncated",
                reason=f"the entry itself is whole, but what should follow it is cut off or lost ({fault.innermost})",
            )  # fmt: skip
        return fault
    return judge_msgpack(look, readers, writers=writers, broken=broken, data=parts.data, form=parts.form)


def accepts_head(readers: tuple[Reader, ...], raw: bytes) -> bool:
    """Whether `raw` begins with a whole value of some release's shape."""
    return any(accepts(reader.shape, raw) for reader in readers)


# What follows in the message is about how uv was built.
_NO_POLICY = "Reading from cache archive failed"


def judge_trailer(look: Look, *, broken: Callable[[Look], Verdict]) -> Judgement | None:
    """What is wrong with the policy at the end of a file that was fetched, None when nothing is."""
    raw = look.data or b""
    form = expected_form(look.release)
    parts = trailer.split(raw, form)
    problem = parts.problem
    other = trailer.split(raw)
    if not problem and form == "old" and (other.form == "crc" or not trailer.url(parts.policy)):
        problem = _NO_POLICY
    if not problem:
        return None
    verdict = broken(look)
    plainly = content_state(raw)
    if plainly:
        reason = _reason(look, raw, plainly, Fault(message=problem, innermost=problem, kind="eof"), None)
        return Judgement(verdict=verdict, state=plainly, reason=reason, innermost=problem)
    if other.form not in {"none", form} and (other.form == "crc" or trailer.url(other.policy)):
        reason = f"the cache policy is in the form of other releases; uv {look.release} cannot read it"
        return Judgement(
            verdict=verdict,
            state="foreign",
            reason=reason,
            innermost=problem,
            writers=trailer_writers(other.form),
        )
    if form == "old" and parts.stated >= 2**64 - 8 and before(look.release, "0.11.21"):
        # The sum of length and 8 wraps around, the check passes, and slicing panics (fixed in 0.11.21).
        return Judgement(
            verdict="fatal",
            state="garbage",
            reason=f"the last 8 bytes give the policy a length of {parts.stated}; uv {look.release} panics on that",
            innermost=f"range end index {parts.stated} out of range for slice of length {parts.stated + 8 - 2**64}",
        )
    reason = f"the cache policy at the end cannot be read: {problem}"
    return Judgement(verdict=verdict, state="garbage", reason=reason, innermost=problem)


def healed_anyway(glance: Glance) -> bool:
    """Whether a fetched file that is healed when it cannot be read is no matter, whatever is in it."""
    # Up to 0.11.20 a length that wraps around makes uv panic: see `judge_trailer`.
    return glance.what == "file" and (
        not before(glance.release, "0.11.21") or int.from_bytes(glance.tail(8), "little") < 2**64 - 8
    )


# Hashes.


def judge_hashes(found: Judgement, hashes: Any) -> Judgement:
    """The judgement of a sound pointer, fatal when a hash in it is none: no file has it that a lockfile asks for.

    For sources by path or URL, and for releases that do not look at the digits when they decode (..0.12.13). Those of
    an index are not asked for again.
    """
    bad = shapes.bad_hash(hashes)
    if not bad:
        return found
    return msgspec.structs.replace(
        found, verdict="fatal", state="garbage", innermost="Hash mismatch",
        reason=f"the hash {bad} has a letter in it that is no hexadecimal digit, so it is not what a lockfile asks for",
    )  # fmt: skip


# Looking.


def look_at(root: str, path: str, release: str, *, follow: bool = True) -> Look:
    """What stands at `path` of the cache at `root`. Never fails; what cannot be had is said in the value."""
    place = layout.parse(path)
    full = os.path.join(root, *path.split("/"))
    try:
        info = os.lstat(full)
    except (OSError, ValueError):
        return Look(root=root, path=path, place=place, release=release, what="missing")
    target = ""
    if modes.S_ISLNK(info.st_mode):
        target = _readlink(full)
        if follow:
            try:
                info = os.stat(full)
            except OSError:
                follow = False
        if not follow:
            return Look(
                root=root, path=path, place=place, release=release, what="link", target=target,
                mode=modes.S_IMODE(info.st_mode), size_bytes=info.st_size,
            )  # fmt: skip
    what: What = "dir" if modes.S_ISDIR(info.st_mode) else "file" if modes.S_ISREG(info.st_mode) else "other"
    denied = is_denied(info)
    return Look(
        root=root, path=path, place=place, release=release, what=what, target=target,
        mode=modes.S_IMODE(info.st_mode), size_bytes=info.st_size, denied=denied,
        data=_content(full, info.st_size) if what == "file" else b"",
    )  # fmt: skip


def _readlink(full: str) -> str:
    try:
        return os.readlink(full)
    except OSError:
        return ""


def _content(full: str, size: int) -> bytes | None:
    if size > READ_LIMIT_BYTES:
        return None
    try:
        return contents(full, size)
    except OSError:
        return None


@functools.cache
def _groups() -> frozenset[int]:
    return frozenset({*os.getgroups(), os.getegid()}) if hasattr(os, "getgroups") else frozenset()


def permissions(info: os.stat_result) -> int:
    """The three permission bits that count for the person whose cache this is: root is taken for the owner."""
    if os.name != "posix":
        return 0o7
    me = os.geteuid()
    if me in {0, info.st_uid}:
        return info.st_mode >> 6 & 0o7
    if info.st_gid in _groups():
        return info.st_mode >> 3 & 0o7
    return info.st_mode & 0o7


# Without waiting: a pipe that stands where a file should be has nobody at its other end.
_TO_READ = (
    os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
)


def contents(full: str, size_bytes: int) -> bytes:
    """The first `size_bytes` of a file, or all of it. Raises OSError. Half the cost of `open` for small files."""
    file = os.open(full, _TO_READ)
    try:
        data = os.read(file, size_bytes)
        while len(data) < size_bytes and (more := os.read(file, size_bytes - len(data))):
            data += more
        return data
    finally:
        os.close(file)


def is_denied(info: os.stat_result) -> bool:
    """Whether the mode bits keep the person from reading the file, or from listing and entering the directory."""
    bits = permissions(info)
    return bits & 0o5 != 0o5 if modes.S_ISDIR(info.st_mode) else not bits & 0o4


def reading_release(bucket: str) -> str:
    """The newest release that uses `bucket`, which stands in where the real one is not known."""
    span = releases_of(bucket)
    return span.last if span else NEWEST
