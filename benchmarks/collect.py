"""What `uvreport collect` costs on the seed's failure, beside tools that people use. Judges nothing.

    python -m benchmarks.collect [RUNS]

Whole processes, warm; `envinfo` (npm) and `sos report` are timed where they are installed. Needs the uv
releases of the demonstration, which are fetched once.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import Cost, cost
from uvreport import releases
from uvreport.demo import Seed, build_seed

SOS_PLUGINS = "python,host,kernel,filesys"


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as root:
        seed = build_seed(os.path.join(root, "seed"), releases.obtain)
        rows = ours(seed, Path(root), runs) | peers(Path(root), runs)
        reference = rows["uvreport collect"][0]
        print(f"medians of {runs} runs after one that does not count, whole processes")
        for name, (wall_s, peak_mb) in rows.items():
            print(f"{name:44} {wall_s:7.3f} s {peak_mb:7.1f} MB  {wall_s / reference:5.2f} x collect")
        sizes(seed, Path(root))


def ours(seed: Seed, root: Path, runs: int) -> dict[str, tuple[float, float]]:
    output = root / "output"
    collect = [sys.executable, "-m", "uvreport", "collect", "--json", "--output", str(output)]
    log = root / "failure.log"
    log.write_text(
        "error: Failed to generate package metadata for `my-package==0.0.0 @ directory+generated`\n"
        "  Caused by: Failed to deserialize cache entry\n"
        "  Caused by: array had incorrect length, expected 4\n"
    )
    env = {**seed.env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    return {
        "uvreport collect": median(runs, output, [*collect, "--", *seed.argv], seed.project, env),
        "uvreport collect --log": median(runs, output, [*collect, "--log", str(log)], seed.project, env),
        f"uv {seed.fails}: the failing command": median(
            runs, output, [seed.uv.path, *seed.argv[1:]], seed.project, env, expected=2
        ),
    }


def peers(root: Path, runs: int) -> dict[str, tuple[float, float]]:
    found = {}
    output = root / "peers"
    envinfo = shutil.which("envinfo")
    if envinfo:
        found["envinfo, everything"] = median(runs, output, [envinfo], str(root), dict(os.environ))
        found["envinfo --system --languages"] = median(
            runs, output, [envinfo, "--system", "--languages"], str(root), dict(os.environ)
        )
    else:
        print("envinfo is not installed (npm install -g envinfo)")
    sos = shutil.which("sos")
    if sos:
        argv = [sos, "report", "--batch", "--tmp-dir", str(output), "--only-plugins", SOS_PLUGINS]
        found[f"sos report ({SOS_PLUGINS})"] = median(runs, output, argv, str(root), dict(os.environ))
    else:
        print("sos is not installed (package sosreport or sos)")
    return found


def median(
    runs: int, output: Path, argv: list[str], cwd: str, env: dict[str, str], *, expected: int = 0
) -> tuple[float, float]:
    """Median wall time in seconds, and the largest memory in MB, each run into an empty output folder."""
    costs: list[Cost] = []
    for _ in range(runs + 1):
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        costs.append(cost(argv, cwd=cwd, env=env, expected=expected))
    return statistics.median(c.wall_s for c in costs[1:]), max(c.peak_mb for c in costs[1:])


def sizes(seed: Seed, root: Path) -> None:
    output = root / "sized"
    output.mkdir()
    argv = [sys.executable, "-m", "uvreport", "collect", "--json", "--output", str(output), "--", *seed.argv]
    said = cost(argv, cwd=seed.project, env={**seed.env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")})
    answer = json.loads(said.stdout)
    bundle, cache = os.path.getsize(answer["bundle"]), size_of(Path(seed.places.cache))
    print(f"bundle {bundle} bytes, cache {cache} bytes, proof {answer['proof']['verdict']}")


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
