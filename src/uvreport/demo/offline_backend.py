"""A build backend (PEP 517 and 660) that needs nothing but the standard library.

It is copied into made-up projects as their in-tree backend, so that uv can build them with no package index.
With a `setup.py` the project's data are what that passes to `setup()`, as setuptools would have it; else name
and version are read from `pyproject.toml`, and a dynamic version from a file `VERSION`.
"""

# The hooks take what PEP 517 says, needed or not.
# ruff: noqa: ARG001

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import re
import runpy
import sys
import tarfile
import types
import zipfile
from typing import Any

# Whatever is built twice is the same twice.
ZIP_TIME = (2025, 3, 19, 16, 53, 4)
TAR_TIME = 1742403184


def _from_setup_py() -> tuple[str, str]:
    seen: dict[str, Any] = {}
    stand_in = types.ModuleType("setuptools")
    stand_in.setup = lambda **given: seen.update(given)  # type: ignore[attr-defined]
    stand_in.find_packages = lambda *_, **__: []  # type: ignore[attr-defined]
    sys.modules["setuptools"] = stand_in
    runpy.run_path("setup.py", run_name="__main__")
    return seen["name"], seen.get("version", "0.0.0")


def _project() -> tuple[str, str]:
    if os.path.exists("setup.py"):
        return _from_setup_py()
    with open("pyproject.toml", encoding="utf-8") as file:
        text = file.read()
    name = re.search(r'^name\s*=\s*"([^"]+)"', text, re.MULTILINE)
    version = re.search(r'^version\s*=\s*"([^"]+)"', text, re.MULTILINE)
    assert name is not None  # the projects that this is copied into have one
    if version is not None:
        return name[1], version[1]
    with open("VERSION", encoding="utf-8") as file:
        return name[1], file.read().strip()


def _module(name: str) -> str:
    return re.sub(r"[-.]+", "_", name)


def _metadata(name: str, version: str) -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


def _write_wheel(folder: str, *, editable: bool) -> str:
    name, version = _project()
    module = _module(name)
    info = f"{module}-{version}.dist-info"
    files = {}
    package = next((path for path in (module, os.path.join("src", module)) if os.path.isdir(path)), None)
    if editable:
        files[f"__editable__{module}.pth"] = (
            os.path.dirname(os.path.abspath(package or ".")) + "\n"
        ).encode()
    elif package is not None:
        for file_name in sorted(os.listdir(package)):
            if file_name.endswith(".py"):
                with open(os.path.join(package, file_name), "rb") as file:
                    files[f"{module}/{file_name}"] = file.read()
    files[f"{info}/METADATA"] = _metadata(name, version)
    wheel = "Wheel-Version: 1.0\nGenerator: offline_backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/WHEEL"] = wheel.encode()
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    file_name = f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, file_name), "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, ZIP_TIME), data)
    return file_name


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:
    return []


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def build_wheel(
    wheel_directory: str, config_settings: object = None, metadata_directory: object = None
) -> str:
    return _write_wheel(wheel_directory, editable=False)


def build_editable(
    wheel_directory: str, config_settings: object = None, metadata_directory: object = None
) -> str:
    return _write_wheel(wheel_directory, editable=True)


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    name, version = _project()
    base = f"{_module(name)}-{version}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for root, folders, names in os.walk("."):
            folders[:] = sorted(folder for folder in folders if folder[0] != "." and folder != "__pycache__")
            for file_name in sorted(names):
                path = os.path.relpath(os.path.join(root, file_name))
                with open(path, "rb") as file:
                    _add(archive, f"{base}/{path.replace(os.sep, '/')}", file.read())
        _add(archive, f"{base}/PKG-INFO", _metadata(name, version))
    with open(os.path.join(sdist_directory, f"{base}.tar.gz"), "wb") as raw:
        raw.write(gzip.compress(packed.getvalue(), mtime=TAR_TIME))
    return f"{base}.tar.gz"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(data), TAR_TIME
    archive.addfile(member, io.BytesIO(data))
