"""The lockfile: its revision, and the part of it that is about the packages in question."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from uvreport.bundle import Gap
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    deep_without_userinfo,
    dicts,
    facts,
    paths_of,
    read,
    reason,
    release_of,
    state,
    toml,
    within,
)
from uvreport.collectors.settings import workspace_root
from uvreport.collectors.sources import script_of

# The revision that a release writes into a lockfile of version 1, from the given release on.
REVISIONS = (((0, 6, 0), 1), ((0, 6, 15), 2), ((0, 8, 4), 3), ((0, 12, 22), 5))

LOCK_LIMIT_BYTES = 20_000_000
EXCERPT_LIMIT_CHARACTERS = 40_000
BLOCK_LIMIT_LINES = 80

_BLOCK = re.compile(r"(?m)^\[\[package\]\][ \t]*$")


class Block(Struct, frozen=True, kw_only=True):
    """One `[[package]]` of a lockfile: its text as it stands there, its name, and the names that it needs."""

    name: str
    text: str
    needs: tuple[str, ...]


def collect(scene: Scene) -> Findings:
    path = lock_path(scene)
    if path is None:
        return Findings(gaps=(Gap(what="lockfile", why="there is none"),))
    try:
        source = read(scene, path, limit_bytes=LOCK_LIMIT_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return Findings(gaps=(Gap(what=path, why=reason(error)),))
    gaps: list[Gap] = []
    document: dict[str, Any] = {}
    problem = ""
    try:
        document = toml(source)
    except ValueError as error:
        problem = reason(error)
        gaps.append(Gap(what=path, why=problem))
    blocks = _blocks(source)
    wanted = _names(scene, blocks)
    chosen = around(blocks, wanted)
    version, revision = document.get("version"), document.get("revision", 0)
    value = {
        "path": path,
        "problem": problem,
        "version": version,
        "revision": revision,
        "packages": len(blocks),
        "requires_python": document.get("requires-python"),
        "options": deep_without_userinfo(document.get("options")),
        "manifest": deep_without_userinfo(document.get("manifest")),
        "conflicts": document.get("conflicts"),
        "resolution_markers": document.get("resolution-markers"),
        "revision_that_this_release_writes": written_by(scene.uv.release),
        "newer_than_this_release": _is_newer(version, revision, scene.uv.release),
        "source_kinds": _source_kinds(document),
        "in_question": sorted(wanted),
        "not_in_lockfile": sorted(wanted - {block.name for block in blocks}),
        "excerpt_of": [block.name for block in chosen],
        "excerpt": excerpt(chosen),
    }
    return Findings(members=(facts("lockfile", value),), gaps=tuple(gaps))


def lock_path(scene: Scene) -> str | None:
    """The lockfile of this run: the script's own, else the workspace's."""
    paths = paths_of(scene)
    script = script_of(scene)
    for path in [f"{script}.lock"] if script else [paths.join(workspace_root(scene), "uv.lock")]:
        if state(scene, path, follow=False) is not None:
            return path
    return None


def _names(scene: Scene, blocks: list[Block]) -> set[str]:
    """The packages in question: those of the failure, and those named by a folder of a culprit's path."""
    locked = {block.name for block in blocks}
    parts = {
        re.sub(r"[-_.]+", "-", part).lower() for culprit in scene.culprits for part in culprit.path.split("/")
    }
    return set(scene.packages) | (parts & locked)


def _blocks(source: str) -> list[Block]:
    starts = [match.start() for match in _BLOCK.finditer(source)]
    ends = [*starts[1:], len(source)][: len(starts)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        body = source[start:end].rstrip() + "\n"
        # A lockfile that cannot be parsed as a whole still has an excerpt, so names are read line by line.
        name = re.search(r'(?m)^name = "([^"]*)"', body)
        own, _, metadata = body.partition("[package.metadata")
        del metadata
        needs = dict.fromkeys(re.findall(r'\{ name = "([^"]*)"', own))
        found.append(Block(name=name[1] if name else "", text=body, needs=tuple(needs)))
    return found


def around(blocks: list[Block], names: set[str]) -> list[Block]:
    """The blocks of the named packages, of those that need them, of those that they need; each once."""
    centre = [block for block in blocks if block.name in names]
    above = [block for block in blocks if set(block.needs) & names]
    needed = {need for block in centre for need in block.needs}
    below = [block for block in blocks if block.name in needed]
    found: list[Block] = []
    for block in [*centre, *above, *below]:
        if block not in found:
            found.append(block)
    return found


def excerpt(blocks: list[Block]) -> str:
    """The blocks as text, long lists of files shortened, as many as fit."""
    found: list[str] = []
    room = EXCERPT_LIMIT_CHARACTERS
    for block in blocks:
        lines = block.text.splitlines(keepends=True)
        if len(lines) > BLOCK_LIMIT_LINES:
            left_out = len(lines) - BLOCK_LIMIT_LINES
            half = BLOCK_LIMIT_LINES // 2
            lines = [*lines[:half], f"# {left_out} lines left out here\n", *lines[-half:]]
        said = "".join(lines)
        if len(said) > room:
            found.append(f"# {len(blocks) - len(found)} more packages left out here\n")
            break
        room -= len(said)
        found.append(said)
    return "\n".join(found)


def written_by(release: str) -> int | None:
    """The revision that a release writes; 0 stands for none, None when the release is not known."""
    number = release_of(release)
    if not number:
        return None
    return next((revision for first, revision in reversed(REVISIONS) if number >= first), 0)


def _is_newer(version: Any, revision: Any, release: str) -> bool | None:
    writes = written_by(release)
    if not isinstance(version, int) or not isinstance(revision, int) or writes is None:
        return None
    return version > 1 or revision > writes


def _source_kinds(document: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for package in dicts(document.get("package")):
        source = within(package, "source")
        kind = next(iter(source), "none") if isinstance(source, dict) else "none"
        counts[kind] = counts.get(kind, 0) + 1
    return counts


COLLECTOR = Collector(
    name="lockfile",
    what="the lockfile's revision, and its part about the packages in question",
    collect=collect,
)
