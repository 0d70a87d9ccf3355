"""How long `uvreport --help` takes beside a bare Python, and what it imports. Prints figures, judges nothing.

python -m benchmarks.startup [RUNS]
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import median_ms


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    bare = median_ms([sys.executable, "-c", "pass"], runs)
    rows = [
        ("python -c pass", bare),
        ("python -c 'import click'", median_ms([sys.executable, "-c", "import click"], runs)),
        ("uvreport --help", median_ms([sys.executable, "-m", "uvreport", "--help"], runs)),
        ("uvreport --version", median_ms([sys.executable, "-m", "uvreport", "--version"], runs)),
        ("uvreport collect --help", median_ms([sys.executable, "-m", "uvreport", "collect", "--help"], runs)),
        ("pip --help", median_ms([sys.executable, "-m", "pip", "--help"], runs)),
    ]
    print(f"medians of {runs} runs, whole processes, Python {sys.version.split()[0]}")
    for name, took in rows:
        print(f"{name:28} {took:8.1f} ms {took / bare:6.1f} x bare")
    for command in ("--help", "collect --help"):
        names = imported(command.split())
        tops = sorted({name.split(".")[0] for name in names} - set(sys.stdlib_module_names))
        print(f"uvreport {command}: {len(names)} modules, not from the standard library: {' '.join(tops)}")


def imported(args: list[str]) -> set[str]:
    code = (
        "import sys\nfrom uvreport.cli import main\nbefore = sys.stdout\n"
        f"try:\n    main({args!r})\nexcept SystemExit:\n    pass\nprint('IMPORTED', *sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(said.stdout.rpartition("IMPORTED ")[2].split())


if __name__ == "__main__":
    main()
