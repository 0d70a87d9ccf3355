"""Lets `collect`'s own search find the culprit of every damaged cache that uv fails on, and holds it against the damage.

    python -m benchmarks.culprits [--every N] [--seed S] [--releases R ...] [--stories S ...] [--entries E ...]
                                  [--damages D ...] [--workers N] [--known FILE] [--save FILE] [--write PAGE]

The fatal cells of docs/cache-verdicts.md are made again (benchmarks/verdicts.py makes the caches), each command is
watched failing on a copy of project and cache, and `locate` says which entries are at fault and what to take away.
Then just that is taken away, and the command runs once more. `--every N` takes one row in N of every kind of entry,
at random by `--seed`. `--write` puts the section with the figures into the page.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import queue
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from tests.failing_states.state import served, without_root_powers

from benchmarks import verdicts
from benchmarks.verdicts import (
    BLAMED,
    RELEASES,
    STORIES,
    Damage,
    Scene,
    Sources,
    Target,
    Wanted,
)
from uvreport import errors, invocation, releases
from uvreport.cache.buckets import version_key
from uvreport.cache.examine import examine, kind_at
from uvreport.locate import locate
from uvreport.observe import observe
from uvreport.scene import find_uv, whereabouts
from uvreport.shadow import open_shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = Path(__file__).parents[1] / "docs" / "cache-verdicts.md"

Answer = Literal["exact", "what leads to it", "more", "another", "nothing", "no failure"]
RIGHT = frozenset({"exact", "what leads to it"})


class Job(Struct, frozen=True, kw_only=True):
    """A command to watch failing: uv's own words, and where."""

    uv: str
    words: tuple[str, ...]
    cwd: str
    env: dict[str, str]


class Said(Struct, frozen=True, kw_only=True):
    """What the search said; `failed` is False where the command did not fail on the copy."""

    failed: bool
    class_: str = ""
    culprits: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    cure: tuple[str, ...] = ()
    confirmed: str = ""
    triage: str = ""
    frame: str = ""


class Blame(Struct, frozen=True, kw_only=True):
    """One damaged cache: what was damaged, what was blamed, and whether the cure cured the cache itself."""

    story: str
    entry: str
    damage: str
    release: str
    path: str
    command: str
    said: Said
    answer: Answer
    cured: bool
    duration_s: float

    def key(self) -> tuple[str, str, str, str]:
        return self.story, self.entry, self.damage, self.release


# -- the search, in a process of its own: one that has root's powers, and one that has not ---------------------


def search(job: Job) -> Said:
    """What `collect` finds for this command, without making a bundle of it."""
    command = invocation.parse(["uv", *job.words])
    uv = find_uv(job.uv, command.uv, job.env)
    where = whereabouts(command, uv, job.env, job.cwd)
    env = {**job.env, "UV_CACHE_DIR": where.places.cache}
    with open_shadow(where.places, also=where.also) as shadow:
        try:
            seen = observe(shadow, uv, command, places=where.places, env=env, timeout_s=60)
        except errors.NothingToReportError:
            return Said(failed=False)
        found = locate(shadow, uv, seen, places=where.places, env=env, timeout_s=60)
    return Said(
        failed=True,
        class_=found.failure.class_,
        culprits=tuple(culprit.path for culprit in found.culprits),
        missing=found.missing,
        cure=found.cure,
        confirmed=found.culprits[0].confirmed if found.culprits else "",
        triage=found.triage,
        frame=found.failure.frames[-1][:300] if found.failure.frames else "",
    )


def serve() -> None:
    """Answers jobs, one line of JSON each."""
    for line in sys.stdin.buffer:
        said = search(msgspec.json.decode(line, type=Job))
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        sys.stdout.buffer.flush()


def _powerless() -> tuple[str, ...]:
    """What to put before the search so that permissions count for it."""
    prefix = without_root_powers() or ()
    # Linux lets a root without this one make no user namespace; everybody else may, and the search needs one.
    return tuple(word.replace("--bounding-set=-all", "--bounding-set=-all,+setfcap") for word in prefix)


