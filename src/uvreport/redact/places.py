"""Where things stand in a bundle: one canonical home, with the project, the cache and all sources below it.

Relative references must stay true, because uv's keys are digests of the absolute paths that they lead to. So what
lies between home and project keeps its depth under placeholder names, what a source climbs over is rebuilt, and
every source outside gets a place of its own.
"""

from __future__ import annotations

import ntpath
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport.bundle import Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

HOMES = {"darwin": "/Users/user", "win32": "C:\\Users\\user"}

CLIMBS_MOST = 8

# Directories that everybody has: never renamed as a whole, whatever stands in them.
_SHARED = frozenset(
    (
        *("/", "/tmp", "/var", "/var/tmp"),  # noqa: S108  (names to compare with, nothing is opened)
        *("/usr", "/usr/local", "/opt", "/etc", "/home", "/srv", "/mnt", "/media"),
        *("/data", "/private", "/private/tmp", "/Users", "/root", "/app", "/src", "/work", "/workspace", "/code"),
        *("/build", "/builds", "/io", "/project", "/repo"),
    )
)  # fmt: skip


class Canonical(Struct, frozen=True, kw_only=True):
    """The canonical places, and the prefixes that lead there: (as it was, as it becomes), the longest first.

    `relative` are relative references whose text has to change with the move.
    """

    places: Places
    prefixes: tuple[tuple[str, str], ...]
    relative: tuple[tuple[str, str], ...] = ()


def canonical(
    places: Places,
    platform: str,
    sources: Sequence[str] = (),
    *,
    homes: Sequence[str] = (),
    temp: str = "",
    others: Mapping[str, str] | None = None,
) -> Canonical:
    """The canonical places of a machine, and how its paths are told there.

    `sources` are references as written: relative ones stand relative to the project. `homes` are further homes
    of the same person, `temp` the directory for temporary files if it is a private one, `others` what else has
    a fixed place.
    """
    path: ModuleType = ntpath if platform == "win32" else posixpath
    home_to = HOMES.get(platform, "/home/user")
    home = _plain(places.home, path)
    project = _plain(places.project, path)
    table: dict[str, str] = dict(others or {})
    for one in (*homes, home):
        if one and _plain(one, path) not in ("/home", "/Users"):
            table[_plain(one, path)] = home_to
    project_to = _project(project, home, home_to, sources, path, table)
    table[_plain(places.cache, path)] = path.join(home_to, ".cache", "uv")
    if temp and _plain(temp, path) not in _SHARED and platform != "win32":
        table[_plain(temp, path)] = "/tmp"  # noqa: S108  (a name in a text, nothing is opened)
    _outside(sources, project, project_to, home_to, path, table)
    for place, name in ((places.venv, "venv"), (places.cwd, "cwd")):
        if place and _told(_plain(place, path), table, path) is None:
            table[_plain(place, path)] = path.join(home_to, name)

    def told(place: str) -> str:
        return (_told(_plain(place, path), table, path) or place) if place else ""

    prefixes = tuple(
        sorted(
            ((was, becomes) for was, becomes in table.items() if was and was != becomes),
            key=lambda pair: (-len(pair[0]), pair[0]),
        )
    )
    return Canonical(
        places=Places(
            home=home_to,
            project=project_to,
            cache=path.join(home_to, ".cache", "uv"),
            cwd=told(places.cwd),
            venv=told(places.venv),
        ),
        prefixes=prefixes,
        relative=tuple(_relative(sources, project, project_to, table, path)),
    )


def _plain(place: str, path: ModuleType) -> str:
    return str(path.normpath(place)) if place else ""


def _is_below(place: str, above: str, path: ModuleType) -> bool:
    place, above = path.normcase(place), path.normcase(above)
    return place == above or place.startswith(above.rstrip(path.sep) + path.sep)


def _told(place: str, table: Mapping[str, str], path: ModuleType) -> str | None:
    """A path as the table of prefixes tells it, None when no prefix fits."""
    fitting = [was for was in table if was and _is_below(place, was, path)]
    if not fitting:
        return None
    longest = max(fitting, key=len)
    return str(path.normpath(table[longest] + place[len(longest) :]))


def _project(
    project: str, home: str, home_to: str, sources: Sequence[str], path: ModuleType, table: dict[str, str]
) -> str:
    if path.normcase(project) == path.normcase(home):
        return home_to
    if _is_below(project, home, path):
        at, to = home, home_to
        between = project[len(home) :].strip(path.sep).split(path.sep)[:-1]
        for number, name in enumerate(between, 1):
            at, to = path.join(at, name), path.join(to, f"dir{number}")
            table[at] = to
        table[project] = path.join(to, "project")
        return table[project]
    # What leads into the home is told by the home's own prefix, however far up it went.
    climbs = max(
        (
            _climbs(source, path)
            for source in sources
            if not _is_below(path.normpath(path.join(project, source)), home, path)
        ),
        default=0,
    )
    climbs = min(climbs, CLIMBS_MOST)
    to = home_to
    parents = [project]
    for _ in range(climbs):
        parents.append(path.dirname(parents[-1]))
    for number, parent in enumerate(reversed(parents[1:]), 1):
        to = path.join(to, f"dir{number}")
        if parent not in _SHARED and path.dirname(parent) != parent and not _is_below(home, parent, path):
            table.setdefault(parent, to)
    table[project] = path.join(to, "project")
    return table[project]


def _climbs(source: str, path: ModuleType) -> int:
    """How many levels above the project a relative source goes at its highest."""
    if path.isabs(source):
        return 0
    level = highest = 0
    for name in source.replace("\\", "/").split("/"):
        level += {"..": -1, ".": 0, "": 0}.get(name, 1)
        highest = min(highest, level)
    return -highest


def _outside(
    sources: Sequence[str],
    project: str,
    project_to: str,
    home_to: str,
    path: ModuleType,
    table: dict[str, str],
) -> None:
    number = 0
    for source in sources:
        place = path.normpath(path.join(project, source))
        if _told(place, table, path) is not None or place in _SHARED:
            continue
        if path.isabs(source):
            number += 1
            table[place] = path.join(home_to, f"outside{number}", path.basename(place))
        else:
            table[place] = path.normpath(path.join(project_to, source))


def _relative(
    sources: Sequence[str], project: str, project_to: str, table: Mapping[str, str], path: ModuleType
) -> list[tuple[str, str]]:
    """The relative references that lead elsewhere after the move, and what they must be instead."""
    changed = []
    for source in dict.fromkeys(sources):
        if path.isabs(source) or not _climbs(source, path):
            continue
        told = _told(path.normpath(path.join(project, source)), table, path)
        if told is None or told == path.normpath(path.join(project_to, source)):
            continue
        becomes = path.relpath(told, project_to)
        changed.append((source.rstrip("/\\"), becomes.replace("\\", "/") if "/" in source else becomes))
    return changed
