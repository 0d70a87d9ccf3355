"""Finds the places of a uv command: home, project, cache, environment, and what else it may write to."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from uvreport import uv as uv_door
from uvreport import written
from uvreport.bundle import Places, Uv
from uvreport.cache.entry import before
from uvreport.errors import NoUsableUvError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvreport.invocation import Invocation


class Whereabouts(Struct, frozen=True, kw_only=True):
    """The places, and what else the command may write to.

    `also` are paths, there or not: local sources, active environments, what `--target` and the like name.
    `covered` are directories that variables name, which a copy redirects by itself. `installation` is the Python
    installation whose own packages the command changes, "" for none.
    """

    places: Places
    also: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    installation: str = ""


def find_uv(named: str | None, word: str, environ: Mapping[str, str]) -> Uv:
    """The uv that fails: the one named, the one in the command if that is a path, else the first on PATH.

    For `uvx` it is the `uv` beside it: the one starts the other.
    """
    if named:
        if not os.path.exists(named):
            raise NoUsableUvError(f"There is no {named}.", hint="Name a working uv with --uv PATH.")
        return uv_door.identify(os.path.abspath(named), env=environ)
    folder, name = os.path.split(word.replace("\\", "/") if os.name == "nt" else word)
    is_uvx = name.lower().startswith("uvx")
    if folder:
        beside = os.path.join(folder, "uv" + name[3:]) if is_uvx else word
        return uv_door.identify(os.path.abspath(beside), env=environ)
    found = uv_door.on_path(environ, word)
    if found and is_uvx:
        beside = os.path.join(os.path.dirname(found[0]), "uv" + os.path.basename(found[0])[3:])
        found = (beside,) if os.path.exists(beside) else uv_door.on_path(environ, "uv")
    if not found:
        raise NoUsableUvError(
            f"There is no `{word}` on PATH.", hint="Install uv, or name the one that fails with --uv PATH."
        )
    return uv_door.identify(found[0], env=environ)


# The directory to go to first, and the first release that knows the variable.
WORKING_DIRECTORY = {"UV_WORKING_DIR": "0.9.14", "UV_WORKING_DIRECTORY": "0.9.1"}


def in_its_directory(environ: Mapping[str, str]) -> dict[str, str]:
    """The same, to be used in `Places.cwd`: a relative directory would be entered twice."""
    return {name: value for name, value in environ.items() if name not in WORKING_DIRECTORY}


def _working_directory(command: Invocation, uv: Uv | None, environ: Mapping[str, str]) -> str:
    release = uv.release if uv else ""
    known = (
        environ.get(name)
        for name, first in WORKING_DIRECTORY.items()
        if not release or not before(release, first)
    )
    return command.option("--directory") or next(filter(None, known), "")


def whereabouts(
    command: Invocation,
    uv: Uv | None,
    environ: Mapping[str, str],
    cwd: str,
    *,
    project: str | None = None,
    cache_dir: str | None = None,
) -> Whereabouts:
    """Where `command` works. Raises UsageError for a project that is not there.

    The cache is where uv itself says (`uv cache dir`, 11 ms), so that flags, variables and settings all count.
    """
    base = os.path.abspath(os.path.join(cwd, _working_directory(command, uv, environ)))
    environ = in_its_directory(environ)
    named = project or command.option("--project") or environ.get("UV_PROJECT")
    if named:
        root = os.path.abspath(os.path.join(cwd if project else base, named))
        if not os.path.isdir(root):
            raise UsageError(
                f"There is no project at {named}: no such directory.", hint="Name it with --project DIR."
            )
        start = root
    else:
        start = base
    root = workspace_root(start)
    home = _home(environ)
    cache = cache_dir or command.option("--cache-dir")
    if cache is None:
        cache = _ask_cache(uv, environ, base) or os.path.join(home, ".cache", "uv")
    cache = os.path.abspath(os.path.join(base, cache))
    pip = written.environment(command, environ, base)
    places = Places(home=home, project=root, cache=cache, cwd=base, venv=_venv(command, environ, root, pip))
    named_there = (environ.get(name) for name in ("VIRTUAL_ENV", "UV_TOOL_DIR", "UV_TOOL_BIN_DIR"))
    also = [os.path.abspath(path) for path in named_there if path and os.path.isdir(path)]
    also += (*_outside_sources(root), *written.outside(command, base))
    return Whereabouts(
        places=places,
        also=tuple(dict.fromkeys(also)),
        covered=written.by_variables(environ),
        installation="" if pip is None or pip.virtual or not written.changes(command) else pip.path,
    )


def _home(environ: Mapping[str, str]) -> str:
    return os.path.abspath(environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~"))


def _ask_cache(uv: Uv | None, environ: Mapping[str, str], cwd: str) -> str | None:
    if uv is None:
        return environ.get("UV_CACHE_DIR")
    try:
        said = uv_door.run([uv.path, "cache", "dir"], cwd=cwd, env={**environ, "NO_COLOR": "1"}, timeout_s=5)
    except OSError:
        return environ.get("UV_CACHE_DIR")
    lines = said.stdout.strip().splitlines()
    # A broken pyproject.toml makes uv refuse even this; the variable and the default are left.
    return lines[-1] if said.exit_code == 0 and lines else environ.get("UV_CACHE_DIR")


def _venv(command: Invocation, environ: Mapping[str, str], root: str, pip: written.Environment | None) -> str:
    if command.subcommand[:1] == ("pip",):
        return pip.path if pip is not None and pip.virtual else ""
    if command.kind == "tool-run":
        return ""
    return os.path.abspath(os.path.join(root, environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"))


def workspace_root(start: str) -> str:
    """The root of the project around `start`: its workspace's, else its own, else `start` itself."""
    folder = start
    own: str | None = None
    while True:
        if os.path.isfile(os.path.join(folder, "pyproject.toml")):
            table = read_toml(os.path.join(folder, "pyproject.toml"))
            if own is None:
                own = folder
            workspace = table.get("tool", {}).get("uv", {}).get("workspace") if _is_tables(table) else None
            if isinstance(workspace, dict) and (folder == own or _is_member(folder, own, workspace)):
                return folder
        above = os.path.dirname(folder)
        if above == folder:
            return own or start
        folder = above


