"""What a command does outside of project, home and cache is neither kept from it nor done to the person's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.failing_states.state import Person, State, on_path, person, source_tree, write
from tests.stories import uvreport
from uvreport import invocation, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvreport.bundle import Uv

WAYS = ("", "none")  # overlays, and the copy


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the person's, far from home, with an environment in it and a folder with a file."""
    place = tmp_path / "opt"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "py")], check=True)
    write(place, {"target/kept.txt": "kept"})
    return place


@pytest.fixture
def solver(tmp_path: Path, uv_release: Callable[[str], Uv]) -> Person:
    """Somebody with uv 0.13.9 and a package to install."""
    who = person(
        tmp_path / "world", "mira.novak", "project", source_tree("acme-solver", "0.3.1", under="libs/solver/")
    )
    on_path(who, uv_release("0.13.9"))
    return who


def fingerprint(top: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(top)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in top.rglob("*")
    }


def collected(who: Person, out: Path, way: str, *words: str) -> tuple[int, dict[str, Any], str]:
    out.mkdir()
    env = {**who.env, **({"UVREPORT_ISOLATION": way} if way else {})}
    done = uvreport("collect", "--json", "-o", str(out), "--", "uv", *words, env=env, cwd=who.project)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "words",
    [
        "pip install --python {opt}/py/bin/python ./libs/solver",
        "pip install --python {opt}/py ./libs/solver",
        "pip install --python {opt}/py/bin/python --target {opt}/target ./libs/solver",
        "pip install --python {opt}/py/bin/python --prefix={opt}/new ./libs/solver",
        "build --wheel --out-dir ../../../../../opt/target libs/solver",
        "venv {opt}/venv",
        "init {opt}/made",
    ],
)
def test_a_command_that_writes_elsewhere_does_so_on_a_copy(
    words: str, way: str, solver: Person, outside: Path, tmp_path: Path
) -> None:
    before = fingerprint(outside)
    code, _, said = collected(solver, tmp_path / "out", way, *words.format(opt=outside).split())
    assert code == 3, said  # it succeeds, so that it did write
    assert "succeeds now" in said
    assert fingerprint(outside) == before


@pytest.mark.parametrize("way", WAYS)
def test_the_failure_of_such_a_command_is_the_persons_and_not_the_copys(
    way: str, failing: Callable[[str], State], outside: Path, tmp_path: Path
) -> None:
    state = failing("cut_sdist_pointer")
    before = fingerprint(outside)
    words = (
        "pip",
        "install",
        "--python",
        str(outside / "py" / "bin" / "python"),
        "vendor/acme_parser-4.1.0.tar.gz",
    )
    code, answer, said = collected(state.person, tmp_path / "out", way, *words)
    assert code == 0, said
    assert answer["failure"]["class"] == "cache-corruption"
    assert answer["culprits"] == [str(state.culprit().relative_to(state.person.cache))]
    assert fingerprint(outside) == before


def test_a_write_that_nobody_foresaw_is_let_happen_on_a_copy_as_well(
    solver: Person, outside: Path, tmp_path: Path
) -> None:
    backend = solver.project / "libs" / "solver" / "offline_backend.py"
    spoil = f"\nopen({str(outside / 'target' / 'made.txt')!r}, 'w').close()\nraise RuntimeError('the failure itself')\n"
    backend.write_text(backend.read_text() + spoil)
    before = fingerprint(outside)
    code, _, said = collected(solver, tmp_path / "out", "", "build", "--wheel", "libs/solver")
    assert code == 0, said
    issue = next((tmp_path / "out").glob("*.issue.md")).read_text()
    assert "the failure itself" in issue
    assert "Read-only" not in issue
    assert fingerprint(outside) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_failing_command_writes_nothing_elsewhere_when_it_is_replayed(
    way: str, solver: Person, outside: Path, tmp_path: Path
) -> None:
    before = fingerprint(outside)
    # There is no pip in the cache to seed it with.
    words = ("venv", "--offline", "--seed", str(outside / "venv"))
    code, answer, said = collected(solver, tmp_path / "out", way, *words)
    assert code == 0, said
    assert answer["failure"]["class"] == "network"
    assert fingerprint(outside) == before