class Searcher:
    """A process that answers jobs, started when it is first asked."""

    def __init__(self, prefix: Sequence[str]) -> None:
        self.prefix = prefix
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, job: Job) -> Said:
        if self.process is None:
            self.process = subprocess.Popen(
                (*self.prefix, sys.executable, "-m", "benchmarks.culprits", "--serve"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parents[1],
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode(job) + b"\n")
        self.process.stdin.flush()
        return msgspec.json.decode(self.process.stdout.readline(), type=Said)

    def close(self) -> None:
        if self.process is not None:
            with self.process:  # closes what it reads from, which ends it
                pass


# -- one row --------------------------------------------------------------------------------------------------


def blame(
    scene: Scene, target: Target, path: str, name: str, damage: Damage, ask: Callable[[Job, bool], Said]
) -> Blame | None:
    """Who is blamed for this damage; None where none of the commands fails on it, or it makes no sense there."""
    closed = "mode 000" in name
    prefix = without_root_powers() if closed else ()
    if prefix is None:
        return None
    for command in scene.story.commands:
        scene.restore()
        try:
            damage(scene.cache / path)
        except (TypeError, IndexError, AttributeError):
            return None
        begin = time.monotonic()
        words = scene.ready(command)
        said = ask(Job(uv=scene.uv, words=tuple(words), cwd=str(scene.project), env=scene.env), closed)
        spent = round(time.monotonic() - begin, 2)
        if not said.failed:
            _open_again(scene.cache / path)
            continue
        answer = judged(str(scene.cache), path, name, said, scene.release)
        for gone in said.cure:
            _open_again(scene.cache / gone)
            verdicts.remove(scene.cache / gone)
        cured = bool(said.cure) and scene.run(command, prefix).exit_code == 0
        _open_again(scene.cache / path)
        return Blame(
            story=scene.story.name, entry=target.name, damage=name, release=scene.release, path=path,
            command=command.said, said=said, answer=answer, cured=cured, duration_s=spent,
        )  # fmt: skip
    return Blame(
        story=scene.story.name, entry=target.name, damage=name, release=scene.release, path=path, command="",
        said=said, answer="no failure", cured=False, duration_s=spent,
    )  # fmt: skip


def _open_again(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not path.is_symlink() and path.stat().st_mode & 0o700 == 0:
            path.chmod(0o700)


def judged(root: str, path: str, damage: str, said: Said, release: str) -> Answer:
    """Whether the right entry is blamed.

    Right is the damaged entry and nothing else, or what is missing of it. Where nothing is left of the entry, so
    that it cannot be blamed, right is also what leads to it, or the entry that it was a part of.
    """
    damaged = {path}
    if "its link missing" in damage:
        damaged.add(path.removesuffix(".whl"))
    blamed = {*said.culprits, *said.missing}
    if not blamed:
        return "nothing"
    gone = {at for at in blamed if not os.path.lexists(os.path.join(root, at))}
    others = {
        at for at in blamed - damaged if not (at in gone and at.startswith(tuple(f"{d}/" for d in damaged)))
    }
    if not others:
        return "exact"
    left = all(os.path.lexists(os.path.join(root, d)) for d in damaged)
    if not left and all(at not in gone and _leads_to(root, at, damaged, release) for at in others):
        return "what leads to it"
    return "more" if others != blamed else "another"


def _leads_to(root: str, at: str, damaged: set[str], release: str) -> bool:
    """Whether the entry at `at` names one of the damaged, or a directory in which one of them is, or holds one."""
    reached = (at, *examine(root, at, release).links_to)
    return any(f"{d}/".startswith(f"{to}/") for to in reached for d in damaged)


# -- all of them ------------------------------------------------------------------------------------------------


def fatal_cells(page: str) -> set[tuple[str, str, str, str]]:
    """Story, entry, damage and release of every cell of the page that says that a command failed; in lower case."""
    return {
        (story, entry, damage, release)
        for (story, entry, damage, release), cell in verdicts.cells(page).items()
        if cell.startswith("**fatal**")
    }


def rows(
    root: Path,
    wanted: Wanted,
    workers: int,
    obtain: Callable[[str], str],
    cells: set[tuple[str, str, str, str]],
) -> Iterator[Blame]:
    """What is blamed in each of these cells, in no particular order; the caches are made below `root`."""
    verdicts.make_sources(root / "sources")
    idle: queue.SimpleQueue[tuple[Searcher, Searcher]] = queue.SimpleQueue()
    pairs = [(Searcher(()), Searcher(_powerless())) for _ in range(workers)]
    for pair in pairs:
        idle.put(pair)

    def ask(job: Job, closed: bool) -> Said:
        pair = idle.get()
        try:
            return pair[closed].ask(job)
        finally:
            idle.put(pair)

    with (
        contextlib.ExitStack() as at_end,
        served(root / "sources" / "www") as url,
        ThreadPoolExecutor(workers) as pool,
    ):
        for searcher in itertools.chain(*pairs):
            at_end.callback(searcher.close)
        sources = Sources(root / "sources", url)
        scenes = [
            Scene(root / f"{story.name}-{release}".replace(" ", "-"), release, story, sources, obtain)
            for story in STORIES
            if wanted.takes(wanted.stories, story.name)
            and any(cell[0] == story.name.lower() for cell in cells)
            for release in wanted.releases
        ]
        list(pool.map(Scene.fill, scenes))
        written = verdicts.written(scenes)

        def of_scene(scene: Scene) -> list[Blame]:
            found = []
            for target, path, name, damage in verdicts.damaged(scene, wanted, written):
                cell = scene.story.name.lower(), target.name.lower(), name, scene.release
                if damage is not None and cell in cells:
                    row = blame(scene, target, path, name, damage, ask)
                    if row is not None:
                        found.append(row)
            return found

        for job in [pool.submit(of_scene, scene) for scene in scenes]:
            yield from job.result()


def sample(cells: set[tuple[str, str, str, str]], every: int, seed: int) -> set[tuple[str, str, str, str]]:
    """One cell in `every` of each kind of entry and damage, at least one, releases taken at random."""
    groups: dict[tuple[str, str, str], list[tuple[str, str, str, str]]] = {}
    for cell in sorted(cells):
        groups.setdefault(cell[:3], []).append(cell)
    chance = random.Random(seed)
    return {
        cell for group in groups.values() for cell in chance.sample(group, max(1, round(len(group) / every)))
    }


# -- the section of the page ----------------------------------------------------------------------------------------


INTRODUCTION = """\
`uvreport collect` looked for the culprit in {seen} of the {fatal} damaged caches above on which a command failed: the same
search, on a copy, which is told nothing of the damage. Right is the damaged entry and no other, or what is missing of
it. Where nothing is left of the entry, so that it cannot be blamed, right is also what leads to it (the pointer that
names it), or the entry that it was a part of. Then what the search says is to be taken away was taken away from the
cache, and the same command was run again. This section is written by

    {command}
"""


def section(found: list[Blame], fatal: int, command: str) -> str:
    """The part of the page that says how often the right entry was blamed."""
    failed = [row for row in found if row.answer != "no failure"]
    counts = Counter(row.answer for row in failed)
    cured = sum(row.cured for row in failed)
    times = sorted(row.duration_s for row in failed)
    parts = [
        f"{BLAMED}\n",
        INTRODUCTION.format(seen=len(failed), fatal=fatal, command=command),
        "| what was blamed | caches |\n| --- | ---: |",
        f"| exactly the damaged entry, or what is missing of it | {counts['exact']} |",
        f"| what leads to an entry of which nothing is left | {counts['what leads to it']} |",
        f"| the damaged entry and others | {counts['more']} |",
        f"| another | {counts['another']} |",
        f"| nothing | {counts['nothing']} |",
        f"| **right** | **{sum(row.answer in RIGHT for row in failed)} of {len(failed)}** |",
        f"| without what was named the command passes | {cured} of {len(failed)} |\n",
    ]
    if len(found) > len(failed):
        parts.append(f"In {len(found) - len(failed)} more the command did not fail when it was watched.\n")
    parts.append(f"Median {times[len(times) // 2]:.1f} s for watching and searching.\n" if times else "")
    wrong = Counter(
        (row.story, row.entry, row.damage, row.answer, _gist(row))
        for row in sorted(failed, key=lambda row: version_key(row.release))
        if row.answer not in RIGHT
    )
    if wrong:
        parts.append("\nNot right:\n")
        for (story, entry, damage, _, gist), n in sorted(wrong.items()):
            which = [
                row.release
                for row in failed
                if (row.story, row.entry, row.damage, _gist(row)) == (story, entry, damage, gist)
            ]
            parts.append(
                f"* {story}, {entry}, {damage} ({n}: {', '.join(sorted(which, key=version_key))}): {gist}"
            )
    uncured = Counter(
        (row.story, row.entry, row.damage) for row in failed if row.answer in RIGHT and not row.cured
    )
    if uncured:
        parts.append("\nThe right entry, but the command did not pass without what was named:\n")
        parts += [f"* {', '.join(key)} ({n})" for key, n in sorted(uncured.items())]
    return "\n".join(parts)


def _gist(row: Blame) -> str:
    """What was blamed, in kinds of entries: paths differ from run to run."""
    if row.answer == "nothing":
        return "nothing is blamed"
    named = Counter(_kind(path) for path in (*row.said.culprits, *row.said.missing))
    return "blamed: " + ", ".join(
        kind + (f" ({n} of them)" if n > 1 else "") for kind, n in sorted(named.items())
    )


def _kind(path: str) -> str:
    entry = kind_at(path)
    return entry.name if entry else path.split("/", maxsplit=1)[0]


def with_section(page: str, text: str) -> str:
    """The page with this section in the place of the one that it has, else at its end."""
    before, _, rest = page.partition(BLAMED)
    _, again, after = rest.partition("\n## ")
    return before.rstrip("\n") + "\n\n" + text.rstrip("\n") + "\n" + (f"\n## {after}" if again else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--every", type=int, default=1, help="one row in so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--releases", nargs="+", default=list(RELEASES))
    for name in ("stories", "entries", "damages"):
        parser.add_argument(f"--{name}", nargs="+", default=["*"], help="globs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--known", default="", help="rows that were saved before: taken where this run makes none"
    )
    parser.add_argument("--save", default="", help="keep the rows in this file, as JSON")
    parser.add_argument("--write", default="", help="write the section into this page")
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    wanted = Wanted(
        releases=tuple(given.releases), stories=tuple(given.stories), entries=tuple(given.entries),
        damages=tuple(given.damages),
    )  # fmt: skip
    fatal = fatal_cells(PAGE.read_text(encoding="utf-8"))
    cells = sample(fatal, given.every, given.seed) if given.every > 1 else fatal
    found: dict[tuple[str, str, str, str], Blame] = {}
    if given.known:
        for row in msgspec.json.decode(Path(given.known).read_bytes(), type=list[Blame]):
            found[row.key()] = row
    with tempfile.TemporaryDirectory(prefix="uvreport-culprits-") as folder:
        for row in rows(
            Path(folder).resolve(),
            wanted,
            given.workers,
            lambda release: releases.obtain(release).path,
            cells,
        ):
            found[row.key()] = row
            if row.answer not in RIGHT or not row.cured:
                print(told(row), flush=True)
    every = list(found.values())
    counts = Counter(row.answer for row in every)
    print(f"{len(every)} rows: {dict(counts)}; cured {sum(row.cured for row in every)}")
    if given.save:
        Path(given.save).write_bytes(msgspec.json.encode(every))
    if given.write:
        page = Path(given.write)
        command = "python -m benchmarks.culprits --write docs/cache-verdicts.md"
        if given.every > 1:
            command = command.replace("--write", f"--every {given.every} --seed {given.seed} --write")
        page.write_text(
            with_section(page.read_text(encoding="utf-8"), section(every, len(fatal), command)),
            encoding="utf-8",
        )


def told(row: Blame) -> str:
    """A row in a few lines."""
    return (
        f"{row.answer}{'' if row.cured else ', NOT CURED'}: {row.story} / {row.entry} / {row.damage} / {row.release} "
        f"({row.command}, {row.duration_s} s)\n    damaged {row.path}\n    blamed {list(row.said.culprits)} missing "
        f"{list(row.said.missing)} cure {list(row.said.cure)} {row.said.confirmed}\n    {row.said.triage} "
        f"{row.said.frame[-200:]!r}"
    )


if __name__ == "__main__":
    main()
