from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.collectors.conftest import changed, fact, paths, scene_of, scene_of_state
from tests.failing_states.state import write
from uvreport.bundle import Places
from uvreport.collectors import project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person, State
    from uvreport.collectors import Findings, Scene


def data(found: Findings, path: str) -> bytes:
    (member,) = [m for m in found.members if m.path == path]
    return member.data


def test_of_the_seeds_project_just_what_uv_reads_is_taken(failing: Callable[[str], State]) -> None:
    found = project.collect(scene_of_state(failing("seed")))
    assert {
        "project/generated",
        "project/generated/setup.py",
        "project/pyproject.toml",
        "project/uv.lock",
    } <= set(paths(found))
    assert not any("my_package" in path or "build" in path.split("/") for path in paths(found, "project"))
    assert found.gaps == ()


def test_a_script_goes_without_its_body(world: Person) -> None:
    block = '# /// script\n# dependencies = ["x"]\n# ///\n'
    write(world.project, {"job.py": f"#!/usr/bin/env python\n{block}\nprint('private')\n"})
    found = project.collect(scene_of(world, argv=("uv", "run", "job.py")))
    assert data(found, "project/job.py").decode() == block + project.LEFT_OUT


def test_a_block_without_an_end_is_kept_as_it_is(world: Person) -> None:
    write(world.project, {"job.py": "# /// script\n# dependencies = [\nprint('private')\n"})
    found = project.collect(scene_of(world, argv=("uv", "run", "job.py")))
    assert data(found, "project/job.py").decode() == "# /// script\n# dependencies = [\n" + project.LEFT_OUT


def test_what_is_private_by_nature_is_taken_by_name_only(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[project]\nname = "x"\nreadme = "README.md"\n[tool.uv]\nfind-links = ["wheels"]\n'
            '[tool.uv.sources]\ny = { path = "y-1.tar.gz" }\n',
            "README.md": "private", "y-1.tar.gz": "private", "wheels/z-1-py3-none-any.whl": "private",
            ".env": "private",
        },
    )  # fmt: skip
    found = project.collect(scene_of(world, argv=("uv", "run", "--env-file", ".env", "x")))
    names = ["project/.env", "project/README.md", "project/wheels/z-1-py3-none-any.whl", "project/y-1.tar.gz"]
    assert fact(found, "project")["stand_ins"] == names
    assert [data(found, name) for name in names] == [b""] * 4


def test_small_archives_go_in_when_asked_for_and_large_ones_do_not(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.sources]\na = { path = "a-1.tar.gz" }\nb = { path = "b-1.tar.gz" }\n',
            "a-1.tar.gz": "small", "b-1.tar.gz": "x" * 200_001,
        },
    )  # fmt: skip
    found = project.collect(scene_of(world, with_archives=True))
    assert data(found, "project/a-1.tar.gz") == b"small"
    assert data(found, "project/b-1.tar.gz") == b""


def test_what_a_build_backend_reads_to_decide_is_taken_and_code_is_not(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.sources]\nlib = { path = "lib", editable = true }\n',
            "lib/pyproject.toml": '[build-system]\nbuild-backend = "own.backend"\nbackend-path = ["build"]\n'
            '[project]\nname = "lib"\ndynamic = ["version", "dependencies"]\n'
            '[tool.setuptools.dynamic]\nversion = { attr = "lib.about.VERSION" }\n'
            'dependencies = { file = ["req.txt"] }\n'
            '[tool.uv]\ncache-keys = [{ file = "native/*" }, { dir = "data" }]\n',
            "lib/setup.cfg": "[metadata]\nlong_description = file: LONG.rst\n",
            "lib/build/own/backend.py": "backend", "lib/req.txt": "requests\n", "lib/LONG.rst": "long",
            "lib/src/lib/about.py": "SECRET = 1\nVERSION = '1.2'\n", "lib/src/lib/core.py": "private",
            "lib/native/x.c": "private", "lib/native/table.toml": "t = 1\n", "lib/data/d": "private",
        },
    )  # fmt: skip
    found = project.collect(scene_of(world))
    assert paths(found, "project/lib") == [
        "project/lib", "project/lib/LONG.rst", "project/lib/build/own/backend.py", "project/lib/data",
        "project/lib/native/table.toml", "project/lib/native/x.c", "project/lib/pyproject.toml",
        "project/lib/req.txt", "project/lib/setup.cfg", "project/lib/src", "project/lib/src/lib/about.py",
    ]  # fmt: skip
    assert data(found, "project/lib/src/lib/about.py") == b"VERSION = '1.2'\n"
    assert data(found, "project/lib/native/x.c") == b""
    assert b"private" not in b"".join(m.data for m in found.members)


