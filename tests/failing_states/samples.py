"""Makes the bundles of `sample_bundles/`: python -m tests.failing_states.samples FOLDER.

Each is what `uvreport collect` writes on a failing state that is built here, and what `uvreport replay` says
of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.failing_states import STATES
from uvreport import releases

if TYPE_CHECKING:
    from tests.failing_states.state import State

# name of the sample, the state, the releases that it is replayed under beside the failing one
SAMPLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("uv-12318", "seed", ("0.6.7", "0.6.8")),
    ("uv-cut-sdist-pointer", "cut_sdist_pointer", ("0.13.8", "0.12.24")),
)


def main() -> None:
    folder = Path(sys.argv[1])
    for name, state, others in SAMPLES:
        with tempfile.TemporaryDirectory(prefix="uvreport-sample-") as root:
            make(folder / name, name, STATES[state](Path(root) / "state", releases.obtain), others)


def make(folder: Path, name: str, state: State, others: tuple[str, ...]) -> None:
    """One sample: the bundle, and `expected.json` with what is true of it."""
    output = state.person.root / "output"
    output.mkdir()
    # uv as a person has it, in their home: a sample must not name this machine's folders.
    own = state.home / ".local" / "bin"
    own.mkdir(parents=True)
    shutil.copy2(state.uv.path, own / "uv")
    state.env["PATH"] = os.pathsep.join([str(own), "/usr/bin", "/bin"])
    answer = uvreport(state, "collect", "--json", "--output", str(output), "--", *state.argv)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bundle = folder / f"{name}.uvreport.zip"
    shutil.copyfile(answer["bundle"], bundle)
    under = [flag for release in (state.fails, *others) for flag in ("--uv", release)]
    verdicts = uvreport(state, "replay", "--json", str(bundle.resolve()), *under)
    expected = {
        "class": answer["failure"]["class"],
        "signature": answer["failure"]["signature"],
        "culprits": answer["culprits"],
        "proof": {key: answer["proof"][key] for key in ("verdict", "uv")},
        "replays": {row["uv"]: row["verdict"] for row in verdicts},
        "private": list(state.private),
    }
    (folder / "expected.json").write_text(
        json.dumps(expected, indent=2) + "\n", encoding="utf-8", newline="\n"
    )
    print(f"{bundle}: {bundle.stat().st_size} bytes, {expected['proof']['verdict']}")  # noqa: T201  # a command


def uvreport(state: State, *args: str) -> Any:
    # The person's environment, with what the machine itself has for finding uv releases and this checkout.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("UVREPORT_", "PYTHONPATH", "PIP_"))
    }
    kept["UVREPORT_CACHE_DIR"] = os.path.dirname(releases.store())
    said = subprocess.run(
        [sys.executable, "-m", "uvreport", *args],
        cwd=state.project, env={**state.env, **kept}, stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    if said.returncode != 0:
        sys.exit(f"uvreport {' '.join(args)} ended with {said.returncode}")
    return json.loads(said.stdout)


if __name__ == "__main__":
    main()
