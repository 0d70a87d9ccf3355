"""Whether what uv installed is whole: each distribution's RECORD against the files that are there.

uv links files out of its cache without comparing them with RECORD, so a package that lost a module there is
installed without a word, and the person's program fails instead.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import time
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUDGET_S = (
    2.0  # hashing a large environment takes longer than a person waits; what is left is compared by size
)


class Flaw(Struct, frozen=True, kw_only=True, order=True):
    """One installed file that is not what RECORD says.

    `path` is relative to site-packages, `what` is "missing" or "changed".
    """

    package: str
    version: str
    path: str
    what: str

    @property
    def sentence(self) -> str:
        said = "is missing" if self.what == "missing" else "is not the file that it describes"
        return f"{self.package} {self.version}: {self.path} is listed in RECORD and {said}"


def flaws(venv: str, look: Callable[[str], str | None]) -> tuple[Flaw, ...]:
    """The flaws of everything that uv installed into `venv`, sorted; empty when it is whole or is not there.

    `look` tells where a path of the person's machine can be read now (shadow.Trial.look), None if it is gone.
    """
    until = time.monotonic() + BUDGET_S
    found: list[Flaw] = []
    for site in _site_packages(venv, look):
        for info in _names(site, look):
            if info.endswith(".dist-info"):
                found += _flaws_of(site, info, look, until)
    return tuple(sorted(found))


def _site_packages(venv: str, look: Callable[[str], str | None]) -> Iterator[str]:
    lib = os.path.join(venv, "lib")
    for name in _names(lib, look):
        if name.startswith(("python", "pypy")):
            yield os.path.join(lib, name, "site-packages")
    yield os.path.join(venv, "Lib", "site-packages")


def _names(folder: str, look: Callable[[str], str | None]) -> list[str]:
    real = look(folder)
    try:
        return sorted(os.listdir(real)) if real else []
    except OSError:
        return []


def _read(path: str, look: Callable[[str], str | None]) -> bytes | None:
    real = look(path)
    if real is None:
        return None
    try:
        with open(real, "rb") as file:
            return file.read()
    except OSError:
        return None


def _flaws_of(site: str, info: str, look: Callable[[str], str | None], until: float) -> list[Flaw]:
    folder = os.path.join(site, info)
    if (_read(os.path.join(folder, "INSTALLER"), look) or b"").strip() != b"uv":
        return []
    name, _, version = info.removesuffix(".dist-info").partition("-")
    package = re.sub(r"[-_.]+", "-", name).lower()

    def flaw(path: str, what: str) -> Flaw:
        return Flaw(package=package, version=version, path=path, what=what)

    record = _read(os.path.join(folder, "RECORD"), look)
    if record is None:
        return [flaw(f"{info}/RECORD", "missing")]
    found = []
    for row in csv.reader(record.decode("utf-8", "replace").splitlines()):
        if len(row) != 3 or not row[0] or row[0].endswith(".pyc"):
            continue
        path, digest, size = row
        real = look(os.path.normpath(os.path.join(site, path)))
        if real is None or not os.path.lexists(real):
            found.append(flaw(path, "missing"))
        elif not _is_as_recorded(real, digest, size, until):
            found.append(flaw(path, "changed"))
    return found


def _is_as_recorded(real: str, digest: str, size: str, until: float) -> bool:
    try:
        if size and os.stat(real).st_size != int(size):
            return False
        algorithm, _, value = digest.partition("=")
        if algorithm != "sha256" or time.monotonic() > until:
            return True
        with open(real, "rb") as file:
            have = hashlib.sha256(file.read()).digest()
    except (OSError, ValueError):
        return True  # what cannot be read is not shown to be wrong
    return base64.urlsafe_b64encode(have).rstrip(b"=").decode() == value
