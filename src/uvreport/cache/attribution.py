"""Who wrote an entry, as a range of releases.

What bounds the writer is the entry's own: the bucket that it is in, its shape, the ids in it, the trailer behind it,
the form of a link, the digest that it is filed under, the release that an environment names. What stands beside it
is not asked: any release that uses the bucket can have put one entry next to another's.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TypeGuard

from uvreport.cache import keys, layout
from uvreport.cache.buckets import (
    EVERY,
    ReleaseRange,
    common,
    hull,
    is_known,
    releases_of,
    since,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvreport.cache.entry import Judgement, Look


def attribute(look: Look, judged: Judgement) -> ReleaseRange | None:
    """The releases that can have written the entry; None when nothing is known, or nothing stands there."""
    span = releases_of(look.place.bucket) if look.place.bucket else EVERY
    if span is None or look.what == "missing":
        return None
    seen = common((span,), judged.writers) if judged.writers else (span,)
    for more in _evidence(look, judged):
        seen = common(seen, more)
    found = hull(seen)
    # None: this bucket's releases write no such thing. It is damaged, or was carried over by hand.
    return None if found == EVERY else found


def _evidence(look: Look, judged: Judgement) -> Iterable[tuple[ReleaseRange, ...]]:
    kind = look.place.kind
    if kind == "interpreter":
        yield from _filed(look, judged)
    elif kind in {"archive", "environments"}:
        yield from _made_by(look, judged)
    elif kind == "git" and look.path.count("/") == 2 and look.path.split("/")[1] == "db":
        yield _CLONES if look.is_dir(f"{look.path}/.git") else _BARE
    if kind in {"sdists", "wheels"}:
        yield from _fetched(look, judged)
    if kind in _LOCKS and look.path.endswith(".lock") and not look.path.endswith("/.lock"):
        yield _LOCKS[kind]


# What releases began or ceased to do, each boundary between two releases that were run.

_BARE, _CLONES = (until("0.2.5"),), (since("0.2.6"),)
# One lock for each wheel, beside that of the shard; one for each environment, beside its link.
_LOCKS = {"sdists": (since("0.12.8"),), "wheels": (since("0.12.8"),), "environments": (since("0.13.8"),)}
# What was fetched was not hashed unless its hash was to be checked.
_DOES_NOT_HASH = (until("0.11.18"),)


def _fetched(look: Look, judged: Judgement) -> Iterable[tuple[ReleaseRange, ...]]:
    decoded = judged.decoded
    if look.path.endswith(".http") and isinstance(decoded, dict) and decoded.get("hashes") == []:
        yield _DOES_NOT_HASH


# Interpreters: the digests in the path.

_SHARD_BY_KERNEL = (since("0.6.4"),)
_SHARD_BY_ARCH = (ReleaseRange("0.5.9", "0.6.3"),)
# A release that hashes the path so, and the releases that do.
_FORMS = (
    ("0.1.31", ReleaseRange("0.0.5", "0.1.31")), ("0.4.7", ReleaseRange("0.1.32", "0.4.7")),
    ("0.7.17", ReleaseRange("0.4.8", "0.7.17")), ("0.12.3", ReleaseRange("0.7.18", "0.12.3")),
    ("0.12.4", since("0.12.4")),
)  # fmt: skip


def _filed(look: Look, judged: Judgement) -> Iterable[tuple[ReleaseRange, ...]]:
    """By the form of the shard's name, and by the form of the path that gives the file its name."""
    names = look.path.split("/")[1:]
    if len(names) == 2:
        yield _SHARD_BY_KERNEL if layout.HEX16.match(names[0]) else _SHARD_BY_ARCH
    described = judged.decoded.get("data") if isinstance(judged.decoded, dict) else None
    info = (described.get("info", described) if isinstance(described, dict) else None) or {}
    executable, base = (info.get(name) for name in ("sys_executable", "sys_base_executable"))
    if not _is_path(executable):
        return
    filed_as = names[-1].removesuffix(".msgpack")
    # Where links lead is asked of the disk; the environment may be gone by now, but seldom what it was made from.
    # An interpreter that was asked for by another path than it names has a digest that nothing here gives.
    reals = {os.path.realpath(path) for path in (executable, base) if _is_path(path)}
    spans = tuple(
        span
        for release, span in _FORMS
        if any(keys.interpreter_file(executable, real, release) == filed_as for real in reals)
    )
    if spans:
        yield spans


def _is_path(value: object) -> TypeGuard[str]:
    """Whether it can be hashed in no time and handed to the system: entries can hold anything."""
    return isinstance(value, str) and value.startswith("/") and len(value) <= 4096 and "\0" not in value


# Environments: uv writes its release into pyvenv.cfg when it makes one, and never again.

_CFG_LIMIT_BYTES = 64_000
_UV = re.compile(rb"^uv\s*=\s*(\d+\.\d+\.\d+)\s*$", re.MULTILINE)


def _made_by(look: Look, judged: Judgement) -> Iterable[tuple[ReleaseRange, ...]]:
    if look.place.kind == "archive":
        is_one = isinstance(judged.decoded, dict) and "environment" in judged.decoded
        where = look.full(look.path) if is_one else ""
    elif look.what == "link":
        archive = next(iter(judged.links_to), "")
        where = look.full(archive) if archive else ""
    else:
        where = look.full(look.path) if look.what == "dir" else ""
    release = _release_in(os.path.join(where, "pyvenv.cfg")) if where else ""
    if release and is_known(release):
        yield (ReleaseRange(release, release),)


def _release_in(path: str) -> str:
    try:
        with open(path, "rb") as file:
            found = _UV.search(file.read(_CFG_LIMIT_BYTES))
    except (OSError, ValueError):
        return ""
    return found[1].decode() if found else ""
