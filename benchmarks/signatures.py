"""Whether one bug has one signature: real outputs of many releases, at many widths, with and without colour.

    python -m benchmarks.signatures [--quick] [CASE ...]

Builds the historic failures beside the project (../shared/cases), or the project's own failing states where those
are not there, runs the failing command on an overlay under every release that fails there, and prints per bug how
many outputs were taken, how many signatures one release gave (one is right), how releases compare among each other,
and every two bugs that are taken for one. Judges nothing. Some 3,000 runs of uv: about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from tests import failing_states, shared_cases

from uvreport import invocation, releases, scene
from uvreport.errors import NothingToReportError, UvreportError
from uvreport.failures.chain import parse
from uvreport.failures.signature import core, likeness, signature
from uvreport.locate import locate
from uvreport.observe import observe
from uvreport.shadow import open_shadow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RELEASES = (
    "0.4.11", "0.4.30", "0.5.11", "0.5.18", "0.6.2", "0.6.6", "0.6.8", "0.7.22", "0.8.24", "0.9.30", "0.10.12", "0.11.11",
    "0.11.29", "0.12.3", "0.12.24", "0.13.9",
)  # fmt: skip
WIDTHS = (40, 48, 60, 76, 80, 100, 132, 200)
# The same defect of uv, reached in two ways, each a case of its own: an entry by 0.6.7, read by 0.6.6 when it locks and
# when it plans.
SAME_BUG = (frozenset({"12274-planner-array-length", "12318-revision-array-length"}),)

# Runs its arguments on a terminal of the given width and repeats what they print.
ON_A_TERMINAL = """
import fcntl, os, pty, struct, subprocess, sys, termios
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
os.close(theirs)
out = b""
while True:
    try:
        part = os.read(ours, 65536)
    except OSError:
        break
    if not part:
        break
    out += part
sys.stdout.buffer.write(out)
sys.stdout.flush()
sys.exit(child.wait())
"""


class Situation(Struct, frozen=True):
    """A failing state: the command, where and in which environment, the releases that fail there, and its index.

    `denied`: permissions are the point, which root has regardless.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    fails: tuple[str, ...]
    denied: bool = False
    up: str = ""
    down: str = ""


