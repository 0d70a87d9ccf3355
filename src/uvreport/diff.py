"""What differs between two bundles, as a maintainer who holds two reports wants to know it. Pure."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from uvreport.cache.buckets import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from uvreport.bundle import Bundle, Culprit, Member

# The topics in the order in which a maintainer asks for them.
TOPICS = (
    "failure", "command", "uv", "system", "python", "variables", "settings", "culprits", "project", "home", "cache",
)  # fmt: skip
MOST_LINES = 40  # of the changes in one file
_FACTS = {"uv": "uv", "system": "system", "python": "python", "settings": "settings"}
# What belongs to one run or to the shape of one machine's paths, and explains nothing.
_SILENT = ("system.paths", "system.load", "python.log", "settings.effective")


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that is not the same: what `a` and `b` say, None where one does not say it.

    `lines` are the changes in a text, as in a unified diff without its head.
    """

    topic: str
    what: str
    a: str | None
    b: str | None
    lines: tuple[str, ...] = ()


class Diff(Struct, frozen=True, kw_only=True):
    """All differences, by topic in the order of `TOPICS`; `same_failure` is whether the signatures agree."""

    same_failure: bool
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        return not self.differences


def diff(a: Bundle, b: Bundle) -> Diff:
    """What differs between two bundles, times of making and tool aside."""
    found = [
        *_values("failure", _failure(a), _failure(b)),
        *_values("command", _command(a), _command(b)),
        *(difference for topic, fact in _FACTS.items() for difference in _facts(topic, fact, a, b)),
        *_values("variables", a.run.env, b.run.env),
        *_culprits(a, b),
        *_files("project", a, b),
        *_files("home", a, b),
        *_cache(a, b),
    ]
    return Diff(
        same_failure=a.failure.signature == b.failure.signature,
        differences=tuple(sorted(found, key=lambda one: TOPICS.index(one.topic))),
    )


def _values(topic: str, a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Difference]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Difference(topic=topic, what=name, a=a.get(name), b=b.get(name))


def _failure(bundle: Bundle) -> dict[str, str]:
    failure = bundle.failure
    said = {
        "class": failure.class_,
        "signature": failure.signature,
        "innermost cause": failure.frames[-1] if failure.frames else "",
        "causes": str(len(failure.frames)),
        "exit code": str(bundle.run.exit_code),
        "without the cache": bundle.triage,
        "missing": ", ".join(bundle.missing),
    }
    return {name: value for name, value in said.items() if value}


def _command(bundle: Bundle) -> dict[str, str]:
    return {"argv": " ".join(bundle.run.argv), "directory": bundle.run.cwd}


def _facts(topic: str, fact: str, a: Bundle, b: Bundle) -> Iterator[Difference]:
    if topic == "uv":
        yield from _values(topic, {"release": a.run.uv.release}, {"release": b.run.uv.release})
    if topic == "system":
        yield from _values(topic, {"platform": a.platform}, {"platform": b.platform})
    one, other = _fact(a, fact), _fact(b, fact)
    if one is None and other is None:
        return
    if one is None or other is None:
        said = ["none" if value is None else "there" for value in (one, other)]
        yield Difference(topic=topic, what=f"facts of the collector {fact}", a=said[0], b=said[1])
        return
    yield from _values(topic, _loud(topic, one), _loud(topic, other))
    if topic == "settings":
        yield from _printed(one, other)


def _printed(one: Any, other: Any) -> Iterator[Difference]:
    """The settings as uv prints them, line by line."""
    old, new = (value.get("effective") if isinstance(value, dict) else None for value in (one, other))
    if isinstance(old, list) and isinstance(new, list) and old != new:
        yield Difference(
            topic="settings",
            what="as uv resolves them",
            a=f"{len(old)} lines",
            b=f"{len(new)} lines",
            lines=_changes([str(line) for line in old], [str(line) for line in new]),
        )


def _fact(bundle: Bundle, name: str) -> Any:
    data = next((member.data for member in bundle.members if member.path == f"facts/{name}.json"), None)
    try:
        return None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None


def _loud(topic: str, value: Any) -> dict[str, str]:
    return {
        name: said
        for name, said in flat(value).items()
        if not any(f"{topic}.{name}" == silent or f"{topic}.{name}".startswith(silent) for silent in _SILENT)
    }


