from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.collectors.conftest import changed, fact, other_system, scene_of
from uvreport.collectors import system

if TYPE_CHECKING:
    from pathlib import Path

    from tests.failing_states.state import Person

ALPINE = 'ID=alpine\nNAME="Alpine Linux"\nVERSION_ID=3.20.1\nPRETTY_NAME="Alpine Linux v3.20"\n'
WSL2 = "5.15.153.1-microsoft-standard-WSL2\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compares with this machine's uname")
def test_the_platform_line_is_what_uname_prints(world: Person) -> None:
    said = subprocess.run(["uname", "-orsm"], capture_output=True, text=True, check=True).stdout.strip()
    assert fact(system.collect(scene_of(world)), "system")["platform_line"] == said


def test_this_machine_is_described_without_its_name(world: Person) -> None:
    found = system.collect(scene_of(world))
    assert fact(found, "system")["machine"] == platform.machine()
    # The machine's own name is a personal one more often than not.
    assert platform.node() not in found.members[0].data.decode() or len(platform.node()) < 4


def test_the_distribution_is_read_from_the_other_systems_file(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux", {"/etc/os-release": ALPINE})
    assert system.distribution(scene) == {
        "id": "alpine",
        "version_id": "3.20.1",
        "pretty_name": "Alpine Linux v3.20",
    }


def test_musl_is_told_by_its_loader(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux", {"/lib/ld-musl-x86_64.so.1": ""})
    assert system.libc_of(scene)["name"] == "musl"
    assert system.platform_line(scene, "6.1", "x86_64", "musl") == "Linux 6.1 x86_64 Linux"


@pytest.mark.parametrize(("platform_", "line"), [("darwin", "Darwin 24.3.0 arm64"), ("freebsd14", None)])
def test_other_systems_have_a_platform_line_too(tmp_path: Path, platform_: str, line: str | None) -> None:
    found = system.platform_line(other_system(tmp_path, platform_), "24.3.0", "arm64", "")
    assert found == line or (line is None and found.endswith("24.3.0 arm64"))


@pytest.mark.parametrize(
    ("files", "environ", "kind"),
    [
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/run/.containerenv": 'engine="podman-4.3.1"'}, {}, "podman"),
        ({"/proc/1/cgroup": "0::/lxc/web1\n"}, {}, "lxc"),
        ({}, {"container": "lxc"}, "lxc"),
        ({"/var/run/secrets/kubernetes.io/serviceaccount/token": "x"}, {}, "kubernetes"),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"/run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({}, {"CODESPACES": "true"}, "dev container"),
    ],
)
def test_a_container_is_told_by_its_signs(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], kind: str
) -> None:
    assert system.container(other_system(tmp_path, "linux", files, **environ))["kinds"] == [kind]


def test_a_machine_without_signs_is_no_container(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux", {"/proc/1/cgroup": "0::/init.scope\n"})
    assert system.container(scene) == {"kinds": [], "signs": []}


def test_wsl_2_is_told_and_a_project_on_a_drive_of_windows_too(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux", {"/proc/sys/kernel/osrelease": WSL2})
    from uvreport.bundle import Places

    moved = changed(
        scene,
        places=Places(home="/home/mira", project="/mnt/c/work", cache="/home/mira/c", cwd="/mnt/c/work"),
    )
    assert system.wsl(moved, system.kernel_release(moved)) == {
        "version": 2,
        "on_a_windows_drive": ["project"],
    }


def test_wsl_1_has_no_wsl_2_in_its_kernel(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux")
    assert system.wsl(scene, "4.4.0-19041-Microsoft") == {"version": 1, "on_a_windows_drive": []}
    assert system.wsl(scene, "6.1.0-13-amd64") is None


@pytest.mark.parametrize(
    ("environ", "service"),
    [
        ({"CI": "true", "GITHUB_ACTIONS": "true"}, "GitHub Actions"),
        ({"GITLAB_CI": "true"}, "GitLab CI"),
        ({"CI": "1"}, "unknown"),
        ({"CI": "false"}, None),
        ({}, None),
    ],
)
def test_ci_is_told_by_its_variable(tmp_path: Path, environ: dict[str, str], service: str | None) -> None:
    found = system.ci(other_system(tmp_path, "linux", None, **environ))
    assert (found and found["service"]) == service


def test_the_processor_is_read_from_the_file_with_its_level(tmp_path: Path) -> None:
    v3 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe"
    block = f"processor\t: 0\nmodel name\t: Some CPU @ 3GHz\nflags\t\t: {v3}\n\n"
    scene = other_system(tmp_path, "linux", {"/proc/cpuinfo": block + block.replace(": 0", ": 1")})
    assert system.cpu(scene, "x86_64", []) == {"count": 2, "brand": "Some CPU @ 3GHz", "level": "v3"}


def test_a_processor_without_the_file_is_asked_by_the_library(tmp_path: Path) -> None:
    found = system.cpu(other_system(tmp_path, "darwin"), "x86_64", [])
    assert found["brand"]


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("C:\\Users\\mira\\OneDrive - Acme\\project", "OneDrive"),
        ("/home/mira/Dropbox/project", "Dropbox"),
        ("/Users/mira/Library/Mobile Documents/com~apple~CloudDocs/project", "iCloud"),
        ("/home/mira/dropbox-sdk", None),
        ("/home/mira/work/project", None),
    ],
)
def test_a_synced_folder_is_told_by_its_usual_name(path: str, service: str | None) -> None:
    assert system.synced_by(path) == service


def test_the_shape_of_a_path_says_what_can_matter_and_not_the_path(world: Person) -> None:
    found = system.path_shape(scene_of(world), "/home/mira/my próject/a#b")
    assert found == {
        "length": 25, "depth": 4, "spaces": True, "non_ascii": True, "special_characters": ["#"],
        "synced_by": None, "network_share": False, "through_a_link": False,
    }  # fmt: skip


def test_a_resident_scanner_is_told_by_the_name_of_its_process(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "linux", {"/proc/77/comm": "falcon-sensor\n", "/proc/78/comm": "bash\n"})
    assert fact(system.collect(scene), "system")["scanners"] == ["CrowdStrike Falcon"]


def test_on_windows_the_scanners_are_what_powershell_says(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "powershell"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Windows Defender'\necho 'Acme Shield'\n")
    program.chmod(0o755)
    scene = other_system(tmp_path, "win32", {"/proc/cpuinfo": "processor : 0\n"}, PATH=str(program.parent))
    assert fact(system.collect(scene), "system")["scanners"] == ["Acme Shield", "Windows Defender"]


def test_a_scanner_that_nobody_can_name_is_a_gap_on_windows(tmp_path: Path) -> None:
    scene = other_system(tmp_path, "win32", {"/proc/cpuinfo": "processor : 0\n"})
    assert ("virus scanners", "powershell is not on PATH") in [
        (g.what, g.why) for g in system.collect(scene).gaps
    ]
