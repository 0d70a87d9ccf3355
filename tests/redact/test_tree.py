"""`uvreport redact` on texts, files and trees: the same funnel, nothing half-done."""

from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from uvreport.errors import CannotWriteError, RedactionError, UsageError
from uvreport.redact.known import Known
from uvreport.redact.tree import redact_stream, redact_tree

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = Known(users=("zoe.quill",), secrets=("Zv9!kQ2#mm",))


def stream(data: bytes, known: Known = KNOWN) -> bytes:
    out = io.BytesIO()
    redact_stream(io.BytesIO(data), out, known)
    return out.getvalue()


def test_a_stream_keeps_its_lines_and_loses_what_is_private() -> None:
    text = b"a /home/zoe.quill/x\n" * 100_000
    out = stream(text)
    assert out == b"a /home/user/x\n" * 100_000


def test_a_value_on_the_border_of_two_chunks_is_found() -> None:
    for shift in range(-30, 5, 4):
        text = b"x" * ((1 << 20) + shift - 9) + b" zoe.quill " + b"y" * 300_000
        assert b"zoe.quill" not in stream(text)


def test_a_private_key_on_the_border_of_two_chunks_is_found() -> None:
    key = (
        b"-----BEGIN PRIVATE KEY-----\n"
        + b"MIIabcdefghijklmnop0123456789\n" * 40
        + b"-----END PRIVATE KEY-----\n"
    )
    for shift in range(0, len(key), 311):
        text = b"x\n" * ((1 << 19) - shift // 2) + key + b"y\n" * 1000
        assert b"MII" not in stream(text)


def test_a_stream_takes_no_more_memory_for_a_longer_text() -> None:
    class Endless(io.RawIOBase):
        def __init__(self, lines: int) -> None:
            self.left = lines

        def read(self, size: int = -1) -> bytes:
            many = min(self.left, 10_000)
            self.left -= many
            return (b"DEBUG at /usr/lib/x\n" * (many - 1) + b"/home/zoe.quill/x\n") if many else b""

    class Nowhere(io.RawIOBase):
        def write(self, data: object) -> int:
            return 0

    peaks = []
    for lines in (100_000, 400_000):
        tracemalloc.start()
        redact_stream(Endless(lines), Nowhere(), KNOWN)  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


def test_a_tree_is_copied_with_names_links_and_contents_redacted(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "zoe.quill").mkdir(parents=True)
    (source / "zoe.quill" / "a.log").write_text("token Zv9!kQ2#mm\n")
    (source / "link").symlink_to("/home/zoe.quill/x")
    counts = redact_tree(str(source), str(tmp_path / "out"), KNOWN)
    assert (tmp_path / "out" / "user" / "a.log").read_text() == "token redacted1\n"
    assert str((tmp_path / "out" / "link").readlink()) == "/home/user/x"
    assert counts == {"known-user": 2, "known-secret": 1}
    assert (source / "zoe.quill" / "a.log").read_text() == "token Zv9!kQ2#mm\n"


def test_a_token_known_in_one_file_is_gone_from_all(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_text("said abc-987-XYZ-qq\n")
    (tmp_path / "in" / "b.log").write_text("Authorization: Bearer abc-987-XYZ-qq\n")
    redact_tree(str(tmp_path / "in"), str(tmp_path / "out"), Known())
    assert (tmp_path / "out" / "a.log").read_text() == "said redacted1\n"


def test_a_tree_that_cannot_be_looked_into_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.log").write_text("fine\n")
    (tmp_path / "in" / "b.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + b"x" * 40)
    with pytest.raises(RedactionError):
        redact_tree(str(tmp_path / "in"), str(tmp_path / "out"), KNOWN)
    assert not (tmp_path / "out").exists()
    left_out: list[str] = []
    redact_tree(str(tmp_path / "in"), str(tmp_path / "out"), KNOWN, leave_out=left_out.append)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.log"]


def test_bad_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        redact_tree(str(tmp_path / "none"), str(tmp_path / "out"), KNOWN)
    (tmp_path / "in").mkdir()
    with pytest.raises(CannotWriteError):
        redact_tree(str(tmp_path / "in"), str(tmp_path / "in" / "out"), KNOWN)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(CannotWriteError):
        redact_tree(str(tmp_path / "in"), str(tmp_path / "full"), KNOWN)
