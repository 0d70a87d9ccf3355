"""Where packages come from: `[tool.uv.sources]`, indexes and find-links, each with what it points to."""

from __future__ import annotations

import os
import re
import stat
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from uvreport.bundle import Gap
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    at,
    deep_without_userinfo,
    dicts,
    facts,
    in_words,
    is_dir,
    is_file,
    names_in,
    paths_of,
    read,
    reason,
    shape,
    state,
    strings,
    tables,
    text,
    toml,
    under,
    within,
    without_userinfo,
)
from uvreport.collectors.settings import command_words, discover, matches, own_arguments, workspace_root

ARCHIVES = (
    ".whl",
    ".tar.gz",
    ".tgz",
    ".zip",
    ".tar.bz2",
    ".tar.xz",
    ".tar.zst",
    ".tar",
    ".tar.lzma",
    ".tbz",
    ".txz",
)

# The block of PEP 723, by the regular expression that the specification gives.
_SCRIPT_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")

_REQUIREMENT_FLAGS = {
    "-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints", "--override",
    "--overrides", "-b", "--build-constraint", "--build-constraints", "--exclude", "--excludes",
    "--with-requirements",
}  # fmt: skip
_REQUIREMENT_VARIABLES = ("UV_CONSTRAINT", "UV_OVERRIDE", "UV_BUILD_CONSTRAINT", "UV_EXCLUDE")
_PATH_FLAGS = {"-e", "--editable", "--with", "-w", "--with-editable", "--from"}

MAX_DECLARING = 500


class Declaring(Struct, frozen=True, kw_only=True):
    """A file that declares sources: its path, the folder that paths in it start from, and what is in it."""

    path: str
    folder: str
    document: dict[str, Any]
    problem: str = ""


class Local(Struct, frozen=True, kw_only=True):
    """A file or folder on this machine that a requirement points to, and how it is written."""

    path: str
    written: str
    declared_in: str


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    files = declaring(scene)
    gaps.extend(Gap(what=file.path, why=file.problem) for file in files if file.problem)
    value = {
        "sources": [entry for file in files for entry in _entries(scene, file, files)],
        "named_on_the_command_line": [
            {"written": local.written, "path": local.path, "points_to": points_to(scene, local.path)}
            for local in named_locals(scene)
        ],
        "requirement_files": [
            {"path": path, "points_to": points_to(scene, path)} for path in requirement_files(scene)
        ],
        "indexes": _indexes(scene),
        "find_links": [_find_links(scene, local) for local in find_links(scene)],
    }
    return Findings(members=(facts("sources", value),), gaps=tuple(gaps))


# What declares sources


def declaring(scene: Scene) -> tuple[Declaring, ...]:
    """Every file that declares sources for this run, the script or the workspace root first, members by path.

    Local sources declare more of their own; those are followed too.
    """
    paths = paths_of(scene)
    script = script_of(scene)
    if script is not None and (block := script_block(text(scene, script))):
        found = [_parsed(script, paths.dirname(script), block)]
        folders: list[str] = []
    else:
        found = []
        root = workspace_root(scene)
        folders = [root, *members_of(scene, root)]
        if scene.places.project not in folders:
            folders.insert(0, scene.places.project)
    folders.extend(local.path for local in named_locals(scene))
    for file in found:
        folders.extend(local.path for local in path_sources(scene, file))
    seen: set[str] = set()
    while folders and len(found) < MAX_DECLARING:
        folder = folders.pop(0)
        path = paths.join(folder, "pyproject.toml")
        if folder in seen or not is_file(scene, path):
            continue
        seen.add(folder)
        try:
            file = Declaring(path=path, folder=folder, document=toml(read(scene, path)))
        except (OSError, ValueError) as error:
            file = Declaring(path=path, folder=folder, document={}, problem=reason(error))
        found.append(file)
        folders.extend(local.path for local in path_sources(scene, file))
    return tuple(found)


def _parsed(path: str, folder: str, document: str) -> Declaring:
    try:
        return Declaring(path=path, folder=folder, document=toml(document))
    except ValueError as error:
        return Declaring(path=path, folder=folder, document={}, problem=reason(error))


def members_of(scene: Scene, root: str) -> list[str]:
    """The folders of the workspace's members below `root`, by path, the root left out."""
    return _matched(scene, root)[0]