def test_the_members_of_a_workspace_are_taken_and_the_excluded_are_not(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\nexclude = ["packages/old"]\n',
            "packages/a/pyproject.toml": '[project]\nname = "a"\n', "packages/old/pyproject.toml": "",
            "packages/none/README": "",
        },
    )  # fmt: skip
    found = project.collect(scene_of(world))
    assert paths(found, "project") == ["project/packages/a/pyproject.toml", "project/pyproject.toml"]
    assert fact(found, "project")["workspace_members"] == [str(world.project / "packages" / "a")]


def test_the_python_versions_from_the_working_folder_up_are_taken(world: Person) -> None:
    write(
        world.project,
        {".python-version": "3.12\n", "sub/.python-versions": "3.11\n", "other/.python-version": "3.9\n"},
    )
    scene = scene_of(world)
    inside = changed(scene, places=replace(scene.places, cwd=str(world.project / "sub")))
    assert paths(project.collect(inside), "project") == [
        "project/.python-version",
        "project/sub/.python-versions",
    ]


def test_modes_and_unusual_folders_are_kept(world: Person) -> None:
    write(world.project, {"pyproject.toml": '[tool.uv.sources]\nx = { path = "a/b" }\n', "a/b/setup.py": ""})
    os.chmod(world.project / "a" / "b" / "setup.py", 0o600)
    os.chmod(world.project / "a", 0o555)
    modes = {m.path: m.mode for m in project.collect(scene_of(world)).members}
    os.chmod(world.project / "a", 0o755)
    assert modes["project/a"] == 0o555
    assert modes["project/a/b/setup.py"] == 0o600


def test_a_file_that_is_too_large_is_a_gap(world: Person) -> None:
    write(world.project, {"pyproject.toml": "", "uv.lock": "x" * 2_000_001})
    found = project.collect(scene_of(world))
    assert [(gap.what, gap.why) for gap in found.gaps] == [
        (str(world.project / "uv.lock"), "larger than 2000 kB")
    ]


def test_a_link_to_nothing_is_a_gap(world: Person) -> None:
    os.symlink("gone", world.project / "uv.lock")
    assert [gap.what for gap in project.collect(scene_of(world)).gaps] == [str(world.project / "uv.lock")]


def test_a_source_elsewhere_in_the_home_goes_below_home(world: Person) -> None:
    write(world.project, {"pyproject.toml": '[tool.uv.sources]\nx = { path = "../../libs/x" }\n'})
    write(world.home, {"libs/x/setup.py": "setup"})
    found = project.collect(scene_of(world))
    assert paths(found, "home") == ["home/libs/x", "home/libs/x/setup.py"]
    assert fact(found, "project")["climb"] == 0


def outside(tmp_path: Path, world: Person, where: str) -> Scene:
    """A project outside the home."""
    there = tmp_path / where
    there.mkdir(parents=True)
    return changed(
        scene_of(world),
        places=Places(home=str(world.home), project=str(there), cache=str(world.cache), cwd=str(there)),
    )


def test_what_a_project_outside_the_home_reaches_by_climbing_stands_beside_it(
    tmp_path: Path, world: Person
) -> None:
    scene = outside(tmp_path, world, "srv/team/project")
    write(
        tmp_path / "srv",
        {
            "team/project/pyproject.toml": '[tool.uv.sources]\nx = { path = "../libs/x" }\ny = { path = "../../y" }\n',
            "team/libs/x/setup.py": "", "y/setup.py": "",
        },
    )  # fmt: skip
    found = project.collect(scene)
    assert paths(found, "home") == [
        "home/dir1/dir2/libs/x", "home/dir1/dir2/libs/x/setup.py", "home/dir1/y", "home/dir1/y/setup.py",
    ]  # fmt: skip
    assert fact(found, "project")["climb"] == 2


def test_one_level_needs_one_folder(tmp_path: Path, world: Person) -> None:
    scene = outside(tmp_path, world, "srv/project")
    assert project.place(scene, str(tmp_path / "srv" / "libs" / "x"), 1) == "home/dir1/libs/x"
    assert project.place(scene, str(tmp_path / "srv"), 1) == "home/dir1"


def test_what_a_project_in_the_home_reaches_outside_of_it_is_a_gap(tmp_path: Path, world: Person) -> None:
    write(tmp_path, {"elsewhere/setup.py": ""})
    write(world.project, {"pyproject.toml": f'[tool.uv.sources]\nx = {{ path = "{tmp_path}/elsewhere" }}\n'})
    found = project.collect(scene_of(world))
    assert f"{tmp_path}/elsewhere/setup.py" in [gap.what for gap in found.gaps]
    assert paths(found, "home") == []


@pytest.mark.parametrize("path", ["project/..", "../x", "home/.."])
def test_no_member_path_ever_climbs(tmp_path: Path, world: Person, path: str) -> None:
    scene = outside(tmp_path, world, "srv/a/b/project")
    found = project.place(scene, os.path.join(scene.places.project, path), 8)
    assert found is None or ".." not in found.split("/")
