"""What is wrong with an entry of the cache, for one release; who wrote it; and which entries there are.

Nothing here changes the cache or starts a process, and nothing raises on what stands in it.
"""

from __future__ import annotations

import functools
import os
import posixpath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from uvreport.cache import layout, trailer
from uvreport.cache.attribution import attribute
from uvreport.cache.buckets import ReleaseRange, bucket, is_known, kind_of, kinds, releases_of
from uvreport.cache.entry import (
    EntryKind,
    Judgement,
    Look,
    State,
    Verdict,
    before,
    content_state,
    look_at,
    reading_release,
)  # fmt: skip
from uvreport.registry import exports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Finding(Struct, frozen=True, kw_only=True):
    """What is known of one entry, and what one release makes of it.

    `path`, `links_to`, `missing` and `damaged` are relative to the cache root, separated by "/". `verdict` is what
    the release does with the entry: reads it, fails on it, replaces it ("healed"), passes over it ("ignored"),
    never looks ("not-read"). `state` is what is wrong with it in one word, `reason` in one sentence, `innermost`
    the last cause that uv prints. `writers` are the releases that can have written it. `links_to` is where it
    points; `missing` is what should be there and is not, `damaged` what is there and wrong. `url` is what was
    fetched, for entries with an HTTP cache policy. `decoded` can go into JSON. `spans` says where a field stands:
    name to first byte and end, in the entry's msgpack.
    """

    path: str
    kind: str
    verdict: Verdict
    state: State
    reason: str = ""
    innermost: str = ""
    writers: ReleaseRange | None = None
    package: str = ""
    version: str = ""
    url: str = ""
    decoded: Any = None
    size_bytes: int = 0
    links_to: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    spans: dict[str, tuple[int, int]] = {}


@functools.cache
def entry_kinds() -> tuple[EntryKind, ...]:
    """Every kind of entry that is known."""
    return exports("uvreport.cache.entries", "ENTRY", EntryKind)


@functools.cache
def _by_bucket() -> dict[str, tuple[EntryKind, ...]]:
    return {kind: tuple(entry for entry in entry_kinds() if kind in entry.buckets) for kind in ("", *kinds())}


def kind_at(path: str) -> EntryKind | None:
    """The kind of entry that stands at this path, None for what is not known."""
    if path.startswith("../") or "\0" in path:
        return None
    top, slash, _ = path.partition("/")
    known = (kind_of(top) or "") if slash else ""
    if slash and not known:
        return None
    return next((entry for entry in _by_bucket()[known] if entry.matches(path)), None)


def examine(root: str, path: str, release: str) -> Finding:
    """What `release` makes of the entry at `path`, which is relative to the cache root and separated by "/".

    An unknown `release` ("") is taken to be the newest that uses the bucket. Never raises on what stands there.
    """
    entry = kind_at(path)
    top = path.partition("/")[0]
    reader = release or reading_release(top)
    look = look_at(root, path, reader, follow=entry is None or entry.stands != "link")
    name = entry.name if entry else "unknown"
    place = look.place
    used_by = releases_of(top)
    own = bucket(place.kind, reader) if place.kind else top
    if entry is not None and used_by is not None and own != top:
        # Its own readers say whether it is sound; the release in question never looks.
        look = look_at(root, path, used_by.last, follow=entry.stands != "link")
    judged = _judge(entry, look)
    if (entry is None and not look.denied) or (place.kind and used_by is None):
        judged = _unknown(look)
    elif own != top:
        said = f"; {judged.reason}" if judged.reason else ""
        uses = f"uses {own}, never {top}" if own else f"has no bucket like {top}"
        judged = _replace(judged, verdict="not-read", reason=f"uv {reader} {uses}{said}")
    if not is_known(reader) and judged.verdict not in {"readable", "unknown"}:
        judged = _replace(judged, reason=f"{judged.reason} (uv {reader} is newer than what is known here)")
    package, version = _package(look, entry)
    return Finding(
        path=path, kind=name, verdict=judged.verdict, state=judged.state, reason=judged.reason,
        innermost=judged.innermost, writers=attribute(look, judged), package=package, version=version,
        decoded=judged.decoded, size_bytes=look.size_bytes, links_to=judged.links_to, missing=judged.missing,
        damaged=judged.damaged, spans=judged.spans, url=_url(look),
    )  # fmt: skip


