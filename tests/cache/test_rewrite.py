from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uvreport.cache import trailer
from uvreport.cache.examine import walk
from uvreport.cache.rewrite import edit_equal, rewrite, strings

if TYPE_CHECKING:
    from tests.cache.conftest import Machine

D = "7265655f38152283"
REV = f"sdists-v9/path/{D}/revision.rev"
HTTP_OLD, HTTP_NEW = f"wheels-v5/url/{D}/a/1-py3-none-any.http", f"wheels-v8/url/{D}/a/1-py3-none-any.http"
RKYV_OLD, RKYV_NEW = "simple-v15/pypi/a.rkyv", "simple-v28/pypi/a.rkyv"


def same(text: str) -> str:
    return text


def bob_to_user(text: str) -> str:
    return text.replace("bob", "somebody-else")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=30,
)


@given(st.one_of(st.binary(max_size=300), VALUES.map(msgspec.msgpack.encode)))
@settings(deadline=None)
def test_an_edit_that_changes_nothing_gives_the_very_bytes(data: bytes) -> None:
    for path in (REV, HTTP_OLD, HTTP_NEW, RKYV_OLD, RKYV_NEW, "CACHEDIR.TAG", "x.json"):
        assert rewrite(path, data, same) == data
        for form in ("old", "crc"):
            raw = trailer.join(data, b"http://x.example/a policy", form)
            assert rewrite(path, raw, same) == raw


def _edited(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("a", "bbb")
    if isinstance(value, list):
        return [_edited(item) for item in value]
    if isinstance(value, dict):
        return {_edited(key): _edited(item) for key, item in value.items()}
    return value


@given(st.lists(VALUES.filter(lambda v: not isinstance(v, bytes)), max_size=4))
@settings(deadline=None)
def test_every_string_is_edited_and_nothing_else(value: Any) -> None:
    if b"\xc4" in msgspec.msgpack.encode(value):  # a string of bytes may be text as well, and is edited then
        return
    after = rewrite(REV, msgspec.msgpack.encode(value), lambda text: text.replace("a", "bbb"))
    expected = msgspec.msgpack.encode(_edited(value))
    assert msgspec.msgpack.decode(after) == msgspec.msgpack.decode(expected)


def test_numbers_keep_the_width_that_uv_gave_them() -> None:
    data = b"\x92\xce\x00\x00\x00\x01\xa3bob"
    assert rewrite(REV, data, bob_to_user) == b"\x92\xce\x00\x00\x00\x01\xadsomebody-else"


@pytest.mark.parametrize("size", [0, 31, 32, 255, 256, 65535, 65536])
def test_headers_of_strings_are_as_short_as_uv_makes_them(size: int) -> None:
    after = rewrite(REV, b"\xa3bob", lambda _: "x" * size)
    assert after == msgspec.msgpack.encode("x" * size)


@pytest.mark.parametrize(("path", "form"), [(HTTP_OLD, "old"), (HTTP_NEW, "crc")])
def test_a_trailer_is_right_again_after_the_value_grew(path: str, form: trailer.Form) -> None:
    policy = b"http://bob.example/a.whl" + bytes(40)
    raw = trailer.join(msgspec.msgpack.encode(["id", [], "bob"]), policy, form)
    parts = trailer.split(rewrite(path, raw, bob_to_user), form)
    assert parts.problem == ""
    assert msgspec.msgpack.decode(parts.data) == ["id", [], "somebody-else"]
    assert len(parts.policy) == len(policy)
    assert b"bob" not in parts.policy


@pytest.mark.parametrize(("path", "form"), [(RKYV_OLD, "old"), (RKYV_NEW, "crc")])
def test_rkyv_keeps_its_length_and_every_distance_in_it(path: str, form: trailer.Form) -> None:
    body = b"\0\0file:///home/bob/x-1.0.whl\xff\0https://h.example/keep\0" + bytes(9)
    raw = trailer.join(body, b"http://h.example/" + bytes(30), form)
    after = rewrite(path, raw, bob_to_user)
    assert len(after) == len(raw)
    assert trailer.split(after, form).problem == ""
    assert after.index(b"/x-1.0.whl") == raw.index(b"/x-1.0.whl")
    assert after.index(b"https://h.example/keep") == raw.index(b"https://h.example/keep")
    assert b"bob" not in after


def test_a_shorter_replacement_is_padded_and_a_longer_one_cut() -> None:
    assert (
        edit_equal(b"/home/pavel.novotny/x", lambda t: t.replace("pavel.novotny", "user"))
        == b"/home/user_________/x"
    )
    assert edit_equal(b"/home/bob/x", lambda t: t.replace("bob", "placeholder")) == b"/home/pla/x"
    assert (
        edit_equal("\xff/home/bob/x".encode("latin-1"), lambda t: t.replace("bob", "aéé"))
        == b"\xff/home/a\xc3\xa9/x"
    )


@given(st.binary(max_size=400), st.sampled_from(["", "x", "xyz" * 20, "é"]))
def test_editing_at_equal_length_never_changes_the_length(data: bytes, new: str) -> None:
    assert len(edit_equal(data, lambda text: text.replace("a", new))) == len(data)
    assert len(edit_equal(data, lambda _: new)) == len(data)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_no_bytes_make_rewriting_fail(data: bytes) -> None:
    for path in (REV, HTTP_OLD, HTTP_NEW, RKYV_OLD, RKYV_NEW, "a.json", "archive-v0/x/METADATA", "odd"):
        rewrite(path, data, lambda text: text.replace("a", "bb"))
        strings(path, data)


def test_huge_lengths_and_depth_cost_nothing() -> None:
    for data in (b"\x91" * 1_000_000, b"\xdd\xff\xff\xff\xff" * 1000, b"\xdb\xff\xff\xff\xff" + b"bob"):
        assert len(rewrite(REV, data, bob_to_user)) == len(data)


def test_json_is_edited_as_json() -> None:
    raw = b'{"env":{"TOKEN":"bob\\u0021"},"timestamp":{"secs_since_epoch":1}}'
    after = rewrite("x/uv_cache.json", raw, lambda t: t.replace("bob!", "***"))
    assert after == b'{"env":{"TOKEN":"***"},"timestamp":{"secs_since_epoch":1}}'


def test_strings_are_those_that_an_edit_is_given() -> None:
    raw = trailer.join(msgspec.msgpack.encode(["id", {"k": "v"}]), b"\0\0http://h.example/x\0\0", "old")
    assert strings(HTTP_OLD, raw) == ["id", "k", "v", "http://h.example/x"]


@pytest.mark.parametrize("release", ["0.4.30", "0.6.8", "0.12.24", "0.13.9"])
def test_real_entries_come_back_byte_for_byte_and_hold_no_home_after_the_edit(
    machine: Machine, release: str
) -> None:
    machine.install(release, str(machine.tree("dep")), str(machine.sdist("arc")), str(machine.wheel("whl")))
    home = str(machine.base)
    for path in walk(str(machine.cache)):
        file = machine.cache / path
        if not file.is_file() or file.suffix == ".whl":
            continue
        data = file.read_bytes()
        assert rewrite(path, data, same) == data
        after = rewrite(path, data, lambda text: text.replace(home, "/home/user"))
        assert home.encode() not in after
        if home.encode() in data:
            assert b"/home/user" in after
