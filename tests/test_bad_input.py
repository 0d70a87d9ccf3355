"""What is asked for wrongly, or of a bundle that lies: one sentence, the documented exit code, nothing run or left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from uvreport import pack
from uvreport.bundle import Bundle

SAMPLE = Path(__file__).parents[1] / "sample_bundles" / "uv-12318" / "uv-12318.uvreport.zip"


def uvreport(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "uvreport", *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    said = json.loads(done.stdout)["error"]
    assert set(said) == {"message", "hint", "exit_code"}
    assert said["exit_code"] == done.returncode
    return dict(said)


def written(bundle: Bundle, folder: Path) -> Path:
    path = folder / "lying.uvreport.zip"
    path.write_bytes(pack.write(bundle, "issue", "report"))
    return path


def from_release(release: str, folder: Path) -> Path:
    bundle = pack.open_bundle(SAMPLE)
    return written(
        replace(bundle, run=replace(bundle.run, uv=replace(bundle.run.uv, release=release))), folder
    )


def test_verify_says_what_is_wrong_in_one_json_object(tmp_path: Path) -> None:
    cut = tmp_path / "cut.uvreport.zip"
    cut.write_bytes(SAMPLE.read_bytes()[:30_000])
    done = uvreport("verify", "--json", cut)
    refused(done, 4, "is not sound")
    assert "cut off" in error_of(done)["message"]
    assert not all(check["ok"] for check in json.loads(done.stdout)["checks"])


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "--jobs", "0"),
        ("bisect", "--timeout", "inf"),
        ("replay", "--timeout", "nan"),
        ("minimize", "--nope"),
    ],
)
def test_wrong_flags_are_a_json_object_too(words: tuple[str, ...]) -> None:
    done = uvreport(*words, "--json", SAMPLE)
    refused(done, 2, words[1])
    assert words[1] in error_of(done)["message"]


@pytest.mark.parametrize(("command", "code"), [("replay", 6), ("minimize", 6), ("bisect", 2)])
def test_a_path_in_place_of_a_release_in_a_bundle_is_never_run(
    command: str, code: int, tmp_path: Path
) -> None:
    canary, trap = tmp_path / "canary", tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {canary}\necho uv 0.6.6\n")
    trap.chmod(0o755)
    refused(uvreport(command, from_release(str(trap), tmp_path)), code, "which is not a uv release", "Hint")
    assert not canary.exists()


@pytest.mark.parametrize("command", ["replay", "minimize", "bisect"])
def test_a_bundle_that_names_no_release_is_told_so(command: str, tmp_path: Path) -> None:
    done = uvreport(command, from_release("", tmp_path))
    refused(done, 2 if command == "bisect" else 6, "The bundle does not say")


def test_minimize_looks_where_it_is_to_write_before_it_searches(tmp_path: Path) -> None:
    done = uvreport("minimize", SAMPLE, "-o", tmp_path / "none" / "out.zip")
    refused(done, 1, "is not a directory", "-o OUT")
    assert "it fails" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_minimize_refuses_what_replay_refuses(tmp_path: Path) -> None:
    bundle = pack.open_bundle(SAMPLE)
    path = written(replace(bundle, places=replace(bundle.places, project="/etc/x")), tmp_path)
    refused(uvreport("replay", path), 4, "among the system's own files")
    refused(uvreport("minimize", path), 4, "among the system's own files")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs another account to be")
@pytest.mark.parametrize("command", ["show", "verify", "replay"])
def test_a_bundle_that_may_not_be_read_is_an_unreadable_bundle(command: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        locked = Path(folder) / "x.uvreport.zip"
        locked.write_bytes(SAMPLE.read_bytes())
        locked.chmod(0o600)
        # Everything is imported while it still may be: the project can be where only root looks.
        words = (
            f"import os, uvreport.cli.{command}, uvreport.pack, uvreport.replay, uvreport.transplant\n"
            "from uvreport.cli import main\n"
            "os.setgid(65534), os.setuid(65534)\n"
            f"main({[command, str(locked)]!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    refused(done, 4, "permission denied")


def test_an_isolation_that_there_is_not_is_named() -> None:
    refused(uvreport("replay", SAMPLE, UVREPORT_ISOLATION="bogus"), 2, "'bogus'", "namespaces")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is full")
def test_a_full_disk_is_a_sentence_not_a_traceback() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "uvreport", "show", "--json", str(SAMPLE)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    refused(done, 1, "No space left", "Hint")
