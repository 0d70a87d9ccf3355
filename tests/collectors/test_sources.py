from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.collectors.conftest import fact, scene_of
from tests.failing_states.state import write
from uvreport.collectors import sources

if TYPE_CHECKING:
    from tests.failing_states.state import Person


def collected(world: Person, **more: Any) -> Any:
    return fact(sources.collect(scene_of(world, **more)), "sources")


def test_every_source_is_resolved_against_its_file(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["libs/*"]\n[tool.uv.sources]\n'
            'here = { path = "generated" }\ngone = { path = "../gone", editable = true }\n'
            "member = { workspace = true }\n"
            'two = [{ git = "https://jo:s3cret@git.example/x" }, { index = "corp" }]\n',
            "generated/setup.py": "",
            "libs/member/pyproject.toml": '[project]\nname = "Member"\n[tool.uv.sources]\n'
            'up = { path = "../../generated" }\n',
        },
    )
    found = {entry["package"]: entry for entry in collected(world)["sources"]}
    assert found["here"]["points_to"]["has"] == ["setup.py"]
    assert found["gone"]["kind"] == "editable path"
    assert found["gone"]["points_to"] == {"exists": False, "nearest_that_exists": str(world.project.parent)}
    assert found["member"]["path"] == str(world.project / "libs" / "member")
    assert found["up"]["path"] == found["here"]["path"]
    assert "s3cret" not in str(found)


def test_the_sources_of_a_local_source_are_followed(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.sources]\na = { path = "a" }\n',
            "a/pyproject.toml": '[tool.uv.sources]\nb = { path = "../b" }\n',
            "b/pyproject.toml": '[tool.uv.sources]\na = { path = "../a" }\n',
        },
    )
    assert [entry["package"] for entry in collected(world)["sources"]] == ["a", "b", "a"]


def test_a_link_a_broken_link_and_a_file_are_told_apart(world: Person) -> None:
    os.symlink("nowhere", world.project / "broken")
    os.symlink("real", world.project / "link")
    write(world.project, {"real/setup.py": "", "x.tar.gz": "123"})
    scene = scene_of(world)
    assert sources.points_to(scene, str(world.project / "broken"))["kind"] == "broken link"
    assert sources.points_to(scene, str(world.project / "link"))["link_to"] == "real"
    assert sources.points_to(scene, str(world.project / "x.tar.gz"))["size_bytes"] == 3


def test_the_sources_of_a_script_are_those_of_its_block(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[tool.uv.sources]\nproject = { path = "p" }\n',
            "job.py": '# /// script\n# dependencies = ["x"]\n'
            '# [tool.uv.sources]\n# x = { path = "x" }\n# ///\nprint()\n',
        },
    )
    found = collected(world, argv=("uv", "run", "job.py", "--flag"))["sources"]
    assert [entry["package"] for entry in found] == ["x"]


def test_a_requirements_file_is_followed_into_what_it_includes(world: Person) -> None:
    write(
        world.project,
        {"r.txt": "-r more/s.txt\n-e ./local\nrequests\n", "more/s.txt": "./x.whl ; python_version > '3'\n"},
    )
    scene = scene_of(world, argv=("uv", "pip", "install", "-r", "r.txt", "./dist/y-1.tar.gz"))
    assert sources.requirement_files(scene) == [
        str(world.project / "r.txt"),
        str(world.project / "more" / "s.txt"),
    ]
    assert [local.path for local in sources.named_locals(scene)] == [
        str(world.project / name) for name in ("dist/y-1.tar.gz", "local", "more/x.whl")
    ]


def test_the_arguments_of_a_program_name_no_requirements(world: Person) -> None:
    scene = scene_of(world, argv=("uv", "run", "python", "-c", "import x", "-e", "./y"))
    assert sources.requirement_files(scene) == []
    assert sources.named_locals(scene) == []


def test_an_index_is_shown_with_the_shape_of_its_credentials(world: Person) -> None:
    write(
        world.project,
        {"pyproject.toml": '[[tool.uv.index]]\nname = "my-corp"\nurl = "https://u:pa55@i.example/s"\n'},
    )
    (index,) = collected(world, environ={"UV_INDEX_MY_CORP_PASSWORD": "x"})["indexes"]
    assert index["credentials"]["in_url"]["password"] == {"length": 4, "characters": ["lower", "digits"]}
    assert index["credentials"]["variables"] == ["UV_INDEX_MY_CORP_PASSWORD"]
    assert "pa55" not in str(index)


def test_a_find_links_folder_is_listed(world: Person) -> None:
    write(
        world.project,
        {"uv.toml": 'find-links = ["wheels"]\n', "wheels/x-1-py3-none-any.whl": "", "wheels/README": ""},
    )
    (found,) = collected(world)["find_links"]
    assert found["archives"] == ["x-1-py3-none-any.whl"]


def test_a_pyproject_of_the_wrong_shape_is_like_one_without_sources(world: Person) -> None:
    for text in (
        "tool = 3\n",
        '[tool.uv]\nsources = "x"\n',
        "[tool.uv.sources]\nx = 3\n",
        "[tool.uv]\nworkspace = []\n",
    ):
        write(world.project, {"pyproject.toml": text})
        assert collected(world)["sources"] == []
