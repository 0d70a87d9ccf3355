"""What a path inside the cache is about: bucket, source, digest, package, shard, revision."""

from __future__ import annotations

import functools
import re

from msgspec import Struct

from uvreport.cache.buckets import kind_of

HEX16 = re.compile(r"[0-9a-f]{16}\Z")
POINTERS = frozenset({"revision.rev", "revision.http", "manifest.msgpack"})
_KEYED = frozenset({"url", "path", "editable"})


class Place(Struct, frozen=True, kw_only=True):
    """A path taken apart. `rest` are the names below `shard` (and below `revision`, and `settings`, if there is one).

    `kind` is the bucket's kind ("" for the root's own files and for buckets that are not uv's), `source` the
    directory below the bucket ("pypi", "index", "url", "path", "editable", "git"), `digest` the 16 hex digits that
    file it, `package` and `version` what the path itself says. `shard` is the directory that a reader looks at
    as a whole, `revision` the id of a build below it, `settings` the digest of build settings.
    """

    path: str
    bucket: str = ""
    kind: str = ""
    source: str = ""
    digest: str = ""
    package: str = ""
    version: str = ""
    shard: str = ""
    revision: str = ""
    settings: str = ""
    rest: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The directory below which `rest` stands."""
        return "/".join(filter(None, (self.shard, self.revision, self.settings)))


@functools.lru_cache(maxsize=1024)
def parse(path: str) -> Place:
    """The place of `path`, which is relative to the cache root and separated by "/". Never fails."""
    parts = tuple(path.split("/"))
    bucket = parts[0]
    kind = kind_of(bucket) or ""
    if len(parts) == 1 or not kind:
        return Place(path=path, bucket=bucket if kind else "", kind=kind, rest=parts[1:] if kind else parts)
    if kind in {"sdists", "wheels", "simple"}:
        return _sourced(path, bucket, kind, parts)
    depth = {
        "interpreter": len(parts) - 1, "archive": 2, "environments": 2, "builds": 2, "python": 2, "binaries": 2,
        "git": 4 if parts[1] == "checkouts" else 3, "flat-index": 2, "osv": 2,
    }[kind]  # fmt: skip
    return Place(
        path=path,
        bucket=bucket,
        kind=kind,
        digest=next((p for p in parts[1:] if HEX16.match(p)), "") if kind != "interpreter" else "",
        shard="/".join(parts[:depth]),
        rest=parts[depth:],
    )


def _sourced(path: str, bucket: str, kind: str, parts: tuple[str, ...]) -> Place:
    source, digest, at = parts[1], "", 2
    if source in {"index", "git"} | _KEYED:
        digest = parts[2] if len(parts) > 2 else ""
        at = 3
    elif kind == "simple" and HEX16.match(source):  # ..0.2.27
        source, digest = "index", parts[1]
    elif source != "pypi":
        return Place(path=path, bucket=bucket, kind=kind, rest=parts[1:])
    package = version = revision = settings = ""
    if kind == "wheels" or (kind == "sdists" and source in {"pypi", "index"}):
        package = parts[at] if len(parts) > at else ""
        at += 1
    if kind == "sdists" and source in {"pypi", "index"}:
        version = parts[at] if len(parts) > at else ""
        at += 1
    elif kind == "sdists" and source == "git":
        at += 1  # the commit
    rest = parts[at:]
    if (
        kind == "sdists"
        and source != "git"
        and rest
        and rest[0] not in POINTERS
        and not rest[0].endswith(".lock")
    ):
        revision, rest = rest[0], rest[1:]
    if kind == "sdists" and len(rest) > 1 and HEX16.match(rest[0]):
        settings, rest = rest[0], rest[1:]
    if kind == "simple" and rest:
        package = rest[0].removesuffix(".rkyv")
    return Place(
        path=path, bucket=bucket, kind=kind, source=source, digest=digest, package=package, version=version,
        shard="/".join(parts[:at]), revision=revision, settings=settings, rest=rest,
    )  # fmt: skip


def is_wheel_stem(name: str) -> bool:
    """Whether this is the name of a wheel without its `.whl`: name, version and three tags."""
    return name.count("-") >= 4 and not name.endswith(
        (".whl", ".lock", ".gz", ".zip", ".http", ".rev", ".msgpack")
    )
