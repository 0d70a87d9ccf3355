"""What two bundles differ in."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests import stories
from uvreport.bundle import Bundle, Member
from uvreport.diff import TOPICS, Difference, diff, flat
from uvreport.minimize.problem import edited, keeping
from uvreport.pack import open_bundle, save, write

SAMPLE = stories.ROOT / "sample_bundles/uv-12318/uv-12318.uvreport.zip"
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}


def sample() -> Bundle:
    return open_bundle(SAMPLE)


def found(a: Bundle, b: Bundle) -> dict[tuple[str, str], Difference]:
    return {(one.topic, one.what): one for one in diff(a, b).differences}


def test_a_bundle_and_itself_are_equal_whenever_they_were_made() -> None:
    bundle = sample()
    answer = diff(bundle, replace(bundle, created="2001-01-01T00:00:00Z", tool="9"))
    assert answer.equal
    assert answer.same_failure


def test_every_topic_is_seen() -> None:
    a = sample()
    b = replace(
        a,
        platform="darwin",
        failure=replace(a.failure, signature="other:1", frames=("x", "y")),
        run=replace(
            a.run,
            env={**a.run.env, "UV_LINK_MODE": "copy"},
            argv=("uv", "sync"),
            uv=replace(a.run.uv, release="0.6.7"),
        ),
        culprits=(replace(a.culprits[0], state="truncated"),),
        members=(*a.members, Member(path="home/.config/uv/uv.toml"), Member(path="cache/wheels-v5/pypi/x/y.http")),
    )  # fmt: skip
    facts = {
        "facts/python.json": b'{"chosen": {"path": "/opt/python"}}',
        "facts/settings.json": b'{"files": ["uv.toml"]}',
    }
    b = edited(b, {**facts, "project/pyproject.toml": b"[project]\nname = 'x'\n"})
    answer = diff(a, b)
    assert {one.topic for one in answer.differences} == set(TOPICS)
    assert [one.topic for one in answer.differences] == sorted(
        (one.topic for one in answer.differences), key=TOPICS.index
    )
    assert not answer.same_failure
    said = found(a, b)
    assert (said["uv", "release"].a, said["uv", "release"].b) == ("0.6.6", "0.6.7")
    assert (said["variables", "UV_LINK_MODE"].a, said["variables", "UV_LINK_MODE"].b) == (None, "copy")
    assert said["cache", "files of the kind wheels, in wheels-v5"].b == "1"
    assert "+name = 'x'" in said["project", "pyproject.toml"].lines


def test_the_fields_of_an_entry_are_compared_one_by_one() -> None:
    a = sample()
    decoded = a.culprits[0].decoded
    assert isinstance(decoded, dict)
    b = replace(a, culprits=(replace(a.culprits[0], decoded={**decoded, "writer": "another"}),))
    assert list(found(a, b)) == [("culprits", f"{a.culprits[0].path}: decoded writer")]


def test_entries_of_one_kind_are_compared_although_their_keys_differ() -> None:
    a = sample()
    moved = "sdists-v8/path/0000000000000000/revision.rev"
    b = replace(a, culprits=(replace(a.culprits[0], path=moved),))
    assert list(found(a, b)) == [("culprits", f"{a.culprits[0].path}: path")]


def test_what_is_in_one_only_says_so() -> None:
    a = sample()
    b = keeping(a, lambda member: member.path != "project/uv.lock")
    assert {key: (one.a, one.b) for key, one in found(a, b).items()} == {
        ("project", "uv.lock"): ("358 bytes", None)
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_any_json_becomes_texts(value: object) -> None:
    assert all(isinstance(key, str) and isinstance(said, str) for key, said in flat(value).items())


def test_the_command_says_equal_or_lists_and_ends_with_0(tmp_path: Path) -> None:
    same = stories.uvreport("diff", str(SAMPLE), str(SAMPLE), env=ENV, cwd=tmp_path)
    assert (same.returncode, same.stdout.split()[:4]) == (0, ["The", "two", "are", "equal,"])
    bundle = sample()
    other = tmp_path / "other.uvreport.zip"
    save(write(replace(bundle, run=replace(bundle.run, env={"LANG": "C\x1b[31m"})), "", ""), other)
    plain = stories.uvreport("diff", str(SAMPLE), str(other), env=ENV, cwd=tmp_path)
    assert plain.returncode == 0
    assert "only in B: LANG" in plain.stdout
    assert "\x1b" not in plain.stdout
    said = json.loads(
        stories.uvreport("diff", "--json", str(SAMPLE), str(other), env=ENV, cwd=tmp_path).stdout
    )
    assert (said["equal"], said["same_failure"]) == (False, True)
    assert {"topic": "variables", "what": "LC_ALL", "a": "C.UTF-8", "b": None, "lines": []} in said[
        "differences"
    ]


def test_a_file_that_is_no_bundle_ends_with_4(tmp_path: Path) -> None:
    done = stories.uvreport("diff", str(SAMPLE), __file__, env=ENV, cwd=tmp_path)
    assert done.returncode == 4
