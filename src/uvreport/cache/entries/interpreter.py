"""`<digest>.msgpack` in an interpreter bucket: what a Python said of itself, and the change time of its executable.

One that cannot be decoded is asked for anew. A directory in its place is fatal: uv cannot rename over it. One that
decodes, and whose time agrees, is believed, whatever it says.
"""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar, Literal

from msgspec import defstruct
from msgspec.structs import replace

from uvreport.cache import layout, shapes
from uvreport.cache.buckets import ReleaseRange, since
from uvreport.cache.entry import EntryKind, Judgement, Look, Reader, always, judge_msgpack
from uvreport.cache.serde import Shape


class Scheme(Shape, frozen=True):
    rust: ClassVar[str] = "Scheme"
    noun: ClassVar[str] = "the scheme"

    purelib: str
    platlib: str
    scripts: str
    data: str
    include: str


_TYPES: dict[str, Any] = {
    "platform": Any,  # [["manylinux", 2, 36], "x86_64"]; every platform has its own form
    "markers": Any,  # an array of 11 up to 0.1.31, a map after
    "scheme": Scheme,
    "virtualenv": Scheme,
    "manylinux_compatible": bool,
    "sys_base_executable": str | None,
    "sys_path": list[str],
    "site_packages": list[str],
    "sysconfig_prefix": str | None,
    "extension_suffixes": list[str],
    "standalone": bool,
    "pointer_size": Literal["32", "64"],
    "gil_disabled": bool,
    "debug_enabled": bool,
}


def _layout(first: str, last: str, fields: str) -> Reader:
    names = fields.split()
    info = defstruct(
        f"InterpreterInfo{len(names)}_{first.replace('.', '_')}",
        [(name, _TYPES.get(name, str)) for name in names],
        bases=(Shape,), namespace={"rust": "InterpreterInfo", "noun": "the interpreter's description"},
        frozen=True, module=__name__,
    )  # fmt: skip
    entry = defstruct(
        f"Entry_{first.replace('.', '_')}",
        [("timestamp", shapes.SystemTime), ("data", info)],
        bases=(Shape,), namespace={"rust": "CachedByTimestamp", "noun": "the entry"}, frozen=True, module=__name__,
    )  # fmt: skip
    for made in (info, entry):
        globals()[made.__name__] = made
    return Reader(ReleaseRange(first, last), entry)


_HEAD = "platform markers scheme virtualenv"
_MANY = f"{_HEAD} manylinux_compatible"
_SIZES = "pointer_size gil_disabled"
_PATHS = "sys_path site_packages"
_PREFIX = "sys_prefix sys_base_exec_prefix sys_base_prefix sys_base_executable sys_executable"


class PlatformCpu(Shape, frozen=True):
    """0.13.8 and later."""

    rust: ClassVar[str] = "Platform"
    noun: ClassVar[str] = "the platform"

    os: Any
    arch: Any
    cpu: Any


class Interpreter18(Shape, frozen=True):
    """What follows the platform in 0.13.8 and later."""

    rust: ClassVar[str] = "InterpreterInfo"
    noun: ClassVar[str] = "the interpreter's description"

    markers: Any
    scheme: Scheme
    virtualenv: Scheme
    manylinux_compatible: bool
    sys_prefix: str
    sys_base_exec_prefix: str
    sys_base_prefix: str
    sys_base_executable: str | None
    sys_executable: str
    sys_path: list[str]
    site_packages: list[str]
    stdlib: str
    extension_suffixes: list[str]
    standalone: bool
    pointer_size: Literal["32", "64"]
    gil_disabled: bool
    debug_enabled: bool


class Described(Shape, frozen=True):
    rust: ClassVar[str] = "InterpreterInfo"
    noun: ClassVar[str] = "the interpreter's description"

    platform: PlatformCpu
    info: Interpreter18


class EntryCpu(Shape, frozen=True):
    rust: ClassVar[str] = "CachedByTimestamp"
    noun: ClassVar[str] = "the entry"

    timestamp: shapes.SystemTime
    data: Described


READERS = (
    _layout("0.1.19", "0.1.31", f"{_HEAD} {_PREFIX} stdlib"),
    _layout("0.1.32", "0.1.42", f"{_HEAD} {_PREFIX} stdlib gil_disabled"),
    _layout("0.1.43", "0.1.44", f"{_HEAD} {_PREFIX} sys_path stdlib gil_disabled"),
    _layout("0.1.45", "0.3.0", f"{_HEAD} {_PREFIX} sys_path stdlib {_SIZES}"),
    _layout("0.3.1", "0.4.30", f"{_MANY} {_PREFIX} sys_path stdlib {_SIZES}"),
    _layout("0.5.0", "0.5.8", f"{_MANY} {_PREFIX} sys_path stdlib sysconfig_prefix {_SIZES}"),
    _layout("0.5.9", "0.8.6", f"{_MANY} {_PREFIX} sys_path stdlib standalone {_SIZES}"),
    _layout("0.8.7", "0.8.17", f"{_MANY} {_PREFIX} {_PATHS} stdlib standalone {_SIZES}"),
    _layout("0.8.18", "0.11.16", f"{_MANY} {_PREFIX} {_PATHS} stdlib standalone {_SIZES} debug_enabled"),
    _layout(
        "0.11.17",
        "0.13.7",
        f"{_MANY} {_PREFIX} {_PATHS} stdlib extension_suffixes standalone {_SIZES} debug_enabled",
    ),
    Reader(since("0.13.8"), EntryCpu),
)  # fmt: skip

