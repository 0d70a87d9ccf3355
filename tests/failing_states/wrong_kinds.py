"""Cache entries of the wrong kind: a file for a link or a database, a directory for a file, no permission."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.failing_states.state import (
    Builder,
    State,
    UvRelease,
    on_path,
    one,
    person,
    put,
    source_tree,
    uv_does,
    without_root_powers,
    without_venv,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

_NO_PACKAGE = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.10"

[tool.uv]
package = false
"""


def link_is_file(root: Path, uv_release: UvRelease) -> State:
    """A cache restored by a tool that loses links: the one to a built archive is a plain file."""
    who = person(
        root,
        "runner",
        "service",
        {
            "pyproject.toml": """\
[project]
name = "service"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["acme-solver"]

[tool.uv]
package = false

[tool.uv.sources]
acme-solver = { path = "libs/solver" }
""",
            **source_tree("acme-solver", "0.3.1", under="libs/solver/"),
        },
    )
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    put(one(who, "sdists-v9/path/*/*/acme_solver-0.3.1-py3-none-any"), b"x")
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=("Failed to install: acme_solver-0.3.1-py3-none-any.whl", "Not a directory (os error 20)"),
        class_="cache-corruption",
        culprits=("sdists-v9/path/*/*/acme_solver-0.3.1-py3-none-any",),
        passes=("0.13.9",),
        reproducible_on_copy=False,  # the pointer is believed only while the ctime is the recorded one
    )


def git_database_is_file(root: Path, uv_release: UvRelease) -> State:
    """A plain file where the cached Git database should be; a new commit has to be fetched into it."""
    who = person(root, "elias.upp", "app", {})
    work, origin = who.root / "scratch" / "core", who.home / "git" / "core.git"
    write(work, source_tree("acme-core", "2.3.0"))
    origin.parent.mkdir(parents=True)
    env = {**who.env, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for part in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{part}_NAME": "Elias Upp", f"GIT_{part}_EMAIL": "elias.upp@corp.example"}

    def git(*args: str) -> None:
        subprocess.run(["git", *args], cwd=work, env=env, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("clone", "-q", "--bare", str(work), str(origin))
    write(
        who.project,
        {
            "pyproject.toml": f"""\
[project]
name = "app"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["acme-core"]

[tool.uv]
package = false

[tool.uv.sources]
acme-core = {{ git = "file://{origin}", branch = "main" }}
"""
        },
    )
    uv_does(who, uv_release("0.9.30"), "sync")
    git("commit", "-q", "--allow-empty", "-m", "two")
    git("push", "-q", str(origin), "main")
    put(one(who, "git-v0/db/*"), b"x")
    return State(
        person=who,
        argv=("uv", "lock", "--upgrade"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=1,
        lines=("Git operation failed", "failed to remove directory `", "/git-v0/db/"),
        class_="cache-corruption",
        culprits=("git-v0/db/*",),
        passes=("0.13.9",),
        private=("elias.upp", "elias.upp@corp.example"),
    )


def interpreter_is_directory(root: Path, uv_release: UvRelease) -> State:
    """A directory where the cached facts of the interpreter should be: nothing that needs a Python works."""
    who = person(root, "dana.ek", "notes", {})
    uv_does(who, uv_release("0.9.30"), "venv", ".venv-tools")
    subprocess.run(["rm", "-r", str(who.project / ".venv-tools")], check=True)
    entry = one(who, "interpreter-v4/*/*.msgpack")
    entry.unlink()
    entry.mkdir()
    return State(
        person=who,
        argv=("uv", "venv"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=(
            "Failed to query Python interpreter",
            "failed to rename file from",
            "Is a directory (os error 21)",
        ),
        class_="cache-corruption",
        culprits=("interpreter-v4/*/*.msgpack",),
        passes=("0.12.24", "0.13.9"),
        private=("dana.ek",),
    )


def unreadable_bucket_file(root: Path, uv_release: UvRelease) -> State:
    """uv 16820: a cache that another user made (sudo, a container); uv stops before it does anything."""
    prefix = without_root_powers()
    if prefix is None:
        pytest.skip("root reads everything, and there is no setpriv to take that away")
    who = person(root, "josip.liss", "demo", {"pyproject.toml": _NO_PACKAGE.format(name="demo")})
    uv_does(who, uv_release("0.9.30"), "sync")
    one(who, "sdists-v9/.git").chmod(0)
    one(who, "sdists-v9").chmod(0o555)
    return State(
        person=who,
        argv=("uv", "run", "--verbose", "python", "-c", "print('hello')"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=("failed to open file `", "/sdists-v9/.git`: Permission denied (os error 13)"),
        class_="cache-permission",
        culprits=("sdists-v9/.git",),
        passes=("0.13.9",),
        private=("josip.liss",),
        prefix=prefix,
    )


BUILDERS: tuple[Builder, ...] = (
    link_is_file, git_database_is_file, interpreter_is_directory, unreadable_bucket_file
)  # fmt: skip