def empty_members_of(scene: Scene, root: str) -> list[str]:
    """The folders that the workspace's patterns fit and that have files, but no pyproject.toml: uv refuses those."""
    return _matched(scene, root)[1]


def _matched(scene: Scene, root: str) -> tuple[list[str], list[str]]:
    paths = paths_of(scene)
    declared = within(_toml_or_empty(scene, paths.join(root, "pyproject.toml")), "tool", "uv", "workspace")
    if not isinstance(declared, dict):
        return [], []
    found: list[str] = []
    without: list[str] = []
    deepest = max(
        (glob.count("/") + (6 if "**" in glob else 1) for glob in strings(declared.get("members"))), default=0
    )

    def walk(folder: str, relative: str, depth: int) -> None:
        for name in names_in(scene, folder):
            inner = f"{relative}/{name}" if relative else name
            path = paths.join(folder, name)
            if name.startswith(".") or name in ("node_modules", "__pycache__") or not is_dir(scene, path):
                continue
            if matches(inner, declared, "members") and not matches(inner, declared, "exclude"):
                if is_file(scene, paths.join(path, "pyproject.toml")):
                    found.append(path)
                elif len(without) < MAX_DECLARING and any(
                    not own.startswith(".") for own in names_in(scene, path)
                ):
                    without.append(path)
            if depth < deepest and len(found) < MAX_DECLARING:
                walk(path, inner, depth + 1)

    walk(root, "", 1)
    return sorted(found), sorted(without)


def _toml_or_empty(scene: Scene, path: str) -> dict[str, Any]:
    try:
        return toml(read(scene, path))
    except (OSError, ValueError):
        return {}


def script_of(scene: Scene) -> str | None:
    """The script that the command runs or is about, None when there is none."""
    paths = paths_of(scene)
    words = own_arguments(scene)
    named = _after(words, {"--script"})
    if not named and command_words(scene)[:1] == ("run",) and not {"-m", "--module"} & set(words):
        named = [word for word in command_words(scene)[1:2] if word.lower().endswith((".py", ".pyw"))]
    for word in named:
        path: str = paths.normpath(paths.join(scene.places.cwd, word))
        if is_file(scene, path):
            return path
    return None


def script_block(source: str) -> str:
    """The TOML in a script's PEP 723 block, "" when it has none."""
    block = next((m for m in _SCRIPT_BLOCK.finditer(source) if m["type"] == "script"), None)
    if block is None:
        return ""
    lines = block["content"].splitlines(keepends=True)
    return "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)


def path_sources(scene: Scene, file: Declaring) -> list[Local]:
    """The files and folders that a declaring file's sources point to."""
    found: list[Local] = []
    for specs in tables(within(file.document, "tool", "uv", "sources")).values():
        for spec in dicts(specs):
            written = spec.get("path")
            if isinstance(written, str):
                found.append(
                    Local(path=resolve(scene, written, file.folder), written=written, declared_in=file.path)
                )
    listed = within(file.document, "project", "dependencies")
    for line in [*strings(listed), *strings(file.document.get("dependencies"))]:
        if "file:" in line:
            written = line.partition("@")[2].split(";")[0].strip()
            found.append(
                Local(path=resolve(scene, written, file.folder), written=written, declared_in=file.path)
            )
    return found


def resolve(scene: Scene, written: str, folder: str) -> str:
    """The absolute path of what is written as a path or as a `file:` URL in a file of `folder`."""
    paths = paths_of(scene)
    if written.startswith("file:"):
        written = unquote(urlsplit(written).path)
        if scene.platform == "win32":
            written = written.lstrip("/")
    if written == "~" or written.startswith("~/"):
        written = scene.places.home + written[1:]
    return str(paths.normpath(paths.join(folder, written)))


# What the command line names


def _after(words: tuple[str, ...], flags: set[str]) -> list[str]:
    found: list[str] = []
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags:
            found.extend([value] if equals else list(words[index + 1 : index + 2]))
        elif word[:2] in flags and len(word) > 2 and not word.startswith("--"):
            found.append(word[2:])  # -rrequirements.txt
    return [value for value in found if value]


