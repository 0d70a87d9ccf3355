"""Failures from uv's own tracker and tests that no cache is to blame for: what a bundle of each must hold to show it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.failing_states.state import (
    Builder,
    Person,
    State,
    UvRelease,
    on_path,
    person,
    uv_does,
    wheel,
    with_env,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path


def _project(dependencies: str = "", more: str = "") -> str:
    return (
        '[project]\nname = "svc"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
        f"dependencies = [{dependencies}]\n[tool.uv]\npackage = false\n{more}"
    )


_WHEELS = 'no-index = true\nfind-links = ["wheels"]\n'


def _fails(
    who: Person,
    uv_release: UvRelease,
    argv: str,
    class_: str,
    line: str,
    exit_code: int = 2,
    by: str = "0.9.30",
) -> State:
    return State(
        person=who,
        argv=tuple(argv.split()),
        uv=on_path(who, uv_release(by)),
        exit_code=exit_code,
        lines=(line,),
        class_=class_,
        private=("mira.oduya",),
    )


def _svc(root: Path, files: dict[str, str] | None = None, more: str = "", dependencies: str = "") -> Person:
    return person(
        root, "mira.oduya", "svc", {"pyproject.toml": _project(dependencies, more), **(files or {})}
    )


def member_without_project(root: Path, uv_release: UvRelease) -> State:
    """A folder that the workspace's pattern fits holds files, but no pyproject.toml."""
    who = _svc(root, {"libs/a/README.md": "a\n"}, '[tool.uv.workspace]\nmembers = ["libs/*"]\n')
    return _fails(who, uv_release, "uv lock", "project", "is missing a `pyproject.toml` (matches: `libs/*`)")


def variable_refused(root: Path, uv_release: UvRelease) -> State:
    """A variable that a replay sets by itself has a value that uv refuses."""
    who = with_env(_svc(root), UV_OFFLINE="maybe")
    return _fails(
        who,
        uv_release,
        "uv sync",
        "config",
        "`UV_OFFLINE` with invalid value `maybe`: expected a boolish value",
    )


def environment_is_file(root: Path, uv_release: UvRelease) -> State:
    """`.venv` is a file."""
    who = _svc(root, {".venv": ""})
    return _fails(who, uv_release, "uv sync", "environment", "expected directory but found a file")


def environment_is_folder(root: Path, uv_release: UvRelease) -> State:
    """`.venv` is a folder with somebody's notes."""
    who = _svc(root, {".venv/notes.txt": "mine\n"})
    return _fails(who, uv_release, "uv sync", "environment", "not a valid Python environment")


def environment_without_config(root: Path, uv_release: UvRelease) -> State:
    """`pyvenv.cfg` is gone from the environment."""
    who = _svc(root)
    uv_does(who, uv_release("0.9.30"), "venv")
    (who.project / ".venv" / "pyvenv.cfg").unlink()
    return _fails(
        who, uv_release, "uv pip install --no-index acme-core", "environment", "`pyvenv.cfg` is missing"
    )


def no_environment(root: Path, uv_release: UvRelease) -> State:
    """`uv pip install` without an environment."""
    who = _svc(root)
    return _fails(
        who,
        uv_release,
        "uv pip install --no-index acme-core",
        "environment",
        "No virtual environment found; run",
    )


def script_not_closed(root: Path, uv_release: UvRelease) -> State:
    """The metadata block of a script has no end (a failure of uv's, not of the program)."""
    who = _svc(root, {"job.py": "# /// script\n# dependencies = []\nprint(1)\n"})
    return _fails(who, uv_release, "uv run job.py", "config", "was found without a closing tag")


def script_lock_out_of_date(root: Path, uv_release: UvRelease) -> State:
    """A script whose wheels are in a folder that only its own metadata name; its lockfile is out of date."""
    block = '# /// script\n# requires-python = ">=3.10"\n# dependencies = [{}]\n# [tool.uv]\n'
    block += '# no-index = true\n# find-links = ["wheels"]\n# ///\nprint(1)\n'
    who = _svc(root, {"job.py": block.format("")})
    wheel(who.project / "wheels", "acme-core", "1.0")
    uv_does(who, uv_release("0.9.30"), "lock", "--script", "job.py")
    write(who.project, {"job.py": block.format('"acme-core"')})
    return _fails(who, uv_release, "uv run --locked --script job.py", "lockfile", "needs to be updated")


def build_requirement_unknown(root: Path, uv_release: UvRelease) -> State:
    """What the build requires is nowhere; with `-vv` uv logs the resolver's tree in the middle of its message."""
    who = person(
        root,
        "mira.oduya",
        "svc",
        {
            "pyproject.toml": '[project]\nname = "svc"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
            '[build-system]\nrequires = ["acme-build>=9"]\nbuild-backend = "acme_build"\n'
        },
    )
    return _fails(
        who,
        uv_release,
        "uv sync --no-index",
        "resolution",
        "Because acme-build was not found in the",
        exit_code=1,
    )


def _reworked(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def _wheel_state(
    root: Path,
    uv_release: UvRelease,
    change: Callable[[dict[str, bytes]], None],
    class_: str,
    line: str,
    code: int,
) -> State:
    who = _svc(root, more=_WHEELS, dependencies='"acme-core"')
    wheel(who.project / "wheels", "acme-core", "2.3.0")
    _reworked(next((who.project / "wheels").glob("*.whl")), change)
    return _fails(who, uv_release, "uv sync", class_, line, exit_code=code)


def wheel_without_record(root: Path, uv_release: UvRelease) -> State:
    """The wheel itself has no RECORD: the cache only has what was in it."""

    def change(files: dict[str, bytes]) -> None:
        del files["acme_core-2.3.0.dist-info/RECORD"]

    return _wheel_state(
        root,
        uv_release,
        change,
        "distribution",
        "acme_core-2.3.0.dist-info/RECORD`: No such file or directory",
        2,
    )


def wheel_of_another_version(root: Path, uv_release: UvRelease) -> State:
    """The name of the wheel and its metadata say different versions."""

    def change(files: dict[str, bytes]) -> None:
        for name in list(files):
            files[name.replace("2.3.0", "2.4.0")] = files.pop(name).replace(b"2.3.0", b"2.4.0")

    return _wheel_state(
        root, uv_release, change, "distribution", "Wheel version does not match filename (2.4.0 != 2.3.0)", 2
    )


def wheel_for_newer_python(root: Path, uv_release: UvRelease) -> State:
    """The only version there is wants a Python newer than the project's."""

    def change(files: dict[str, bytes]) -> None:
        files["acme_core-2.3.0.dist-info/METADATA"] += b"Requires-Python: >=3.99\n"

    return _wheel_state(root, uv_release, change, "resolution", "requires Python >=3.99", 1)


def setup_py_alone(root: Path, uv_release: UvRelease) -> State:
    """`uv build` in a folder that has a setup.py and nothing else."""
    who = person(
        root, "mira.oduya", "svc", {"setup.py": "from setuptools import setup\n\nsetup(name='svc')\n"}
    )
    return _fails(
        who,
        uv_release,
        "uv build --wheel --no-index",
        "resolution",
        "setuptools was not found in the provided",
    )


BUILDERS: tuple[Builder, ...] = (
    member_without_project, variable_refused, environment_is_file, environment_is_folder,
    environment_without_config, no_environment, script_not_closed, script_lock_out_of_date,
    build_requirement_unknown, wheel_without_record, wheel_of_another_version, wheel_for_newer_python, setup_py_alone,
)  # fmt: skip
HISTORIC: dict[str, Builder] = {builder.__name__: builder for builder in BUILDERS}
