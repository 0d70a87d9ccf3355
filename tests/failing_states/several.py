"""More than one entry is at fault, or a whole bucket, or the sound ones beside it matter for the replay."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tests.failing_states.state import (
    Builder,
    Person,
    State,
    UvRelease,
    on_path,
    one,
    person,
    put,
    source_tree,
    uv_does,
    wheel,
    without_venv,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGES = ("acme-api", "acme-core")


def _project(dependencies: tuple[str, ...], more: str) -> str:
    named = ", ".join(f'"{name}"' for name in dependencies)
    return (
        f'[project]\nname = "shop"\nversion = "0.1.0"\nrequires-python = ">=3.10"\ndependencies = [{named}]\n\n'
        f"[tool.uv]\npackage = false\n{more}"
    )


def _of_wheels(root: Path) -> Person:
    who = person(root, "ines.kolb", "shop", {})
    for name in _PACKAGES:
        wheel(who.project / "wheelhouse", name, "2.3.0")
    more = 'no-index = true\nfind-links = ["wheelhouse"]\n'
    write(who.project, {"pyproject.toml": _project(_PACKAGES, more)})
    return who


def _of_sources(root: Path) -> Person:
    who = person(root, "ines.kolb", "shop", {})
    sources = "".join(f'{name} = {{ path = "libs/{name}" }}\n' for name in _PACKAGES)
    write(who.project, {"pyproject.toml": _project(_PACKAGES, f"\n[tool.uv.sources]\n{sources}")})
    for name in _PACKAGES:
        write(who.project, source_tree(name, "1.0.0", under=f"libs/{name}/"))
    return who


def _state(who: Person, uv_release: UvRelease, release: str, *lines: str) -> State:
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release(release)),
        exit_code=2,
        lines=lines,
        class_="cache-corruption",
        private=("ines.kolb",),
    )


def two_cut_revisions(root: Path, uv_release: UvRelease) -> State:
    """After a crash the pointers of two sources are cut; the run stops at the first that it reads."""
    who = _of_sources(root)
    uv_does(who, uv_release("0.6.8"), "sync")
    pointers = sorted(who.cache.glob("sdists-v9/path/*/revision.rev"))
    for pointer in pointers:
        put(pointer, pointer.read_bytes()[:10])
    made = _state(who, uv_release, "0.6.8", "Failed to deserialize cache entry")
    return replace(made, culprits=tuple(p.relative_to(who.cache).as_posix() for p in pointers))


def two_foreign_revisions(root: Path, uv_release: UvRelease) -> State:
    """uv 12318 with two packages: no one of the pointers alone cures it, and the bucket is far too much."""
    who = _of_sources(root)
    uv_does(who, uv_release("0.6.7"), "sync")
    without_venv(who)
    pointers = sorted(who.cache.glob("sdists-v8/path/*/revision.rev"))
    made = _state(who, uv_release, "0.6.6", "array had incorrect length, expected 4")
    culprits = tuple(p.relative_to(who.cache).as_posix() for p in pointers)
    return replace(made, culprits=culprits, class_="cache-format-skew", passes=("0.6.7",))


def one_archive_of_two(root: Path, uv_release: UvRelease) -> State:
    """One unpacked wheel is damaged; the sound one beside it is installed by the same step."""
    who = _of_wheels(root)
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    put(one(who, "archive-v0/*/acme_core-2.3.0.dist-info/METADATA"), b"")
    made = _state(who, uv_release, "0.9.30", "The wheel is invalid: Metadata field Name not found")
    return replace(made, culprits=("archive-v0/*/acme_core-2.3.0.dist-info/METADATA",), passes=("0.13.9",))


def bucket_is_file(root: Path, uv_release: UvRelease) -> State:
    """A sync tool wrote a conflict file in the place of a whole bucket."""
    who = _of_wheels(root)
    uv_does(who, uv_release("0.9.30"), "sync")
    without_venv(who)
    shutil.rmtree(who.cache / "wheels-v5")
    (who.cache / "wheels-v5").write_bytes(b"x")
    made = _state(who, uv_release, "0.9.30", "Not a directory (os error 20)")
    return replace(made, culprits=("wheels-v5",), passes=("0.13.9",))


def run_from_elsewhere(root: Path, uv_release: UvRelease) -> State:
    """The command names the project by a relative `--directory`, from the home."""
    made = two_foreign_revisions(root, uv_release)
    who = replace(made.person, project=made.person.home)
    return replace(made, person=who, argv=("uv", "--directory", "work/shop", "sync"))


def run_from_elsewhere_by_variable(root: Path, uv_release: UvRelease) -> State:
    """A variable names the project, relative to the home."""
    made = bucket_is_file(root, uv_release)
    way = made.person.project.relative_to(made.person.home)
    env = {**made.person.env, "UV_WORKING_DIRECTORY": str(way)}
    return replace(made, person=replace(made.person, project=made.person.home, env=env))


BUILDERS: tuple[Builder, ...] = (
    two_cut_revisions, two_foreign_revisions, one_archive_of_two, bucket_is_file, run_from_elsewhere,
    run_from_elsewhere_by_variable,
)  # fmt: skip
