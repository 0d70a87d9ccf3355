"""The interpreters that uv can see, the one that it chose, and the virtual environment."""

from __future__ import annotations

import os
import re
import stat
from typing import Any

from uvreport.bundle import Gap, Member
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    ask,
    at,
    facts,
    is_dir,
    is_file,
    link_chain,
    names_in,
    paths_of,
    read,
    reason,
    release_of,
    state,
    table,
    text,
    unique,
    within,
    without_userinfo,
)
from uvreport.collectors.project import climb, place, version_files
from uvreport.collectors.settings import flags, user_data, workspace_root

# The classes of failure for which the environment itself is the evidence.
ENVIRONMENT_CLASSES = frozenset({"environment", "interpreter"})

MAX_LINES = 60
_PYTHON = re.compile(r"(?:python|pypy|graalpy)(?:\d+(?:\.\d+)?t?)?(?:\.exe|\.bat)?")
_ABOUT_PYTHON = re.compile(
    r"Using (?:CPython|PyPy|GraalPy|Python|interpreter)|Found `|interpreter|Python request|Searching for"
    r"|VIRTUAL_ENV|virtual environment|requires-python",
    re.IGNORECASE,
)


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    venv = venv_of(scene)
    members = _venv_members(scene, venv, gaps) if scene.failure.class_ in ENVIRONMENT_CLASSES else []
    value = {
        "chosen": _chosen(scene, gaps),
        "log": _log_lines(scene),
        "on_path": on_path(scene),
        "managed": _managed(scene),
        "venv": about_venv(scene, venv),
        "active": {
            name: about_venv(scene, scene.environ[name])
            for name in ("VIRTUAL_ENV", "CONDA_PREFIX")
            if scene.environ.get(name)
        },
        "conda_environment": scene.environ.get("CONDA_DEFAULT_ENV"),
        "version_files": [{"path": path, "text": text(scene, path)[:2000]} for path in version_files(scene)],
        "requires_python": _requires_python(scene),
    }
    return Findings(members=(facts("python", value), *members), gaps=tuple(gaps))


def venv_of(scene: Scene) -> str:
    """The environment that uv used or would create, "" when that is not known."""
    paths = paths_of(scene)
    if scene.places.venv:
        return scene.places.venv
    named = scene.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    path: str = paths.normpath(paths.join(workspace_root(scene), named))
    return path if state(scene, path, follow=False) is not None else ""


def about_venv(scene: Scene, path: str) -> dict[str, Any]:
    """What is known of an environment without starting its Python; `base` is what its `home =` names."""
    paths = paths_of(scene)
    what = state(scene, path, follow=False) if path else None
    if what is None:
        return {"path": path, "exists": False}
    config = configuration(text(scene, paths.join(path, "pyvenv.cfg")))
    scripts = "Scripts" if scene.platform == "win32" else "bin"
    executable = paths.join(path, scripts, "python.exe" if scene.platform == "win32" else "python")
    base = config.get("home", "")
    return {
        "path": path,
        "exists": True,
        "kind": "link"
        if stat.S_ISLNK(what.st_mode)
        else "folder"
        if stat.S_ISDIR(what.st_mode)
        else "neither",
        "links": list(link_chain(scene, path)[1:]),
        "mode": f"{stat.S_IMODE(what.st_mode):04o}",
        "scripts_mode": _mode(scene, paths.join(path, scripts)),
        "ours": what.st_uid == os.geteuid() if hasattr(os, "geteuid") else None,
        "writable": os.access(at(scene, path), os.W_OK),
        "pyvenv_cfg": config if is_file(scene, paths.join(path, "pyvenv.cfg")) else None,
        "made_by_uv": config.get("uv"),
        "python": list(link_chain(scene, executable)),
        "python_exists": state(scene, executable) is not None,
        "base": base,
        "base_exists": is_dir(scene, base) if base else None,
        "conda": is_dir(scene, paths.join(path, "conda-meta")),
        "uv_marks": [
            n
            for n in (".lock", ".gitignore", "CACHEDIR.TAG")
            if state(scene, paths.join(path, n)) is not None
        ],
        "site_packages": _sites(scene, path),
    }


