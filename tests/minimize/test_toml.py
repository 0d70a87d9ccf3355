"""Spans of TOML: after any cut that is allowed the text is TOML, says what it said but for the cut, and looks the same."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvreport.minimize import toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCK = """\
version = 1
requires-python = ">=3.12"

# the first one
[[package]]
name = "a"
source = { registry = "https://index.example/simple" }
dependencies = [
    { name = "b", marker = "sys_platform == 'win32'" },  # only there
    { name = "c" },
]

[package.metadata]
requires-dist = [{ name = "b" }]

[[package]]
name = "b"
"quoted.key" = '''a ] } # " text
[[package]]
'''
"""


def parsed(text: str) -> toml.Document:
    found = toml.document(text.encode())
    assert found is not None
    return found


def test_a_table_below_an_array_of_tables_belongs_to_its_last_element() -> None:
    paths = [section.path for section in parsed(LOCK).sections]
    assert paths == [
        (), (("package", 1),), (("package", 1), ("metadata", 0)), (("package", 2),),
    ]  # fmt: skip


def test_the_sections_together_are_the_text() -> None:
    document = parsed(LOCK)
    assert "".join(LOCK[section.start : section.end] for section in document.sections) == LOCK
    assert document.sections[1].statements[0].start > document.sections[1].start
    assert LOCK[document.sections[1].start :].startswith("\n# the first one\n[[package]]")


@pytest.mark.parametrize(
    ("text", "gone", "left"),
    [
        ('x = ["a", "b", "c"]\n', {0}, 'x = ["b", "c"]\n'),
        ('x = ["a", "b", "c"]\n', {1}, 'x = ["a", "c"]\n'),
        ('x = ["a", "b", "c"]\n', {2}, 'x = ["a", "b"]\n'),
        ('x = ["a", "b", "c"]\n', {0, 2}, 'x = ["b"]\n'),
        ('x = ["a", "b", "c"]\n', {0, 1, 2}, "x = []\n"),
        ("x = { a = 1, b = 2 }\n", {1}, "x = { a = 1 }\n"),
        ("x = { a = 1, b = 2 }\n", {0}, "x = { b = 2 }\n"),
        ('x = [\n    "a",\n    "b",\n]\n', {1}, 'x = [\n    "a",\n]\n'),
        ('x = [\n    "a",\n    "b",\n]\n', {0}, 'x = [\n    "b",\n]\n'),
    ],
)
def test_commas_and_white_space_stay_as_one_would_write_them(text: str, gone: set[int], left: str) -> None:
    container = next(toml.containers(parsed(text), 0))
    starts = frozenset(element.start for i, element in enumerate(container.elements) if i in gone)
    assert toml.cut(text, toml.without_elements(container, starts)) == left


scalars = st.one_of(
    st.integers(-5, 5).map(str),
    st.booleans().map(lambda b: str(b).lower()),
    st.sampled_from(['"a,]}#"', "'b\"='", '"""c\n[d]\n"""', "1979-05-27 07:32:00", "1.5", '""', "'''x'''"]),
)
gaps = st.sampled_from(["", " ", "\n  ", " # [a, }\n"])


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    element = st.builds(lambda before, value, after: f"{before}{value}{after}", gaps, inner, gaps)
    return st.builds(
        lambda found, comma, gap: f"[{','.join(found)}{',' if found and comma else ''}{gap}]",
        st.lists(element, max_size=4), st.booleans(), gaps,
    )  # fmt: skip


def inline_tables(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    keys = st.sampled_from(["a", "b", '"c.d"', "e.f", "'g'"])
    return st.dictionaries(keys, inner, max_size=4).map(
        lambda found: "{ " + ", ".join(f"{key} = {value}" for key, value in found.items()) + " }"
    )


values = st.recursive(scalars, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=12)


def size(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


@given(st.data(), values.filter(lambda v: v[0] in "[{"))
def test_any_elements_can_be_cut_and_the_others_keep_their_values(data: st.DataObject, value: str) -> None:
    text = f"x = {value} # end\ny = 1\n"
    container = next(toml.containers(parsed(text), 0))
    before = size(tomllib.loads(text)["x"])
    gone = data.draw(st.sets(st.sampled_from(range(len(container.elements) or 1))))
    starts = frozenset(element.start for i, element in enumerate(container.elements) if i in gone)
    after = tomllib.loads(toml.cut(text, toml.without_elements(container, starts)))
    assert len(container.elements) == len(before)
    assert size(after["x"]) == [inner for i, inner in enumerate(before) if i not in gone]
    assert after["y"] == 1


@given(st.data(), st.lists(values, min_size=1, max_size=5))
def test_any_statements_can_be_cut_and_the_others_keep_their_values(
    data: st.DataObject, found: list[str]
) -> None:
    text = "".join(f"# about {i}\nkey{i} = {value}\n" for i, value in enumerate(found))
    gone = data.draw(st.sets(st.sampled_from(range(len(found)))))
    statements = parsed(text).sections[0].statements
    spans = [(s.start, s.end) for i, s in enumerate(statements) if i in gone]
    before, after = tomllib.loads(text), tomllib.loads(toml.cut(text, spans))
    assert after == {name: value for name, value in before.items() if int(name[3:]) not in gone}


def test_what_is_no_toml_has_no_parts() -> None:
    assert toml.document(b"x = [1, \n") is None
    assert toml.document(b"\xff") is None
    assert not toml.is_toml("project/requirements.txt", b"")
    assert toml.is_toml("project/uv.lock", b"version = 1\n")
