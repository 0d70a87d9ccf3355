"""Where a uv command writes beside its project, its cache and its environment: what a shadow must cover as well."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from uvreport.invocation import Invocation

# Options that name what is written, by subcommand.
_OUTPUTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("pip", "install"): ("--target", "-t", "--prefix"),
    ("pip", "sync"): ("--target", "-t", "--prefix"),
    ("pip", "uninstall"): ("--target", "-t", "--prefix"),
    ("pip", "compile"): ("--output-file", "-o"),
    ("export",): ("--output-file", "-o"),
    ("build",): ("--out-dir", "-o"),
    ("python", "install"): ("--install-dir", "-i"),
    ("python", "uninstall"): ("--install-dir", "-i"),
}
_MAKES_ITS_ARGUMENT = {("venv",), ("init",)}
# Followed by what is read where it is, and is no place to write to.
_READ_IN_PLACE = {"--python", "-p", "--config-file", "--cache-dir", "--directory", "--project", "--env-file"}
_CHANGES_AN_ENVIRONMENT = {("pip", "install"), ("pip", "sync"), ("pip", "uninstall")}
# Variables that name what is written. A copy gives the command others; an overlay has to cover them.
_VARIABLES = re.compile(r"XDG_(DATA|BIN|STATE)_HOME|UV_PYTHON_(INSTALL|BIN|CACHE)_DIR|UV_CREDENTIALS_DIR")
_NOT_TO_COVER = ("/dev", "/proc", "/sys")
_FALSE = {"", "0", "f", "false", "n", "no", "off"}


class Environment(Struct, frozen=True, kw_only=True):
    """The environment that a `uv pip` command works on: its directory, and whether it is a virtual one.

    One that is not virtual belongs to an installation of Python.
    """

    path: str
    virtual: bool


def changes(command: Invocation) -> bool:
    """Whether the command changes the environment that `environment` tells."""
    elsewhere = any(command.option(name) for name in _OUTPUTS.get(command.subcommand, ()))
    return command.subcommand in _CHANGES_AN_ENVIRONMENT and not elsewhere


def environment(command: Invocation, environ: Mapping[str, str], base: str) -> Environment | None:
    """What `uv pip` in the directory `base` works on; None when that cannot be told, or it is another command."""
    if command.subcommand[:1] != ("pip",):
        return None
    named = command.option("--python", "-p") or environ.get("UV_PYTHON")
    system = "--system" in command.options or environ.get("UV_SYSTEM_PYTHON", "").lower() not in _FALSE
    if named:
        at = os.path.normpath(os.path.join(base, named))
        if os.path.isdir(at):
            return _of_directory(at)
        if os.path.exists(at) and (os.path.isabs(named) or os.path.basename(named) != named):
            return _of_program(at)
        words = (named, f"python{named}")
    elif system:
        words = ("python3", "python")
    else:
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            if environ.get(name):
                return Environment(path=os.path.join(base, environ[name]), virtual=True)
        return Environment(path=_above(base) or os.path.join(base, ".venv"), virtual=True)
    for word in words:
        found = shutil.which(word, path=environ.get("PATH", os.defpath))
        if found:
            return _of_program(found)
    return None


def _above(base: str) -> str:
    """The `.venv` of `base` or of what it lies in, as uv looks for it; "" when there is none."""
    folder = base
    while True:
        if os.path.isfile(os.path.join(folder, ".venv", "pyvenv.cfg")):
            return os.path.join(folder, ".venv")
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above


def _of_directory(path: str) -> Environment:
    marks = ("pyvenv.cfg", "conda-meta")
    return Environment(path=path, virtual=any(os.path.exists(os.path.join(path, name)) for name in marks))


def _of_program(program: str) -> Environment:
    # The link itself first: a virtual environment's python is a link to the installation's.
    for path in (program, os.path.realpath(program)):
        folder = os.path.dirname(path)
        root = os.path.dirname(folder) if os.path.basename(folder).lower() in {"bin", "scripts"} else folder
        found = _of_directory(root)
        if found.virtual:
            return found
    return found


def outside(command: Invocation, base: str) -> tuple[str, ...]:
    """The paths that a command in the directory `base` was told to write to, or finds only from there.

    Such as `--target ../libs` and a source tree that is built; they need not exist.
    """
    told = dict.fromkeys(_told(command, base))
    return tuple(path for path in told if not _in_any(path, _NOT_TO_COVER) and os.path.dirname(path) != path)


def _told(command: Invocation, base: str) -> Iterator[str]:
    for name in _OUTPUTS.get(command.subcommand, ()):
        value = command.option(name)
        if value:
            yield _at(value, base)
    words = (*command.options, *(command.program[:1] if command.kind == "run" else ()))
    for before, word in zip(("", *words), words, strict=False):
        if word.startswith("-") or before in _READ_IN_PLACE or word in command.subcommand:
            continue
        at = _at(re.sub(r"^.*?file://(?=/)", "", word), base)
        if command.subcommand in _MAKES_ITS_ARGUMENT or _is_source_tree(at):
            yield at
        elif not os.path.isabs(word) and os.path.dirname(word) and os.path.exists(at):
            yield at  # read, but only found from a directory that a copy moves


def _at(word: str, base: str) -> str:
    return os.path.normpath(os.path.join(base, word))


def _is_source_tree(path: str) -> bool:
    return any(os.path.isfile(os.path.join(path, name)) for name in ("pyproject.toml", "setup.py"))


def _in_any(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def by_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The directories that variables tell uv to write to."""
    return tuple(
        value
        for name, value in sorted(environ.items())
        if _VARIABLES.fullmatch(name) and os.path.isabs(value)
    )
