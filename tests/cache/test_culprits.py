"""A part of what benchmarks/culprits.py runs: of a damaged cache the damaged entry is blamed, and its removal cures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.culprits import (
    RIGHT,
    Blame,
    Said,
    blame,
    fatal_cells,
    judged,
    rows,
    sample,
    search,
    section,
    with_section,
)
from benchmarks.verdicts import BLAMED, STORIES, Scene, Sources, Wanted, kept, make_sources
from msgspec.structs import replace

from tests.failing_states.state import served

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "cache-verdicts.md"

# What leads to the entry has to go, too: 0.7.22 misses a hash where a newer one builds again.
SLICE = Wanted(
    releases=("0.7.22", "0.13.9"),
    stories=("source archive", "wheel file"),
    entries=(
        "link to the archive of a built*",
        "archive of a *",
        "pointer of a wheel file*",
        "unpacked source*",
    ),
    damages=("missing", "a dangling link", "a file", "a hash with*", "missing, and no built wheel"),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, uv_of: Callable[[str], str]) -> list[Blame]:
    cells = fatal_cells(PAGE.read_text(encoding="utf-8"))
    return list(rows(tmp_path_factory.mktemp("culprits").resolve(), SLICE, 2, uv_of, cells))


def test_the_damaged_entry_is_blamed_and_no_other(found: list[Blame]) -> None:
    assert len(found) >= 10
    assert [row for row in found if row.answer not in RIGHT] == []


def test_without_what_is_named_the_command_passes(found: list[Blame]) -> None:
    assert [row for row in found if not row.cured] == []
    assert not any("/" not in path for row in found for path in row.said.cure)  # never a whole bucket


def test_a_link_to_nowhere_in_the_place_of_an_archive_is_blamed_itself(found: list[Blame]) -> None:
    [row] = [
        r
        for r in found
        if (r.entry, r.damage, r.release) == ("archive of a wheel file", "a dangling link", "0.13.9")
    ]
    assert row.said.culprits == (row.path,)
    assert row.said.cure[0].endswith(".rev")  # the pointer: uv does not look before it installs


def test_a_missing_link_to_what_was_built_is_named_as_missing(found: list[Blame]) -> None:
    link = "link to the archive of a built wheel"
    [row] = [r for r in found if (r.entry, r.damage, r.release) == (link, "missing", "0.7.22")]
    assert row.said.missing == (row.path,)
    assert row.said.cure[0].endswith("/revision.rev")


def test_a_wrong_hash_in_a_sound_pointer_is_found_and_no_whole_bucket_is_blamed(
    tmp_path: Path, uv_of: Callable[[str], str]
) -> None:
    make_sources(tmp_path / "sources")
    story = next(story for story in STORIES if story.name == "wheel by URL")

    def another(path: Path) -> None:
        data = path.read_bytes()
        at = re.search(rb"[0-9a-f]{64}", data)
        assert at is not None
        digit = b"0" if data[at.start()] != ord("0") else b"1"
        path.write_bytes(data[: at.start()] + digit + data[at.start() + 1 :])

    with served(tmp_path / "sources" / "www") as url:
        scene = Scene(tmp_path / "scene", "0.7.22", story, Sources(tmp_path / "sources", url), uv_of)
        scene.fill()
        [path] = scene.paths(story.targets[0])
        row = blame(scene, story.targets[0], path, "another hash", another, lambda job, _: search(job))
    assert row is not None
    assert (row.said.culprits, row.said.cure, row.cured) == ((path,), (path,), True)


@pytest.mark.parametrize(
    ("culprits", "missing", "answer"),
    [
        (("archive-v0/a",), (), "exact"), ((), ("archive-v0/a/m.py",), "exact"), ((), (), "nothing"),
        (("archive-v0/b",), (), "another"), (("archive-v0/a", "archive-v0/b"), (), "more"),
        ((), ("archive-v0/ab/m.py",), "another"),
    ],
)  # fmt: skip
def test_only_the_damaged_entry_counts_as_right(
    tmp_path: Path, culprits: tuple[str, ...], missing: tuple[str, ...], answer: str
) -> None:
    for name in ("a", "b"):
        (tmp_path / "archive-v0" / name).mkdir(parents=True)
    said = Said(failed=True, culprits=culprits, missing=missing)
    assert judged(str(tmp_path), "archive-v0/a", "an empty directory", said, "0.13.9") == answer


def test_what_holds_an_entry_is_right_only_when_nothing_is_left_of_it(tmp_path: Path) -> None:
    (tmp_path / "archive-v0" / "a").mkdir(parents=True)
    said = Said(failed=True, culprits=("archive-v0/a",))
    inside = "archive-v0/a/dep-1.0.dist-info"
    assert judged(str(tmp_path), inside, "missing", said, "0.13.9") == "what leads to it"
    (tmp_path / inside).mkdir()
    assert judged(str(tmp_path), inside, "a directory", said, "0.13.9") == "another"


def test_a_wrong_answer_is_counted_and_listed_on_the_page(found: list[Blame]) -> None:
    wrong = replace(found[0], answer="another", cured=False)
    text = section([wrong, *found[1:]], 1500, "the command")
    assert "| another | 1 |" in text
    assert f"* {wrong.story}, {wrong.entry}, {wrong.damage} (1: {wrong.release})" in text
    assert wrong.path not in text


def test_the_section_takes_the_place_of_the_one_before() -> None:
    page = f"# A\n\nB\n\n{BLAMED}\n\nold\n\n## C\n\nD\n"
    assert with_section(page, f"{BLAMED}\n\nnew\n") == f"# A\n\nB\n\n{BLAMED}\n\nnew\n\n## C\n\nD\n"
    assert kept(page) == f"\n{BLAMED}\n\nold\n\n## C\n\nD\n"  # by whoever writes the rest anew
    assert with_section("# A\n", f"{BLAMED}\n\nnew\n") == f"# A\n\n{BLAMED}\n\nnew\n"


def test_a_sample_has_every_damage_of_every_entry_and_is_the_same_again() -> None:
    cells = fatal_cells(PAGE.read_text(encoding="utf-8"))
    some = sample(cells, 5, 1)
    assert {cell[:3] for cell in some} == {cell[:3] for cell in cells}
    assert len(some) < len(cells) / 2
    assert some == sample(cells, 5, 1)


def test_the_page_names_nothing_of_a_machine_in_what_was_blamed() -> None:
    text = PAGE.read_text(encoding="utf-8").partition(BLAMED)[2]
    assert not re.search(r"/(?:tmp|home|root|usr)/|127\.0\.0\.1|\b[0-9a-f]{16}\b", text)
