"""The last look finds every spelling in every layer, and nothing in what redaction wrote."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import time
import zipfile

import pytest
import zstandard

from tests.redact.test_engine import spellings
from uvreport.redact.known import Known
from uvreport.redact.lastlook import search

KNOWN = Known(
    users=("zoe.quill",),
    full_names=("Zoë Quill",),
    emails=("zoe@quill.example",),
    homes=("/home/zoe.quill",),
    hosts=("zq-laptop",),
    domains=("quill.example",),
    secrets=("Zv9!kQ2#mm",),
)


def bundle(content: bytes, name: str = "run/stderr.txt", link: str = "") -> bytes:
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as packed:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        packed.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("l")
            info.type, info.linkname = tarfile.SYMTYPE, link
            packed.addfile(info)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed_zip:
        packed_zip.writestr("issue.md", "# nothing")
        packed_zip.writestr("evidence.tar.zst", zstandard.compress(tar.getvalue()))
    return out.getvalue()


@pytest.mark.parametrize("how", spellings("x"))
@pytest.mark.parametrize("value", ["zoe.quill", "zq-laptop", "Zv9!kQ2#mm"])
def test_a_value_is_found_in_every_spelling_below_every_layer(value: str, how: str) -> None:
    hits = search(bundle(b"see [" + spellings(value)[how] + b"] there"), KNOWN)
    assert hits
    assert {hit.member for hit in hits} == {"evidence.tar.zst!/run/stderr.txt"}
    assert not any(value in hit.what for hit in hits)


@pytest.mark.parametrize("value", ["zoe.quill", "Zv9!kQ2#mm"])
@pytest.mark.parametrize("lead", [b"", b"    ", b"# "])
def test_a_value_is_found_where_a_line_end_stands_in_its_encoding(value: str, lead: bytes) -> None:
    for encoded in (
        base64.b64encode(b"x" * 11 + value.encode() * 2),
        (b"x" * 6 + value.encode() * 2).hex().encode(),
    ):
        lines = b"\n".join(lead + encoded[at : at + 20] for at in range(0, len(encoded), 20))
        assert search(bundle(b"see\n" + lines + b"\nthere"), KNOWN)


def test_a_value_is_found_in_gzip_in_base64() -> None:
    assert search(bundle(base64.b64encode(gzip.compress(b"by zoe.quill at home"))), KNOWN)


@pytest.mark.parametrize(
    ("name", "link"), [("project/zoe.quill.txt", ""), ("project/a", "/home/zoe.quill/x")]
)
def test_names_and_links_are_searched_too(name: str, link: str) -> None:
    assert search(bundle(b"x", name, link), KNOWN)


@pytest.mark.parametrize(
    "text",
    [
        "key AKIA0123456789ABCDEF",
        "ghp_0123456789abcdefABCDEF0123456789abcd",
        "https://a:secretpw@h.example/",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ],
)
def test_the_shape_of_a_secret_is_enough(text: str) -> None:
    assert search(bundle(text.encode()), Known())


def test_what_redaction_writes_is_no_hit_even_for_a_person_of_that_name() -> None:
    text = (
        b"/home/user/project host1.invalid person1@example.invalid redacted1 https://account1:redacted2@host1.invalid/ "
        b"Person 1 https://u:****@host1.invalid 240.0.0.1 USER=user"
    )
    known = Known(users=("person", "invalid", "user"), hosts=("invalid",), homes=("/home/user",))
    assert search(bundle(text), known) == []


def test_a_value_inside_of_a_word_is_another_word() -> None:
    assert search(bundle(b"davenport"), Known(users=("dave",))) == []


def test_a_few_hundred_kilobytes_take_less_than_a_blink() -> None:
    lines = b"".join(
        b"DEBUG Selecting: numpy==1.%d.%d [compatible] (numpy-1.%d-py3-none-any.whl)\n" % (i, i, i)
        for i in range(4000)
    )
    data = bundle(lines)
    search(data, KNOWN)
    begin = time.process_time()
    assert search(data, KNOWN) == []
    assert time.process_time() - begin < 0.5
