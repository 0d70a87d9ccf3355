"""What the whole suite shares: real uv releases, made-up people's machines, and fingerprints of them.

The tests' own environment is cleaned for every test: no variable of the machine says where uv's cache is,
which index to ask or which environment is active. Only fetching a release sees the machine as it is, because
a mirror or a proxy may be the only way to one.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
from typing import TYPE_CHECKING

import pytest

from tests.failing_states import STATES
from tests.failing_states.state import Person, State, person
from uvreport import releases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uvreport.bundle import Uv

MACHINE = dict(os.environ)
CLEANED = ("UV_", "PIP_", "XDG_", "CONDA_", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UVREPORT_RELEASES_MB")

# A shell without job control starts what stands before an `&` deaf to interrupts, and children inherit that: the
# tests of interrupts would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in MACHINE:
        if name.startswith(CLEANED):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))  # nobody's: no settings, no shell history
    monkeypatch.setenv("UVREPORT_CACHE_DIR", os.path.dirname(releases.store(MACHINE)))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def obtain(release: str) -> Uv:
    """A real uv, from the store that all runs of the tests share."""
    return releases.obtain(release, environ=MACHINE)


@pytest.fixture(scope="session")
def uv_release() -> Callable[[str], Uv]:
    """Gives the Uv of a release, as `uv_release("0.6.6")`; it is fetched once, and then kept between runs."""
    return obtain


@pytest.fixture
def world(tmp_path: Path) -> Person:
    """A made-up person's machine: HOME, an empty project, a place for the cache and a clean environment."""
    return person(tmp_path / "world", "mira.novak", "project", {})


@pytest.fixture
def failing(tmp_path: Path, uv_release: Callable[[str], Uv]) -> Callable[[str], State]:
    """Builds one of the failing states by name, as `failing("seed")`."""

    def build(name: str) -> State:
        return STATES[name](tmp_path / name, uv_release)

    return build


@pytest.fixture(scope="session")
def fingerprint() -> Callable[..., str]:
    """Gives one digest of everything about a tree: names, kinds, modes, contents, link targets and mtimes.

    `without` are paths under it that do not count, such as the announced output.
    """
    return digest_of_tree


def digest_of_tree(path: Path | str, *, without: tuple[Path, ...] = ()) -> str:
    digest = hashlib.sha256()
    left_out = {os.fspath(name) for name in without}
    pending = [os.fspath(path)]
    while pending:
        here = pending.pop()
        if here in left_out:
            continue
        status = os.lstat(here)
        digest.update(
            f"{os.path.relpath(here, path)}\0{status.st_mode:o}\0{status.st_mtime_ns}\0".encode(
                "utf-8", "surrogateescape"
            )
        )
        if stat.S_ISDIR(status.st_mode):
            pending.extend(os.path.join(here, name) for name in sorted(os.listdir(here)))
        elif stat.S_ISLNK(status.st_mode):
            digest.update(os.fsencode(os.readlink(here)))
        elif stat.S_ISREG(status.st_mode):
            with open(here, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()
