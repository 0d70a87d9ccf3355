"""Directories of build settings: redaction names them anew, so that uv finds again what it built with those settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.failing_states.state import State, on_path, one, person, put, source_tree, uv_does, without_venv
from tests.stories import collect
from uvreport.bundle import Member
from uvreport.cache.keys import build_settings
from uvreport.pack import open_bundle
from uvreport.redact import shards

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uvreport.bundle import Uv

HOME = "/home/otto.lind"
TOML = f"""\
[tool.uv]
config-settings = {{ sdk = "{HOME}/sdk", jobs = "4" }}
config-settings-package = {{ geo = {{ sdk = "{HOME}/geo" }} }}
extra-build-variables = {{ geo = {{ GEO_HOME = "{HOME}/geo" }} }}
""".encode()


def told(text: str) -> str:
    return text.replace(HOME, "/home/user")


def rekeyed(digest: str, *, argv: tuple[str, ...] = ("uv", "sync"), toml: bytes = TOML) -> dict[str, str]:
    members = [
        Member(path="project/pyproject.toml", data=toml),
        Member(path=f"cache/sdists-v9/path/8e1cfbc72e4b76e6/6nNNk8ukwRZ8jfyMxsIWH/{digest}/metadata.msgpack"),
    ]
    return shards.rekeyed(
        members,
        argv,
        lambda member: member.data.replace(HOME.encode(), b"/home/user"),
        lambda words: [told(word) for word in words],
    )


@pytest.mark.parametrize("release", ["0.4.11", "0.8.4", "0.8.6", "0.13.9"])
def test_the_digest_of_settings_is_that_of_what_stands_in_the_redacted_file(release: str) -> None:
    old = build_settings({"sdk": f"{HOME}/sdk", "jobs": "4"}, release)
    assert rekeyed(old) == {old: build_settings({"sdk": "/home/user/sdk", "jobs": "4"}, release)}


def test_what_is_for_one_package_comes_before_what_is_for_all() -> None:
    def digest(home: str) -> str:
        settings = {"sdk": [f"{home}/geo", f"{home}/sdk"], "jobs": "4"}
        return build_settings(settings, "0.13.9", variables={"GEO_HOME": f"{home}/geo"})

    assert rekeyed(digest(HOME)) == {digest(HOME): digest("/home/user")}


@pytest.mark.parametrize(
    "words",
    [("-C", "a={}"), ("-Ca={}",), ("--config-setting", "a={}"), ("--config-settings=a={}",)],
)
def test_a_setting_of_the_command_line_counts_before_that_of_a_file(words: tuple[str, ...]) -> None:
    def digest(home: str) -> str:
        return build_settings({"a": [home, "1"]}, "0.13.9")

    argv = ("uv", "sync", *(word.format(HOME) for word in words))
    found = rekeyed(digest(HOME), argv=argv, toml=b'[tool.uv]\nconfig-settings = { a = "1" }\n')
    assert found == {digest(HOME): digest("/home/user")}


def test_what_redaction_leaves_alone_keeps_its_name() -> None:
    plain = TOML.replace(HOME.encode(), b"/opt")
    assert rekeyed(build_settings({"sdk": "/opt/sdk", "jobs": "4"}, "0.13.9"), toml=plain) == {}


@given(st.binary(max_size=200), st.lists(st.text(max_size=20), max_size=5).map(tuple))
def test_any_file_and_any_command_line_are_no_crash(toml: bytes, argv: tuple[str, ...]) -> None:
    assert rekeyed("670d67c934b131ec", argv=argv, toml=b"# config-settings\n" + toml) == {}


@pytest.mark.parametrize(
    ("release", "setting", "flags"),
    [
        ("0.9.30", 'config-settings = { sdk = "HOME/sdk" }', ()),
        ("0.13.9", "", ("-C", "token=glcbt-64_hR7pWq2ZxV9nB4mK8sYd", "-C", "sdk=HOME/sdk")),
    ],
)
def test_an_entry_that_was_built_with_private_settings_still_fails_from_the_bundle(
    release: str, setting: str, flags: tuple[str, ...], tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    project = f"""\
[project]
name = "svc"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["geo-tiles"]

[tool.uv]
package = false
{setting.replace("HOME", str(tmp_path.resolve() / "home/otto.lind"))}

[tool.uv.sources]
geo-tiles = {{ path = "geo-tiles" }}
"""
    files = {"pyproject.toml": project, **source_tree("geo-tiles", "1.0", under="geo-tiles/")}
    who = person(tmp_path, "otto.lind", "svc", files)
    words = ("sync", *(flag.replace("HOME", str(who.home)) for flag in flags))
    uv_does(who, uv_release(release), *words)
    without_venv(who)
    put(one(who, "sdists-v*/path/*/*/*/geo_tiles-1.0-py3-none-any"), b"x")  # a file where a link belongs
    state = State(
        person=who, argv=("uv", *words), uv=on_path(who, uv_release(release)), exit_code=2, lines=(),
        class_="cache-corruption",
    )  # fmt: skip
    code, said, error = collect(state, tmp_path / "out")
    assert code == 0, error
    assert said["proof"]["verdict"] == "REPRODUCED", said["proof"]
    opened = open_bundle(said["bundle"])
    assert opened.culprits[0].path != said["culprits"][0]
    assert not any(secret in repr(opened) for secret in ("otto.lind", "glcbt-64_hR7pWq2ZxV9nB4mK8sYd"))
