"""The part of the project that a replay needs: what uv and a build backend read to decide, and no more."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import stat
import time
from typing import Any, Literal

from msgspec import Struct

from uvreport.bundle import Gap, Member
from uvreport.collectors import (
    FILE_LIMIT_BYTES,
    Collector,
    Findings,
    Scene,
    at,
    deep_without_userinfo,
    facts,
    is_dir,
    is_file,
    paths_of,
    read,
    reason,
    state,
    strings,
    tables,
    text,
    under,
    within,
)
from uvreport.collectors.settings import flags, workspace_root
from uvreport.collectors.sources import (
    ARCHIVES,
    Declaring,
    declaring,
    find_links,
    members_of,
    named_locals,
    path_sources,
    requirement_files,
    script_of,
)

TOTAL_LIMIT_BYTES = 20_000_000
ARCHIVE_LIMIT_BYTES = 200_000
MAX_PER_GLOB = 200
GLOB_LIMIT_S = 1.0

# Beyond so many levels, a source that is reached by `..` says more about the machine than about the failure.
MAX_CLIMB = 8

LEFT_OUT = "# uvreport: the body of this script was left out.\n"

_USUAL_MODES = {0o755, 0o775, 0o700, 0o750, 0o770, 0o777}
_SCRIPT_METADATA = re.compile(r"(?m)^# /// [a-zA-Z0-9-]+[ \t]*$(?:\r?\n#.*)*")
_CODE = (
    ".py", ".pyi", ".pyx", ".pxd", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".rs", ".go", ".js", ".ts",
    ".java", ".f90", ".cu", ".so", ".pyd", ".dll", ".proto", ".ipynb", ".sql",
)  # fmt: skip

How = Literal["content", "stand-in", "folder", "script", "version"]


class Wanted(Struct, frozen=True, kw_only=True):
    """A path of the project, how it is taken, and what for.

    "content": as it is. "stand-in": an empty file of that name. "folder": that it is there. "script": its
    metadata. "version": the lines that assign a version.
    """

    path: str
    how: How
    why: str


def collect(scene: Scene) -> Findings:
    files = declaring(scene)
    wanted = _wanted(scene, files)
    levels = climb(scene, [want.path for want in wanted])
    members, gaps, taken = _taken(scene, wanted, levels)
    root = workspace_root(scene)
    value = {
        "root": root,
        "workspace_members": members_of(scene, root),
        "climb": levels,
        "declaring": [_about(file) for file in files],
        "taken": taken,
        "stand_ins": [entry["member"] for entry in taken if entry["how"] != "content"],
    }
    return Findings(members=(facts("project", value), *members), gaps=tuple(gaps))


def _about(file: Declaring) -> dict[str, Any]:
    project = tables(within(file.document, "project")) or file.document
    keys = ("name", "version", "requires-python", "dependencies", "dynamic", "optional-dependencies")
    about = {key: project[key] for key in keys if key in project}
    for key in ("build-system", "dependency-groups"):
        if key in file.document:
            about[key] = file.document[key]
    uv = within(file.document, "tool", "uv")
    about["package"] = within(uv, "package")
    about["workspace"] = within(uv, "workspace")
    found: dict[str, Any] = deep_without_userinfo({"path": file.path, "problem": file.problem, **about})
    return found


# Where a path goes in the bundle


def climb(scene: Scene, paths: list[str]) -> int:
    """How many levels above the project the paths reach, counting only those that no home holds; 0 for none.

    Only for a project outside the home: such a one is put back below as many folders (`dir1/dir2/project`),
    so that what it reaches by `..` can be put back beside it.
    """
    if under(scene, scene.places.project, scene.places.home) is not None:
        return 0
    return min(max((_levels_up(scene, path) for path in paths), default=0), MAX_CLIMB)


def _levels_up(scene: Scene, path: str) -> int:
    if any(under(scene, path, place) is not None for place in (scene.places.project, scene.places.home)):
        return 0
    return _relative(scene, path).split("/").count("..")


def _relative(scene: Scene, path: str) -> str:
    paths = paths_of(scene)
    try:
        return str(paths.relpath(path, scene.places.project)).replace("\\", "/")
    except ValueError:  # another drive
        return "/".join([".."] * (MAX_CLIMB + 1))


def place(scene: Scene, path: str, levels: int) -> str | None:
    """The member path for a path of this machine, None when a replay has no place for it.

    In the project: `project/...`. In the home: `home/...`. For a project outside the home, what it reaches by
    climbing k of `levels` levels: `home/dir1/.../dir(levels-k+1)/...`, the project itself standing at
    `home/dir1/.../dir(levels)/project`.
    """
    inside = under(scene, path, scene.places.project)
    if inside is not None:
        return posixpath.join("project", inside) if inside else "project"
    below = under(scene, path, scene.places.home)
    if below:
        return f"home/{below}"
    up = _levels_up(scene, path)
    if not 0 < up <= levels:
        return None
    folders = [f"dir{n}" for n in range(1, levels - up + 2)]
    rest = [part for part in _relative(scene, path).split("/") if part != ".."]
    return "/".join(["home", *folders, *(part for part in rest if part != ".")])


# What is wanted


def _wanted(scene: Scene, files: tuple[Declaring, ...]) -> list[Wanted]:
    paths = paths_of(scene)
    found: list[Wanted] = []

    def want(path: str, how: How, why: str) -> None:
        found.append(Wanted(path=path, how=how, why=why))

    root = workspace_root(scene)
    for folder in dict.fromkeys((scene.places.project, root)):
        for name in ("pyproject.toml", "uv.lock", "uv.toml"):
            want(paths.join(folder, name), "content", "the project")
    for path in version_files(scene):
        want(path, "content", "chooses the Python")
    script = script_of(scene)
    if script is not None:
        want(script, "script", "the script that is run")
        want(script + ".lock", "content", "the script's lockfile")
    for path in requirement_files(scene):
        want(path, "content", "named as requirements or constraints")
    for name in ("--env-file", "UV_ENV_FILE"):
        for word in (flags(scene).get(name) or scene.environ.get(name, "")).split():
            want(
                paths.normpath(paths.join(scene.places.cwd, word)),
                "stand-in",
                "an env file, private by nature",
            )
    for local in [*named_locals(scene), *(local for file in files for local in path_sources(scene, file))]:
        if local.path.lower().endswith(ARCHIVES) and not is_dir(scene, local.path):
            want(local.path, "stand-in", "a local archive")
        elif is_dir(scene, local.path):
            want(local.path, "folder", "a local source")
            found.extend(_source_tree(scene, local.path, {}))
    for local in find_links(scene):
        if is_dir(scene, local.path):
            want(local.path, "folder", "find-links")
            names = [n for n in sorted(os.listdir(at(scene, local.path))) if n.lower().endswith(ARCHIVES)]
            for name in names[:MAX_PER_GLOB]:
                want(paths.join(local.path, name), "stand-in", "find-links")
        elif is_file(scene, local.path):
            want(local.path, "content" if local.path.endswith(".html") else "stand-in", "find-links")
    for file in files:
        if paths.basename(file.path) == "pyproject.toml":
            found.extend(_source_tree(scene, file.folder, file.document))
    order = ("content", "script", "version", "stand-in", "folder")
    best: dict[str, Wanted] = {}
    for entry in sorted(found, key=lambda entry: order.index(entry.how)):
        best.setdefault(entry.path, entry)
    return [best[path] for path in sorted(best)]


def version_files(scene: Scene) -> list[str]:
    """The `.python-version` and `.python-versions` files between the working folder and the root."""
    paths = paths_of(scene)
    root = workspace_root(scene)
    folders = [root, scene.places.project]
    folder = scene.places.cwd
    while under(scene, folder, root) is not None:
        folders.append(folder)
        if paths.dirname(folder) == folder:
            break
        folder = paths.dirname(folder)
    found = [
        paths.join(folder, name) for folder in folders for name in (".python-version", ".python-versions")
    ]
    return sorted({path for path in found if state(scene, path, follow=False) is not None})


def _source_tree(scene: Scene, folder: str, document: dict[str, Any]) -> list[Wanted]:
    """What uv and a build backend read to decide about a source tree."""
    paths = paths_of(scene)
    found: list[Wanted] = []

    def want(name: str, how: How, why: str) -> None:
        path = paths.normpath(paths.join(folder, name))
        if state(scene, path, follow=False) is not None:
            found.append(Wanted(path=path, how=how, why=why))

    for name in ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in"):
        want(name, "content", "a source tree")
    if is_dir(scene, paths.join(folder, "src")):
        # From 0.6.8 on, uv asks for the time of `src` to tell whether a build is fresh; so it must be there.
        want("src", "folder", "part of uv's cache key")
    for name in _version_sources(scene, folder, document):
        want(name, "version" if name.endswith(_CODE) else "content", "the version is read from it")
    for name in _dynamic_files(scene, folder, document):
        want(name, "stand-in" if name.endswith(_CODE) else "content", "dynamic metadata")
    for name in _described(document):
        want(name, "stand-in", "named in the metadata, private by nature")
    backend = _backend(scene, folder, document)
    found.extend(Wanted(path=path, how="content", why="the build backend in the tree") for path in backend)
    keys = within(document, "tool", "uv", "cache-keys")
    for key in keys if isinstance(keys, list) else ():
        found.extend(_cache_key(scene, folder, key))
    return found


def _version_sources(scene: Scene, folder: str, document: dict[str, Any]) -> list[str]:
    """Files that a backend reads the version from, by path or by the name of a module."""
    found = strings(within(document, "tool", "hatch", "version", "path"))
    found += strings(within(document, "tool", "pdm", "version", "path"))
    found += strings(within(document, "tool", "flit", "module", "name"))
    dynamic = within(document, "tool", "setuptools", "dynamic", "version")
    attributes = strings(within(dynamic, "attr"))
    said = text(scene, paths_of(scene).join(folder, "setup.cfg"))
    attributes += re.findall(r"(?m)^\s*version\s*=\s*attr:\s*([\w.]+)", said)
    found += strings(within(dynamic, "file"))
    if "version" in strings(within(document, "project", "dynamic")):
        found += ["VERSION", "VERSION.txt"]  # where backends that are told nothing tend to look
    for attribute in attributes:
        module = attribute.rpartition(".")[0].replace(".", "/")
        found += [
            f"{base}{module}{end}" for base in ("", "src/") for end in (".py", "/__init__.py") if module
        ]
    return found


def _dynamic_files(scene: Scene, folder: str, document: dict[str, Any]) -> list[str]:
    """Files that setuptools reads dependencies and other metadata from."""
    found: list[str] = []
    dynamic = within(document, "tool", "setuptools", "dynamic")
    if isinstance(dynamic, dict):
        for key in sorted(dynamic):
            if key == "readme":
                continue
            groups = tables(dynamic[key]).values() if key == "optional-dependencies" else ()
            for tbl in (dynamic[key], *groups):
                found += strings(within(tbl, "file"))
    said = text(scene, paths_of(scene).join(folder, "setup.cfg"))
    for line in re.findall(r"(?m)^\s*[\w-]+\s*=\s*file:\s*(.+)$", said):
        found += [name.strip() for name in line.split(",")]
    # setup.py is code: what it opens is found by the usual names only.
    source = text(scene, paths_of(scene).join(folder, "setup.py"))
    found += re.findall(
        r"""["']((?:[\w.-]+/)*(?:requirements[\w.-]*\.(?:txt|in)|VERSION(?:\.txt)?))["']""", source
    )
    return found