def _is_tables(table: dict[str, Any]) -> bool:
    tool = table.get("tool", {})
    return isinstance(tool, dict) and isinstance(tool.get("uv", {}), dict)


def _is_member(root: str, member: str, workspace: dict[str, Any]) -> bool:
    patterns = workspace.get("members") or []
    return any(
        os.path.normpath(path) == member
        for pattern in patterns
        if isinstance(pattern, str)
        for path in glob.glob(os.path.join(root, pattern))
    )


def read_toml(path: str) -> dict[str, Any]:
    """The tables of a TOML file; empty when it cannot be read or does not parse."""
    try:
        with open(path, "rb") as file:
            found: dict[str, Any] = msgspec.toml.decode(file.read(), type=dict[str, Any])
    except (OSError, ValueError):
        return {}
    return found


def _outside_sources(root: str) -> list[str]:
    """Local sources outside the project: a build may write beside them, and a copy finds them only if they are copied."""
    table = read_toml(os.path.join(root, "pyproject.toml"))
    sources = table.get("tool", {}).get("uv", {}).get("sources", {}) if _is_tables(table) else {}
    found = []
    for entry in sources.values() if isinstance(sources, dict) else ():
        for one in entry if isinstance(entry, list) else [entry]:
            path = one.get("path") if isinstance(one, dict) else None
            if isinstance(path, str):
                absolute = os.path.normpath(os.path.join(root, path))
                if os.path.exists(absolute) and not (absolute + os.sep).startswith(root + os.sep):
                    found.append(absolute)
    return found