def _url(look: Look) -> str:
    fetched = look.path.endswith((".http", ".rkyv")) or (
        look.path.endswith(".msgpack") and look.place.kind not in {"interpreter", "archive"}
    )
    return trailer.url(trailer.split(look.data).policy) if fetched and look.data else ""


def _replace(judged: Judgement, *, verdict: Verdict | None = None, reason: str) -> Judgement:
    return Judgement(
        verdict=verdict or judged.verdict, state=judged.state, reason=reason, innermost=judged.innermost,
        writers=judged.writers, decoded=judged.decoded, links_to=judged.links_to, missing=judged.missing,
        damaged=judged.damaged, spans=judged.spans,
    )  # fmt: skip


_STANDS = {"file": "a file", "dir": "a directory", "link": "a link", "other": "neither file nor directory"}


def _judge(entry: EntryKind | None, look: Look) -> Judgement:
    if look.what == "missing":
        return Judgement(
            verdict="ignored", state="missing", reason="there is nothing at this path", writers=()
        )
    if entry is None:
        return _unknown(look) if not look.denied else _denied(look, "fatal")
    fits = entry.stands in {"any", "link", look.what}
    if not fits and look.what == "link":
        return Judgement(
            verdict=entry.dangling(look),
            state="dangling",
            innermost="No such file or directory (os error 2)",
            reason=f"a link to {look.target}, which is not there",
        )
    if not fits or look.what == "other":
        innermost = {"dir": "Is a directory (os error 21)", "file": "Not a directory (os error 20)"}
        return Judgement(
            verdict=entry.out_of_place(look), state="wrong-kind", innermost=innermost.get(look.what, ""),
            reason=f"{_STANDS[look.what]} stands where {_STANDS.get(entry.stands, 'something else')} should be",
        )  # fmt: skip
    if look.denied:
        return _denied(look, entry.denied(look))
    if look.data is None:
        return Judgement(verdict="unknown", state="unknown", reason="its content could not be read here")
    return entry.judge(look)


def _denied(look: Look, verdict: Verdict) -> Judgement:
    return Judgement(
        verdict=verdict,
        state="unreadable",
        innermost="Permission denied (os error 13)",
        reason=f"its mode {look.mode:03o} does not allow reading it",
    )


def _unknown(look: Look) -> Judgement:
    state = content_state(look.data or b"") if look.what == "file" and look.data is not None else None
    return Judgement(
        verdict="unknown",
        state="unknown",
        reason="this is not a kind of entry that is known here" + (f" (it is {state})" if state else ""),
    )


def _package(look: Look, entry: EntryKind | None) -> tuple[str, str]:
    place = look.place
    if (
        place.kind == "sdists"
        and place.source in {"url", "path", "editable", "git"}
        and place.shard != place.path
    ):
        return _built(look)
    if place.kind == "wheels" and place.rest:
        return place.package, _wheel_version(place.package, place.rest[0])
    if place.kind == "archive" and entry is not None:
        info = next((n for n in look.names(place.shard) if n.endswith(".dist-info")), "")
        name, _, version = info.removesuffix(".dist-info").partition("-")
        return normalized(name), version
    return place.package, place.version


def normalized(name: str) -> str:
    """The package name as the cache spells it: lower case, runs of `-_.` as one dash."""
    out = "".join("-" if c in "-_." else c for c in name.lower())
    while "--" in out:
        out = out.replace("--", "-")
    return out


def _wheel_version(package: str, name: str) -> str:
    for suffix in (".http", ".rev", ".msgpack", ".lock"):
        name = name.removesuffix(suffix)
    first, _, rest = name.partition("-")
    return rest.partition("-")[0] if normalized(first) == package and not first[:1].isdigit() else first


