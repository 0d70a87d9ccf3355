"""For a build that failed: the build system, what the backend printed, compilers, the headers of Python."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from uvreport import uv as door
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    ask,
    facts,
    is_file,
    names_in,
    paths_of,
    release_of,
    within,
)
from uvreport.collectors.python import find_arguments
from uvreport.collectors.sources import declaring, path_sources

LIMIT_S = 2.0

COMPILERS = ("cc", "gcc", "clang", "c++", "g++", "cl", "gfortran", "nvcc")
# Proxies of rustup by these names fetch a toolchain when they are asked for their version, so they are not
# asked.
TOOLS = ("rustc", "cargo", "cmake", "ninja", "make", "pkg-config", "swig", "maturin", "patchelf")


def collect(scene: Scene) -> Findings:
    if scene.failure.class_ != "build":
        return Findings()
    value = {
        "build_systems": _build_systems(scene),
        "backend": backend_output(scene.failure.chain),
        "compilers": _compilers(scene),
        "tools": {
            name: path for name in TOOLS if (path := shutil.which(name, path=scene.environ.get("PATH")))
        },
        "headers": _headers(scene),
    }
    return Findings(members=(facts("build", value),))


def _build_systems(scene: Scene) -> list[dict[str, Any]]:
    """The build system of every source tree of this run; a tree without pyproject.toml has setuptools by default."""
    paths = paths_of(scene)
    files = declaring(scene)
    documents = {file.folder: file.document for file in files}
    for local in (local for file in files for local in path_sources(scene, file)):
        documents.setdefault(local.path, {})
    return [
        {
            "tree": folder,
            "package": within(documents[folder], "project", "name"),
            "build_system": documents[folder].get("build-system"),
            "pyproject": is_file(scene, paths.join(folder, "pyproject.toml")),
            "setup_py": is_file(scene, paths.join(folder, "setup.py")),
        }
        for folder in sorted(documents)
    ]


def backend_output(chain: str) -> dict[str, list[str]]:
    """What the backend printed, by stream, as uv quotes it in the error chain, without uv's indentation."""
    found: dict[str, list[str]] = {}
    stream: list[str] | None = None
    for line in chain.splitlines():
        bare = re.sub(r"^[\s│]*", "", line)
        if heading := re.fullmatch(r"\[(stdout|stderr)\]\s*|--- (stdout|stderr):\s*", bare):
            stream = found.setdefault(heading[1] or heading[2], [])
        elif re.match(r"hint:|Caused by:|cause:|---\s*$", bare):
            stream = None
        elif stream is not None:
            stream.append(re.sub(r"^[ │]{0,6}", "", line).rstrip())
    return {name: _without_blank_ends(lines) for name, lines in found.items()}


def _without_blank_ends(lines: list[str]) -> list[str]:
    return "\n".join(lines).strip("\n").splitlines()


def _compilers(scene: Scene) -> list[dict[str, str]]:
    paths = {name: shutil.which(name, path=scene.environ.get("PATH")) for name in COMPILERS}
    there = {name: path for name, path in paths.items() if path}
    with ThreadPoolExecutor(4) as pool:
        versions = pool.map(lambda item: _version(scene, *item), there.items())
        return [
            {"name": name, "path": path, "version": version}
            for (name, path), version in zip(there.items(), versions, strict=True)
        ]


def _version(scene: Scene, name: str, path: str) -> str:
    # cl knows no --version and prints its banner to stderr when it is given nothing.
    argv = [path] if name == "cl" else [path, "--version"]
    try:
        said = door.run(argv, cwd=os.path.abspath(os.sep), env=scene.environ, timeout_s=LIMIT_S)
    except OSError:
        return ""
    lines = [line.strip() for line in (said.stdout + "\n" + said.stderr).splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


def _headers(scene: Scene) -> dict[str, Any] | None:
    """Whether the interpreter that uv chooses has its Python.h; None when there is none to ask about."""
    if release_of(scene.uv.release) < (0, 3, 0):
        return None
    outcome = ask(scene, find_arguments(scene))
    if outcome is None or outcome.exit_code != 0 or not outcome.stdout.strip():
        return None
    paths = paths_of(scene)
    executable = os.path.realpath(outcome.stdout.strip())
    prefix = (
        paths.dirname(executable) if scene.platform == "win32" else paths.dirname(paths.dirname(executable))
    )
    if scene.platform == "win32":
        candidates = [paths.join(prefix, "include", "Python.h")]
    else:
        include = paths.join(prefix, "include")
        candidates = [
            paths.join(include, name, "Python.h")
            for name in names_in(scene, include)
            if name.startswith("py")
        ]
    return {"interpreter": executable, "python_h": [path for path in candidates if is_file(scene, path)]}


COLLECTOR = Collector(
    name="build",
    what="for a failed build: build system, backend's output, compilers, headers",
    collect=collect,
)
