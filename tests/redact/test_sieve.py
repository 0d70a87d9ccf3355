"""Both sieves let the engine find what it finds without one: they save time, and change nothing."""

from __future__ import annotations

import importlib
import importlib.util
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.redact.test_corpus import KEEP, PERSONAL, SECRETS, drawn, value
from tests.redact.test_engine import HOSTILE, KNOWN, spellings
from uvreport.errors import UsageError
from uvreport.redact import sieve
from uvreport.redact.engine import Engine
from uvreport.redact.ledger import Ledger

if TYPE_CHECKING:
    from uvreport.redact.sieve import Regions

ENGINES = [
    "stdlib",
    pytest.param(
        "re2",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("re2") is None,
            reason="google-re2 is not installed: the extra uvreport[re2]",
        ),
    ),
]
RULES = Engine(KNOWN, Ledger()).rules
PIECES = [
    *(text for rule in RULES for text, _ in rule.removes),
    *(text for rule in RULES for text in rule.keeps),
    *PERSONAL,
    *KEEP,
    *(
        template.replace("{}", value(drawn(at), alphabet, size))
        for at, (template, alphabet, size) in enumerate(SECRETS)
        if size
    ),
]
SPELLED = [
    spelled for known in ("zoë.quill", "p@ss/w0rd&1", "zoes-box") for spelled in spellings(known).values()
]


def by(name: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv(sieve.ENGINE_VARIABLE, name)
    return Engine(KNOWN, Ledger())


def without_sieve() -> Engine:
    """An engine that looks for every literal in the whole of every text."""
    engine = Engine(KNOWN, Ledger())
    numbers = range(len(engine._entries) + len(engine._probes))

    def everywhere(low: bytes) -> Regions:
        return {number: [(0, len(low))] for number in numbers}

    engine._sieve = everywhere
    return engine


def log(seed: int, size: int) -> bytes:
    """A text of lines that say nothing, with every planted piece somewhere among them, also inside of a line."""
    draw = random.Random(seed)
    planted = [*(piece.encode() for piece in PIECES), *SPELLED]
    draw.shuffle(planted)
    out: list[bytes] = []
    while sum(map(len, out)) < size or planted:
        filler = f"TRACE {draw.getrandbits(200):x} in pkg{draw.randrange(999)}-1.{draw.randrange(99)}.{draw.randrange(9)}"
        out.append(filler.encode() + (b" " + planted.pop() if planted and draw.random() < 0.3 else b""))
    return b"\n".join(out)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [1])
def test_a_sieve_changes_nothing_in_a_log_with_everything_planted(
    engine: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = log(seed, 150_000)
    expected, said = without_sieve().redact(text)
    assert len(said) > 300
    assert by(engine, monkeypatch).redact(text) == (expected, said)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_sieve_changes_nothing_in_a_hostile_line(
    engine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Over the 16 KB from which RE2 is asked, and short enough to be searched without any sieve.
    text = b"a zoes-box\n" + HOSTILE[name][:17_000] + b"\nb zoes-box"
    assert by(engine, monkeypatch).spans(text) == without_sieve().spans(text)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from(PIECES).map(str.encode),
            st.sampled_from(SPELLED),
            st.binary(max_size=30),
            st.sampled_from([b"", b"\n", b" ", b"=", b"x", b"_", b"-", b".", b"1", b"\0", b"%41", b"\\"]),
        ),
        max_size=12,
    ),
    reach=st.sampled_from([0, 5_000, 16_300]),
)
@settings(deadline=None, max_examples=25)
@example(pieces=[b"\n", b"zoes-box"], reach=16_384 - 5)
def test_a_sieve_changes_nothing_in_any_text(engine: str, pieces: list[bytes], reach: int) -> None:
    text = b"".join(pieces)
    # Behind so much else that pieces of the text begin and end around it, whichever size they have.
    text = b"x" * reach + text + b"\nl1ne" * (4_000 if reach else 0)
    with pytest.MonkeyPatch.context() as patch:
        assert by(engine, patch).spans(text) == without_sieve().spans(text)


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.follows or rule.not_after], ids=lambda rule: rule.name
)
@pytest.mark.parametrize("before", ["", "x", "_", "-", ".", "="])
def test_what_a_rule_says_stands_beside_its_literals_changes_nothing(rule, before: str) -> None:
    bare = replace(rule, follows="", not_after="")
    text = "\n".join(before + piece for piece in PIECES).encode()
    assert Engine(KNOWN, Ledger(), (rule,)).spans(text) == Engine(KNOWN, Ledger(), (bare,)).spans(text)


def test_a_rule_that_says_what_stands_before_its_literals_takes_no_step_back() -> None:
    assert [rule.name for rule in RULES if rule.not_after and (rule.back or rule.start)] == []


def test_the_engine_can_be_chosen_and_only_from_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sieve.ENGINE_VARIABLE, "stdlib")
    assert sieve.chosen() == "stdlib"
    monkeypatch.setenv(sieve.ENGINE_VARIABLE, "hyperscan")
    with pytest.raises(UsageError, match="hyperscan"):
        sieve.chosen()
    monkeypatch.setenv(sieve.ENGINE_VARIABLE, "re2")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="not installed"):
        sieve.chosen()
    monkeypatch.delenv(sieve.ENGINE_VARIABLE)
    assert sieve.chosen() == "stdlib"


@pytest.mark.skipif(importlib.util.find_spec("re2") is None, reason="google-re2 is not installed")
def test_an_automaton_that_gives_up_is_not_taken_for_one_that_found_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    re2 = importlib.import_module("re2")

    monkeypatch.setattr(re2.Set, "Match", lambda _self, _text: [])
    text = b"a line\n" * 4_000 + b"on zoes-box\n"
    found = sieve._of_re2((sieve.Wanted(b"zoes-box"), sieve.Wanted(b"nowhere")))(text)
    assert list(found) == [0]
