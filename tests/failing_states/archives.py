"""Unpacked wheels (`archive-v0`) of which a part was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.failing_states.state import (
    Builder,
    Person,
    State,
    UvRelease,
    on_path,
    one,
    person,
    put,
    uv_does,
    wheel,
    without_venv,
)

if TYPE_CHECKING:
    from pathlib import Path


def _wheelhouse(root: Path, name: str, project: str, package: str, version: str) -> Person:
    who = person(
        root,
        name,
        project,
        {
            "pyproject.toml": f"""\
[project]
name = "{project}"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["{package}"]

[tool.uv]
package = false
no-index = true
find-links = ["wheelhouse"]
"""
        },
    )
    wheel(who.project / "wheelhouse", package, version)
    return who


def emptied_metadata(root: Path, uv_release: UvRelease) -> State:
    """uv 16841: after a power cut METADATA has no bytes; no run repairs it."""
    who = _wheelhouse(root, "harald.p", "servo", "acme-gpio", "0.2.2")
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    put(one(who, "archive-v0/*/acme_gpio-0.2.2.dist-info/METADATA"), b"")
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.9.30")),
        exit_code=2,
        lines=(
            "Failed to install: acme_gpio-0.2.2-py3-none-any.whl (acme-gpio==0.2.2)",
            "Caused by: The wheel is invalid: Metadata field Name not found",
        ),
        class_="cache-corruption",
        culprits=("archive-v0/*/acme_gpio-0.2.2.dist-info/METADATA",),
        passes=("0.13.9",),
        private=("harald.p",),
    )


def missing_record(root: Path, uv_release: UvRelease) -> State:
    """RECORD is gone: a clean-up job removed files by age."""
    who = _wheelhouse(root, "lea.wolf", "service", "acme-core", "2.3.0")
    uv_does(who, uv_release("0.12.24"), "sync")
    without_venv(who)
    one(who, "archive-v0/*/acme_core-2.3.0.dist-info/RECORD").unlink()
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.12.24")),
        exit_code=2,
        lines=(
            "Failed to install: acme_core-2.3.0-py3-none-any.whl (acme-core==2.3.0)",
            "acme_core-2.3.0.dist-info/RECORD",
            "No such file or directory (os error 2)",
        ),
        class_="cache-corruption",
        missing=("archive-v0/*/acme_core-2.3.0.dist-info/RECORD",),
        passes=("0.13.9",),
        second_run=False,  # what the first run left in .venv is taken for installed
        private=("lea.wolf",),
    )


def missing_module(root: Path, uv_release: UvRelease) -> State:
    """A module is gone. uv installs what is left and says nothing; the person's program fails."""
    who = _wheelhouse(root, "petra.lang", "service", "acme-core", "2.3.0")
    uv_does(who, uv_release("0.12.24"), "sync")
    without_venv(who)
    one(who, "archive-v0/*/acme_core/core.py").unlink()
    return State(
        person=who,
        argv=("uv", "run", "python", "-c", "import acme_core.core"),
        uv=on_path(who, uv_release("0.12.24")),
        exit_code=1,
        lines=("ModuleNotFoundError: No module named 'acme_core.core'",),
        class_="cache-stale-result",
        missing=("archive-v0/*/acme_core/core.py",),
        passes=("0.13.9",),
        private=("petra.lang",),
    )


BUILDERS: tuple[Builder, ...] = (emptied_metadata, missing_record, missing_module)
