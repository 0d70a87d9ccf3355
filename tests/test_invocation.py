"""A uv command line is taken apart as the release itself would."""

from __future__ import annotations

import pytest

from uvreport.errors import UsageError
from uvreport.invocation import NOT_FOUND_EXIT, parse, programless, uncached, verbose


def _nothing(path: str) -> bytes | None:
    return None


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        (["uv", "run", "pytest", "-x"], ("pytest", "-x")),
        (["uv", "run", "--python", "3.12", "--with=rich", "-q", "pytest"], ("pytest",)),
        (["uv", "run", "--frozen", "--", "pytest", "--", "-k"], ("pytest", "--", "-k")),
        (["uv", "--directory", "sub", "run", "x.py", "--help"], ("x.py", "--help")),
        (["uvx", "--from", "ruff", "ruff", "check"], ("ruff", "check")),
        (["uv", "tool", "run", "-p", "3.12", "ruff"], ("ruff",)),
        (["uv", "sync", "--frozen"], ()),
        (["uv", "pip", "install", "run"], ()),
    ],
)
def test_the_program_begins_where_uvs_options_end(argv, program):
    assert parse(argv).program == program


@pytest.mark.parametrize("argv", [[], ["bash", "cmd"], ["pip", "install", "six"]])
def test_what_is_not_uv_is_refused_with_a_hint(argv):
    with pytest.raises(UsageError) as refused:
        parse(argv)
    assert "uvreport collect -- " in refused.value.hint


def test_the_program_is_replaced_by_one_that_does_nothing():
    bare, files = programless(parse(["uv", "run", "--frozen", "-m", "http.server"]), _nothing)
    assert bare.options == ("run", "--frozen")
    assert bare.program[:2] == ("python", "-c")
    assert files == {}


def test_the_stand_in_tells_whether_the_program_could_have_been_found():
    bare, _ = programless(parse(["uv", "run", "pytest-nope"]), _nothing)
    assert bare.program[-1] == "pytest-nope"
    assert f"else {NOT_FOUND_EXIT}" in bare.program[2]


def test_a_script_keeps_its_metadata_block_and_loses_its_body():
    script = b'#!/usr/bin/env python\n# /// script\n# dependencies = ["six"]\n# ///\nimport secrets_of_ours\n'
    bare, files = programless(parse(["uv", "run", "job.py", "--now"]), lambda path: script)
    assert bare.program == ("job.py",)
    assert files == {"job.py": b'# /// script\n# dependencies = ["six"]\n# ///\n'}


def test_a_script_without_metadata_is_not_run_at_all():
    bare, files = programless(parse(["uv", "run", "job.py"]), lambda path: b"import os\n")
    assert bare.program[:2] == ("python", "-c")
    assert files == {}


def test_a_tool_with_a_version_is_asked_for_by_requirement():
    bare, _ = programless(parse(["uvx", "ruff@0.4.1", "check", "."]), _nothing)
    assert bare.options[-2:] == ("--from", "ruff==0.4.1")


def test_quiet_is_taken_away_and_the_log_turned_on():
    assert verbose(parse(["uv", "sync", "-q", "--frozen"])).argv() == ("uv", "sync", "-vv", "--frozen")


def test_no_cache_stands_behind_the_subcommand():
    assert uncached(parse(["uv", "--color", "never", "pip", "install", "x"])).argv() == (
        "uv", "--color", "never", "pip", "install", "--no-cache", "x",
    )  # fmt: skip


def test_the_value_of_an_option_is_found_in_both_spellings():
    assert parse(["uv", "sync", "--cache-dir", "a"]).option("--cache-dir") == "a"
    assert parse(["uv", "sync", "--cache-dir=b"]).option("--cache-dir") == "b"
    assert parse(["uv", "sync"]).option("--cache-dir") is None


def test_uvx_is_uv_tool_run() -> None:
    assert verbose(parse(["uvx", "ruff", "check"])).words == ("tool", "run", "-vv", "ruff", "check")
    assert parse(["uv", "tool", "run", "ruff"]).words == ("tool", "run", "ruff")
    assert parse(["uv", "sync"]).words == ("sync",)


def test_a_metadata_block_that_uv_refuses_is_kept_for_uv_to_refuse():
    open_ended = b"# /// script\n# dependencies = []\nimport secrets_of_ours\n# private\n"
    bare, files = programless(parse(["uv", "run", "job.py"]), lambda path: open_ended)
    assert bare.program == ("job.py",)
    assert files == {"job.py": b"# /// script\n# dependencies = []\n"}
    twice = b"# /// script\n# a = 1\n# ///\nimport secrets_of_ours\n# /// script\n# a = 1\n# ///\n"
    _, files = programless(parse(["uv", "run", "job.py"]), lambda path: twice)
    assert files == {"job.py": b"# /// script\n# a = 1\n# ///\n\n# /// script\n# a = 1\n# ///\n"}
