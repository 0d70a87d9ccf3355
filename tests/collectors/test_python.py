from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.collectors.conftest import fact, other_system, scene_of
from tests.failing_states.state import write
from uvreport.collectors import python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person
    from uvreport.bundle import Uv


def test_the_venv_that_a_real_uv_made_is_described(world: Person, uv_release: Callable[[str], Uv]) -> None:
    scene = scene_of(world, uv=uv_release("0.9.30"))
    assert scene.ask(["venv"]).exit_code == 0
    venv = fact(python.collect(scene), "python")["venv"]
    assert venv["made_by_uv"] == "0.9.30"
    assert venv["base_exists"] is True
    assert venv["python_exists"] is True
    assert venv["python"][-1] == os.path.realpath(venv["python"][0])
    assert "CACHEDIR.TAG" in venv["uv_marks"]


def test_the_chosen_interpreter_is_what_uv_answers(world: Person, uv_release: Callable[[str], Uv]) -> None:
    scene = scene_of(world, uv=uv_release("0.9.30"))
    chosen = fact(python.collect(scene), "python")["chosen"]
    assert chosen["path"] == scene.ask(["python", "find"]).stdout.strip()


def test_a_request_that_nothing_fits_is_told_in_uvs_words(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    scene = scene_of(world, uv=uv_release("0.9.30"), argv=("uv", "sync", "--python", "3.99"))
    chosen = fact(python.collect(scene), "python")["chosen"]
    assert chosen["path"] is None
    assert "3.99" in " ".join(chosen["said"])


def test_an_old_release_cannot_be_asked_and_that_is_a_gap(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    found = python.collect(scene_of(world, uv=uv_release("0.1.24")))
    assert [gap.why for gap in found.gaps] == ["uv 0.1.24 cannot be asked"]


def test_a_base_that_is_gone_is_seen(world: Person) -> None:
    write(world.project, {".venv/pyvenv.cfg": "home = /gone/bin\nuv = 0.5.1\n"})
    (world.project / ".venv" / "bin").mkdir()
    os.symlink("/gone/bin/python3.9", world.project / ".venv/bin/python")
    venv = fact(python.collect(scene_of(world)), "python")["venv"]
    assert venv["base_exists"] is False
    assert venv["python_exists"] is False
    assert venv["python"][-1] == "/gone/bin/python3.9"


def test_links_that_lead_in_a_circle_come_to_an_end(world: Person) -> None:
    (world.project / ".venv" / "bin").mkdir(parents=True)
    os.symlink("python3", world.project / ".venv/bin/python")
    os.symlink("python", world.project / ".venv/bin/python3")
    assert len(fact(python.collect(scene_of(world)), "python")["venv"]["python"]) == 3


def test_the_environment_is_evidence_when_the_failure_is_of_its_class(world: Person) -> None:
    write(
        world.project,
        {".venv/pyvenv.cfg": "uv = 0.5.1\n", ".venv/lib/python3.12/site-packages/x.py": "private"},
    )
    (world.project / ".venv" / "bin").mkdir()
    os.symlink("/usr/bin/python3", world.project / ".venv/bin/python")
    os.chmod(world.project / ".venv", 0o555)
    other = python.collect(scene_of(world)).members
    found = python.collect(scene_of(world, class_="environment")).members
    os.chmod(world.project / ".venv", 0o755)
    assert len(other) == 1
    assert {m.path: (m.kind, m.mode, m.target) for m in found[1:]} == {
        "project/.venv": ("dir", 0o555, ""),
        "project/.venv/pyvenv.cfg": ("file", 0o644, ""),
        "project/.venv/bin": ("dir", 0o755, ""),
        "project/.venv/bin/python": ("link", 0o777, "/usr/bin/python3"),
        "project/.venv/lib": ("dir", 0o755, ""),
        "project/.venv/lib/python3.12": ("dir", 0o755, ""),
        "project/.venv/lib/python3.12/site-packages": ("dir", 0o755, ""),
    }


def test_active_environments_are_told(world: Person) -> None:
    environ = {
        "VIRTUAL_ENV": str(world.home / "gone"),
        "CONDA_PREFIX": str(world.home),
        "CONDA_DEFAULT_ENV": "base",
    }
    found = fact(python.collect(scene_of(world, environ=environ)), "python")
    assert found["active"]["VIRTUAL_ENV"]["exists"] is False
    assert found["active"]["CONDA_PREFIX"]["exists"] is True
    assert found["conda_environment"] == "base"


def test_managed_pythons_are_listed_and_half_an_install_is_told(world: Person) -> None:
    base = world.home / ".local/share/uv/python"
    write(
        base,
        {"cpython-3.12.1-linux/bin/python3": "", "cpython-3.12.1-linux/BUILD": "20260101\n", ".temp/x": ""},
    )
    (base / "cpython-3.13.0-linux").mkdir()
    found = fact(python.collect(scene_of(world)), "python")["managed"]["pythons"]
    assert [(p["name"], p["complete"], p["build"]) for p in found] == [
        ("cpython-3.12.1-linux", True, "20260101"), ("cpython-3.13.0-linux", False, ""),
    ]  # fmt: skip


def test_pythons_on_path_are_found_and_other_programs_are_not(tmp_path: Path) -> None:
    files = dict.fromkeys(
        ["/opt/bin/python3.12", "/opt/bin/python3-config", "/opt/bin/pypy3", "/opt/bin/pythonw"], ""
    )
    found = python.on_path(other_system(tmp_path, "linux", files, PATH="/opt/bin:/gone"))
    assert [entry["path"] for entry in found] == ["/opt/bin/pypy3", "/opt/bin/python3.12"]


def test_the_python_of_the_microsoft_store_is_told(tmp_path: Path) -> None:
    folder = r"C:\Users\mira\AppData\Local\Microsoft\WindowsApps"
    scene = other_system(tmp_path, "win32", {folder + r"\python.exe": ""}, PATH=folder)
    assert [entry["shim"] for entry in python.on_path(scene)] == ["Microsoft Store"]


def test_the_log_tells_of_the_choice_each_line_once(world: Person) -> None:
    line = "DEBUG Found `cpython-3.11.7-linux-x86_64-gnu` at `/usr/bin/python3` (search path)\n"
    found = fact(
        python.collect(scene_of(world, stderr="    0.1s " + line + line + "DEBUG other\n")), "python"
    )
    assert found["log"] == [line.strip()]
