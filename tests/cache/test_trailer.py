from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from uvreport.cache import trailer


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(["none", "old", "crc"]))
def test_what_was_put_together_comes_apart_again(data: bytes, policy: bytes, form: trailer.Form) -> None:
    raw = trailer.join(data, policy if form != "none" else b"", form)
    parts = trailer.split(raw, form)
    assert (parts.form, parts.data, parts.problem) == (form, data, "")
    assert form == "none" or parts.policy == policy


def test_the_three_forms_are_told_apart_without_being_told() -> None:
    assert trailer.split(trailer.join(b"data", b"policy", "crc")).form == "crc"
    assert trailer.split(trailer.join(b"data", b"policy", "old")).form == "old"
    assert trailer.split(b"\x92\xa1a\x90" + b"\xff" * 9).form == "none"


def test_the_policy_of_the_new_form_begins_at_a_multiple_of_16() -> None:
    raw = trailer.join(b"12345", b"POLICY", "crc")
    assert raw.index(b"POLICY") == 16
    assert raw[5:16] == bytes(11)
    assert int.from_bytes(raw[-12:-8], "little") == zlib.crc32(raw[5:-12] + raw[-8:])


def test_a_flipped_bit_in_the_policy_is_a_checksum_mismatch() -> None:
    raw = bytearray(trailer.join(b"data", b"policy", "crc"))
    raw[17] ^= 1
    assert trailer.split(bytes(raw), "crc").problem == "HTTP cache policy checksum mismatch"


def test_lengths_that_cannot_be_are_told_in_uvs_words() -> None:
    assert trailer.split(b"short", "crc").problem == "HTTP cache entry is shorter than its trailer"
    assert trailer.split(bytes(4) + b"\xff" * 8, "crc").problem == "invalid HTTP cache payload length"
    assert "at least 8 bytes" in trailer.split(b"short", "old").problem
    assert "cache policy length of 18446744073709551615" in trailer.split(b"\xff" * 8, "old").problem


@given(st.binary(max_size=400))
def test_no_bytes_make_splitting_fail(raw: bytes) -> None:
    for form in (None, "none", "old", "crc"):
        parts = trailer.split(raw, form)
        assert len(parts.data) + len(parts.policy) <= len(raw)
        trailer.url(raw)