class Print(Struct, frozen=True):
    """What one output came to."""

    bug: str
    release: str
    width: int
    colour: bool
    class_: str
    kinds: tuple[str, ...]
    frames: tuple[str, ...]

    @property
    def sign(self) -> str:
        return signature(self.class_, self.frames, self.kinds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--quick", action="store_true", help="three widths")
    asked = parser.parse_args()
    widths = (40, 80, 200) if asked.quick else WIDTHS
    begin = time.monotonic()
    prints: list[Print] = []
    with tempfile.TemporaryDirectory(prefix="uvreport-bench-") as root:
        for situation in situations(Path(root), asked.cases):
            found = list(outputs(situation, widths))
            prints += found
            report_bug(situation.name, found)
    if prints:
        report_all(prints)
        print(f"{time.monotonic() - begin:.0f} s")


def situations(root: Path, only: Sequence[str]) -> Iterator[Situation]:
    uvs = root / "uvs"
    uvs.mkdir()
    names = shared_cases.names() or list(failing_states.STATES)
    for name in names:
        if only and name not in only:
            continue
        try:
            if shared_cases.names():
                yield _shared(root / name, name, uvs)
            else:
                yield _own(root / name, name)
        except (AssertionError, UvreportError) as error:
            print(f"{name}: cannot be built here: {str(error)[:200]}", file=sys.stderr)


def _shared(folder: Path, name: str, uvs: Path) -> Situation:
    facts = shared_cases.facts(name)
    named = facts["uv"]
    for release in [named["fails"], *named.get("written_by", [])]:
        have = Path(releases.obtain(release).path).parent
        # The cases want a virtual environment with pip; what is none they make themselves.
        if have.name == "bin" and (have / "pip").exists() and not (uvs / release).exists():
            os.symlink(have.parent, uvs / release)
    case = shared_cases.build(name, folder, uvs)
    shell = subprocess.run(
        ["bash", "-c", f". {shlex.quote(str(folder / 'env.sh'))}; env -0"], capture_output=True, check=True
    ).stdout.decode()
    env = dict(word.split("=", 1) for word in shell.split("\0") if "=" in word)
    return Situation(
        name=name,
        argv=tuple(case.argv),
        cwd=str(folder / "project"),
        env=env,
        fails=tuple(dict.fromkeys([named["fails"], *named.get("also_fails", [])])),
        up=str(folder / "up") if (folder / "up").exists() else "",
        denied=(folder / "as").exists(),
        down=str(folder / "down") if (folder / "down").exists() else "",
    )


def _own(folder: Path, name: str) -> Situation:
    state = failing_states.STATES[name](folder, releases.obtain)
    return Situation(
        name=name,
        argv=state.argv,
        cwd=str(state.project),
        env=dict(state.person.env),
        fails=(state.fails,),
        denied=bool(state.prefix),
    )


def outputs(situation: Situation, widths: Sequence[int]) -> Iterator[Print]:
    """A print of every output; of releases that pass there is none."""
    env = situation.env
    if situation.denied and os.geteuid() == 0:
        print(f"{situation.name}: root may read everything; run this as another user")
        return
    if situation.up:
        subprocess.run([situation.up], check=True, stdout=subprocess.DEVNULL)
    try:
        command = invocation.parse(situation.argv)
        for release in dict.fromkeys([*situation.fails, *RELEASES]):
            try:
                uv = releases.obtain(release)
            except UvreportError:
                continue
            where = scene.whereabouts(command, uv, env, situation.cwd)
            try:
                with open_shadow(where.places, also=where.also) as shadow:
                    seen = observe(shadow, uv, command, places=where.places, env=env, timeout_s=60)
                    located = locate(shadow, uv, seen, places=where.places, env=env, timeout_s=60)
                    bug = situation.name if release in situation.fails else f"{situation.name} otherwise"
                    # The class and the kinds come from the cache, not from the text: once for each release.
                    kinds = tuple(sorted({c.kind for c in located.culprits}))
                    about = (bug, release)
                    frames = core(seen.chain.frames, seen.chain.detail)
                    yield Print(*about, 0, False, located.failure.class_, kinds, frames)
                    if seen.run.exit_code == 0:
                        continue  # uv said nothing: the failure is in what it installed
                    for width, colour in itertools.product(widths, (False, True)):
                        tint = {"NO_COLOR": "1"} if not colour else {"FORCE_COLOR": "1"}
                        size = {"COLUMNS": str(width)}
                        run = shadow.run(
                            [
                                sys.executable,
                                "-c",
                                ON_A_TERMINAL,
                                str(width),
                                uv.path,
                                *seen.examined.argv()[1:],
                            ],
                            cwd=where.places.cwd,
                            env={**env, "UV_CACHE_DIR": where.places.cache, **tint, **size},
                            timeout_s=60,
                        )
                        chain = parse(run.outcome.stdout)
                        found = core(chain.frames, chain.detail) if chain else ("nothing",)
                        yield Print(*about, width, colour, located.failure.class_, kinds, found)
            except NothingToReportError:
                continue
            except UvreportError as error:
                print(f"{situation.name} under {release}: {error.message}", file=sys.stderr)
    finally:
        if situation.down:
            subprocess.run([situation.down], check=False, stdout=subprocess.DEVNULL)


def report_bug(name: str, prints: Sequence[Print]) -> None:
    by_release: dict[str, list[Print]] = collections.defaultdict(list)
    for one in prints:
        if one.bug == name:
            by_release[one.release].append(one)
    several = {
        release: {p.sign for p in found}
        for release, found in by_release.items()
        if len({p.sign for p in found}) > 1
    }
    signs = {p.sign for p in prints if p.bug == name}
    mine = sum(len(found) for found in by_release.values())
    print(f"{name:34} {mine:4} outputs, {len(by_release):2} releases, {len(signs)} signatures", flush=True)
    for release, its_signs in several.items():
        cores = collections.Counter(p.frames for p in by_release[release])
        print(f"    {release} has {len(its_signs)}:")
        for frames, count in cores.items():
            where = [(p.width, p.colour) for p in by_release[release] if p.frames == frames][:4]
            print(f"      {count:3} x {frames} at {where}")


def report_all(prints: Sequence[Print]) -> None:
    """Pairs among all: of one bug and judged one, of one bug and judged two, of two bugs and judged one."""
    different = sorted({(p.bug, p.release, p.class_, p.kinds, p.frames) for p in prints})
    count = collections.Counter((p.bug, p.release, p.class_, p.kinds, p.frames) for p in prints)
    tally: collections.Counter[str] = collections.Counter()
    missed: dict[str, int] = collections.Counter()
    taken: dict[tuple[str, str], int] = collections.Counter()
    for a, b in itertools.combinations_with_replacement(different, 2):
        pairs = count[a] * count[b] if a != b else count[a] * (count[a] - 1) // 2
        alike = a[2:4] == b[2:4] and likeness(a[4], b[4]) != "different"
        if "otherwise" in a[0] or "otherwise" in b[0]:
            continue  # what those are is not known beforehand
        one = a[0] == b[0] or {a[0], b[0]} in SAME_BUG
        if one and alike:
            tally["one bug, found to be one"] += pairs
        elif one:
            tally["one bug, taken for two"] += pairs
            missed[a[0]] += pairs
        elif alike:
            tally["two bugs, taken for one"] += pairs
            taken[(a[0], b[0])] += pairs
        else:
            tally["two bugs, found to be two"] += pairs
    bugs = {p.bug for p in prints if "otherwise" not in p.bug}
    print(f"\n{len(prints)} outputs of {len(bugs)} bugs under {len({p.release for p in prints})} releases")
    for what in (
        "one bug, found to be one",
        "one bug, taken for two",
        "two bugs, found to be two",
        "two bugs, taken for one",
    ):
        print(f"{what:28} {tally[what]:9} pairs")
    for bug in missed:
        groups: dict[tuple[str, ...], set[str]] = collections.defaultdict(set)
        for name, release, *_, frames in different:
            if name == bug:
                groups[frames[-1:]].add(release)
        told = "; ".join(" ".join(sorted(group, key=releases.order)) for group in groups.values())
        print(f"  taken for {len(groups)}: {bug}, by releases: {told}")
    for (one_bug, other_bug), n in taken.items():
        print(f"  taken for one: {one_bug} and {other_bug} ({n} pairs)")


if __name__ == "__main__":
    main()
