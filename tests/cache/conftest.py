"""Real uv releases for these tests, and small caches that they fill: no network once the releases are there."""

from __future__ import annotations

import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from uvreport.uv import Outcome, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvreport.bundle import Uv

# A build backend in the source tree itself, so that builds need nothing from an index.
BACKEND = """
import os, zipfile

NAME, VERSION = {name!r}, {version!r}
METADATA = "Metadata-Version: 2.1\\nName: " + NAME + "\\nVersion: " + VERSION + "\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: here\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"


def _make(folder):
    stem = NAME.replace("-", "_") + "-" + VERSION
    info = stem + ".dist-info/"
    files = {{NAME.replace("-", "_") + "/__init__.py": "", info + "METADATA": METADATA, info + "WHEEL": WHEEL}}
    record = "".join(name + ",,\\n" for name in files) + info + "RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(folder, stem + "-py3-none-any.whl"), "w") as out:
        for name, text in {{**files, info + "RECORD": record}}.items():
            out.writestr(name, text)
    return stem + "-py3-none-any.whl"


def get_requires_for_build_wheel(config_settings=None): return []
def get_requires_for_build_editable(config_settings=None): return []
def build_wheel(folder, config_settings=None, metadata_directory=None): return _make(folder)
def build_editable(folder, config_settings=None, metadata_directory=None): return _make(folder)
"""


@pytest.fixture(scope="session")
def uv_of(uv_release: Callable[[str], Uv]) -> Callable[[str], str]:
    """The path of a uv release."""
    return lambda release: uv_release(release).path


class Machine:
    """A person's machine in a folder: a home, a project with sources beside it, a cache."""

    def __init__(self, base: Path, uv_of: Callable[[str], str]) -> None:
        self.base, self.uv_of = base, uv_of
        self.home, self.cache, self.project = base / "home", base / "cache", base / "project"
        for folder in (self.home, self.project):
            folder.mkdir(parents=True)

    def uv(self, release: str, *args: str) -> Outcome:
        """How this release ended, run in the project."""
        env = {
            "HOME": str(self.home), "PATH": "/usr/bin:/bin", "UV_CACHE_DIR": str(self.cache), "NO_COLOR": "1",
            "UV_PYTHON_DOWNLOADS": "never", "TMPDIR": tempfile.gettempdir(), "COLUMNS": "400",
        }  # fmt: skip
        return run([self.uv_of(release), *args], cwd=str(self.project), env=env, timeout_s=120)

    def venv(self, release: str) -> None:
        assert self.uv(release, "venv", "--python", sys.executable, ".venv").exit_code == 0

    def tree(self, name: str, version: str = "1.0") -> Path:
        """A source tree whose metadata only a build can tell."""
        tree = self.project / name
        tree.mkdir()
        (tree / "backend.py").write_text(BACKEND.format(name=name, version=version))
        (tree / "pyproject.toml").write_text(
            textwrap.dedent(f"""
            [project]
            name = "{name}"
            dynamic = ["version"]
            [build-system]
            requires = []
            build-backend = "backend"
            backend-path = ["."]
            """)
        )
        return tree

    def sdist(self, name: str, version: str = "1.0") -> Path:
        """The same as a source archive, a file."""
        tree = self.tree(name, version)
        archive = self.project / f"{name}-{version}.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for file in ("backend.py", "pyproject.toml"):
                out.write(tree / file, f"{name}-{version}/{file}")
            out.writestr(
                f"{name}-{version}/PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
        return archive

    def wheel(self, name: str, version: str = "1.0", *requires: str) -> Path:
        """A wheel file."""
        scope: dict[str, object] = {}
        more = "".join(f"Requires-Dist: {text}\n" for text in requires)
        exec(BACKEND.format(name=name, version=version) + f"\nMETADATA += {more!r}\n", scope)
        make = scope["_make"]
        assert callable(make)
        return self.project / str(make(str(self.project)))

    def install(self, release: str, *args: str) -> Outcome:
        """How `uv pip install` of these ended, with nothing installed before."""
        self.venv(release)
        return self.uv(release, "pip", "install", "--offline", "--no-index", *args)

    def one(self, pattern: str) -> str:
        """The single path of the cache that matches."""
        found = [str(path.relative_to(self.cache)) for path in self.cache.glob(pattern)]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def machine(tmp_path: Path, uv_of: Callable[[str], str]) -> Machine:
    """A person's machine, without anything on it."""
    return Machine(tmp_path.resolve() / "machine", uv_of)
