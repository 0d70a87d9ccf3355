from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.collectors.conftest import changed, fact, scene_of, scene_of_state
from tests.failing_states.state import person
from uvreport import collectors, registry
from uvreport.bundle import Gap, Member, Uv
from uvreport.collectors import Collector, Findings, Scene, gather
from uvreport.errors import CannotWriteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.failing_states.state import Person, State


WHERE = (
    "", "tool", "tool.uv", "tool.uv.pip", "tool.uv.sources", "tool.uv.workspace", "project",
    "tool.setuptools.dynamic",
)  # fmt: skip
KEYS = (
    "tool", "uv", "project", "sources", "workspace", "members", "exclude", "index", "index-url",
    "find-links", "pip", "path", "git", "url", "name", "cache-keys", "file", "dir", "dynamic", "version",
    "attr", "dependencies", "optional-dependencies", "readme", "license", "license-files", "build-system",
    "backend-path", "build-backend", "package", "revision", "source", "setuptools", "hatch", "cache-dir",
    "link-mode", "keyring-provider", "requires-python", "extra-index-url",
)  # fmt: skip


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts topics of the test's own in the room."""

    def put(**functions: Callable[[Scene], Findings]) -> None:
        made = tuple(Collector(name=n, what=n, collect=f) for n, f in functions.items())
        monkeypatch.setattr(registry, "exports", lambda *_: made)

    return put


def test_every_topic_of_the_room_answers_on_a_real_failure(failing: Callable[[str], State]) -> None:
    found = gather(scene_of_state(failing("seed")))
    gathered = {member.collector for member in found.members}
    assert {topic.name for topic in collectors.collectors()} - gathered == {"backend", "build"}


def test_members_are_ordered_by_path_and_each_is_there_once(failing: Callable[[str], State]) -> None:
    paths = [member.path for member in gather(scene_of_state(failing("seed"))).members]
    assert paths == sorted(set(paths))


def test_two_collects_of_the_same_state_give_the_same_members(failing: Callable[[str], State]) -> None:
    scene = scene_of_state(failing("seed"))
    one, two = gather(scene), gather(scene)
    assert [m.path for m, n in zip(one.members, two.members, strict=True) if m != n] == []
    assert one.gaps == two.gaps


def test_collecting_changes_nothing(failing: Callable[[str], State], fingerprint: Callable[..., str]) -> None:
    state = failing("seed")
    scene = scene_of_state(state)
    before = fingerprint(state.person.root)
    gather(scene)
    assert fingerprint(state.person.root) == before


def test_a_topic_that_is_left_out_is_a_gap(world: Person) -> None:
    found = gather(scene_of(world), without=["git", "log"])
    assert {
        Gap(what="git", why="left out by --without"),
        Gap(what="log", why="left out by --without"),
    } <= set(found.gaps)
    assert "run/stderr.txt" not in [member.path for member in found.members]


def test_leaving_out_a_topic_that_does_not_exist_is_refused_by_name(world: Person) -> None:
    with pytest.raises(UsageError, match="'gti'") as refused:
        gather(scene_of(world), without=["gti"])
    assert "git" in refused.value.hint


def test_a_topic_that_hangs_becomes_a_gap_and_does_not_hold_up_the_end(
    world: Person, topics: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collectors, "LIMIT_S", 0.2)
    quick = Findings(members=(Member(path="facts/quick.json"),))

    def slow(_: Scene) -> Findings:
        time.sleep(5)
        return quick

    topics(quick=lambda _: quick, slow=slow)
    begin = time.monotonic()
    found = gather(scene_of(world))
    assert time.monotonic() - begin < 2
    assert found.gaps == (Gap(what="slow", why="did not answer within 0.2 s"),)
    assert [member.path for member in found.members] == ["facts/quick.json"]


def test_what_the_machine_refuses_becomes_a_gap_with_its_reason(
    world: Person, topics: Callable[..., None]
) -> None:
    def denied(_: Scene) -> Findings:
        raise PermissionError(13, "Permission denied")

    def told(_: Scene) -> Findings:
        raise CannotWriteError("The disk is full.")

    topics(denied=denied, told=told)
    assert gather(scene_of(world)).gaps == (
        Gap(what="denied", why="permission denied"),
        Gap(what="told", why="The disk is full."),
    )


