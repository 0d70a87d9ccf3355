from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.collectors.conftest import fact, scene_of, scene_of_state
from tests.failing_states.state import write
from uvreport.bundle import Culprit, Uv
from uvreport.collectors import lockfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.failing_states.state import Person, State

LOCK = """\
version = 1
revision = 3
requires-python = ">=3.10"

[options]
exclude-newer = "2026-01-01T00:00:00Z"

[[package]]
name = "app"
version = "1"
source = { virtual = "." }
dependencies = [
    { name = "middle" },
]

[package.metadata]
requires-dist = [{ name = "unrelated" }]

[[package]]
name = "base"
version = "1"
source = { registry = "https://index.example/simple" }

[[package]]
name = "middle"
version = "1"
source = { path = "middle" }
dependencies = [
    { name = "base" },
]

[[package]]
name = "unrelated"
version = "1"
source = { registry = "https://index.example/simple" }
"""


def test_the_excerpt_is_the_package_those_that_need_it_and_those_it_needs(world: Person) -> None:
    write(world.project, {"uv.lock": LOCK})
    found = fact(lockfile.collect(scene_of(world, packages=("middle",))), "lockfile")
    assert found["excerpt_of"] == ["middle", "app", "base"]
    assert all(block in LOCK for block in found["excerpt"].split("\n\n"))
    assert found["source_kinds"] == {"virtual": 1, "registry": 2, "path": 1}
    assert found["options"] == {"exclude-newer": "2026-01-01T00:00:00Z"}


def test_a_package_that_only_the_culprits_path_names_is_in_question_too(world: Person) -> None:
    write(world.project, {"uv.lock": LOCK})
    culprit = Culprit(path="wheels-v5/pypi/base/1-py3-none-any.http", kind="", state="", reason="")
    found = fact(lockfile.collect(scene_of(world, culprits=(culprit,))), "lockfile")
    assert found["in_question"] == ["base"]


def test_the_excerpt_of_a_real_lockfile_is_verbatim(failing: Callable[[str], State]) -> None:
    state = failing("seed")
    found = fact(lockfile.collect(scene_of_state(state, packages=("my-package",))), "lockfile")
    assert found["excerpt_of"][0] == "my-package"
    assert found["excerpt"].split("\n\n")[0] in (state.project / "uv.lock").read_text()
    assert found["newer_than_this_release"] is False


@pytest.mark.parametrize(
    ("release", "revision"),
    [
        ("0.5.31", 0),
        ("0.6.0", 1),
        ("0.6.14", 1),
        ("0.6.15", 2),
        ("0.8.4", 3),
        ("0.12.21", 3),
        ("0.12.22", 5),
        ("", None),
    ],
)
def test_the_revision_that_a_release_writes(release: str, revision: int | None) -> None:
    assert lockfile.written_by(release) == revision


@pytest.mark.parametrize("release", ["0.5.11", "0.6.6", "0.7.22", "0.9.30", "0.12.24", "0.13.9"])
def test_the_table_of_revisions_is_what_real_releases_write(
    world: Person, uv_release: Callable[[str], Uv], release: str
) -> None:
    write(
        world.project,
        {"pyproject.toml": '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'},
    )
    scene = scene_of(world, uv=uv_release(release))
    outcome = scene.ask(["lock", "--offline"])
    assert outcome.exit_code == 0, outcome.stderr
    assert fact(lockfile.collect(scene), "lockfile")["revision"] == lockfile.written_by(release)


def test_a_lockfile_newer_than_the_release_is_said_so(world: Person) -> None:
    write(world.project, {"uv.lock": LOCK})
    old = scene_of(world, uv=Uv(path="", release="0.6.6"))
    assert fact(lockfile.collect(old), "lockfile")["newer_than_this_release"] is True


def test_a_lockfile_that_cannot_be_parsed_still_has_its_excerpt(world: Person) -> None:
    write(world.project, {"uv.lock": LOCK + "oh no\n"})
    found = lockfile.collect(scene_of(world, packages=("base",)))
    assert fact(found, "lockfile")["excerpt_of"] == ["base", "middle"]
    assert [gap.what for gap in found.gaps] == [str(world.project / "uv.lock")]


def test_no_lockfile_is_a_gap(world: Person) -> None:
    assert [gap.why for gap in lockfile.collect(scene_of(world)).gaps] == ["there is none"]


def test_a_long_package_is_shortened_and_says_so() -> None:
    block = lockfile.Block(name="x", text="[[package]]\n" + "line\n" * 500, needs=())
    said = lockfile.excerpt([block])
    assert len(said.splitlines()) == lockfile.BLOCK_LIMIT_LINES + 1
    assert "# 421 lines left out here" in said
