"""A part of the table in docs/cache-verdicts.md, run again: damaged entries, real releases, and what was said before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.verdicts import UNTOUCHED, WORDS, Row, Wanted, cells, document, rows
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "cache-verdicts.md"

# Fatal in every release, fatal in some of them, healed, and taken as it is.
SLICE = Wanted(
    releases=("0.6.8", "0.13.9"),
    stories=("source tree", "wheel file", "wheel from an index"),
    entries=("`revision.rev`*", "pointer of a wheel file*", "`METADATA`*", "module*", "page of an index*"),
    damages=("cut to half", "zeroed", "as * writes it", "a hash with *", "of another package"),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, uv_of: Callable[[str], str]) -> list[Row]:
    return list(rows(tmp_path_factory.mktemp("verdicts").resolve(), SLICE, 2, uv_of))


def test_what_was_said_of_a_damaged_entry_is_what_the_release_then_does(found: list[Row]) -> None:
    assert len(found) >= 20
    assert [row for row in found if row.agrees is False] == []
    assert {row.did for row in found} >= {"fatal", "differs", "healed"}


def test_the_page_says_what_the_runs_show(found: list[Row]) -> None:
    page = cells(PAGE.read_text(encoding="utf-8"))
    there = 0
    for row in found:
        # Which release stands for a shape depends on which ones take part.
        said = page.get((row.story.lower(), row.entry.lower(), row.damage, row.release))
        if said is None and row.damage.startswith("as "):
            continue
        there += 1
        if row.did in {"read", "not looked at"}:  # whether a file is read again depends on where it is
            assert said in {"reads", "-"}
        else:
            assert said == WORDS[row.did], row
    assert there >= 20


def test_a_healthy_entry_is_said_to_be_readable_and_no_command_changes_it(found: list[Row]) -> None:
    healthy = [row for row in found if row.damage == UNTOUCHED]
    assert healthy
    assert {(row.said, row.did) for row in healthy} <= {("readable", "read"), ("readable", "not looked at")}


def test_the_page_names_nothing_of_the_machine_that_it_was_made_on() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not re.search(r"/(?:tmp|home|root|work|usr)/|127\.0\.0\.1|sha256:|\b[0-9a-f]{16}\b", text)


def test_a_verdict_that_was_wrong_is_marked_on_the_page_and_counted(found: list[Row]) -> None:
    wrong = replace(found[0], agrees=False, said="fatal", did="read")
    text = document([wrong, *found[1:]])
    assert cells(text)[wrong.story, wrong.entry.lower(), wrong.damage, wrong.release] == "reads †"
    assert "in 1 it says otherwise" in text