def _described(document: dict[str, Any]) -> list[str]:
    project = within(document, "project")
    readme = within(project, "readme")
    found = strings(readme) + strings(within(readme, "file")) + strings(within(project, "license", "file"))
    found += strings(within(document, "tool", "setuptools", "dynamic", "readme", "file"))
    return found + [name for name in strings(within(project, "license-files")) if not glob.has_magic(name)]


def _backend(scene: Scene, folder: str, document: dict[str, Any]) -> list[str]:
    """The files of a build backend that stands in the tree itself (`backend-path`)."""
    paths = paths_of(scene)
    module = str(within(document, "build-system", "build-backend") or "").split(":")[0].replace(".", "/")
    found: list[str] = []
    for place_ in strings(within(document, "build-system", "backend-path")):
        base = paths.normpath(paths.join(folder, place_))
        if under(scene, base, folder) is None or not module:
            continue
        single = paths.join(base, f"{module}.py")
        if is_file(scene, single):
            found.append(single)
        package = paths.join(base, module.split("/")[0])
        if is_dir(scene, package):
            start = at(scene, package)
            names = glob.glob("**/*.py", root_dir=start, recursive=True)
            found += [paths.join(package, name) for name in sorted(names)[:MAX_PER_GLOB]]
    return found


def _cache_key(scene: Scene, folder: str, key: Any) -> list[Wanted]:
    """What one of `[tool.uv] cache-keys` looks at; of code only that it is there."""
    paths = paths_of(scene)
    name = key if isinstance(key, str) else within(key, "file")
    if isinstance(name, str):
        found = (paths.normpath(paths.join(folder, match)) for match in _matching(scene, folder, name))
        return [
            Wanted(
                path=path, how="stand-in" if path.endswith(_CODE) else "content", why="named in cache-keys"
            )
            for path in found
            if is_file(scene, path)
        ]
    name = within(key, "dir")
    path = paths.normpath(paths.join(folder, name)) if isinstance(name, str) else ""
    return (
        [Wanted(path=path, how="folder", why="named in cache-keys")] if path and is_dir(scene, path) else []
    )