def test_what_installs_into_a_python_that_cannot_be_copied_is_not_run(
    solver: Person, outside: Path, tmp_path: Path
) -> None:
    ran = outside / "ran"
    write(outside, {"inst/bin/python": f"#!/bin/sh\ntouch {ran}\nexit 1\n"})
    (outside / "inst/bin/python").chmod(0o755)
    words = ("pip", "install", "--python", str(outside / "inst/bin/python"), "./libs/solver")
    code, _, said = collected(solver, tmp_path / "out", "none", *words)
    assert code == 2
    assert f"changes {outside / 'inst'}, which cannot be copied" in said
    assert "--log" in said
    assert not ran.exists()


def test_nothing_is_published_a_second_time(solver: Person, tmp_path: Path) -> None:
    code, _, said = collected(solver, tmp_path / "out", "", "publish", "dist/*")
    assert code == 2
    assert "it would upload" in said


def told(words: str, base: Path) -> list[str]:
    return [
        str(Path(path).relative_to(base))
        for path in written.outside(invocation.parse(words.split()), str(base))
    ]


def test_outputs_and_sources_are_outside_and_what_is_only_read_is_not(tmp_path: Path) -> None:
    write(tmp_path, {"a/pyproject.toml": "", "req.txt": "", "sub/req.txt": "", "py/bin/python": ""})
    assert told("uv pip compile req.txt -o out/locked.txt", tmp_path) == ["out/locked.txt"]
    assert told("uv pip sync sub/req.txt --target=libs", tmp_path) == ["libs", "sub/req.txt"]
    assert told(f"uv pip install {tmp_path}/a", tmp_path) == ["a"]
    assert told(f"uv pip install -r {tmp_path}/sub/req.txt --python {tmp_path}/py/bin/python", tmp_path) == []
    assert told("uv sync --extra a", tmp_path) == ["a"]  # harmless: it is covered once more
    assert written.outside(invocation.parse(["uv", "export", "-o", "/dev/stdout"]), str(tmp_path)) == ()


def test_the_environment_is_found_by_directory_program_variable_and_from_below(
    tmp_path: Path, outside: Path
) -> None:
    def found(words: str, env: dict[str, str], base: Path = tmp_path) -> tuple[str, bool] | None:
        one = written.environment(invocation.parse(words.split()), env, str(base))
        return (one.path, one.virtual) if one else None

    py = str(outside / "py")
    assert found(f"uv pip install --python {py} x", {}) == (py, True)
    assert found(f"uv pip install -p {py}/bin/python x", {}) == (py, True)
    assert found("uv pip install x", {"UV_PYTHON": f"{py}/bin/python3"}) == (py, True)
    assert found("uv pip install --system x", {"PATH": f"{py}/bin"}) == (py, True)
    assert found("uv pip install x", {"UV_SYSTEM_PYTHON": "1", "PATH": f"{py}/bin"}) == (py, True)
    assert found("uv pip install x", {"VIRTUAL_ENV": py}) == (py, True)
    assert found("uv pip install x", {"UV_SYSTEM_PYTHON": "false", "VIRTUAL_ENV": py}) == (py, True)
    assert found("uv pip install -p 3.99 x", {"PATH": ""}) is None
    assert found("uv sync", {}) is None
    write(tmp_path, {".venv/pyvenv.cfg": "", "below/deep/file": "", "inst/bin/python": ""})
    assert found("uv pip list", {}, tmp_path / "below" / "deep") == (str(tmp_path / ".venv"), True)
    assert found("uv pip install -p inst/bin/python x", {}) == (str(tmp_path / "inst"), False)
