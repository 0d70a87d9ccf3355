"""Failures that no cache is to blame for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.failing_states.state import (
    BUILD_SYSTEM,
    Builder,
    State,
    UvRelease,
    on_path,
    person,
    uv_does,
    wheel,
    with_env,
    write,
)
from uvreport.demo import backend_source

if TYPE_CHECKING:
    from pathlib import Path


def _project(name: str, dependencies: str = "", more: str = "package = false") -> str:
    return (
        f'[project]\nname = "{name}"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
        f"dependencies = [{dependencies}]\n\n[tool.uv]\n{more}\n"
    )


_WHEELHOUSE = 'package = false\nno-index = true\nfind-links = ["wheelhouse"]'


def lockfile_out_of_date(root: Path, uv_release: UvRelease) -> State:
    """A dependency was added by hand and the lockfile was not."""
    who = person(root, "maria.silvano", "gateway", {})
    wheel(who.project / "wheelhouse", "acme-core", "2.3.0")
    wheel(who.project / "wheelhouse", "acme-cli", "1.0.0")
    write(who.project, {"pyproject.toml": _project("gateway", '"acme-core"', _WHEELHOUSE)})
    uv_does(who, uv_release("0.6.8"), "lock")
    write(who.project, {"pyproject.toml": _project("gateway", '"acme-core", "acme-cli>=1"', _WHEELHOUSE)})
    return State(
        person=who,
        argv=("uv", "sync", "--locked"),
        uv=on_path(who, uv_release("0.6.8")),
        exit_code=2,
        lines=("The lockfile at `uv.lock` needs to be updated, but `--locked` was provided.",),
        class_="lockfile",
        private=("maria.silvano",),
    )


def bad_toml(root: Path, uv_release: UvRelease) -> State:
    """`pyproject.toml` does not parse; the line above the one that uv quotes holds a token."""
    token = "glpat-7mXw2QbRt9KpLs4VnZcD"
    who = person(
        root,
        "li.weimann",
        "ingest",
        {
            "pyproject.toml": f"""\
[project]
name = "ingest"
version = "0.1.0"
authors = [{{ name = "Li Weimann", email = "li.weimann@lab.example" }}]
dependencies = [
    "requests>=2",
    "acme-core @ git+https://oauth2:{token}@git.corp.example/acme/core.git"
    "numpy",
]
"""
        },
    )
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.13.9")),
        exit_code=2,
        lines=("TOML parse error at line 8, column 5", '8 | "numpy",'),
        class_="config",
        private=("li.weimann", "li.weimann@lab.example", token),
    )


def missing_path_source(root: Path, uv_release: UvRelease) -> State:
    """A path source leads to another checkout of the person, which is not on this machine."""
    who = person(
        root,
        "ksenia.park",
        "mobile-backend",
        {
            "pyproject.toml": _project("mobile-backend", '"shared-models"')
            + '\n[tool.uv.sources]\nshared-models = { path = "../../elsewhere/shared-models" }\n'
        },
    )
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.6.8")),
        exit_code=2,
        lines=("Distribution not found at: file://", "/ksenia.park/elsewhere/shared-models"),
        class_="project",
        private=("ksenia.park",),
    )


def unsatisfiable(root: Path, uv_release: UvRelease) -> State:
    """Two internal packages want different versions of a third."""
    who = person(
        root,
        "tomas.hill",
        "platform-core",
        {"pyproject.toml": _project("platform-core", '"acme-api>=2", "acme-worker>=3"', _WHEELHOUSE)},
    )
    house = who.project / "wheelhouse"
    wheel(house, "acme-api", "2.0.0", "acme-core==1.*")
    wheel(house, "acme-worker", "3.1.0", "acme-core>=2")
    wheel(house, "acme-core", "1.9.0")
    wheel(house, "acme-core", "2.3.0")
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.13.9")),
        exit_code=1,
        lines=("No solution found when resolving dependencies", "acme-core", "unsatisfiable"),
        class_="resolution",
        private=("tomas.hill",),
    )


def no_interpreter(root: Path, uv_release: UvRelease) -> State:
    """`.python-version` asks for an interpreter that nobody has, and downloads are off."""
    who = person(
        root,
        "fatima.berg",
        "demo",
        {"pyproject.toml": _project("demo"), ".python-version": "3.10.99\n"},
    )
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=("No interpreter found for Python 3.10.99 in",),
        class_="interpreter",
        private=("fatima.berg",),
    )


def build_fails(root: Path, uv_release: UvRelease) -> State:
    """The `setup.py` of a path source raises, and prints a token on its way out."""
    token = "sk-live-83Kd0VtYw5NqXzRb1P"
    who = person(
        root,
        "noor.azizi",
        "tiles",
        {
            "pyproject.toml": _project("tiles", '"geo-native"')
            + '\n[tool.uv.sources]\ngeo-native = { path = "libs/geo-native" }\n',
            "libs/geo-native/pyproject.toml": BUILD_SYSTEM,
            "libs/geo-native/offline_backend.py": backend_source(),
            "libs/geo-native/geo_native/__init__.py": "",
            "libs/geo-native/setup.py": """\
