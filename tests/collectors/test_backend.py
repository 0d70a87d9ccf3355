"""The build backend that uv used, found in the cache or beside, packed as wheels."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

from tests.collectors.conftest import changed, fact, scene_of
from tests.failing_states.state import write
from uvreport import sandbox
from uvreport.bundle import Culprit
from uvreport.collectors import backend
from uvreport.redact import public

if TYPE_CHECKING:
    from tests.failing_states.state import Person
    from uvreport.collectors import Findings, Scene

NEW = "DEBUG Installing `hatchling==1.2`, `pluggy==1.0` in `/c/builds-v0/.tmpX`\n"
SAID = "DEBUG Installing in hatchling==1.2, pluggy==1.0 in /c/builds-v0/.tmpX\n"
OLD = "      1.53s 0ms DEBUG uv_dispatch Installing in setuptools==75.8.0 in /c/builds-v0/.tmpo8WlHD\n"


def archive(name: str, version: str, code: str = "x = 1\n") -> dict[str, str]:
    info = f"{name}-{version}.dist-info"
    return {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": f"Name: {name}\nRequires-Dist: pluggy>=1\nRequires-Dist: cli ; extra == 'all'\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py2-none-any\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{name}/__init__.py,sha256=x,1\n",
    }


def put(world: Person, identity: str, files: dict[str, str]) -> None:
    write(world.cache, {f"archive-v0/{identity}/{path}": text for path, text in files.items()})


def built(world: Person, said: str = SAID) -> Scene:
    return scene_of(world, class_="build", stderr=said)


def wheels(found: Findings) -> dict[str, dict[str, bytes]]:
    out = {}
    for member in found.members:
        if member.path.endswith(".whl"):
            with zipfile.ZipFile(io.BytesIO(member.data)) as packed:
                out[member.path] = {name: packed.read(name) for name in packed.namelist()}
    return out


def test_what_uv_built_with_is_read_from_its_output_in_every_style(world: Person) -> None:
    both = [backend.Requirement("hatchling", "1.2"), backend.Requirement("pluggy", "1.0")]
    assert backend.requirements(built(world, SAID)) == both
    assert backend.requirements(built(world, NEW)) == both
    assert backend.requirements(built(world, OLD)) == [backend.Requirement("setuptools", "75.8.0")]
    assert backend.requirements(built(world, "DEBUG Installing in x==1 in /p/.venv\n")) == []


def test_an_unpacked_archive_becomes_the_wheel_that_it_was(world: Person) -> None:
    put(world, "one", archive("hatchling", "1.2"))
    put(world, "two", archive("pluggy", "1.0"))
    put(world, "other", archive("hatchling", "1.1"))
    found = backend.collect(built(world))
    assert sorted(wheels(found)) == [
        f"{backend.FOLDER}/hatchling-1.2-py2.py3-none-any.whl", f"{backend.FOLDER}/pluggy-1.0-py2.py3-none-any.whl",
    ]  # fmt: skip
    one = wheels(found)[f"{backend.FOLDER}/hatchling-1.2-py2.py3-none-any.whl"]
    assert {name: data.decode() for name, data in one.items()} == archive("hatchling", "1.2")
    assert found.gaps == ()
    assert [(row["name"], row["from"]) for row in fact(found, "backend")] == [
        ("hatchling", "archive"),
        ("pluggy", "archive"),
    ]


def test_the_same_archive_gives_the_same_bytes(world: Person) -> None:
    put(world, "one", archive("hatchling", "1.2"))
    first = backend.collect(built(world)).members
    for path in world.cache.rglob("*"):
        os.utime(path, (1, 1))
    assert backend.collect(built(world)).members == first


def test_a_damaged_archive_travels_as_it_is(world: Person) -> None:
    files = archive("hatchling", "1.2")
    del files["hatchling/__init__.py"]
    put(world, "one", files)
    (one, *_) = wheels(backend.collect(built(world))).values()
    assert "hatchling/__init__.py" not in one
    assert b"hatchling/__init__.py" in one["hatchling-1.2.dist-info/RECORD"]


def test_a_wheel_in_a_folder_of_find_links_serves_where_the_cache_has_none(world: Person) -> None:
    name = "hatchling-1.2-py3-none-any.whl"
    write(world.project, {"pyproject.toml": '[tool.uv]\nfind-links = ["wheels"]\n', "wheels/.keep": ""})
    with zipfile.ZipFile(world.project / "wheels" / name, "w") as packed:
        for path, text in archive("hatchling", "1.2").items():
            packed.writestr(path, text)
    found = backend.collect(built(world))
    assert list(wheels(found)) == [f"{backend.FOLDER}/hatchling-1.2-py2.py3-none-any.whl"]
    assert [(gap.what, gap.why) for gap in found.gaps] == [
        ("the build requirement pluggy 1.0", "neither in the cache nor in a folder of find-links")
    ]


def test_what_is_too_large_is_a_gap(world: Person) -> None:
    put(world, "one", archive("hatchling", "1.2", code="x" * (backend.LIMIT_BYTES + 1)))
    put(world, "two", archive("pluggy", "1.0"))
    found = backend.collect(built(world))
    assert list(wheels(found)) == [f"{backend.FOLDER}/pluggy-1.0-py2.py3-none-any.whl"]
    assert [gap.why for gap in found.gaps] == ["with it there would be more than 16 MB"]


def test_what_no_build_asks_for_and_what_is_packed_once_more_is_left_out(world: Person) -> None:
    more = {
        "hatchling/tests/test_x.py": "",
        "hatchling/cli.exe": "MZ",
        "hatchling/data.zip": "PK\x03\x04broken",
    }
    put(world, "one", {**archive("hatchling", "1.2"), **more})
    found = backend.collect(built(world))
    assert fact(found, "backend")[0]["left_out"] == [
        "hatchling/cli.exe",
        "hatchling/data.zip",
        "hatchling/tests/test_x.py",
    ]


def test_a_saved_log_has_what_the_sources_declare_and_what_that_asks_for(world: Person) -> None:
    from msgspec.structs import replace

    write(
        world.project,
        {"pyproject.toml": '[project]\nname = "x"\n[build-system]\nrequires = ["Hatchling>=1"]\n'},
    )
    put(world, "one", archive("hatchling", "1.2"))
    put(world, "two", archive("pluggy", "1.0"))
    scene = built(world, "")
    scene = changed(scene, run=replace(scene.run, how="log"))
    assert len(wheels(backend.collect(scene))) == 2


def test_where_an_entry_of_the_cache_is_at_fault_no_backend_is_needed(world: Person) -> None:
    put(world, "one", archive("hatchling", "1.2"))
    culprit = Culprit(path="sdists-v9/path/x/revision.rev", kind="", state="", reason="")
    assert (
        backend.collect(scene_of(world, class_="cache-format-skew", stderr=SAID, culprits=(culprit,))).members
        == ()
    )
    assert backend.collect(scene_of(world, class_="build", stderr=SAID, culprits=(culprit,))).members != ()


def test_the_rooms_agree_on_where_backends_are() -> None:
    assert backend.FOLDER + "/" == sandbox._WHEELS + "/" == public.FOLDER