def _matching(scene: Scene, folder: str, pattern: str) -> list[str]:
    """The names below `folder` that a glob fits, as many as are found in a second; a plain name is its own match."""
    if not glob.has_magic(pattern):
        return [pattern]
    if paths_of(scene).isabs(pattern) or ".." in pattern.replace("\\", "/").split("/") or "\0" in pattern:
        return []  # it could walk the whole disk
    found: list[str] = []
    until = time.monotonic() + GLOB_LIMIT_S
    for name in glob.iglob(pattern, root_dir=at(scene, folder), recursive=True):
        found.append(name)
        if len(found) >= MAX_PER_GLOB or time.monotonic() > until:
            break
    return sorted(found)


# Taking it


def _taken(
    scene: Scene, wanted: list[Wanted], levels: int
) -> tuple[list[Member], list[Gap], list[dict[str, Any]]]:
    members: dict[str, Member] = {}
    gaps: list[Gap] = []
    taken: list[dict[str, Any]] = []
    left = TOTAL_LIMIT_BYTES
    for want in wanted:
        what = state(scene, want.path)
        if what is None:
            own = state(scene, want.path, follow=False)
            if own is not None:
                gaps.append(Gap(what=want.path, why="a link to nothing, or not to be reached"))
            continue
        path = place(scene, want.path, levels)
        if path is None:
            gaps.append(
                Gap(what=want.path, why="outside the project and the home, so a replay has no place for it")
            )
            continue
        if path in ("project", "home"):
            continue
        mode = stat.S_IMODE(what.st_mode)
        if want.how == "folder":
            member = Member(path=path, kind="dir", mode=mode, mtime_ns=what.st_mtime_ns)
        else:
            try:
                how, data = _content(scene, want, what.st_size)
            except OSError as error:
                gaps.append(Gap(what=want.path, why=reason(error)))
                continue
            if len(data) > left:
                gaps.append(
                    Gap(
                        what=want.path,
                        why=f"the project's files are more than {TOTAL_LIMIT_BYTES // 10**6} MB",
                    )
                )
                continue
            left -= len(data)
            member = Member(path=path, data=data, mode=mode, mtime_ns=what.st_mtime_ns)
            taken.append({"member": path, "how": how, "why": want.why, "size_bytes": what.st_size})
        members[path] = member
        for folder in _unusual_folders(scene, want.path, levels):
            members.setdefault(folder.path, folder)
    return list(members.values()), gaps, taken