import os
import sys

from setuptools import setup

print("using toolchain token", os.environ.get("GEO_BUILD_TOKEN"), file=sys.stderr)
if not os.path.exists("/nowhere/geo-sdk/include/geo.h"):
    raise RuntimeError("geo-sdk headers not found; set GEO_SDK_HOME")
setup(name="geo-native", version="0.9.2", packages=["geo_native"])
""",
        },
    )
    who = with_env(who, GEO_BUILD_TOKEN=token)
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=1,
        lines=(
            "Failed to build `geo-native @",
            "RuntimeError: geo-sdk headers not found; set GEO_SDK_HOME",
            f"using toolchain token {token}",
        ),
        class_="build",
        private=("noor.azizi", token),
    )


def command_missing(root: Path, uv_release: UvRelease) -> State:
    """`uv run` cannot start the program: the development group is not installed."""
    who = person(root, "nina.fried", "jobs", {"pyproject.toml": _project("jobs")})
    uv_does(who, uv_release("0.12.24"), "sync")
    return State(
        person=who,
        argv=("uv", "run", "pytest-nope", "-q", "tests"),
        uv=on_path(who, uv_release("0.12.24")),
        exit_code=2,
        lines=("Failed to spawn: pytest-nope", "No such file or directory (os error 2)"),
        class_="command",
        private=("nina.fried",),
    )


def program_fails(root: Path, uv_release: UvRelease) -> State:
    """Not uv's failure: the person's script exits with 3 and prints a line that looks like one of uv's."""
    who = person(
        root,
        "nina.fried",
        "jobs",
        {
            "pyproject.toml": _project("jobs"),
            "nightly.py": """\
import sys

print("error: Failed to deserialize cache entry", file=sys.stderr)
try:
    open("/nowhere/exports/nina.fried/customers.csv")
except OSError as error:
    print("export failed:", error, file=sys.stderr)
    sys.exit(3)
""",
        },
    )
    uv_does(who, uv_release("0.13.9"), "sync")
    return State(
        person=who,
        argv=("uv", "run", "nightly.py"),
        uv=on_path(who, uv_release("0.13.9")),
        exit_code=3,
        lines=(
            "export failed: [Errno 2] No such file or directory: '/nowhere/exports/nina.fried/customers.csv'",
        ),
        class_="not-uv",
        private=("nina.fried",),
    )


def bad_script_metadata(root: Path, uv_release: UvRelease) -> State:
    """The metadata in a script do not parse; the line above the one that uv quotes holds a password."""
    password = "Vq41-cellar-door"
    who = person(
        root,
        "vera.olsen",
        "scripts",
        {
            "backup.py": f"""\
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "requests>=2",
#   "acme-core @ https://vera.olsen:{password}@files.corp.example/acme_core-1.0-py3-none-any.whl"
#   "rich",
# ]
# ///
print("backup")
"""
        },
    )
    return State(
        person=who,
        argv=("uv", "run", "backup.py"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=("TOML parse error at line 5",),
        class_="config",
        private=("vera.olsen", password),
    )


BUILDERS: tuple[Builder, ...] = (
    lockfile_out_of_date, bad_toml, missing_path_source, unsatisfiable, no_interpreter, build_fails,
    command_missing, program_fails, bad_script_metadata,
)  # fmt: skip
