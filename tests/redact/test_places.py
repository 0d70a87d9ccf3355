"""Everything moves below one home, and relative references lead where they led."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uvreport.bundle import Places
from uvreport.redact.places import Canonical, canonical


def move(home: str, project: str, *sources: str, platform: str = "linux", **more: str) -> Canonical:
    places = Places(
        home=home, project=project, cache=more.get("cache", f"{home}/.cache/uv"), cwd=more.get("cwd", project)
    )
    return canonical(places, platform, sources)


@pytest.mark.parametrize(
    ("home", "project", "sources", "becomes"),
    [
        ("/home/zoe", "/home/zoe/proj", (), "/home/user/project"),
        ("/home/zoe", "/home/zoe/a/b/proj", ("../x",), "/home/user/dir1/dir2/project"),
        ("/home/zoe", "/srv/x/proj", (), "/home/user/project"),
        ("/home/zoe", "/srv/x/proj", ("../lib", "../../y/z"), "/home/user/dir1/dir2/project"),
        ("/root", "/root", (), "/home/user"),
        ("/tmp/d/home/zoe", "/tmp/d/project", ("../home/zoe/x",), "/home/user/project"),
    ],
)
def test_the_project_stands_below_the_home(
    home: str, project: str, sources: tuple[str, ...], becomes: str
) -> None:
    assert move(home, project, *sources).places.project == becomes


def test_a_home_on_another_system_has_its_twin() -> None:
    assert move("/Users/zoe", "/Users/zoe/p", platform="darwin").places.project == "/Users/user/project"
    windows = move("C:\\Users\\Zo Q", "C:\\Users\\Zo Q\\dev\\p", platform="win32", cache="D:\\uv")
    assert windows.places.project == "C:\\Users\\user\\dir1\\project"
    assert dict(windows.prefixes)["D:\\uv"] == "C:\\Users\\user\\.cache\\uv"


def test_an_absolute_source_gets_a_place_of_its_own() -> None:
    moved = dict(move("/home/zoe", "/home/zoe/p", "/data/zoe/libs/x", "/data/zoe/libs/y").prefixes)
    assert moved["/data/zoe/libs/x"] == "/home/user/outside1/x"
    assert moved["/data/zoe/libs/y"] == "/home/user/outside2/y"


def test_a_reference_that_would_lead_elsewhere_is_written_anew() -> None:
    moved = move("/tmp/d/home/zoe", "/tmp/d/project", "../home/zoe/work/x")
    assert moved.relative == (("../home/zoe/work/x", "../work/x"),)


@given(
    st.sampled_from(["/home/zoe", "/root", "/srv/h"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["x", "y/z"])), max_size=3),
    st.booleans(),
)
def test_every_relative_source_leads_to_the_place_that_its_absolute_path_becomes(
    home: str, parts: list[str], climbs: list[tuple[int, str]], inside: bool
) -> None:
    project = posixpath.join(home if inside else "/work", *parts)
    sources = ["../" * up + rest for up, rest in climbs]
    moved = move(home, project, *sources)
    told = dict(moved.relative)
    for source in sources:
        where = posixpath.normpath(posixpath.join(project, source))
        fitting = [was for was, _ in moved.prefixes if where == was or where.startswith(was + "/")]
        if not fitting and posixpath.normpath(where) == where and where.startswith(moved.places.home):
            continue
        longest = max(fitting, key=len, default=None)
        if longest is None:
            continue
        becomes = posixpath.normpath(dict(moved.prefixes)[longest] + where[len(longest) :])
        again = posixpath.normpath(posixpath.join(moved.places.project, told.get(source, source)))
        assert again == becomes