def _built(look: Look) -> tuple[str, str]:
    """Name and version of what a shard without a name in its path builds, by the wheels in its builds."""
    shard = look.place.shard
    builds = [shard] if look.place.source == "git" else [f"{shard}/{name}" for name in look.names(shard)]
    if look.place.revision:
        builds.insert(0, f"{shard}/{look.place.revision}")
    for build in builds:
        if posixpath.basename(build).startswith(("revision.", ".")):
            continue
        for name in look.names(build):
            stem = name.removesuffix(".whl")
            if layout.is_wheel_stem(stem):
                package, version = stem.split("-")[:2]
                return normalized(package), version
    return "", ""


def shard_of(path: str) -> str:
    """The directory that a reader looks at as a whole: of one source, one package's wheels, one archive."""
    return layout.parse(path).shard


def neighbours(root: str, path: str) -> tuple[str, ...]:
    """The other entries that a reader looks at together with this one, sorted: of the shard, and where they point.

    In a shard of wheels only those of the same wheel. Never this entry itself.
    """
    place = layout.parse(path)
    if not place.shard or not place.kind:
        return ()
    found: set[str] = set()
    if place.kind == "wheels" and place.rest:
        stem = _stem(place.rest[0])
        found.update(e for e in _walk(root, place.shard) if _stem(posixpath.basename(e)) == stem)
    elif place.kind == "git" and place.digest:
        for name in ("db", "checkouts", "locks"):
            found.update(_walk(root, f"{place.bucket}/{name}/{place.digest}"))
    elif place.kind in {"sdists", "environments"}:
        found.update(_walk(root, place.shard))
    found.add(path)
    for entry in sorted(found):
        if entry.endswith(".lock"):
            continue
        linked = (target for target in examine(root, entry, "").links_to if target.startswith("archive-"))
        found.update(target for target in linked if os.path.isdir(os.path.join(root, target)))
    return tuple(sorted(found - {path}))