def flat(value: Any, name: str = "") -> dict[str, str]:
    """The leaves of a JSON value by their dotted names, as text; what says nothing (null, "", [], {}) is left out."""
    if isinstance(value, dict):
        pairs = [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        pairs = [(f"{name}[{i}]", inner) for i, inner in enumerate(value)]
    elif isinstance(value, list):
        return {name: ", ".join(map(_said, value))} if value else {}
    else:
        return {name: _said(value)} if value not in (None, "") else {}
    return {key: said for pair in pairs for key, said in flat(pair[1], pair[0]).items()}


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _culprits(a: Bundle, b: Bundle) -> Iterator[Difference]:
    """Culprits of one path are one entry; else the first of one kind stands for the first of that kind."""
    left = list(b.culprits)
    for one in a.culprits:
        other = next((c for c in left if c.path == one.path), None) or next(
            (c for c in left if c.kind == one.kind and all(c.path != p.path for p in a.culprits)), None
        )
        if other is None:
            yield Difference(topic="culprits", what=one.path, a=one.reason or one.state, b=None)
            continue
        left.remove(other)
        for difference in _values("culprits", _entry(one), _entry(other)):
            yield Difference(
                topic="culprits", what=f"{one.path}: {difference.what}", a=difference.a, b=difference.b
            )
    for other in left:
        yield Difference(topic="culprits", what=other.path, a=None, b=other.reason or other.state)


def _entry(culprit: Culprit) -> dict[str, str]:
    said = {
        "path": culprit.path, "kind": culprit.kind, "state": culprit.state, "what is wrong": culprit.reason,
        "writers": culprit.writers, "size in bytes": str(culprit.size_bytes), "SHA-256": culprit.sha256,
    }  # fmt: skip
    fields = {f"decoded {name}".rstrip(): value for name, value in flat(culprit.decoded).items()}
    return {name: value for name, value in said.items() if value} | fields


def _files(top: str, a: Bundle, b: Bundle) -> Iterator[Difference]:
    one, other = _below(top, a), _below(top, b)
    for path in sorted({*one, *other}):
        old, new = one.get(path), other.get(path)
        if old is None or new is None:
            yield Difference(topic=top, what=path, a=_shape(old), b=_shape(new))
        elif (old.data, old.kind, old.target) != (new.data, new.kind, new.target):
            yield Difference(topic=top, what=path, a=_shape(old), b=_shape(new), lines=_changed(old, new))
        elif old.mode != new.mode:
            yield Difference(topic=top, what=path, a=f"mode {old.mode:04o}", b=f"mode {new.mode:04o}")


def _below(top: str, bundle: Bundle) -> dict[str, Member]:
    return {m.path.removeprefix(f"{top}/"): m for m in bundle.members if m.path.startswith(f"{top}/")}


def _shape(member: Member | None) -> str | None:
    if member is None:
        return None
    if member.kind == "link":
        return f"link to {member.target}"
    return "directory" if member.kind == "dir" else f"{len(member.data)} bytes"


def _changed(old: Member, new: Member) -> tuple[str, ...]:
    try:
        return _changes(old.data.decode().splitlines(), new.data.decode().splitlines())
    except UnicodeDecodeError:
        return ()


def _changes(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    found = [
        line for line in difflib.unified_diff(old, new, lineterm="", n=1) if line[:3] not in ("---", "+++")
    ]
    left = len(found) - MOST_LINES
    return (*found[:MOST_LINES], *([f"and {left} more lines"] if left > 0 else []))


def _cache(a: Bundle, b: Bundle) -> Iterator[Difference]:
    """How many entries of each kind, and which are in one only or differ."""
    one, other = _below("cache", a), _below("cache", b)
    counts = [Counter(_bucket(path) for path in side) for side in (one, other)]
    for kind in sorted({*counts[0], *counts[1]}):
        if counts[0][kind] != counts[1][kind]:
            yield Difference(
                topic="cache", what=f"files of {kind}", a=str(counts[0][kind]), b=str(counts[1][kind])
            )
    yield from _files("cache", a, b)


def _bucket(path: str) -> str:
    top, slash, _ = path.partition("/")
    return f"the kind {kind_of(top) or 'unknown'}, in {top}" if slash else "the cache itself"
