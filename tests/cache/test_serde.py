from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uvreport.cache import serde
from uvreport.cache.entries import distribution_metadata, interpreter, revision_local
from uvreport.cache.entry import shape_for
from uvreport.cache.examine import entry_kinds

READERS = [reader for kind in entry_kinds() for reader in kind.readers if reader.shape is not Any]
TIME = [1_700_000_000, 123_456_789]
ID = "TStAaiZEa-23Gr08y0Log"


def pack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def fault(readers: Any, release: str, data: bytes) -> str:
    found = serde.read(shape_for(readers, release), data).fault
    return found.message if found else ""


NO_DIGITS = "expected version to start with a number, but no leading ASCII digits were found"
NO_VARIANT = "data did not match any variant of untagged enum CacheInfoWire"
NOT_16 = f'invalid ID: "{ID}" (must be 16 ID characters in the alphabet)'
NOW: list[Any] = [TIME, None, None, {}, {}]
REVISION = revision_local.READERS
METADATA = distribution_metadata.READERS


@pytest.mark.parametrize(
    ("readers", "release", "value", "message"),
    [
        (REVISION, "0.6.6", [[TIME, None, None, {}, {}], [ID, []]], "array had incorrect length, expected 4"),
        (REVISION, "0.5.11", [[TIME, None, None, {"A": "b"}], [ID, []]], "array had incorrect length, expected 3"),
        (REVISION, "0.4.21", [[TIME, None, None], [ID, []]], NO_VARIANT),
        (REVISION, "0.4.7", [[TIME, None], [ID, []]], "wrong msgpack marker FixArray(2)"),
        (REVISION, "0.11.9", [NOW, [ID, []]], NOT_16),
        (REVISION, "0.11.33", [NOW, [ID[:16], [], None]], "array had incorrect length, expected 2"),
        (REVISION, "0.13.9", 0, "invalid type: integer `0`, expected struct LocalRevisionPointer"),
        (METADATA, "0.5.18", ["a", "1", [], None, [], False], "array had incorrect length, expected 5"),
        (METADATA, "0.1.25", ["2.1", "avro", "1.0", [], None, []], NO_DIGITS),
    ],
)  # fmt: skip
def test_a_shape_of_another_release_gets_the_message_that_real_releases_print(
    readers: Any, release: str, value: Any, message: str
) -> None:
    assert fault(readers, release, pack(value)) == message


@pytest.mark.parametrize(
    ("release", "value"),
    [
        ("0.4.21", [TIME, [ID, []]]),  # the bare timestamp of before
        ("0.6.6", [[TIME, None, None], [ID, []]]),
        ("0.6.7", [[TIME, None, None], [ID, []]]),
        ("0.12.1", [[TIME, None, None, {}, {"src": 12345}], {"id": ID, "hashes": [], "size": 7}]),
        (
            "0.11.33",
            [[TIME, None, None, {}, {"src": TIME}], {"id": ID, "hashes": [], "size": None}],
        ),  # unknown keys
        (
            "0.13.9",
            [[None, None, {"v1": "abc"}, {"A": None}, {"src": None}], [ID[:16], [{"Sha256": "00"}], None]],
        ),
    ],
)
def test_what_a_release_forgives_is_accepted(release: str, value: Any) -> None:
    assert fault(REVISION, release, pack(value)) == ""


def test_bytes_after_the_value_do_not_matter_to_uv() -> None:
    assert fault(METADATA, "0.13.9", pack(["a", "1", [], None, [], False]) + b"rest") == ""


def test_a_field_is_found_where_it_stands() -> None:
    data = pack([[TIME, None, None, {}, {}], [ID, []]])
    spans = serde.read(shape_for(REVISION, "0.6.7"), data).spans
    start, end = spans["revision.id"]
    assert data[start + 1 : end] == ID.encode()
    start, end = spans["cache_info.timestamp"]
    assert msgspec.msgpack.decode(data[start:end]) == TIME


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_fail(data: bytes) -> None:
    for reader in READERS:
        serde.accepts(reader.shape, data)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=8)
    | st.floats()
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(VALUES, st.integers(0, 40), st.binary(max_size=3))
def test_msgspec_never_takes_what_the_careful_reader_refuses(value: Any, at: int, noise: bytes) -> None:
    data = pack(value)
    data = data[:at] + noise + data[at + len(noise) :]
    for reader in READERS:
        _agree(reader.shape, data)


GOOD = [
    [[TIME, None, None, {}, {"src": None}], [ID, [["Sha256", "ab"]]]],
    [[TIME, "c", {"t": "s"}, {"E": "v"}], [ID, []]],
    [TIME, [ID, [["Md5", "ab"]], "a-1.0-py3-none-any.whl", 0, 7]],
    ["a", "1.0", ["b>=1", "c @ https://u:p@h/x"], ">=3.9", ["x"], True],
    ["2.1", "a", "1.0", [], None, []],
]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(GOOD), st.integers(0, 100), st.integers(0, 255))
def test_the_two_readers_agree_on_entries_with_one_byte_changed(value: Any, at: int, byte: int) -> None:
    data = bytearray(pack(value))
    data[at % len(data)] = byte
    for reader in READERS:
        _agree(reader.shape, bytes(data))


def _agree(shape: Any, data: bytes) -> None:
    if not serde._exact(shape):
        return
    try:
        serde.decoder(shape).decode(data)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError, MemoryError):
        return
    assert serde.read(shape, data).fault is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 100_000,
        b"\x81\xa1a" * 100_000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff" * 2_000,
        b"\xdf\xff\xff\xff\xff\xa1a\xdd\xff\xff\xff\xff",
        b"\x92\xdd\xff\xff\xff\xff" + b"\xc0" * 100_000,
        b"\x92\x92\x01\x02\x92\xa1x\xdd\xff\xff\xff\xff" + b"\x92\xa3Md5\xa1x" * 20_000,
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff" + bytes(1000),
    ],
    ids=["deep arrays", "deep maps", "long", "long in long", "long map", "full", "hashes", "string", "bytes"],
)
def test_deep_nesting_and_huge_lengths_cost_little(data: bytes) -> None:
    begin = time.process_time()
    for reader in READERS:
        assert not serde.accepts(reader.shape, data)
    assert time.process_time() - begin < 5


def test_every_release_since_0_1_32_has_a_reader_for_every_pointer() -> None:
    from uvreport.cache.buckets import releases, version_key

    for release in releases():
        if version_key(release) >= (0, 1, 32):
            assert shape_for(REVISION, release)
            assert shape_for(METADATA, release)
            assert shape_for(interpreter.READERS, release)