_LENGTHS = {
    10: ("0.1.19", "0.1.31"), 11: ("0.1.32", "0.1.42"), 12: ("0.1.43", "0.1.44"), 13: ("0.1.45", "0.3.0"),
    14: ("0.3.1", "0.4.30"), 15: ("0.5.0", "0.8.6"), 16: ("0.8.7", "0.8.17"), 17: ("0.8.18", "0.11.16"),
    18: ("0.11.17", "0.13.7"), 6: ("0.1.12", "0.1.13"), 7: ("0.1.14", "0.1.15"), 9: ("0.1.16", "0.1.18"),
}  # fmt: skip


def writers(value: Any) -> tuple[ReleaseRange, ...]:
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[1], list):
        return ()
    info = value[1]
    if len(info) == 2:
        return (since("0.13.8"),)
    if len(info) == 15:  # the field after the standard library is a path or nil first, a bool later
        return (
            ReleaseRange("0.5.9", "0.8.6") if isinstance(info[12], bool) else ReleaseRange("0.5.0", "0.5.8"),
        )
    span = _LENGTHS.get(len(info))
    return (ReleaseRange(*span),) if span else ()


def matches(path: str) -> bool:
    return path.endswith(".msgpack")


def facts(decoded: Any) -> dict[str, Any]:
    """What the entry says of the interpreter, whatever its layout: the fields of the description."""
    data = decoded["data"]
    info: dict[str, Any] = data.get("info", data)
    return info


def python_version(decoded: Any) -> str:
    """The full version that the entry gives, "" when it is not found."""
    markers = facts(decoded).get("markers")
    if isinstance(markers, dict):
        return str(markers.get("python_full_version", ""))
    if isinstance(markers, list) and len(markers) == 11:
        return str(markers[8])  # the fields stand in the order of the alphabet
    return ""


def judge(look: Look) -> Judgement:
    found = judge_msgpack(look, READERS, writers=writers, broken=always("healed"))
    if found.state != "ok":
        return found
    says = python_version(found.decoded)
    real = _real_version(found.decoded)
    if says and real and not (says + ".").startswith(real + "."):
        executable = facts(found.decoded)["sys_executable"]
        return replace(
            found, verdict="suspicious", state="stale",
            reason=f"it says that {executable} is Python {says}, but what stands there now is Python {real}",
        )  # fmt: skip
    inside = _stdlib_version(found.decoded)
    if says and inside and not (says + ".").startswith(inside + "."):
        return replace(
            found, verdict="suspicious", state="stale",
            reason=f"it says Python {says}, but its own standard library is that of Python {inside}",
        )  # fmt: skip
    return found


def _stdlib_version(decoded: Any) -> str:
    found = re.search(r"[/\\]python(3\.\d+)t?\Z", str(facts(decoded).get("stdlib", "")))
    return found[1] if found else ""


def _real_version(decoded: Any) -> str:
    """The version of the interpreter on this machine, as far as its files say: "3.11.7", "3.11" or "".

    Nothing is run. Only asked while uv would believe the entry, that is, while the time in it is the executable's.
    """
    info = facts(decoded)
    executable = str(info.get("sys_executable", ""))
    time = decoded["timestamp"]
    try:
        real = os.path.realpath(executable)
        changed = os.stat(real).st_ctime_ns
    except (OSError, ValueError):
        return ""
    if changed != time["secs_since_epoch"] * 10**9 + time["nanos_since_epoch"]:
        return ""
    for include in {str(info["scheme"]["include"]), _near(real)}:
        try:
            with open(os.path.join(include, "patchlevel.h"), encoding="utf-8", errors="replace") as file:
                found = re.search(r'#define\s+PY_VERSION\s+"([^"+]+)', file.read(100_000))
        except (OSError, ValueError):
            continue
        if found:
            return found[1]
    found = re.search(r"python(3\.\d+)t?\Z", real)
    return found[1] if found else ""


def _near(real: str) -> str:
    found = re.search(r"(python3\.\d+t?)\Z", real)
    return os.path.join(os.path.dirname(os.path.dirname(real)), "include", found[1]) if found else ""


def place_of(path: str) -> tuple[str, str]:
    """The shard directory inside the bucket ("" up to 0.5.8) and the digest in the file's name."""
    names = layout.parse(path).path.split("/")
    return "/".join(names[1:-1]), names[-1].removesuffix(".msgpack")


ENTRY = EntryKind(
    name="interpreter",
    buckets=("interpreter",),
    matches=matches,
    judge=judge,
    readers=READERS,
    denied=always("healed"),
)
