"""The git that uv would use: its version, git-lfs, and which settings are there, without their values."""

from __future__ import annotations

import re
import shutil
import stat
from typing import Any

from uvreport import uv as door
from uvreport.bundle import Gap
from uvreport.collectors import Collector, Findings, Scene, facts, paths_of, state

LIMIT_S = 2.0


def collect(scene: Scene) -> Findings:
    program = shutil.which("git", path=scene.environ.get("PATH"))
    if program is None:
        return Findings(gaps=(Gap(what="git", why="not on PATH"),))
    gaps: list[Gap] = []
    value: dict[str, Any] = {
        "path": program,
        "version": _first_line(scene, [program, "--version"], gaps),
        "repository": _repository(scene),
    }
    lfs = shutil.which("git-lfs", path=scene.environ.get("PATH"))
    value["lfs"] = _first_line(scene, [lfs, "version"], gaps) if lfs else None
    said = _ask(scene, [program, "config", "--null", "--list"], gaps)
    value["settings"] = settings_of(said)
    return Findings(members=(facts("git", value),), gaps=tuple(gaps))


def settings_of(listed: str) -> dict[str, Any]:
    """Of `git config --null --list` what can change a fetch: helpers by name, numbers, switches."""
    found: dict[str, Any] = {
        "credential_helpers": [],
        "rewrites": 0,
        "extra_headers": 0,
        "proxies": 0,
        "flags": {},
    }
    helpers: set[str] = set()
    for entry in listed.split("\0"):
        key, _, value = entry.partition("\n")
        key = key.lower()
        if key.startswith("credential") and key.endswith(".helper"):
            # `!gh auth git-credential`, `/usr/bin/helper --with-arguments`, `store --file ~/secret`: the
            # program only.
            words = value.lstrip("!").split()
            helpers.add(re.split(r"[/\\]", words[0])[-1] if words else "(none)")
        elif key.startswith("url.") and key.endswith((".insteadof", ".pushinsteadof")):
            found["rewrites"] += 1
        elif key.startswith("http.") and key.endswith(".extraheader"):
            found["extra_headers"] += 1
        elif key.endswith(".proxy"):
            found["proxies"] += 1
        elif key in (
            "core.longpaths",
            "core.autocrlf",
            "core.fsmonitor",
            "core.symlinks",
            "http.sslverify",
            "http.version",
        ):
            found["flags"][key] = value[:20]
    found["credential_helpers"] = sorted(helpers)
    return found


def _repository(scene: Scene) -> dict[str, Any] | None:
    """How many levels above the project its repository is, and whether that is a worktree or submodule."""
    paths = paths_of(scene)
    folder = scene.places.project
    for levels in range(40):
        what = state(scene, paths.join(folder, ".git"))
        if what is not None:
            return {"levels_up": levels, "worktree_or_submodule": not stat.S_ISDIR(what.st_mode)}
        if paths.dirname(folder) == folder:
            break
        folder = paths.dirname(folder)
    return None


def _ask(scene: Scene, argv: list[str], gaps: list[Gap]) -> str:
    env = {**scene.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        said = door.run(argv, cwd=scene.places.cwd, env=env, timeout_s=LIMIT_S)
    except OSError as error:
        gaps.append(Gap(what=" ".join(["git", *argv[1:]]), why=(error.strerror or str(error)).lower()))
        return ""
    if said.timed_out:
        gaps.append(Gap(what=" ".join(["git", *argv[1:]]), why=f"did not answer within {LIMIT_S:g} s"))
    return said.stdout


def _first_line(scene: Scene, argv: list[str], gaps: list[Gap]) -> str:
    lines = _ask(scene, argv, gaps).splitlines()
    return lines[0].strip() if lines else ""


COLLECTOR = Collector(
    name="git", what="git and git-lfs, and which settings of git are there", collect=collect
)
