"""Prints for every failing state whether the script in its issue's text fails as the state did.

    python -m benchmarks.drafts [STATE ...]

Each state is built and collected; then the script is taken out of the Markdown and run in an empty folder, with an
empty HOME and only uv and everyday tools on PATH (tests/drafts.py). Exit 1 when one that is given fails otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import obtain
from tests.drafts import alike, run_draft, script_in
from tests.failing_states import STATES
from tests.failing_states.state import without_root_powers
from tests.stories import collect

from uvreport.pack import open_bundle


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("state", nargs="*", choices=[*STATES, []])
    wanted = parser.parse_args().state or [name for name in STATES if name != "program_fails"]
    others = 0
    # Not `tmp...`: such names in a log are taken for ones that uv made up.
    with tempfile.TemporaryDirectory(prefix="drafts-") as scratch:
        for name in wanted:
            root = Path(scratch) / name
            state = STATES[name](root, obtain)
            _, said, error = collect(state, root / "out")
            if not said.get("issue"):
                sys.exit(f"{name}: {error}")
            text = Path(said["issue"]).read_text(encoding="utf-8")
            outcome, begin = "no script", time.perf_counter()
            if script_in(text):
                powers = (without_root_powers() or ()) if "ordinary user" in text else ()
                same = alike(
                    open_bundle(said["bundle"]), run_draft(text, root / "draft", obtain, prefix=powers)
                )
                outcome = "fails the same way" if same else "OTHERWISE"
                others += not same
            print(f"{name:28} {outcome:20} {time.perf_counter() - begin:5.1f} s", flush=True)
    sys.exit(others > 0)


if __name__ == "__main__":
    main()
