from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.collectors.conftest import fact, other_system, scene_of
from uvreport.collectors import uv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.failing_states.state import Person
    from uvreport.bundle import Uv


@pytest.fixture
def two_on_path(world: Person, tmp_path: Path, uv_release: Callable[[str], Uv]) -> tuple[Uv, str]:
    """The uv that ran, through a link, and a PATH with an older one behind it."""
    folders = []
    for release in ("0.6.7", "0.6.6"):
        folder = tmp_path / release
        folder.mkdir()
        os.symlink(uv_release(release).path, folder / "uv")
        folders.append(str(folder))
    ran = uv_release("0.6.7")
    from msgspec.structs import replace

    return replace(ran, path=os.path.join(folders[0], "uv")), os.pathsep.join([*folders, "/usr/bin", "/bin"])


def test_every_uv_on_path_is_found_and_a_mixture_is_said(world: Person, two_on_path: tuple[Uv, str]) -> None:
    ran, path = two_on_path
    found = fact(uv.collect(scene_of(world, uv=ran, environ={"PATH": path})), "uv")
    assert [entry["release"] for entry in found["found"] if entry["name"] == "uv"] == ["0.6.7", "0.6.6"]
    assert [entry["ran"] for entry in found["found"] if entry["name"] == "uv"] == [True, False]
    assert found["mixed_releases"] is True
    assert found["found"][0]["links"] == [os.path.realpath(ran.path)]


def test_the_build_is_what_a_release_says_of_itself(world: Person, uv_release: Callable[[str], Uv]) -> None:
    ran = uv_release("0.13.9")
    found = fact(uv.collect(scene_of(world, uv=ran)), "uv")
    assert found["self_version"]["version"] == "0.13.9"
    (entry,) = [entry for entry in found["found"] if entry["ran"]]
    assert entry["target_triple"] == found["self_version"]["target_triple"]


def test_a_release_that_cannot_say_its_build_leaves_no_gap(
    world: Person, uv_release: Callable[[str], Uv]
) -> None:
    found = uv.collect(scene_of(world, uv=uv_release("0.6.6")))
    assert fact(found, "uv")["self_version"] is None
    assert found.gaps == ()


