"""The latest uv commands are found in every shell's history."""

from __future__ import annotations

import os

from uvreport.history import latest


def _home(tmp_path, **files: str) -> dict[str, str]:
    for n, (name, text) in enumerate(files.items()):
        path = tmp_path / name.replace("__", "/").replace("dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1000 + n, 1000 + n))
    return {"HOME": str(tmp_path)}


def test_the_latest_commands_come_first_and_each_once(tmp_path):
    env = _home(tmp_path, dot_bash_history="uv sync\nls\nuv run pytest -x\nuv sync\ngit push\n")
    assert latest(env, "linux") == (("uv", "sync"), ("uv", "run", "pytest", "-x"))


def test_zsh_and_fish_keep_times_that_are_left_out(tmp_path):
    env = _home(
        tmp_path,
        dot_zsh_history=": 1700000000:0;uv lock --upgrade\n",
        dot_local__share__fish__fish_history="- cmd: FOO=1 uv add six\n  when: 1700000000\n",
    )
    assert latest(env, "linux") == (("uv", "add", "six"), ("uv", "lock", "--upgrade"))


def test_only_uvs_part_of_a_pipeline_is_taken_and_idle_commands_are_not(tmp_path):
    env = _home(tmp_path, dot_bash_history="uv sync | tee log\nuv --version\nuv\necho 'unclosed\n")
    assert latest(env, "linux") == (("uv", "sync"),)


def test_no_history_is_no_answer(tmp_path):
    assert latest({"HOME": str(tmp_path)}, "linux") == ()