def _stem(name: str) -> str:
    for suffix in (".http", ".rev", ".msgpack", ".lock"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


# Which entries there are.


def walk(root: str) -> Iterator[str]:
    """Every entry of the cache, relative to its root, in no particular order; archives and sources only as a whole.

    Directories that cannot be listed are passed over. A directory that stands where a file should be is an entry.
    """
    for name, is_dir, full in _scan(root):
        if not is_dir:
            yield name
        elif kind_of(name) is None:
            continue
        else:
            yield from _walk_dir(full, name, layout.parse(name))


def _walk(root: str, path: str) -> Iterator[str]:
    full = os.path.join(root, *path.split("/"))
    if os.path.isdir(full) and not os.path.islink(full) and not _is_whole(path):
        yield from _walk_dir(full, path, layout.parse(path))
    elif os.path.lexists(full):
        yield path


def _walk_dir(full: str, path: str, place: layout.Place) -> Iterator[str]:
    left = [(full, path)]
    kind = place.kind
    while left:
        here, prefix = left.pop()
        for name, is_dir, below in _scan(here):
            entry = f"{prefix}/{name}"
            if not is_dir or _WHOLE[kind](entry, name):
                yield entry
            else:
                left.append((below, entry))


def _scan(full: str) -> list[tuple[str, bool, str]]:
    try:
        with os.scandir(full) as found:
            return [(item.name, item.is_dir(follow_symlinks=False), item.path) for item in found]
    except OSError:
        return []


# Which directories are entries themselves, so that nothing below them is one.
_FILES = (".rev", ".http", ".msgpack", ".rkyv", ".whl", ".lock", ".git", ".gitignore")
_SOURCES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar", ".tbz", ".txz")


def _sdists(_: str, name: str) -> bool:
    return name in {"src", "source"} or name.endswith(_SOURCES) or _file_or_wheel(_, name)


def _file_or_wheel(_: str, name: str) -> bool:
    return name.endswith(_FILES) or name.startswith(".tmp") or layout.is_wheel_stem(name)


def _wheels(path: str, name: str) -> bool:
    return name.endswith(_FILES) or name.startswith(".tmp") or bool(layout.parse(path).rest)


def _git(path: str, _: str) -> bool:
    depth = path.count("/")
    return depth >= 3 or (depth == 2 and not path.split("/")[1].startswith("checkouts"))


def _by_name(_: str, name: str) -> bool:
    return name.endswith(_FILES) or name.startswith(".tmp")


def _below_bucket(path: str, _: str) -> bool:
    return path.count("/") >= 1


def _environments(path: str, name: str) -> bool:
    return path.count("/") >= 2 or not layout.HEX16.match(name)


_WHOLE = {
    "sdists": _sdists, "wheels": _wheels, "git": _git, "archive": _below_bucket, "builds": _below_bucket,
    "environments": _environments, "binaries": _below_bucket, "simple": _by_name, "flat-index": _by_name,
    "interpreter": _by_name, "python": _by_name, "osv": _by_name,
}  # fmt: skip


def is_entry(kind: str, path: str) -> bool:
    """Whether a directory below a bucket of this kind is an entry itself, so that nothing below it is one."""
    return _WHOLE[kind](path, path.rpartition("/")[2])


def _is_whole(path: str) -> bool:
    kind = layout.parse(path).kind
    return bool(kind) and "/" in path and _WHOLE[kind](path, posixpath.basename(path))


def find(root: str, *, digests: Iterable[str] = (), packages: Iterable[str] = ()) -> tuple[str, ...]:
    """The entries of the shards that are filed under one of these digests or normalised package names, sorted.

    A package is looked for in the paths that carry its name, and in the names of the wheels that were built in
    shards that do not.
    """
    wanted, names = frozenset(digests), frozenset(map(normalized, packages))
    found: set[str] = set()
    for top, is_dir, full in _scan(root):
        kind = kind_of(top) if is_dir else None
        if kind in {None, "archive", "builds"}:
            continue
        assert kind is not None
        if kind in {"interpreter", "flat-index"}:
            found.update(e for e in _walk_dir(full, top, layout.parse(top)) if _file_digest(e) in wanted)
            continue
        for source, source_is_dir, source_full in _scan(full):
            if source_is_dir:
                found.update(_find_in(kind, f"{top}/{source}", source_full, wanted, names))
    return tuple(sorted(found))


def _file_digest(path: str) -> str:
    return posixpath.basename(path).removesuffix(".msgpack")


def _find_in(
    kind: str, path: str, full: str, digests: frozenset[str], names: frozenset[str]
) -> Iterator[str]:
    source = posixpath.basename(path)
    if source in digests:
        yield from _walk_dir(full, path, layout.parse(path))
        return
    for name, is_dir, below in _scan(full):
        entry = f"{path}/{name}"
        if not is_dir:
            if name.removesuffix(".rkyv") in names or (kind == "git" and name in digests):
                yield entry
        elif name in digests or (source == "pypi" and name in names):
            yield from _walk_dir(below, entry, layout.parse(entry)) if not _is_whole(entry) else (entry,)
        elif names and source == "index":
            yield from (
                _find_in(kind, entry, below, frozenset(), names)
                if kind == "simple"
                else _named(entry, below, names)
            )
        elif names and kind == "wheels":
            yield from _named(entry, below, names)
        elif names and kind == "sdists":
            look = Look(root="", path=entry, place=layout.parse(f"{entry}/x/x"), release="", what="dir")
            yield from _built_here(entry, below, look, names)


def _named(path: str, full: str, names: frozenset[str]) -> Iterator[str]:
    for name, is_dir, below in _scan(full):
        if is_dir and name in names:
            yield from _walk_dir(below, f"{path}/{name}", layout.parse(f"{path}/{name}"))


def _built_here(path: str, full: str, look: Look, names: frozenset[str]) -> Iterator[str]:
    entries = list(_walk_dir(full, path, look.place))
    for entry in entries:
        stem = posixpath.basename(entry).removesuffix(".whl")
        if layout.is_wheel_stem(stem) and normalized(stem.split("-")[0]) in names:
            yield from entries
            return


__all__ = [
    "EntryKind", "Finding", "before", "entry_kinds", "examine", "find", "is_entry", "kind_at", "neighbours", "normalized",
    "shard_of", "walk",
]  # fmt: skip
