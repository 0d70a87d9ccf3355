"""A build that failed fails again offline, with the backend that the reporter had, when code is allowed to run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import shared_cases
from tests.conftest import MACHINE
from tests.failing_states.state import write
from tests.stories import uvreport
from uvreport import isolate, releases
from uvreport import uv as door

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.failing_states.state import Person
    from uvreport.bundle import Uv

pytestmark = pytest.mark.skipif(isolate.method().name == "none", reason="nothing can contain code here")


def verdicts(path: str, *words: str, uvs: list[str], elsewhere: Path) -> list[tuple[str, bool]]:
    """What `uvreport replay` says of each uv, and whether code ran; on a machine without network."""
    elsewhere.mkdir(exist_ok=True)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(elsewhere), "LC_ALL": "C.UTF-8"}
    offline = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
    given = [word for path_ in uvs for word in ("--uv", path_)]
    done = uvreport("replay", "--json", path, *words, *given, env=env, cwd="/", prefix=offline)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return [(row["verdict"], row["code_executed"]) for row in rows]


@pytest.mark.skipif(not shared_cases.names(), reason="the shared cases are not beside this checkout")
def test_a_build_of_the_shared_cases_fails_again_under_every_release_only_when_code_may_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uv_release: Callable[[str], Uv]
) -> None:
    for key, value in MACHINE.items():
        monkeypatch.setenv(key, value)
    uvs = Path(os.path.dirname(releases.store())) / "case-releases"
    uvs.mkdir(parents=True, exist_ok=True)
    case = shared_cases.build("sdist-build-fails", tmp_path / "case", uvs)
    code, said, error = shared_cases.collect(case, tmp_path / "out")
    assert code == 0, error
    assert said["proof"]["verdict"] == "UNTESTED"
    assert "needs code" in said["proof"]["reason"]
    assert said["size_bytes"] < 2_000_000
    paths = [uv_release(release).path for release in ("0.9.30", "0.6.8", "0.13.9")]
    for words, answer in (((), ("UNTESTED", False)), (("--allow-code",), ("REPRODUCED", True))):
        assert verdicts(said["bundle"], *words, uvs=paths, elsewhere=tmp_path / "else") == [answer] * 3


def test_a_backend_that_is_damaged_in_the_cache_fails_again_elsewhere(
    world: Person, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    project = (
        '[project]\nname = "reefs"\nversion = "1"\nrequires-python = ">=3.9"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    write(world.project, {"pyproject.toml": project, "reefs/__init__.py": ""})
    found = uv_release("0.9.30")
    machine = {
        key: value for key, value in MACHINE.items() if key.startswith(("UV_", "SSL_", "HTTP", "http"))
    }
    env = {**world.env, **machine, "UV_CACHE_DIR": str(world.cache)}
    outcome = door.run([found.path, "sync"], cwd=str(world.project), env=env, timeout_s=120)
    if outcome.exit_code != 0:
        pytest.skip(f"hatchling cannot be had here: {outcome.stderr[-200:]}")
    (module,) = world.cache.glob("archive-v0/*/hatchling/build.py")
    module.unlink()
    for path in ("uv.lock", ".venv/.lock"):
        (world.project / path).unlink(missing_ok=True)
    (world.project / "pyproject.toml").write_text(project.replace("reefs", "reefs2"))  # to be built anew
    out = tmp_path / "out"
    out.mkdir()
    env["PATH"] = os.path.dirname(found.path) + os.pathsep + env["PATH"]
    done = uvreport("collect", "--json", "--output", str(out), "--", "uv", "sync", env=env, cwd=world.project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"]["class"] == "build"
    paths = [found.path, uv_release("0.6.8").path]
    elsewhere = tmp_path / "else"
    assert (
        verdicts(said["bundle"], "--allow-code", uvs=paths, elsewhere=elsewhere) == [("REPRODUCED", True)] * 2
    )
    # Not for want of a backend: the same bundle without the wheels says something else.
    assert verdicts(said["bundle"], uvs=paths, elsewhere=elsewhere) == [("UNTESTED", False)] * 2


_HOOK = """\
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        raise ValueError("the tide tables are missing")
"""


@pytest.mark.parametrize(
    ("more", "files", "complaint"),
    [
        ("", {"notes.txt": "no package is here\n"}, "Unable to determine which files to ship"),
        (
            "[tool.hatch.build.targets.wheel.hooks.custom]\n",
            {"reefs/__init__.py": "", "hatch_build.py": _HOOK},
            "the tide tables are missing",
        ),
    ],
)
def test_a_project_that_hatchling_refuses_fails_again_under_older_releases(
    more: str,
    files: dict[str, str],
    complaint: str,
    world: Person,
    tmp_path: Path,
    uv_release: Callable[[str], Uv],
) -> None:
    project = (
        '[project]\nname = "reefs"\nversion = "1"\nrequires-python = ">=3.9"\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n' + more
    )
    write(world.project, {"pyproject.toml": project, **files})
    machine = {
        key: value for key, value in MACHINE.items() if key.startswith(("UV_", "SSL_", "HTTP", "http"))
    }
    env = {**world.env, **machine, "UV_CACHE_DIR": str(world.cache)}
    found = uv_release("0.13.9")
    outcome = door.run([found.path, "sync"], cwd=str(world.project), env=env, timeout_s=120)
    if complaint not in outcome.stderr:
        pytest.skip(f"hatchling cannot be had here: {outcome.stderr[-200:]}")
    out = tmp_path / "out"
    out.mkdir()
    env["PATH"] = os.path.dirname(found.path) + os.pathsep + env["PATH"]
    done = uvreport("collect", "--json", "--output", str(out), "--", "uv", "sync", env=env, cwd=world.project)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    paths = [uv_release(release).path for release in ("0.9.30", "0.12.24", "0.13.9")]
    for words, answer in (((), ("UNTESTED", False)), (("--allow-code",), ("REPRODUCED", True))):
        assert verdicts(said["bundle"], *words, uvs=paths, elsewhere=tmp_path / "else") == [answer] * 3
