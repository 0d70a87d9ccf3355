"""The Pythons of this machine that a replay can tell uv about."""

from __future__ import annotations

import functools
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from uvreport import uv
from uvreport.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE = "UVREPORT_PYTHONS"

_NAME = re.compile(r"python3?(?:\.\d+)?t?\Z")
_QUESTION = (
    "import json, os, sys; print(json.dumps([os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable), "
    "'.'.join(map(str, sys.version_info[:3])), sys.implementation.name, sys.base_prefix, sys.base_exec_prefix]))"
)
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}\Z")


class Python(Struct, frozen=True, kw_only=True):
    """An interpreter of this machine: no environment's link to it, and the folders that its own files are in."""

    executable: str
    version: str
    prefixes: tuple[str, ...]

    def __str__(self) -> str:
        return f"Python {self.version} ({self.executable})"


@functools.cache
def ours() -> Python:
    """The Python that this runs on."""
    return Python(
        executable=os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
        version=".".join(map(str, sys.version_info[:3])),
        prefixes=tuple(dict.fromkeys(map(os.path.realpath, (sys.base_prefix, sys.base_exec_prefix)))),
    )


def at_hand(environ: Mapping[str, str] | None = None) -> tuple[Python, ...]:
    """Every Python that is found, each once, newest first.

    Looked for in what UVREPORT_PYTHONS names, on PATH, and where uv keeps those that it installs. Only CPython:
    what uv asks an interpreter is answered by a program that stands in for it.
    """
    env = os.environ if environ is None else environ
    found = {ours().executable: ours()}
    with ThreadPoolExecutor(8) as pool:
        for python in pool.map(ask, dict.fromkeys(map(os.path.realpath, _candidates(env)))):
            if python is not None:
                found.setdefault(python.executable, python)
    return tuple(sorted(found.values(), key=lambda p: (_order(p.version), p.executable), reverse=True))


def choose(text: str, environ: Mapping[str, str] | None = None) -> Python:
    """What `--python TEXT` means: a path, or a version as in 3.12 of which the newest at hand is taken."""
    if _VERSION.fullmatch(text):
        for python in at_hand(environ):
            if python.version == text or python.version.startswith(text + "."):
                return python
        have = ", ".join(dict.fromkeys(python.version for python in at_hand(environ)))
        raise UsageError(
            f"No Python {text} was found here.", hint=f"There are {have}. Name others with {VARIABLE}."
        )
    found = ask(os.path.abspath(os.path.expanduser(text)))
    if found is None:
        raise UsageError(
            f"{text} does not answer as a Python does.", hint="Give a version, or the path of one."
        )
    return found


@functools.cache
def ask(path: str) -> Python | None:
    """What the executable at `path` says that it is, None when it is no CPython or does not answer."""
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        return None
    try:
        outcome = uv.run(
            [path, "-I", "-S", "-c", _QUESTION], cwd=os.path.abspath(os.sep), env=os.environ, timeout_s=10
        )
        executable, version, name, *prefixes = msgspec.json.decode(outcome.stdout, type=list[str])
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    if outcome.exit_code != 0 or name != "cpython" or not os.path.isfile(executable):
        return None
    return Python(
        executable=executable,
        version=version,
        prefixes=tuple(dict.fromkeys(map(os.path.realpath, prefixes))),
    )


def _candidates(env: Mapping[str, str]) -> Iterator[str]:
    for place in env.get(VARIABLE, "").split(os.pathsep):
        if os.path.isdir(place):
            yield from _in(place)
            yield from _below(place)
        elif place:
            yield os.path.abspath(place)
    for folder in env.get("PATH", "").split(os.pathsep):
        if folder:
            yield from _in(folder)
    yield from _below(_uv_keeps(env))


def _below(folder: str) -> Iterator[str]:
    """The Pythons of each installation in `folder`."""
    for name in _listed(folder):
        yield from _in(os.path.join(folder, name, "bin"))


def _in(folder: str) -> Iterator[str]:
    for name in _listed(folder):
        if _NAME.match(name):
            yield os.path.join(folder, name)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _uv_keeps(env: Mapping[str, str]) -> str:
    own = env.get("UV_PYTHON_INSTALL_DIR")
    data = env.get("XDG_DATA_HOME") or os.path.join(
        env.get("HOME") or os.path.expanduser("~"), ".local", "share"
    )
    return own or os.path.join(data, "uv", "python")


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