def requirement_files(scene: Scene) -> list[str]:
    """The requirements and constraints files that the command names, and what they include, absolute."""
    paths = paths_of(scene)
    cwd = scene.places.cwd
    named = _after(own_arguments(scene), _REQUIREMENT_FLAGS)
    words = command_words(scene)
    if words[:2] in (("pip", "compile"), ("pip", "sync")):
        named.extend(words[2:])
    for variable in _REQUIREMENT_VARIABLES:
        named.extend(scene.environ.get(variable, "").split())
    waiting = [resolve(scene, name, cwd) for name in named if "://" not in name and name != "-"]
    found: list[str] = []
    while waiting and len(found) < 50:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        if path.endswith((".txt", ".in")):
            included = re.findall(
                r"(?m)^\s*(?:-r|-c|--requirement|--constraint)[ =]*([^\s#]+)", text(scene, path)
            )
            waiting.extend(
                resolve(scene, name, paths.dirname(path)) for name in included if "://" not in name
            )
    return found


def named_locals(scene: Scene) -> list[Local]:
    """The files and folders that the command, or a requirements file of it, names as requirements."""
    cwd = scene.places.cwd
    words = command_words(scene)
    written = [(name, cwd, "the command line") for name in _after(own_arguments(scene), _PATH_FLAGS)]
    if words[:2] == ("pip", "install"):
        written += [(name, cwd, "the command line") for name in words[2:]]
    elif words[:1] in (("add",), ("build",)) or words[:2] in (("tool", "install"), ("tool", "run")):
        written += [(name, cwd, "the command line") for name in words[1 if words[0] != "tool" else 2 :]]
    paths = paths_of(scene)
    for path in requirement_files(scene):
        if not path.endswith((".txt", ".in")):
            continue
        for raw in text(scene, path).splitlines():
            line = raw.split(" #")[0].strip()
            editable = re.match(r"(?:-e|--editable)[ =]\s*(.+)", line)
            if editable or (line and not line.startswith(("-", "#"))):
                written.append((editable[1] if editable else line, paths.dirname(path), path))
    found: list[Local] = []
    for name, folder, where in written:
        said = name.partition(" @ ")[2].strip() or name
        said = re.sub(r"\[[\w,\s.-]*\]$", "", said.split(" ;")[0].strip())
        is_path = (
            said.startswith((".", "/", "~", "file:")) or said.lower().endswith(ARCHIVES) or os.sep in said
        )
        if is_path and ("://" not in said or said.startswith("file:")):
            found.append(Local(path=resolve(scene, said, folder), written=said, declared_in=where))
    return list(dict.fromkeys(found))


def find_links(scene: Scene) -> list[Local]:
    """The find-links places that are folders or files of this machine."""
    written: list[tuple[str, str, str]] = []
    paths = paths_of(scene)
    settings = [(file.path, file.document) for file in discover(scene) if file.used]
    script = script_of(scene)
    if script is not None and (block := script_block(text(scene, script))):
        settings.append((script, tables(within(_parsed(script, "", block).document, "tool", "uv"))))
    for path, document in settings:
        folder = paths.dirname(path)
        for links in (within(tbl, "find-links") for tbl in (document, document.get("pip"))):
            written += [(link, folder, path) for link in strings(links)]
        for index in dicts(document.get("index")):
            url = index.get("url")
            if isinstance(url, str) and ("://" not in url or url.startswith("file:")):
                written.append((url, folder, path))
    for link in scene.environ.get("UV_FIND_LINKS", "").replace(",", " ").split():
        written.append((link, scene.places.cwd, "variable UV_FIND_LINKS"))
    for link in _after(own_arguments(scene), {"-f", "--find-links"}):
        written.append((link, scene.places.cwd, "the command line"))
    return list(
        dict.fromkeys(
            Local(path=resolve(scene, link, folder), written=link, declared_in=where)
            for link, folder, where in written
            if "://" not in link or link.startswith("file:")
        )
    )


# What they point to


def points_to(scene: Scene, path: str) -> dict[str, Any]:
    """What stands at a path: nothing, a file and its size, a folder and what uv would look for, a link."""
    paths = paths_of(scene)
    own, real = state(scene, path, follow=False), state(scene, path)
    if own is None:
        parent = path
        while state(scene, parent) is None and paths.dirname(parent) != parent:
            parent = paths.dirname(parent)
        return {"exists": False, "nearest_that_exists": parent}
    found: dict[str, Any] = {"exists": real is not None, "mode": f"{stat.S_IMODE((real or own).st_mode):04o}"}
    if stat.S_ISLNK(own.st_mode):
        found["link_to"] = os.readlink(at(scene, path))
    if real is None:
        found["kind"] = "broken link"
    elif stat.S_ISREG(real.st_mode):
        found |= {"kind": "file", "size_bytes": real.st_size}
    elif stat.S_ISDIR(real.st_mode):
        names = names_in(scene, path)
        wanted = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "PKG-INFO", "src", "Cargo.toml")
        found |= {"kind": "folder", "entries": len(names), "has": [name for name in wanted if name in names]}
        found["git"] = ".git" in names
    else:
        found["kind"] = "neither file nor folder"
    return found


