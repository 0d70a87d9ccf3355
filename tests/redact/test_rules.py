"""Every rule does what its own examples say, by itself and among all others."""

from __future__ import annotations

import pytest

from uvreport.redact.engine import Engine
from uvreport.redact.known import Known
from uvreport.redact.ledger import Ledger
from uvreport.redact.rule import Rule
from uvreport.registry import exports

RULES = exports("uvreport.redact.rules", "RULE", Rule)
REMOVES = [
    pytest.param(rule, text, out, id=f"{rule.name}-{i}")
    for rule in RULES
    for i, (text, out) in enumerate(rule.removes)
]
KEEPS = [pytest.param(text, id=f"{rule.name}-{i}") for rule in RULES for i, text in enumerate(rule.keeps)]
EMAIL = next(rule for rule in RULES if rule.name == "email")


def engine(*rules: Rule) -> Engine:
    return Engine(Known(), Ledger(), rules or None)


@pytest.mark.parametrize(("rule", "text", "out"), REMOVES)
def test_a_rule_removes_what_it_says_and_leaves_the_rest_as_it_was(rule: Rule, text: str, out: str) -> None:
    # E-mail addresses stand in the examples of other rules.
    rules = (rule,) if rule is EMAIL else (rule, EMAIL)
    got, log = engine(*rules).redact(text.encode())
    assert got.decode() == out
    assert rule.name in {name for _, name, _ in log}


@pytest.mark.parametrize(("rule", "text", "out"), REMOVES)
def test_all_rules_together_hide_what_one_of_them_hides(rule: Rule, text: str, out: str) -> None:
    got, _ = engine().redact(text.encode())
    alone = engine(rule)
    for span in alone.spans(text.encode()):
        gone = text.encode()[span.start : span.end]
        assert len(gone) < 3 or gone not in got


@pytest.mark.parametrize(("rule", "text", "out"), REMOVES)
def test_redacting_twice_changes_nothing(rule: Rule, text: str, out: str) -> None:
    once, _ = engine().redact(text.encode())
    assert engine().redact(once) == (once, [])


@pytest.mark.parametrize("text", KEEPS)
def test_no_rule_touches_a_look_alike_of_any_rule(text: str) -> None:
    assert engine().redact(text.encode()) == (text.encode(), [])


def test_every_rule_says_where_its_shape_is_from() -> None:
    assert [rule.name for rule in RULES if not rule.source or not rule.what] == []
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_literals_are_in_lower_case_because_the_text_is_when_they_are_looked_for() -> None:
    assert [literal for rule in RULES for literal in rule.literals if literal != literal.lower()] == []