def configuration(said: str) -> dict[str, str]:
    """The keys of a pyvenv.cfg."""
    pairs = (line.partition("=") for line in said.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _mode(scene: Scene, path: str) -> str | None:
    what = state(scene, path)
    return f"{stat.S_IMODE(what.st_mode):04o}" if what else None


def _sites(scene: Scene, venv: str) -> list[dict[str, Any]]:
    paths = paths_of(scene)
    if scene.platform == "win32":
        folders = [paths.join(venv, "Lib", "site-packages")]
    else:
        lib = paths.join(venv, "lib")
        folders = [
            paths.join(lib, n, "site-packages")
            for n in names_in(scene, lib)
            if n.startswith(("python", "pypy"))
        ]
    found = []
    for folder in folders:
        names = names_in(scene, folder)
        found.append(
            {
                "path": folder,
                "mode": _mode(scene, folder),
                "distributions": sum(name.endswith((".dist-info", ".egg-info")) for name in names),
            }
        )
    return found


def _chosen(scene: Scene, gaps: list[Gap]) -> dict[str, Any] | None:
    """What `uv python find` answers for the same request, with its links."""
    number = release_of(scene.uv.release)
    if number < (0, 3, 0):
        gaps.append(
            Gap(
                what="the interpreter that uv would choose",
                why=f"uv {scene.uv.release or '(unknown)'} cannot be asked",
            )
        )
        return None
    request = request_of(scene)
    outcome = ask(scene, find_arguments(scene))
    if outcome is None:
        gaps.append(Gap(what="the interpreter that uv would choose", why="uv did not answer in time"))
        return None
    path = outcome.stdout.strip()
    if outcome.exit_code != 0 or not path:
        said = [without_userinfo(line.strip()) for line in outcome.stderr.splitlines() if line.strip()]
        return {"request": request, "path": None, "said": said[-10:]}
    return {"request": request, "path": path, "links": list(link_chain(scene, path)[1:])}


def request_of(scene: Scene) -> str:
    """The Python that the command asks for, as it is written; "" when it leaves that to uv."""
    given = flags(scene)
    return given.get("--python") or given.get("-p") or scene.environ.get("UV_PYTHON", "")


def find_arguments(scene: Scene) -> list[str]:
    """What to ask uv for the interpreter that the command would use."""
    request = request_of(scene)
    return ["python", "find", *([request] if request else [])]


def _log_lines(scene: Scene) -> list[str]:
    """What the verbose log says about the choice of the interpreter, without times, each line once."""
    lines = (re.sub(r"^\s*[\d.]+m?s\s+", "", line).rstrip() for line in scene.run.stderr.splitlines())
    return unique(without_userinfo(line) for line in lines if len(line) < 500 and _ABOUT_PYTHON.search(line))[
        :MAX_LINES
    ]


def on_path(scene: Scene) -> list[dict[str, Any]]:
    """Every Python on PATH in order, with what its links lead to."""
    paths = paths_of(scene)
    separator = ";" if scene.platform == "win32" else ":"
    found: list[dict[str, Any]] = []
    for folder in unique(scene.environ.get("PATH", "").split(separator)):
        for name in names_in(scene, folder) if folder else ():
            if not _PYTHON.fullmatch(name.lower()):
                continue
            path = paths.join(folder, name)
            what = state(scene, path)
            chain = link_chain(scene, path)
            found.append(
                {
                    "path": path,
                    "links": list(chain[1:]),
                    "exists": what is not None,
                    "shim": _shim(path, what.st_size if what else 0, scene.platform),
                }
            )
    return found


def _shim(path: str, size_bytes: int, platform: str) -> str | None:
    said = path.replace("\\", "/")
    for name, mark in (("pyenv", "/.pyenv/shims/"), ("asdf", "/.asdf/shims/"), ("mise", "/mise/shims/")):
        if mark in said:
            return name
    # Windows puts an empty file on PATH that opens its store instead of running Python.
    return "Microsoft Store" if platform == "win32" and "/WindowsApps/" in said and size_bytes == 0 else None


def _managed(scene: Scene) -> dict[str, Any]:
    """The Pythons that uv manages, by name; what is half installed is told apart."""
    paths = paths_of(scene)
    folder = scene.environ.get("UV_PYTHON_INSTALL_DIR") or user_data(scene, "python")
    found = []
    for name in names_in(scene, folder):
        path = paths.join(folder, name)
        if name.startswith(".") or not is_dir(scene, path):
            continue
        executable = (
            paths.join(path, "python.exe")
            if scene.platform == "win32"
            else paths.join(path, "bin", "python3")
        )
        found.append(
            {
                "name": name,
                "links": list(link_chain(scene, path)[1:]),
                "complete": state(scene, executable) is not None,
                "build": text(scene, paths.join(path, "BUILD")).strip(),
            }
        )
    return {"folder": folder, "exists": is_dir(scene, folder), "pythons": found}


def _requires_python(scene: Scene) -> Any:
    document = table(scene, paths_of(scene).join(workspace_root(scene), "pyproject.toml"))
    return within(document, "project", "requires-python")


def _venv_members(scene: Scene, venv: str, gaps: list[Gap]) -> list[Member]:
    """The environment as evidence: its configuration, its folders with modes, the links to its Python."""
    paths = paths_of(scene)
    if not venv or state(scene, venv, follow=False) is None:
        return []
    levels = climb(scene, [venv])
    scripts = "Scripts" if scene.platform == "win32" else "bin"
    wanted = [
        venv,
        *(
            paths.join(venv, name)
            for name in ("pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock", scripts, "lib")
        ),
    ]
    wanted += [
        paths.join(venv, scripts, name)
        for name in names_in(scene, paths.join(venv, scripts))
        if _PYTHON.fullmatch(name)
    ]
    for site in _sites(scene, venv):
        wanted += [paths.dirname(site["path"]), site["path"]]
    members: list[Member] = []
    if names_in(scene, venv) and not any(state(scene, path, follow=False) for path in wanted[1:]):
        # Not an environment at all, and not empty, which is what counts: whose files these are, does not.
        inside = place(scene, paths.join(venv, "uvreport-stand-in"), levels)
        members += [Member(path=inside)] if inside is not None else []
    for path in wanted:
        what = state(scene, path, follow=False)
        member = place(scene, path, levels)
        if what is None:
            continue
        if member is None:
            gaps.append(
                Gap(what=path, why="outside the project and the home, so a replay has no place for it")
            )
            continue
        mode, time = stat.S_IMODE(what.st_mode), what.st_mtime_ns
        if stat.S_ISLNK(what.st_mode):
            members.append(Member(path=member, kind="link", target=os.readlink(at(scene, path)), mode=0o777))
        elif stat.S_ISDIR(what.st_mode):
            members.append(Member(path=member, kind="dir", mode=mode, mtime_ns=time))
        elif what.st_size < 10_000:
            try:
                members.append(Member(path=member, data=read(scene, path), mode=mode, mtime_ns=time))
            except OSError as error:
                gaps.append(Gap(what=path, why=reason(error)))
    return members


COLLECTOR = Collector(
    name="python",
    what="interpreters that uv can see, the one it chose, the virtual environment",
    collect=collect,
)