def _entries(scene: Scene, file: Declaring, files: tuple[Declaring, ...]) -> list[dict[str, Any]]:
    found = []
    sources = tables(within(file.document, "tool", "uv", "sources"))
    for name in sorted(sources):
        for spec in dicts(sources[name]):
            entry: dict[str, Any] = {
                "package": name,
                "declared_in": file.path,
                "kind": _kind(spec),
                "spec": deep_without_userinfo(spec),
            }
            written = spec.get("path")
            git = spec.get("git")
            if isinstance(written, str):
                path = resolve(scene, written, file.folder)
                entry |= {"path": path, "points_to": points_to(scene, path)}
            elif isinstance(git, str) and git.startswith("file:"):
                path = resolve(scene, git, file.folder)
                entry |= {"path": path, "points_to": points_to(scene, path)}
            elif spec.get("workspace"):
                entry["path"] = _member_called(name, files)
            found.append(entry)
    return found


def _kind(spec: dict[str, Any]) -> str:
    for kind in ("path", "git", "url", "index", "workspace"):
        if kind in spec:
            return "editable path" if kind == "path" and spec.get("editable") else kind
    return "unknown"


def _member_called(name: str, files: tuple[Declaring, ...]) -> str | None:
    def normal(said: Any) -> str:
        return re.sub(r"[-_.]+", "-", str(said)).lower()

    return next(
        (f.folder for f in files if normal(within(f.document, "project", "name")) == normal(name)), None
    )


def _indexes(scene: Scene) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(url: str, where: str, **more: Any) -> None:
        name = more.get("name") or ""
        found.append(
            {
                "url": without_userinfo(url),
                "given_by": where,
                **more,
                "credentials": _credentials(scene, url, str(name)),
                "local": "://" not in url or url.startswith("file:"),
            }
        )

    for file in discover(scene):
        if not file.used:
            continue
        for index in dicts(file.document.get("index")):
            if isinstance(index.get("url"), str):
                add(
                    index["url"],
                    file.path,
                    **{k: deep_without_userinfo(v) for k, v in index.items() if k != "url"},
                )
        for prefix, tbl in (("", file.document), ("pip.", file.document.get("pip"))):
            for key in ("index-url", "extra-index-url"):
                for url in strings(within(tbl, key)):
                    add(url, file.path, key=prefix + key)
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        for word in scene.environ.get(variable, "").split():
            name, equals, url = word.partition("=")
            if equals and re.fullmatch(r"[\w.-]+", name):
                add(url, f"variable {variable}", name=name)
            else:
                add(word, f"variable {variable}")
    for url in _after(
        own_arguments(scene), {"--index", "--default-index", "--index-url", "-i", "--extra-index-url"}
    ):
        add(url, "the command line")
    return found


def _credentials(scene: Scene, url: str, name: str) -> dict[str, Any]:
    userinfo = re.search(r"://([^/\s]*)@", url)
    user, _, password = userinfo[1].partition(":") if userinfo else ("", "", "")
    variable = "UV_INDEX_" + re.sub(r"[^A-Za-z0-9]", "_", name).upper()
    return {
        "in_url": {"user": in_words(user), "password": shape(password) if password else None}
        if userinfo
        else None,
        "variables": sorted(
            v for v in (f"{variable}_USERNAME", f"{variable}_PASSWORD") if name and v in scene.environ
        ),
    }


def _find_links(scene: Scene, local: Local) -> dict[str, Any]:
    names = [name for name in names_in(scene, local.path) if name.lower().endswith(ARCHIVES)]
    return {
        "written": local.written,
        "given_by": local.declared_in,
        "path": local.path,
        "inside_project": under(scene, local.path, scene.places.project) is not None,
        "points_to": points_to(scene, local.path),
        "archives": names[:200],
        "count": len(names),
    }


COLLECTOR = Collector(
    name="sources",
    what="[tool.uv.sources], indexes and find-links, with what each points to",
    collect=collect,
)
