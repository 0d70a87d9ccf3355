"""How many runs and seconds `uvreport bisect` takes on four historic failures, cold and warm. Judges nothing.

    python -m benchmarks.bisect [--every] [CASE ...]

The failures are made here with real releases, which are fetched once (about twenty each; UVREPORT_RELEASES_MB says how
many are kept). Cold: uv has not been asked about Python yet. Whole processes. `--every` then replays one bundle under
all releases since 0.5.0 with two workers: 211 of them take 10 GB, so raise UVREPORT_RELEASES_MB first.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.failing_states import STATES
from tests.failing_states.pointers import _sdist_file
from tests.failing_states.state import State, on_path, person, put, uv_does, wheel, without_venv

from benchmarks.timing import cost
from uvreport import releases
from uvreport.cache import buckets

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvreport.bundle import Uv

SINCE = "0.5.0"


def obtain(release: str) -> Uv:
    return releases.obtain(release)


def seed(root: Path) -> State:
    return STATES["seed"](root, obtain)


def planner(root: Path) -> State:
    return STATES["planner"](root, obtain)


def torn(root: Path) -> State:
    return STATES["cut_revision"](root, obtain)


def id16(root: Path) -> State:
    """uv 19298: 0.11.8 writes an id that 0.11.9 and 0.11.10 refuse."""
    return _of_sdist(root, "0.11.8", "0.11.9", cut=False)


def cut(root: Path) -> State:
    """The pointer of a source distribution, cut to ten bytes."""
    return _of_sdist(root, "0.6.8", "0.9.30", cut=True)


def _of_sdist(root: Path, writer: str, reader: str, *, cut: bool) -> State:
    who = _sdist_file(root, lambda _: obtain(writer))
    state = State(
        person=who, argv=("uv", "sync"), uv=on_path(who, obtain(reader)), exit_code=2, lines=(), class_="",
        culprits=("sdists-v*/path/*/revision.rev",),
    )  # fmt: skip
    if cut:
        put(state.culprit(), state.culprit().read_bytes()[:10])
    return state


def whl12(root: Path) -> State:
    """uv 20949: 0.12.0 writes the pointer of a local wheel with fewer fields than 0.11.11 reads."""
    project = (
        '[project]\nname = "shop"\nversion = "0.1.0"\nrequires-python = ">=3.10"\ndependencies = ["acme-core"]\n'
        '[tool.uv]\npackage = false\n[tool.uv.sources]\nacme-core = { path = "acme_core-2.3.0-py3-none-any.whl" }\n'
    )
    who = person(root, "otto", "shop", {"pyproject.toml": project})
    wheel(who.project, "acme-core", "2.3.0")
    uv_does(who, obtain("0.12.0"), "sync")
    without_venv(who)
    return State(
        person=who, argv=("uv", "sync"), uv=on_path(who, obtain("0.11.11")), exit_code=2, lines=(), class_=""
    )


CASES: dict[str, tuple[Callable[[Path], State], tuple[str, ...]]] = {
    "seed": (seed, ()),
    "planner": (planner, ()),
    "torn": (torn, ()),
    "id16": (id16, ()),
    "whl12": (whl12, ()),
    "cut": (cut, ("--transplant",)),
}


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--every"]
    with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as folder:
        for name in words or CASES:
            build, options = CASES[name]
            bundle = collected(build(Path(folder) / name), Path(folder) / name)
            argv = [sys.executable, "-m", "uvreport", "bisect", "--json", bundle, *options]
            cost(argv, env=dict(os.environ))  # fetches what is not here
            shutil.rmtree(Path(releases.store()).parent / "interpreters", ignore_errors=True)
            cold, warm = (cost(argv, env=dict(os.environ)) for _ in range(2))
            answer = json.loads(warm.stdout)
            spans = ", ".join(f"{s['first']}..{s['last']}" for s in answer["bad"])
            moved = answer["transplant"]
            also = ", ".join(f"{s['first']}..{s['last']}" for s in moved["bad"]) if moved else ""
            print(
                f"{name:8} {spans:18} fixed in {answer['fixed_in'] or '-':8} {answer['runs']:3} runs"
                f"  cold {cold.wall_s:6.2f} s  warm {warm.wall_s:6.2f} s{f'  moved: {also}' if also else ''}"
            )
            if name == "cut" and "--every" in sys.argv:
                every(bundle)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")


def collected(state: State, root: Path) -> str:
    """The path of the bundle that `uvreport collect` makes of a failing state."""
    output = root / "output"
    output.mkdir()
    argv = [sys.executable, "-m", "uvreport", "collect", "--json", "--output", str(output), "--", *state.argv]
    env = {**state.env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return str(json.loads(cost(argv, cwd=str(state.project), env=env).stdout)["bundle"])


def every(bundle: str) -> None:
    wanted = [r for r in buckets.releases() if releases.order(r) >= releases.order(SINCE)]
    uvs = [word for release in wanted for word in ("--uv", release)]
    argv = [sys.executable, "-m", "uvreport", "replay", "--json", "--jobs", "2", bundle, *uvs]
    for name in ("first", "again"):
        begin = time.monotonic()
        rows = json.loads(cost(argv, env=dict(os.environ)).stdout)
        counts = {
            v: sum(row["verdict"] == v for row in rows) for v in sorted({row["verdict"] for row in rows})
        }
        print(
            f"{len(rows)} releases since {SINCE}, two workers, {name}: {time.monotonic() - begin:.1f} s, {counts}"
        )


if __name__ == "__main__":
    main()