def _content(scene: Scene, want: Wanted, size_bytes: int) -> tuple[How, bytes]:
    if want.how == "stand-in":
        archive = want.path.lower().endswith(ARCHIVES)
        if scene.with_archives and archive and size_bytes <= ARCHIVE_LIMIT_BYTES:
            return "content", read(scene, want.path, limit_bytes=ARCHIVE_LIMIT_BYTES)
        return "stand-in", b""
    data = read(scene, want.path, limit_bytes=FILE_LIMIT_BYTES)
    if want.how == "script":
        return "script", script_metadata(data)
    if want.how == "version":
        lines = data.decode("utf-8", "replace").splitlines(keepends=True)
        kept = [line for line in lines if re.match(r"""(?i)\s*_*version_*\s*(?::[^=]*)?=\s*["'(\d]""", line)]
        return "version", "".join(kept).encode()
    return "content", data


def script_metadata(data: bytes) -> bytes:
    """A script without its body: the metadata blocks, broken ones too, and a line that says so."""
    blocks = _SCRIPT_METADATA.findall(data.decode("utf-8", "replace"))
    return ("".join(block.rstrip("\r") + "\n" for block in blocks) + LEFT_OUT).encode()


def _unusual_folders(scene: Scene, path: str, levels: int) -> list[Member]:
    """The folders above a path, within its place, whose mode a fresh folder would not have."""
    paths = paths_of(scene)
    found: list[Member] = []
    folder = paths.dirname(path)
    while (member := place(scene, folder, levels)) is not None and "/" in member:
        what = state(scene, folder)
        if what is not None and stat.S_IMODE(what.st_mode) not in _USUAL_MODES:
            found.append(
                Member(path=member, kind="dir", mode=stat.S_IMODE(what.st_mode), mtime_ns=what.st_mtime_ns)
            )
        if paths.dirname(folder) == folder:
            break
        folder = paths.dirname(folder)
    return found


COLLECTOR = Collector(
    name="project",
    what="the project's files that a replay needs (build files; no modules, no README)",
    collect=collect,
)