def test_a_uv_on_path_that_does_not_answer_is_a_gap(
    world: Person, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    broken = tmp_path / "uv"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    found = uv.collect(scene_of(world, uv=uv_release("0.6.6"), environ={"PATH": str(tmp_path)}))
    assert [gap.what for gap in found.gaps] == [f"the release of {broken}"]
    assert [entry["path"] for entry in fact(found, "uv")["found"]][1:] == [str(broken)]


RECEIPT = {"install_prefix": "/home/mira/.local/bin", "version": "0.9.30"}


@pytest.mark.parametrize(
    ("path", "files", "method"),
    [
        ("/opt/homebrew/Cellar/uv/0.9.30/bin/uv", {}, "Homebrew"),
        ("/home/mira/.local/bin/uv", {"/home/mira/.config/uv/uv-receipt.json": json.dumps(RECEIPT)},
         "standalone installer"),
        ("/home/mira/p/.venv/bin/uv",
         {"/home/mira/p/.venv/pyvenv.cfg": "",
          "/home/mira/p/.venv/lib/python3.12/site-packages/uv-0.9.30.dist-info/INSTALLER": "pip\n"},
         "pip in a virtual environment"),
        ("/home/mira/.local/bin/uv",
         {"/home/mira/.local/lib/python3.12/site-packages/uv-0.9.30.dist-info/INSTALLER": "pip\n"},
         "pip in the user site"),
        ("/usr/local/bin/uv",
         {"/usr/local/lib/python3.12/site-packages/uv-0.9.30.dist-info/INSTALLER": "pip\n"}, "pip in a system Python"),
        ("/home/mira/.local/share/pipx/venvs/uv/bin/uv",
         {"/home/mira/.local/share/pipx/venvs/uv/pipx_metadata.json": "{}"}, "pipx"),
        ("/home/mira/.local/share/uv/tools/uv/bin/uv",
         {"/home/mira/.local/share/uv/tools/uv/uv-receipt.toml": "[tool]\n"}, "uv tool"),
        ("/home/mira/.cargo/bin/uv",
         {"/home/mira/.cargo/.crates.toml": '[v1]\n"uv 0.9.30 (git+https://x)" = ["uv"]\n'}, "cargo"),
        ("/opt/conda/bin/uv", {"/opt/conda/conda-meta/uv-0.9.30-h0_0.json": "{}"}, "conda"),
        ("/usr/bin/uv", {"/var/lib/dpkg/info/uv.list": "/.\n/usr/bin/uv\n"}, "distribution package"),
        ("/usr/bin/uv", {"/lib/apk/db/installed": "C:Q1\nP:uv\nV:0.9.30-r0\n\n"}, "distribution package"),
        ("/usr/bin/uv", {"/var/lib/pacman/local/uv-0.9.30-1/desc": ""}, "distribution package"),
        ("/snap/astral-uv/12/bin/uv", {}, "snap"),
        ("/nix/store/abc-uv-0.9.30/bin/uv", {}, "Nix"),
        ("/home/mira/.local/share/mise/installs/uv/0.9.30/uv", {}, "mise"),
        ("/home/mira/.asdf/shims/uv", {}, "asdf"),
        ("/home/mira/.pyenv/shims/uv", {}, "pyenv shim"),
        ("/uv", {}, "copied from an image"),
        ("/somewhere/uv", {}, "unknown"),
    ],
)  # fmt: skip
def test_how_a_uv_was_installed_is_told_by_what_is_beside_it(
    tmp_path: Path, path: str, files: dict[str, str], method: str
) -> None:
    scene = other_system(tmp_path, "linux", files)
    assert uv.install_method(scene, path, path)["method"] == method


@pytest.mark.parametrize(
    ("path", "files", "method"),
    [
        (r"C:\Users\mira\AppData\Local\Microsoft\WinGet\Packages\astral-sh.uv_Microsoft\uv.exe", {}, "WinGet"),
        (r"C:\Users\mira\scoop\apps\uv\current\uv.exe", {}, "Scoop"),
        (r"C:\ProgramData\chocolatey\lib\uv\tools\uv.exe", {}, "Chocolatey"),
        (r"C:\Users\mira\.local\bin\uv.exe",
         {r"C:\Users\mira\AppData\Local\uv\uv-receipt.json":
          json.dumps({"install_prefix": r"C:\Users\mira\.local\bin"})},
         "standalone installer"),
        (r"C:\p\.venv\Scripts\uv.exe",
         {r"C:\p\.venv\pyvenv.cfg": "", r"C:\p\.venv\Lib\site-packages\uv-0.9.30.dist-info\INSTALLER": "uv"},
         "uv in a virtual environment"),
    ],
)  # fmt: skip
def test_the_same_holds_on_windows(tmp_path: Path, path: str, files: dict[str, str], method: str) -> None:
    assert uv.install_method(other_system(tmp_path, "win32", files), path, path)["method"] == method


def test_another_uv_at_work_on_this_cache_is_counted_and_no_other(tmp_path: Path) -> None:
    ours = os.getpid()
    files = {f"/proc/{pid}/stat": f"{pid} (uv) S 1 {pid} 0" for pid in (900, 901, 902)}
    files |= {
        "/proc/903/stat": f"903 (uv) S {ours} 903 0",
        f"/proc/{ours}/stat": f"{ours} (python (x)) S 1 1 0",
    }
    scene = other_system(tmp_path, "linux", files)
    for pid, target in (
        (900, "/home/mira/uv-cache/.lock"),
        (901, "/elsewhere/.lock"),
        (903, "/home/mira/uv-cache/.lock"),
    ):
        (tmp_path / "system" / "proc" / str(pid) / "fd").mkdir()
        os.symlink(target, tmp_path / "system" / "proc" / str(pid) / "fd" / "3")
    os.symlink("/home/mira/work/project/sub", tmp_path / "system" / "proc" / "902" / "cwd")
    assert fact(uv.collect(scene), "uv")["others_running"] == [{"release": "", "count": 2}]
