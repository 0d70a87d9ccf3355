"""The historic failures beside the project (../shared/cases), driven as their README says. Absent: the tests skip."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT.parent / "shared" / "cases"


class Case(msgspec.Struct, frozen=True):
    """One case: its name, its `case.toml`, and where it was built."""

    name: str
    facts: dict[str, Any]
    folder: Path

    @property
    def argv(self) -> list[str]:
        return shlex.split((self.folder / "cmd").read_text())

    @property
    def is_of_the_cache(self) -> bool:
        return bool(self.facts["class"].startswith("cache-"))


def names() -> list[str]:
    """Every case's name, sorted; empty where the cases are not there."""
    return sorted(p.parent.name for p in CASES.glob("*/make.sh")) if CASES.is_dir() else []


def facts(name: str) -> dict[str, Any]:
    """What `case.toml` says."""
    found: dict[str, Any] = msgspec.toml.decode((CASES / name / "case.toml").read_bytes())
    return found


def build(name: str, folder: Path, uvs: Path) -> Case:
    """The failing state, made by the case's own script. Raises AssertionError with what it said when it cannot be made."""
    done = subprocess.run(
        ["bash", str(CASES / name / "make.sh"), str(folder)],
        env={**os.environ, "UVS": str(uvs)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Case(name, facts(name), folder)


def in_case(case: Case, words: list[str], *, index: bool = False) -> subprocess.CompletedProcess[str]:
    """`python -m uvreport WORDS` in the case's project, environment and powers; with its index up if asked."""
    python = shlex.join([sys.executable, "-m", "uvreport", *words])
    prefix = (case.folder / "as").read_text().strip() if (case.folder / "as").exists() else ""
    steps = [
        f". {shlex.quote(str(case.folder / 'env.sh'))}",
        f"cd {shlex.quote(str(case.folder / 'project'))}",
    ]
    # env.sh clears PYTHON*: the checkout is put back on the path when the package is not installed.
    steps.append(f"export PYTHONPATH={shlex.quote(str(ROOT / 'src'))}")
    served = index and (case.folder / "up").exists()
    if served:
        steps.insert(0, str(case.folder / "up"))
    script = " && ".join(steps) + f" && {prefix} {python}"
    try:
        return subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    finally:
        if served:
            subprocess.run([str(case.folder / "down")], check=False)


def collect(case: Case, out: Path, *more: str, index: bool = True) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON answer and standard error of `uvreport collect --json -- <the case's command>`."""
    out.mkdir(parents=True, exist_ok=True)
    done = in_case(case, ["collect", "--json", "--output", str(out), *more, "--", *case.argv], index=index)
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    return done.returncode, answer, done.stderr


def matches(paths: list[str], patterns: list[str]) -> bool:
    """Whether `paths` are exactly what `patterns` describe: every path fits one, every pattern has one."""
    return all(any(fnmatch.fnmatch(path, p) for p in patterns) for path in paths) and all(
        any(fnmatch.fnmatch(path, p) for path in paths) for p in patterns
    )
