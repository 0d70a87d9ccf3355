"""A bundle made by hand from what a real failure left behind: the seed's case.

Shared by the tests of packing and rendering. Nothing is tested here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from uvreport.bundle import (
    Bundle,
    Culprit,
    Failure,
    Gap,
    Member,
    Places,
    Proof,
    Redaction,
    Relation,
    Run,
    Uv,
)

PLACES = Places(
    home="/home/user",
    project="/home/user/project",
    cache="/home/user/.cache/uv",
    cwd="/home/user/project",
    venv="/home/user/project/.venv",
)

# `revision.rev` as uv 0.6.7 wrote it: [[timestamp, commit, tags, env, directories], [id, hashes]].
REVISION_0_6_7 = base64.b64decode("kpWSzmsC/XTONRtBecDAgIGjc3JjwJK1VFN0QWFpWkVhLTIzR3IwOHkwTG9nkA==")
REVISION = "sdists-v8/path/7265655f38152283/revision.rev"

PYPROJECT = b"""\
[project]
name = "billing-service"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["my-package"]
[tool.uv]
package = false
[tool.uv.sources]
my-package = { path = "generated" }
"""

SETUP_PY = b"""\
from setuptools import find_packages
from setuptools import setup

setup(
    name="my_package",
    packages=find_packages(),
    package_data={"": ["py.typed", "*.pyi"]},
    include_package_data=True,
)
"""

CHAIN = """\
error: Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`
  Caused by: Failed to deserialize cache entry
  Caused by: array had incorrect length, expected 4
"""

LOG = (
    """\
DEBUG uv 0.6.6
DEBUG Found project root: `/home/user/project`
DEBUG Discovered project `billing-service` at: /home/user/project
DEBUG Using Python request `>=3.10` from `requires-python` metadata
Using CPython 3.11.7 interpreter at: /usr/bin/python3
Creating virtual environment at: .venv
DEBUG No `pyproject.toml` available for: my-package @ file:///home/user/project/generated
DEBUG Acquired lock for `/home/user/.cache/uv/sdists-v8/path/7265655f38152283`
DEBUG Released lock at `/home/user/.cache/uv/sdists-v8/path/7265655f38152283/.lock`
"""
    + CHAIN
)


def facts(topic: str, value: Any) -> Member:
    """The member that a collector would make of these facts."""
    return Member(path=f"facts/{topic}.json", data=json.dumps(value).encode(), collector=topic)


def seed() -> Bundle:
    """The seed's case: uv 0.6.7 wrote the revision pointer, 0.6.6 cannot read it."""
    members = (
        Member(path="cache/" + REVISION, data=REVISION_0_6_7, collector="cache-entries"),
        facts("cache", {"filesystem": "ext4", "writable": True, "buckets": {"sdists-v8": "0.6.0..0.6.7"}}),
        facts(
            "system",
            {"platform_line": "Linux 6.18.5 x86_64 GNU/Linux", "distribution": {"pretty_name": "Debian 12"}},
        ),
        facts("uv", {"ran": "0.6.6", "releases": ["0.6.6", "0.6.7"], "mixed_releases": True}),
        Member(path="project/generated/my_package", kind="dir", mode=0o755),
        Member(path="project/generated/my_package/__init__.py", collector="sources"),
        Member(path="project/generated/setup.py", data=SETUP_PY, collector="sources"),
        Member(
            path="project/pyproject.toml", data=PYPROJECT, mtime_ns=1763811274_123456789, collector="sources"
        ),
    )
    return Bundle(
        created="2026-11-22T10:00:00Z",
        tool="0.1.0",
        platform="linux",
        places=PLACES,
        run=Run(
            argv=("uv", "run", "python", "-c", "import my_package"),
            examined=("uv", "run", "-vv", "python", "-c", "pass"),
            cwd="/home/user/project",
            env={"UV_LINK_MODE": "copy", "LANG": "C.UTF-8"},
            exit_code=2,
            stdout="",
            stderr=LOG,
            duration_s=0.094,
            uv=Uv(
                path="/home/user/.local/bin/uv",
                release="0.6.6",
                version_text="uv 0.6.6 (c1a0bb85e 2025-03-12)",
            ),
            how="overlay",
        ),
        failure=Failure(
            class_="cache-format-skew",
            signature="cache-format-skew/array had incorrect length",
            frames=(
                "Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`",
                "Failed to deserialize cache entry",
                "array had incorrect length, expected 4",
            ),
            chain=CHAIN,
            packages=("my-package",),
        ),
        culprits=(
            Culprit(
                path=REVISION,
                kind="revision.rev",
                state="foreign",
                reason="its CacheInfo has 5 fields, and this release reads at most 4",
                writers="0.6.7",
                confirmed="removed: the command passes",
                size_bytes=len(REVISION_0_6_7),
                sha256=hashlib.sha256(REVISION_0_6_7).hexdigest(),
                decoded=[
                    [[1795357044, 890978681], None, None, {}, {"src": None}],
                    ["TStAaiZEa-23Gr08y0Log", []],
                ],
            ),
        ),
        cure=(REVISION,),
        triage="With `--no-cache` the command passes: the cache is to blame.",
        members=members,
        gaps=(Gap(what="git", why="git is not on PATH"),),
        relations=(Relation(entry=REVISION, source="generated", relation="equal"),),
        redactions=(
            Redaction(
                member="project/pyproject.toml",
                offset=120,
                rule="email",
                placeholder="person1@example.invalid",
            ),
            Redaction(member="run/stderr.txt", offset=40, rule="home", placeholder="/home/user"),
            Redaction(member="run/stderr.txt", offset=90, rule="home", placeholder="/home/user"),
        ),
        proof=Proof(verdict="REPRODUCED", uv="0.6.6", isolation="bubblewrap"),
    )
