"""Lets a uv release write every kind of entry that it knows, offline: from local files and a server on the loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tests.failing_states.state import person, sdist, source_tree, wheel, with_env, write
from uvreport.uv import run

if TYPE_CHECKING:
    from collections.abc import Collection

    from uvreport.bundle import Uv

_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@corp.example",
    "GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@corp.example",
    "GIT_AUTHOR_DATE": "2024-05-01T12:00:00Z", "GIT_COMMITTER_DATE": "2024-05-01T12:00:00Z",
}  # fmt: skip


class Sources(Struct, frozen=True, kw_only=True):
    """Where the things to install are: a folder of trees and archives, and the same folder behind a server."""

    folder: Path
    url: str


def sources(folder: Path) -> None:
    """Fills `folder`: trees, a Git repository, archives, wheels, an index, a page of links, a list of Pythons."""
    scratch = folder / "scratch"
    for name in ("tree", "ed", "keyed", "locked", "set"):
        write(folder / name, source_tree(f"attr-{name}", "1.0"))
    with open(folder / "keyed" / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write(
            '\n[tool.uv]\ncache-keys = [{ file = "pyproject.toml" }, { env = "FLAVOR" }, { dir = "attr_keyed" },'
            " { git = { commit = true, tags = true } }]\n"
        )
    for name in ("gitdep", "keyed"):
        if name == "gitdep":
            write(folder / name, source_tree("attr-gitdep", "1.0"))
        for command in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["commit", "-q", "-m", "one"],
            ["tag", "v1"],
        ):
            subprocess.run(["git", *command], cwd=folder / name, env={**os.environ, **_GIT}, check=True)
    (folder / "simple").mkdir()
    hashed = ""
    for kind in ("file", "url", "reg", "hash"):
        files = folder / "files"
        for name, made in (
            (f"attr-sd{kind}", sdist(files, source_tree(f"attr-sd{kind}", "1.0"), scratch / kind)),
            (f"attr-wh{kind}", wheel(files, f"attr-wh{kind}", "1.0", "attr-whlink; python_version < '3'")),
        ):
            sha256 = hashlib.sha256(made.read_bytes()).hexdigest()
            (folder / "simple" / name).mkdir()
            link = f'<a href="../../files/{made.name}#sha256={sha256}">{made.name}</a>'
            (folder / "simple" / name / "index.html").write_text(link)
            if kind == "hash":
                hashed += f"{name} @ file://{made} --hash=sha256:{sha256}\n"
    (folder / "hashed.txt").write_text(hashed)
    linked = wheel(folder / "links", "attr-whlink", "1.0")
    (folder / "links" / "index.html").write_text(f'<a href="{linked.name}">{linked.name}</a>')
    pythons = {
        "cpython-3.99.0-linux-x86_64-gnu": {
            "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu",
            "major": 3, "minor": 99, "patch": 0, "prerelease": "", "url": "http://127.0.0.1:9/none.tar.gz",
            "sha256": None, "variant": None, "build": "20990101",
        }
    }  # fmt: skip
    (folder / "pythons.json").write_text(json.dumps(pythons))
    shutil.rmtree(scratch)


_PROJECT = """\
[project]
name = "attr-project"
version = "0.1.0"
requires-python = ">=3.8"
dependencies = ["attr-locked", "attr-sdfile", "attr-whfile"]

[tool.uv]
package = false

[tool.uv.sources]
attr-locked = {{ path = "{0}/locked" }}
attr-sdfile = {{ path = "{0}/files/attr_sdfile-1.0.tar.gz" }}
attr-whfile = {{ path = "{0}/files/attr_whfile-1.0-py3-none-any.whl" }}
"""
_SCRIPT = """\
# /// script
# dependencies = ["attr-whfile @ file://{0}/files/attr_whfile-1.0-py3-none-any.whl"]
# ///
import attr_whfile
"""


def write_entries(
    root: Path, uv: Uv, given: Sources, only: Collection[str] = ()
) -> tuple[Path, dict[str, str]]:
    """The cache that `uv` filled under `root`, and what it said where a step failed, by the step.

    With `only` these steps are made and no others; most need "venv". Another release can add to the same cache. A step
    that the release does not know (a command, a kind of source) fails and writes nothing: that is no fault.
    """
    who = with_env(
        person(root, "ada", f"with-{uv.release}", {"script.py": _SCRIPT.format(given.folder)}),
        FLAVOR="plain",
        **_GIT,
    )
    write(who.project / "locked", {"pyproject.toml": _PROJECT.format(given.folder)})
    folder, url = given.folder, given.url
    index = ("--index-url", f"{url}/simple")
    install = ("pip", "install", "--no-deps", "--offline")
    fetch = ("pip", "install", "--no-deps")
    wheel_file = f"file://{folder}/files/attr_whfile-1.0-py3-none-any.whl"
    linked_file = f"file://{folder}/links/attr_whlink-1.0-py3-none-any.whl"
    steps: dict[str, tuple[str, ...]] = {
        "venv": ("venv", "--python", sys.executable, ".venv"),
        "tree": (*install, f"attr-tree @ file://{folder}/tree"),
        "editable": (*install, "-e", f"{folder}/ed"),
        "keyed": (*install, f"attr-keyed @ file://{folder}/keyed"),
        "sdist file": (*install, f"attr-sdfile @ file://{folder}/files/attr_sdfile-1.0.tar.gz"),
        "wheel file": (*install, f"attr-whfile @ {wheel_file}"),
        "settings": (*install, "--config-setting", "flavor=plain", f"attr-set @ file://{folder}/set"),
        "hashes": (*install, "--require-hashes", "-r", f"{folder}/hashed.txt"),
        "sdist by URL": (*fetch, f"attr-sdurl @ {url}/files/attr_sdurl-1.0.tar.gz"),
        "wheel by URL": (*fetch, f"attr-whurl @ {url}/files/attr_whurl-1.0-py3-none-any.whl"),
        "sdist of an index": (*fetch, *index, "attr-sdreg"),
        "wheel of an index": (*fetch, *index, "attr-whreg"),
        "wheel of a page": (*fetch, *index, "--find-links", f"{url}/links/index.html", "attr-whlink"),
        "git": (*fetch, f"attr-gitdep @ git+file://{folder}/gitdep"),
        "tool": ("tool", "run", *index, "--from", "attr-whreg", "python", "-c", ""),
        "with": ("run", "--no-project", "--offline", "--with", f"attr-whlink @ {linked_file}", "python", "-c", ""),
        "script": ("run", "--offline", "script.py"),
        "pythons": ("python", "list", "--python-downloads-json-url", f"{url}/pythons.json"),
        "lock": ("lock", "--offline"),
        "sync": ("sync", "--offline"),
    }  # fmt: skip
    failed: dict[str, str] = {}
    for step, args in steps.items():
        if only and step not in only:
            continue
        where = who.project / "locked" if step in {"lock", "sync"} else who.project
        done = run((uv.path, *args), cwd=str(where), env=who.env, timeout_s=120)
        if done.exit_code != 0:
            failed[step] = done.stderr
    return who.cache, failed
