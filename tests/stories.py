"""Runs uvreport as people do: as a process of its own, in a made-up person's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.failing_states.state import State

ROOT = Path(__file__).resolve().parent.parent
SRC = str(ROOT / "src")


def uvreport(
    *words: str, env: dict[str, str], cwd: Path | str, prefix: tuple[str, ...] = (), stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`python -m uvreport WORDS`, with this checkout."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "uvreport", *words],
        env={**env, "PYTHONPATH": SRC, "UVREPORT_CACHE_DIR": os.environ["UVREPORT_CACHE_DIR"]},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        input=stdin,
    )


def collect(state: State, out: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON answer and standard error of `uvreport collect --json` on a failing state."""
    out.mkdir(exist_ok=True)
    done = uvreport(
        "collect", "--json", "--output", str(out), *options, "--", *state.argv,
        env=state.env, cwd=state.project, prefix=state.prefix,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def replay(bundle: str, *uvs: str, elsewhere: Path) -> list[dict[str, Any]]:
    """The verdicts of `uvreport replay --json`, from another directory and home, with no network."""
    elsewhere.mkdir(exist_ok=True)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(elsewhere), "LC_ALL": "C.UTF-8"}
    words = [word for uv in uvs for word in ("--uv", uv)]
    offline = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
    done = uvreport("replay", "--json", bundle, *words, env=env, cwd="/", prefix=offline)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
