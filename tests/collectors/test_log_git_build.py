from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.collectors.conftest import changed, fact, paths, scene_of
from tests.failing_states.state import write
from uvreport.collectors import build, git, log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.failing_states.state import Person


def test_the_outputs_are_there_as_they_were(world: Person) -> None:
    found = log.collect(scene_of(world, stderr="DEBUG uv 0.6.6\nerror: oh\n"))
    assert paths(found, "run/") == ["run/command.txt", "run/stdout.txt", "run/stderr.txt"]
    assert found.members[-1].data == b"DEBUG uv 0.6.6\nerror: oh\n"
    assert fact(found, "log")["verbose"] is True


def test_a_status_code_is_found_in_wrapped_and_boxed_output(world: Person) -> None:
    said = "  ╰─▶ HTTP status client error (401\n  │   Unauthorized) for url\n  │   (https://u:p@i.example/simple/x/)\n"
    assert fact(log.collect(scene_of(world, stderr=said)), "log")["status_codes"] == [
        {
            "code": 401,
            "count": 1,
            "url": "https://<1 characters: lower>:<1 characters: lower>@i.example/simple/x/",
        }
    ]


def test_warnings_are_picked_out(world: Person) -> None:
    said = (
        "WARN Broken cache policy entry at /c/x, removing\nwarning: `VIRTUAL_ENV=x` does not match\nDEBUG y\n"
    )
    assert fact(log.collect(scene_of(world, stderr=said)), "log")["warnings"] == [
        "Broken cache policy entry at /c/x, removing", "`VIRTUAL_ENV=x` does not match",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "timed_out", "how", "said"),
    [
        (2, False, "overlay", "exit code 2"),
        (-6, False, "overlay", "killed by signal 6"),
        (None, True, "overlay", "it did not end in the time that it was given"),
        (None, False, "log", "not run; a saved output was given"),
    ],
)
def test_how_a_run_ended_is_said_in_words(code: int | None, timed_out: bool, how: str, said: str) -> None:
    assert log.ending(code, timed_out=timed_out, how=how) == said


def test_git_says_its_version_and_where_the_repository_is(world: Person) -> None:
    subprocess.run(["git", "init", "-q", str(world.project.parent)], check=True, env=world.env)
    found = fact(git.collect(scene_of(world)), "git")
    assert found["version"].startswith("git version ")
    assert found["repository"] == {"levels_up": 1, "worktree_or_submodule": False}


def test_settings_of_git_are_counted_and_their_values_stay_here(world: Person) -> None:
    write(
        world.home,
        {
            ".gitconfig": "[credential]\n\thelper = store --file /m/.secret\n\thelper = !/o/gh auth git-credential\n"
            '[url "https://x:s3cret@github.com/"]\n\tinsteadOf = https://github.com/\n[http]\n\textraHeader = s3cret\n'
            "[core]\n\tautocrlf = true\n"
        },
    )
    found = git.collect(scene_of(world))
    settings = fact(found, "git")["settings"]
    assert {"gh", "store"} <= set(settings["credential_helpers"])
    assert (settings["rewrites"], settings["extra_headers"]) == (1, 1)
    assert settings["flags"]["core.autocrlf"] == "true"
    assert b"s3cret" not in found.members[0].data
    assert b".secret" not in found.members[0].data


def test_no_git_is_a_gap(world: Person) -> None:
    found = git.collect(scene_of(world, environ={"PATH": ""}))
    assert [(gap.what, gap.why) for gap in found.gaps] == [("git", "not on PATH")]


def test_a_failure_that_is_no_build_says_nothing_of_builds(world: Person) -> None:
    found = build.collect(scene_of(world, class_="cache-format-skew"))
    assert (found.members, found.gaps) == ((), ())


CHAIN = """\
  \N{MULTIPLICATION SIGN} Failed to build `x @ file:///x`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

      [stdout]
      running build

      [stderr]
      Traceback (most recent call last):
        File "<string>", line 5, in <module>
      RuntimeError: headers not found

      hint: This usually indicates a problem with the package.
"""


def test_what_the_backend_printed_is_told_by_stream() -> None:
    assert build.backend_output(CHAIN) == {
        "stdout": ["running build"],
        "stderr": [
            "Traceback (most recent call last):", '  File "<string>", line 5, in <module>',
            "RuntimeError: headers not found",
        ],
    }  # fmt: skip


def test_a_failed_build_has_its_systems_and_compilers(world: Person, tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'cc (Some) 12.2.0'\necho more\n")
    compiler.chmod(0o755)
    write(
        world.project,
        {
            "pyproject.toml": '[project]\nname = "x"\n[build-system]\nrequires = ["hatchling"]\n'
            '[tool.uv.sources]\nold = { path = "old" }\n',
            "old/setup.py": "",
        },
    )
    scene = changed(scene_of(world, class_="build", environ={"PATH": str(tmp_path)}))
    found = fact(build.collect(scene), "build")
    assert found["compilers"] == [{"name": "cc", "path": str(compiler), "version": "cc (Some) 12.2.0"}]
    assert [(s["package"], s["setup_py"]) for s in found["build_systems"]] == [("x", False), (None, True)]
