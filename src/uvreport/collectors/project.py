"""The part of the project that a replay needs: what uv and a build backend read to decide, and no more."""

from __future__ import annotations

import glob
import hashlib
import os
import posixpath
import re
import stat
import time
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from uvreport import hollow
from uvreport.bundle import Gap, Member
from uvreport.collectors import (
    FILE_LIMIT_BYTES,
    Collector,
    Findings,
    Scene,
    at,
    deep_without_userinfo,
    dicts,
    facts,
    is_dir,
    is_file,
    names_in,
    paths_of,
    read,
    reason,
    state,
    strings,
    table,
    tables,
    text,
    under,
    within,
)
from uvreport.collectors.settings import command_words, flags, workspace_root
from uvreport.collectors.sources import (
    ARCHIVES,
    Declaring,
    declaring,
    empty_members_of,
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

# Of a folder of find-links with more archives than the first, only those that can matter keep their metadata.
MAX_WITH_METADATA = 50
MAX_NAMED = 500
MAX_HOLLOW = 200
# The digest of an archive is wanted where a lockfile may hold it; hashing stops after half a second's worth.
HASH_LIMIT_BYTES = 300_000_000
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

How = Literal["content", "stand-in", "folder", "script", "version", "hollow"]


class Wanted(Struct, frozen=True, kw_only=True):
    """A path of the project, how it is taken, and what for.

    "content": as it is. "stand-in": an empty file of that name. "folder": that it is there. "script": its
    metadata. "version": the lines that assign a version. "hollow": an archive with nothing but its metadata.
    """

    path: str
    how: How
    why: str


def collect(scene: Scene) -> Findings:
    files = declaring(scene)
    hollowed = hollow_archives(scene, files)
    wanted = _wanted(scene, files, set(hollowed))
    levels = climb(scene, [want.path for want in wanted])
    members, gaps, taken = _taken(scene, wanted, levels, hollowed)
    members, changes = _with_hashes_of_hollow_ones(members, taken, hollowed)
    root = workspace_root(scene)
    value = {
        "root": root,
        "workspace_members": members_of(scene, root),
        "climb": levels,
        "declaring": [_about(file) for file in files],
        "taken": taken,
        "stand_ins": [entry["member"] for entry in taken if entry["how"] not in ("content", "hollow")],
        "hollow": [entry for entry in taken if entry["how"] == "hollow"],
        "lock_hashes_changed": changes,
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


def _wanted(scene: Scene, files: tuple[Declaring, ...], hollowed: set[str]) -> list[Wanted]:
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
            want(local.path, "hollow" if local.path in hollowed else "stand-in", "a local archive")
        elif is_dir(scene, local.path):
            want(local.path, "folder", "a local source")
            found.extend(_source_tree(scene, local.path, {}))
        elif is_file(scene, local.path):
            want(local.path, "stand-in", "a local source, which is no archive by its name")
    if command_words(scene)[:1] == ("build",):  # it takes a folder without pyproject.toml, too
        found.extend(_source_tree(scene, scene.places.project, {}))
    for local in find_links(scene):
        if is_dir(scene, local.path):
            want(local.path, "folder", "find-links")
            here = [paths.join(local.path, name) for name in _archives_in(scene, local.path)]
            # Those with metadata first: the cap is on names.
            for path in sorted(here, key=lambda path: path not in hollowed)[:MAX_NAMED]:
                want(path, "hollow" if path in hollowed else "stand-in", "find-links")
        elif is_file(scene, local.path):
            want(local.path, "content" if local.path.endswith(".html") else "stand-in", "find-links")
    for folder in empty_members_of(scene, root):
        name = next(name for name in names_in(scene, folder) if not name.startswith("."))
        inside = paths.join(folder, name)
        want(
            inside,
            "folder" if is_dir(scene, inside) else "stand-in",
            "a workspace member without pyproject.toml",
        )
    for file in files:
        if paths.basename(file.path) == "pyproject.toml":
            found.extend(_source_tree(scene, file.folder, file.document))
    order = ("content", "script", "version", "hollow", "stand-in", "folder")
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
    for name in _build_hooks(document):
        want(name, "content", "a hook that the build runs")
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


def _build_hooks(document: dict[str, Any]) -> list[str]:
    """Files with code of their own that hatchling and pdm-backend run while they build."""
    hatch = tables(within(document, "tool", "hatch"))
    build, metadata = tables(hatch.get("build")), tables(hatch.get("metadata"))
    found: list[str] = []
    for asked in (build, *tables(build.get("targets")).values(), metadata):
        hooks = within(asked, "hooks")
        if "custom" in tables(hooks):
            found += strings(within(hooks, "custom", "path")) or ["hatch_build.py"]
    pdm = within(document, "tool", "pdm", "build")
    return found + (strings(within(pdm, "custom-hook")) or ["pdm_build.py"])


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
    scene: Scene, wanted: list[Wanted], levels: int, hollowed: dict[str, Hollowed]
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
                how, data, about = _content(scene, want, what.st_size, hollowed)
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
            if "problem" in about:
                gaps.append(Gap(what=want.path, why=about["problem"]))
            taken.append({"member": path, "how": how, "why": want.why, "size_bytes": what.st_size, **about})
        members[path] = member
        for folder in _unusual_folders(scene, want.path, levels):
            members.setdefault(folder.path, folder)
    return list(members.values()), gaps, taken


def _content(
    scene: Scene, want: Wanted, size_bytes: int, hollowed: dict[str, Hollowed]
) -> tuple[How, bytes, dict[str, Any]]:
    """How a file is taken in the end, its bytes, and what there is to tell about it."""
    if want.how in ("stand-in", "hollow"):
        archive = want.path.lower().endswith(ARCHIVES)
        if scene.with_archives and archive and size_bytes <= ARCHIVE_LIMIT_BYTES:
            return "content", read(scene, want.path, limit_bytes=ARCHIVE_LIMIT_BYTES), {}
        found = hollowed.get(want.path)
        if found is None:
            return "stand-in", b"", {}
        if found.archive is not None:
            return "hollow", found.archive.data, _about_hollow(found, found.archive)
        # The very failure, often: a page of a proxy, or the pointer that Git LFS leaves, under an archive's name.
        data = read(scene, want.path) if size_bytes <= ARCHIVE_LIMIT_BYTES else b"\0"
        if _is_text(data):
            return (
                "content",
                data,
                {"problem": f"not an archive: {found.problem}; it is text and goes in as it is"},
            )
        # What is packed in a broken archive cannot be looked into, so nobody could redact it. An empty one fails alike.
        return "stand-in", b"", {"problem": f"not an archive: {found.problem}; an empty file stands in"}
    data = read(scene, want.path, limit_bytes=FILE_LIMIT_BYTES)
    if want.how == "script":
        return "script", script_metadata(data), {}
    if want.how == "version":
        lines = data.decode("utf-8", "replace").splitlines(keepends=True)
        kept = [line for line in lines if re.match(r"""(?i)\s*_*version_*\s*(?::[^=]*)?=\s*["'(\d]""", line)]
        return "version", "".join(kept).encode(), {}
    return "content", data, {}


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


# Archives


class Hollowed(Struct, frozen=True, kw_only=True):
    """What became of a local archive: its hollow form, or why there is none. Digests are SHA-256, "" if not known."""

    archive: hollow.Hollow | None
    problem: str = ""
    sha256_original: str = ""
    sha256: str = ""


def hollow_archives(scene: Scene, files: tuple[Declaring, ...]) -> dict[str, Hollowed]:
    """The local archives that uv may ask for metadata, by path: named as sources, or in a folder of find-links."""
    budget = [HASH_LIMIT_BYTES]
    found: dict[str, Hollowed] = {}

    def take(path: str) -> Hollowed | None:
        if path not in found and len(found) < MAX_HOLLOW and is_file(scene, path):
            found[path] = _hollowed(scene, path, budget)
        return found.get(path)

    for local in local_archives(scene, files):
        take(local)
    for link in find_links(scene):
        if is_file(scene, link.path) and link.path.lower().endswith(ARCHIVES):
            take(link.path)
        here: dict[str, list[str]] = {}
        names = _archives_in(scene, link.path)
        for name in names:
            path = paths_of(scene).join(link.path, name)
            here.setdefault(hollow.package_of(name), []).append(path)
        waiting = (
            list(here)
            if len(names) <= MAX_WITH_METADATA
            else sorted(_named_packages(scene, files) & set(here))
        )
        for package in waiting:  # it grows: what a package asks for can matter too
            for path in here[package]:
                one = take(path)
                asked = one.archive.requires if one and one.archive else ()
                waiting.extend(name for name in asked if name in here and name not in waiting)
    return found


def local_archives(scene: Scene, files: tuple[Declaring, ...]) -> list[str]:
    """The archives that requirements or sources name by path."""
    named = [*named_locals(scene), *(local for file in files for local in path_sources(scene, file))]
    return sorted({local.path for local in named if local.path.lower().endswith(ARCHIVES)})


def _archives_in(scene: Scene, folder: str) -> list[str]:
    return [name for name in names_in(scene, folder) if name.lower().endswith(ARCHIVES)]


def _named_packages(scene: Scene, files: tuple[Declaring, ...]) -> set[str]:
    """The normalised names of all packages that the lockfile, the declaring files, the command or the failure name."""
    found = {hollow.normalized(name) for name in (*scene.packages, *scene.failure.packages)}
    found |= {"setuptools", "wheel"}  # what a source without a build system is built with
    lock = table(scene, paths_of(scene).join(workspace_root(scene), "uv.lock"))
    found |= {hollow.normalized(str(entry.get("name"))) for entry in dicts(lock.get("package"))}
    said = [text(scene, path) for path in requirement_files(scene)]
    said += scene.run.argv
    lines = [line for file in files for line in _requirements_of(file.document)]
    lines += [line for text_ in said for line in text_.splitlines()]
    for line in lines:
        name = re.match(r"\s*([A-Za-z0-9][\w.-]*)", line)
        if name:
            found.add(hollow.normalized(name[1]))
    return found


def _requirements_of(value: Any) -> list[str]:
    """Every string in a document that may be a requirement: any that begins like one, wherever it stands."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(line for item in value.values() for line in _requirements_of(item))]
    return [line for item in value for line in _requirements_of(item)] if isinstance(value, list) else []


def _hollowed(scene: Scene, path: str, budget: list[int]) -> Hollowed:
    """The hollow form of one archive; `budget` is how many bytes may still be hashed."""
    name = paths_of(scene).basename(path)
    try:
        with open(at(scene, path), "rb") as file:
            original = ""
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes <= budget[0]:
                budget[0] -= size_bytes
                digest = hashlib.sha256()
                while block := file.read(1 << 20):
                    digest.update(block)
                original = digest.hexdigest()
                file.seek(0)
            made = hollow.hollow(file, name, with_setup=scene.failure.class_ == "build")
    except hollow.NotAnArchiveError as problem:
        return Hollowed(archive=None, problem=str(problem), sha256_original=original)
    except OSError as problem:
        return Hollowed(archive=None, problem=reason(problem))
    return Hollowed(archive=made, sha256_original=original, sha256=hashlib.sha256(made.data).hexdigest())


def _about_hollow(found: Hollowed, archive: hollow.Hollow) -> dict[str, Any]:
    return {
        "kept": archive.kept,
        "shortened": archive.shortened,
        "files_left_out": archive.left_out,
        "sha256_original": found.sha256_original or None,
        "sha256": found.sha256,
    }


def hash_changes(hollowed: dict[str, Hollowed]) -> tuple[tuple[str, str], ...]:
    """The digests of archives as they are on this machine, each with that of the hollow one in the bundle."""
    return tuple(
        (one.sha256_original, one.sha256)
        for one in hollowed.values()
        if one.archive is not None and one.sha256_original
    )


def _with_hashes_of_hollow_ones(
    members: list[Member], taken: list[dict[str, Any]], hollowed: dict[str, Hollowed]
) -> tuple[list[Member], list[dict[str, Any]]]:
    """The members with each right digest of a local archive replaced by that of the hollow one, and which those are.

    uv compares (measured: 0.6.8, 0.9.30, 0.13.9), so `uv sync` would fail with a mismatch that nobody had. A digest
    that did not fit the archive before does not fit now.
    """
    pairs = hash_changes(hollowed)
    whole = {entry["member"] for entry in taken if entry["how"] == "content"}
    found = []
    changes: list[dict[str, Any]] = []
    for member in members:
        data = member.data
        if member.path in whole and pairs and _is_text(data):
            changes += [
                {"member": member.path, "from": old, "to": new} for old, new in pairs if old.encode() in data
            ]
            data = hollow.replaced(data, pairs)
        found.append(replace(member, data=data) if data is not member.data else member)
    return found, changes


def script_metadata(data: bytes) -> bytes:
    """A script without its body: the metadata blocks, broken ones too, and a line that says so."""
    blocks = _SCRIPT_METADATA.findall(data.decode("utf-8", "replace"))
    # An empty line keeps two blocks apart: uv reads on as long as the comment goes on.
    return ("\n\n".join(block.rstrip("\r") for block in blocks) + "\n" * bool(blocks) + LEFT_OUT).encode()


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