def test_a_bug_in_a_topic_is_not_swallowed(world: Person, topics: Callable[..., None]) -> None:
    def wrong(_: Scene) -> Findings:
        raise KeyError("oh")

    topics(wrong=wrong)
    with pytest.raises(KeyError, match="oh"):
        gather(scene_of(world))


def test_progress_is_told_each_topic_once(world: Person) -> None:
    told: list[str] = []
    gather(scene_of(world), progress=told.append)
    assert sorted(told) == [topic.name for topic in collectors.collectors()]


def test_a_uv_that_hangs_costs_only_what_it_was_asked_for(
    world: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collectors, "ASK_LIMIT_S", 0.3)
    stand_in = tmp_path / "uv"
    stand_in.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(3)\n")
    stand_in.chmod(0o755)
    found = gather(scene_of(world, uv=Uv(path=str(stand_in), release="0.9.30")))
    assert {
        Gap(what="effective settings", why="uv did not answer in time"),
        Gap(what="the interpreter that uv would choose", why="uv did not answer in time"),
        Gap(what="uv self version", why="uv did not answer in time"),
    } <= set(found.gaps)
    assert fact(found, "settings")["files"]


def test_a_question_of_two_topics_is_put_to_uv_once(world: Person) -> None:
    scene = scene_of(world, class_="build", uv=Uv(path="/nowhere/uv", release="0.9.30"))
    asked: list[tuple[str, ...]] = []

    def ask(args: object) -> object:
        asked.append(tuple(args))  # type: ignore[arg-type]
        time.sleep(0.05)
        return scene_of(world).ask(args)  # type: ignore[arg-type]

    gather(changed(scene, ask=ask))
    assert asked.count(("python", "find")) == 1


def test_names_that_are_not_utf_8_do_not_stop_the_facts() -> None:
    member = collectors.facts("odd", {"path": b"caf\xe9".decode("utf-8", "surrogateescape")})
    assert b"caf" in member.data


def test_a_named_pipe_is_refused_and_not_waited_for(world: Person) -> None:
    import os

    pipe = world.project / "pyproject.toml"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a plain file"):
        collectors.read(scene_of(world), str(pipe))


def test_a_file_over_the_limit_is_refused_with_the_limit(world: Person) -> None:
    (world.project / "big").write_bytes(b"x" * 2000)
    with pytest.raises(OSError, match="larger than 1 kB"):
        collectors.read(scene_of(world), str(world.project / "big"), limit_bytes=1000)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://example.org/simple", "https://example.org/simple"),
        (
            "https://jo:s3cret@example.org/simple",
            "https://<2 characters: lower>:<6 characters: lower, digits>@example.org/simple",
        ),
        (
            "https://example.org/x?sig=abc&v=1",
            "https://example.org/x?sig=<3 characters: lower>&v=<1 characters: digits>",
        ),
        ("git@github.com:acme/x.git", "git@github.com:acme/x.git"),
    ],
)
def test_a_url_is_shown_without_what_is_secret_in_it(written: str, shown: str) -> None:
    assert collectors.without_userinfo(written) == shown


VALUES = st.recursive(
    st.one_of(
        st.integers(-3, 3), st.booleans(), st.sampled_from(["", ".", "x", "../x", "/", "**/*", "a\0b", "src"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=2)
    ),
    max_leaves=4,
)


def inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return json.dumps(value)


@given(document=st.dictionaries(st.sampled_from(KEYS), VALUES), where=st.sampled_from(WHERE))
@settings(max_examples=150, deadline=None)
def test_no_document_however_wrong_is_a_crash(document: dict[str, Any], where: str) -> None:
    for part in reversed(where.split(".")) if where else ():
        document = {part: document}
    with tempfile.TemporaryDirectory() as folder:
        world = person(Path(folder), "mira.novak", "project", {})
        text = "".join(f"{key} = {inline(value)}\n" for key, value in document.items())
        for name in ("pyproject.toml", "uv.toml", "uv.lock"):
            (world.project / name).write_text(text)
        scene = scene_of(world, class_="build", environ={"PATH": ""})
        for topic in collectors.collectors():
            topic.collect(scene)
