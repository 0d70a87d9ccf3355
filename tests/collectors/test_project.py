from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.collectors.conftest import changed, fact, paths, scene_of, scene_of_state
from tests.failing_states.state import person, sdist, source_tree, uv_does, wheel, write
from uvreport.bundle import Places
from uvreport.collectors import project
from uvreport.uv import run as run_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person, State
    from uvreport.bundle import Uv
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
            "README.md": "private", ".env": "private",
        },
    )  # fmt: skip
    # Broken archives, and what is in them nobody can see.
    write(world.project, {"wheels/z-1-py3-none-any.whl": ""})
    (world.project / "y-1.tar.gz").write_bytes(b"\x1f\x8b\x08private\x00")
    (world.project / "wheels/z-1-py3-none-any.whl").write_bytes(b"PK\x03\x04private\x00")
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


LOCKED = (
    '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["acme-core"]\n'
    '[tool.uv]\npackage = false\n[tool.uv.sources]\nacme-core = { path = "dist/%s" }\n'
)


def put_back(found: Findings, folder: Path) -> None:
    """What a replay makes of the members of a project."""
    for member in found.members:
        top, _, rest = member.path.partition("/")
        if top == "project" and member.kind == "file":
            (folder / rest).parent.mkdir(parents=True, exist_ok=True)
            (folder / rest).write_bytes(member.data)


def test_a_local_archive_goes_in_hollow_and_that_is_written_down(world: Person) -> None:
    path = wheel(world.project / "dist", "acme-core", "2.3.0", "base")
    write(world.project, {"pyproject.toml": LOCKED % path.name})
    found = project.collect(scene_of(world))
    name = f"project/dist/{path.name}"
    (about,) = fact(found, "project")["hollow"]
    assert (about["member"], about["files_left_out"]) == (name, 2)
    assert about["sha256_original"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert about["sha256"] == hashlib.sha256(data(found, name)).hexdigest()
    assert b"return 42" not in data(found, name)
    assert b"Requires-Dist: base" in data(found, name)
    assert name not in fact(found, "project")["stand_ins"]


@pytest.mark.parametrize("release", ["0.6.8", "0.9.30", "0.13.9"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_what_a_lockfile_holds_fits_the_hollow_archive(
    release: str, kind: str, world: Person, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    if kind == "wheel":
        path = wheel(world.project / "dist", "acme-core", "2.3.0")
    else:
        files = source_tree("acme-core", "2.3.0", dynamic=False)
        path = sdist(world.project / "dist", files, tmp_path / "scratch")
    write(world.project, {"pyproject.toml": LOCKED % path.name})
    uv_does(world, uv_release(release), "lock")
    original = hashlib.sha256(path.read_bytes()).hexdigest()
    assert original in (world.project / "uv.lock").read_text()
    found = project.collect(scene_of(world))
    (change,) = fact(found, "project")["lock_hashes_changed"]
    assert (change["member"], change["from"]) == ("project/uv.lock", original)
    elsewhere = person(tmp_path / "elsewhere", "mira", "app", {})
    put_back(found, elsewhere.project)
    if kind == "wheel":
        uv_does(elsewhere, uv_release(release), "sync", "--locked")
    else:  # to install it uv would have to build it, of which the code is left out
        uv_does(elsewhere, uv_release(release), "lock", "--locked")
        outcome = run_process(
            (uv_release(release).path, "sync", "--locked", "--offline"),
            cwd=str(elsewhere.project), env=elsewhere.env, timeout_s=60,
        )  # fmt: skip
        assert "ismatch" not in outcome.stderr


def test_a_digest_that_did_not_fit_is_left_as_it_is(world: Person) -> None:
    path = wheel(world.project / "dist", "acme-core", "2.3.0")
    lock = f"hash = sha256:{'0' * 64}\n"
    write(world.project, {"pyproject.toml": LOCKED % path.name, "uv.lock": lock})
    found = project.collect(scene_of(world))
    assert data(found, "project/uv.lock").decode() == lock
    assert fact(found, "project")["lock_hashes_changed"] == []


def test_a_text_under_the_name_of_an_archive_goes_in_as_it_is(world: Person) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\n"
    write(
        world.project,
        {"pyproject.toml": LOCKED % "a-1-py3-none-any.whl", "dist/a-1-py3-none-any.whl": pointer},
    )
    found = project.collect(scene_of(world))
    assert data(found, "project/dist/a-1-py3-none-any.whl").decode() == pointer
    assert ["not an archive" in gap.why for gap in found.gaps] == [True]


def test_of_a_small_folder_of_find_links_every_archive_keeps_its_metadata(world: Person) -> None:
    write(world.project, {"pyproject.toml": '[tool.uv]\nfind-links = ["links"]\n'})
    for name in ("a", "b"):
        wheel(world.project / "links", name, "1.0")
    assert len(fact(project.collect(scene_of(world)), "project")["hollow"]) == 2


def test_of_a_large_one_only_what_can_matter_does(world: Person) -> None:
    write(
        world.project,
        {
            "pyproject.toml": '[project]\nname = "app"\ndependencies = ["wanted>=1"]\n[tool.uv]\nfind-links = ["links"]\n',
            "uv.lock": '[[package]]\nname = "locked"\n',
        },
    )
    for n in range(60):
        wheel(world.project / "links", f"other{n}", "1.0")
    for name, *needs in (("wanted", "needed"), ("needed",), ("locked",), ("failed",)):
        wheel(world.project / "links", name, "1.0", *needs)
    found = project.collect(scene_of(world, packages=("failed",)))
    hollow = [entry["member"].rpartition("/")[2] for entry in fact(found, "project")["hollow"]]
    assert hollow == [f"{name}-1.0-py3-none-any.whl" for name in ("failed", "locked", "needed", "wanted")]
    assert len(paths(found, "project/links/")) == 64


def test_of_a_very_large_one_the_names_are_cut_but_never_what_matters(
    world: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "MAX_NAMED", 60)
    own = '[project]\nname = "app"\ndependencies = ["zzz"]\n[tool.uv]\nfind-links = ["links"]\n'
    files = {f"links/a{n}-1.0-py3-none-any.whl": "" for n in range(100)}
    write(world.project, {"pyproject.toml": own, **files})
    wheel(world.project / "links", "zzz", "1.0")
    found = paths(project.collect(scene_of(world)), "project/links/")
    assert len(found) == 60
    assert "project/links/zzz-1.0-py3-none-any.whl" in found


def test_the_setup_py_of_an_sdist_keeps_its_code_when_a_build_failed(world: Person, tmp_path: Path) -> None:
    write(tmp_path, {"x-1/setup.py": "raise SystemExit", "x-1/PKG-INFO": "Name: x\nVersion: 1\n"})
    with tarfile.open(world.project / "x-1.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "x-1", "x-1")
    write(world.project, {"pyproject.toml": '[tool.uv.sources]\nx = { path = "x-1.tar.gz" }\n'})
    (about,) = fact(project.collect(scene_of(world)), "project")["hollow"]
    assert about["shortened"] == ["x-1/setup.py"]
    (about,) = fact(project.collect(scene_of(world, class_="build")), "project")["hollow"]
    assert about["shortened"] == []


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
            "packages/none/README": "ours",
        },
    )  # fmt: skip
    found = project.collect(scene_of(world))
    # Of the one that uv refuses, for it has no pyproject.toml, only that something is there.
    assert paths(found, "project") == [
        "project/packages/a/pyproject.toml",
        "project/packages/none/README",
        "project/pyproject.toml",
    ]
    assert data(found, "project/packages/none/README") == b""
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
