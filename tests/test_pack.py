"""Packing: whatever is written can be opened again, and nothing else can be opened."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.test_pack_samples import PLACES, REVISION, seed
from uvreport import pack
from uvreport.bundle import (
    Bundle,
    Culprit,
    Failure,
    Gap,
    Member,
    Proof,
    Redaction,
    Relation,
    Run,
    Uv,
)
from uvreport.errors import BadBundleError, CannotWriteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEED = seed()
RAW = pack.write(SEED, "# issue\n", "<p>report</p>\n")


def with_members(*members: Member) -> Bundle:
    return replace(SEED, culprits=(), cure=(), relations=(), members=members)


def parts() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(RAW)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def hostile(
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    *,
    evidence: bytes | None = None,
    extra: dict[str, bytes] | None = None,
) -> bytes:
    """A bundle whose manifest was changed by someone who also mends the digests and the ZIP."""
    files = parts()
    if evidence is not None:
        files["evidence.tar.zst"] = evidence
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["evidence.tar.zst"] = {
        "sha256": hashlib.sha256(files["evidence.tar.zst"]).hexdigest(),
        "size": len(files["evidence.tar.zst"]),
    }
    change(manifest)
    files["manifest.json"] = json.dumps(manifest).encode()
    return pack._container({**files, **(extra or {})})


def repacked(rows: list[pack.Row], datas: list[bytes]) -> bytes:
    """A bundle with exactly these members, in a tar and a manifest that agree with each other."""
    members = [Member(path="x", data=data) for data in datas]
    tar = b"".join(pack._tar(rows, members))

    def change(manifest: dict[str, Any]) -> None:
        manifest["members"] = msgspec.to_builtins(rows)
        manifest["culprits"] = []

    return hostile(change, evidence=zstandard.ZstdCompressor().compress(tar))


def row(path: str, data: bytes = b"", **more: Any) -> pack.Row:
    given: dict[str, Any] = {
        "kind": "file",
        "mode": 0o644,
        "role": pack._role(path, ()),
        "size": len(data),
    } | more
    if given["kind"] == "file":
        given.setdefault("sha256", hashlib.sha256(data).hexdigest())
    return pack.Row(path=path, **given)


def refused(raw: bytes) -> str:
    with pytest.raises(BadBundleError) as caught:
        pack.open_bundle(raw)
    assert caught.value.exit_code == 4
    assert caught.value.message.endswith((".", "`."))
    assert "\n" not in caught.value.message
    return caught.value.message


# --- writing and opening ---


def test_a_bundle_comes_back_as_it_was() -> None:
    opened = pack.open_whole(RAW)
    assert opened.bundle == SEED
    assert opened.issue == "# issue\n"
    assert opened.report_html == "<p>report</p>\n"


def test_the_same_bundle_gives_the_same_bytes_in_whatever_order_its_members_come() -> None:
    shuffled = replace(
        SEED, members=tuple(reversed(SEED.members)), redactions=tuple(reversed(SEED.redactions))
    )
    assert pack.write(shuffled, "# issue\n", "<p>report</p>\n") == RAW
    assert pack.write(pack.open_bundle(RAW), "# issue\n", "<p>report</p>\n") == RAW


def test_the_environment_in_another_order_gives_the_same_bytes() -> None:
    run = replace(SEED.run, env=dict(reversed(list(SEED.run.env.items()))))
    assert pack.write(replace(SEED, run=run), "# issue\n", "<p>report</p>\n") == RAW


def test_the_bytes_hold_no_time_but_that_of_creation_and_those_recorded() -> None:
    first = pack.write(SEED, "", "")
    time.sleep(1.1)
    assert pack.write(SEED, "", "") == first


def test_any_unzip_and_tar_can_read_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(RAW)) as archive:
        assert archive.namelist() == ["evidence.tar.zst", "issue.md", "manifest.json", "report.html"]
        assert archive.testzip() is None
        tar = zstandard.ZstdDecompressor().decompress(archive.read("evidence.tar.zst"))
    with tarfile.open(fileobj=io.BytesIO(tar)) as evidence:
        names = evidence.getnames()
        assert names == sorted(names)
        assert all((info.uid, info.gid, info.uname, info.gname) == (0, 0, "", "") for info in evidence)
        pyproject = evidence.getmember("project/pyproject.toml")
        assert round(pyproject.mtime * 1e6) == 1763811274_123457
        assert evidence.getmember("project/generated/setup.py").mtime == 0
        file = evidence.extractfile("run/stderr.txt")
        assert file is not None
        assert file.read().decode() == SEED.run.stderr


def test_the_output_is_in_the_file_once() -> None:
    marked = replace(SEED, run=replace(SEED.run, stdout="only-once-in-here"))
    with zipfile.ZipFile(io.BytesIO(pack.write(marked, "", ""))) as archive:
        assert b"only-once-in-here" not in archive.read("manifest.json")
        tar = zstandard.ZstdDecompressor().decompress(archive.read("evidence.tar.zst"))
    assert tar.count(b"only-once-in-here") == 1
    assert pack.open_bundle(pack.write(marked, "", "")) == marked


def test_output_that_is_a_member_too_stays_one() -> None:
    own = replace(
        SEED,
        members=tuple(
            sorted(
                (
                    *SEED.members,
                    Member(path="run/stderr.txt", data=SEED.run.stderr.encode(), collector="log"),
                ),
                key=lambda member: member.path,
            )
        ),
    )
    assert pack.open_bundle(pack.write(own, "", "")) == own


def test_the_culprit_is_marked_among_the_members() -> None:
    rows = {row["path"]: row["role"] for row in json.loads(parts()["manifest.json"])["members"]}
    assert rows["cache/" + REVISION] == "culprit"
    assert rows["project/pyproject.toml"] == "restore"
    assert rows["facts/system.json"] == "read"
    assert rows["run/stderr.txt"] == "output"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAME = st.from_regex(r"[a-zA-Z0-9_é+-][a-zA-Z0-9_. é+-]{0,8}[a-zA-Z0-9_é+-]", fullmatch=True)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


TARGETS = [".", "a/b", "é", "/home/user/.cache/uv/archive-v0/x"]


@st.composite
def a_member(draw: st.DrawFn) -> Member:
    top = draw(st.sampled_from(pack.TOPS))
    path = "/".join([top, *draw(st.lists(NAME, min_size=1, max_size=12))])
    kinds = ["file", "file", "dir", "link"] if top in pack.RESTORED_TOPS else ["file"]
    kind: Any = draw(st.sampled_from(kinds))
    return Member(
        path=path,
        kind=kind,
        data=draw(st.binary(max_size=1200)) if kind == "file" else b"",
        target=draw(st.sampled_from([".", "a/b", "é", "/home/user/.cache/uv/archive-v0/x"]))
        if kind == "link"
        else "",
        mode=draw(st.integers(0, 0o777)),
        mtime_ns=draw(st.just(0) | st.integers(-(2**62), 2**62)),
        collector=draw(TEXT),
    )


A_REDACTION = st.builds(
    Redaction,
    member=st.sampled_from("ab"),
    offset=st.integers(-1, 10**9),
    rule=st.sampled_from("xy"),
    placeholder=TEXT,
)


@st.composite
def a_bundle(draw: st.DrawFn) -> Bundle:
    members = {member.path: member for member in draw(st.lists(a_member(), max_size=8))}
    texts = st.lists(TEXT, max_size=3).map(tuple)
    proof = Proof(verdict="UNTESTED", uv=draw(TEXT), reason=draw(TEXT))
    bundle = Bundle(
        created=draw(TEXT),
        tool=draw(TEXT),
        platform=draw(TEXT),
        places=PLACES,
        run=Run(
            argv=draw(texts), examined=draw(texts), cwd=draw(TEXT), how=draw(TEXT),
            env=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
            exit_code=draw(st.none() | st.integers(-64, 255)),
            stdout=draw(TEXT), stderr=draw(TEXT), duration_s=draw(st.floats(0, 1e9)),
            uv=Uv(path=draw(TEXT), release=draw(TEXT)),
        ),
        failure=Failure(class_=draw(TEXT), signature=draw(TEXT), frames=draw(texts), chain=draw(TEXT)),
        culprits=(
            Culprit(
                path=draw(TEXT), kind=draw(TEXT), state=draw(TEXT), reason=draw(TEXT), decoded=draw(VALUE)
            ),
        ),
        missing=draw(texts),
        cure=draw(texts),
        triage=draw(TEXT),
        members=tuple(members[path] for path in sorted(members)),
        gaps=(Gap(what=draw(TEXT), why=draw(TEXT)),),
        relations=(Relation(entry=draw(TEXT), source=draw(TEXT), relation="older"),),
        redactions=tuple(sorted(draw(st.lists(A_REDACTION, max_size=5)))),
        proof=draw(st.none() | st.just(proof)),
    )  # fmt: skip
    return pack.fit(bundle)


@given(a_bundle(), TEXT)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_bundle_that_fits_comes_back_as_it_was(bundle: Bundle, issue: str) -> None:
    opened = pack.open_whole(pack.write(bundle, issue, issue))
    assert opened.bundle == bundle
    assert opened.issue == issue


# --- what does not fit ---


@pytest.mark.parametrize(
    "path",
    ["project/aux.py", "project/nul", "project/COM1.txt", "project/com¹", "project/a.", "project/a ",
     "project/a:b", "project/a\\b", "project/a\nb", "project/\u202egnp.py", "/etc/passwd", "project/../x", "other/x",
     "project//x",
     "project/" + "x" * 256, "project", "project/con .txt", "project/conout$"],
)  # fmt: skip
def test_a_name_that_cannot_be_restored_everywhere_becomes_a_gap(path: str) -> None:
    fitted = pack.fit(with_members(Member(path=path, data=b"x"), Member(path="project/ok", data=b"y")))
    assert [member.path for member in fitted.members] == ["project/ok"]
    assert len(fitted.gaps) == len(SEED.gaps) + 1
    assert fitted.gaps[-1].why.startswith("left out: ")
    with pytest.raises(CannotWriteError):
        pack.write(with_members(Member(path=path, data=b"x")), "", "")


def test_what_fits_is_left_as_it_is() -> None:
    assert pack.fit(SEED) is SEED


@pytest.mark.parametrize(
    ("path", "target"),
    [("project/a", "/etc/passwd"), ("project/a", "../x"), ("project/d/a", "../../x"),
     ("project/a", "b/../../x"),
     ("cache/a", "/home/user/project/x"), ("cache/a", "/home/user/.cache/uv/../../.ssh"),
     ("cache/a", "C:/Windows"), ("cache/a", "\\\\host\\share"), ("facts/a", "b"), ("project/a", ""),
     ("cache/a", "/home/user/.cache/uvx")],
)  # fmt: skip
def test_a_link_that_leads_out_becomes_a_gap(path: str, target: str) -> None:
    bundle = with_members(Member(path=path, kind="link", target=target))
    assert pack.fit(bundle).members == ()


@pytest.mark.parametrize(
    ("path", "target"),
    [("project/d/a", "../x/y"), ("cache/wheels-v5/p", "/home/user/.cache/uv/archive-v0/abc"), ("home/a", "b"),
     ("cache/wheels-v6/pypi/x/l", "../../../archive-v0/abc"), ("project/l", ".")],
)  # fmt: skip
def test_a_link_that_stays_inside_stays(path: str, target: str) -> None:
    bundle = with_members(Member(path=path, kind="link", target=target))
    assert pack.open_bundle(pack.write(bundle, "", "")) == bundle


def test_of_two_names_that_differ_only_in_case_one_is_kept() -> None:
    both = with_members(Member(path="project/README", data=b"1"), Member(path="project/Readme", data=b"2"))
    assert [member.path for member in pack.fit(both).members] == ["project/README"]


def test_of_two_names_that_differ_only_in_unicode_form_one_is_kept() -> None:
    both = with_members(Member(path="project/e\u0301", data=b"1"), Member(path="project/\u00e9", data=b"2"))
    assert len(pack.fit(both).members) == 1


def test_nothing_lies_below_a_link() -> None:
    members = (Member(path="project/l", kind="link", target="d"), Member(path="project/l/x", data=b"1"))
    assert [member.path for member in pack.fit(with_members(*members)).members] == ["project/l"]


def test_a_bundle_that_is_too_large_says_what_to_leave_out() -> None:
    noise = random.Random(1).randbytes(25_000_000)
    with pytest.raises(CannotWriteError) as caught:
        pack.write(with_members(Member(path="project/big.bin", data=noise, collector="sources")), "", "")
    assert "project/big.bin (25.0 MB, from sources)" in caught.value.hint
    assert "--without sources" in caught.value.hint


def test_what_would_look_like_a_bomb_is_not_written() -> None:
    with pytest.raises(CannotWriteError, match="look like an attack"):
        pack.write(with_members(Member(path="project/zeros", data=bytes(40_000_000))), "", "")


def test_text_that_is_not_unicode_is_refused_by_name() -> None:
    odd = replace(SEED, run=replace(SEED.run, env={"UV_X": "a\udcffb"}))
    with pytest.raises(CannotWriteError, match="not Unicode"):
        pack.write(odd, "", "")


# --- what is not a bundle ---


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>", "not a ZIP file"),
        (RAW[: len(RAW) // 2], "cut off"),
        (RAW[:-1], "cut off|damaged"),
        (RAW + b"x", "follows the end"),
        (b"x" + RAW, "not a ZIP file"),
        (bytes(24_000_001), "too large"),
    ],
)
def test_what_is_not_a_whole_bundle_is_told_so(raw: bytes, said: str) -> None:
    with pytest.raises(BadBundleError, match=said):
        pack.open_bundle(raw)


def test_every_cut_is_noticed() -> None:
    for length in range(0, len(RAW), 7):
        refused(RAW[:length] or b"P")


def test_a_directory_a_missing_file_and_a_pipe_are_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        (".", "is a directory"),
        ("none.zip", "There is no file"),
        ("pipe", "not a regular file"),
    ):
        with pytest.raises(BadBundleError, match=said):
            pack.open_bundle(tmp_path / name)


UNPRIVILEGED = """
import os, sys
from uvreport import pack
from uvreport.errors import BadBundleError, CannotWriteError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    if sys.argv[1] == "open":
        pack.open_bundle(sys.argv[2])
    else:
        pack.save(b"x", sys.argv[2])
except (BadBundleError, CannotWriteError) as error:
    print(error.message)
    sys.exit(error.exit_code)
"""


def unprivileged(deed: str, path: Path) -> tuple[int, str]:
    """What opening or saving comes to for somebody who is not root: exit code and message."""
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, deed, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A temporary directory that everybody can pass through, as pytest's own are not."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return tmp_path


def test_a_file_that_may_not_be_read_is_told_so(open_folder: Path) -> None:
    path = open_folder / "x.zip"
    path.write_bytes(RAW)
    path.chmod(0)
    code, said = unprivileged("open", path)
    assert code == 4, said
    assert "permission denied" in said


def test_a_format_of_the_future_is_named() -> None:
    def future(manifest: dict[str, Any]) -> None:
        manifest["format"] = 99
        manifest["something new"] = {}

    with pytest.raises(BadBundleError) as caught:
        pack.open_bundle(hostile(future, extra={"new.bin": b""}))
    assert caught.value.message == "This bundle has format 99; this uvreport reads format 1."
    assert "upgrade" in caught.value.hint.lower()


def test_a_zip_of_something_else_is_not_a_bundle() -> None:
    assert "no manifest.json" in refused(pack._container({"a.txt": b"hello"}))


def test_a_repacked_bundle_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(parts().items()):
            archive.writestr(name, data)
    assert "compressed" in refused(out.getvalue())


def test_stored_but_touched_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in sorted(parts().items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data)
    assert "repacked" in refused(out.getvalue())


def test_a_comment_an_extra_file_and_a_double_are_refused() -> None:
    out = io.BytesIO(RAW)
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"hello"
    refused(out.getvalue())
    assert "does not belong" in refused(hostile(extra={"evil.exe": b"MZ"}))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("manifest.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("manifest.json", parts()["manifest.json"])
    assert "twice" in refused(out.getvalue())


def test_entries_that_overlap_are_refused() -> None:
    # Every entry of the directory points at the first one's bytes: a quine bomb's trick.
    at = RAW.index(b"PK\x01\x02")
    evil = bytearray(RAW)
    second = evil.index(b"PK\x01\x02", at + 4)
    struct.pack_into("<L", evil, second + 42, 0)
    refused(bytes(evil))


def test_a_manifest_that_says_one_thing_twice_is_refused() -> None:
    files = parts()
    files["manifest.json"] = files["manifest.json"].replace(b'"tool":', b'"tool": "0.0.9", "tool":')
    assert "twice" in refused(pack._container(files))


def test_a_manifest_nested_to_the_sky_is_refused() -> None:
    def nest(manifest: dict[str, Any]) -> None:
        value: Any = 1
        for _ in range(200):
            value = [value]
        manifest["culprits"][0]["decoded"] = value

    assert "nested" in refused(hostile(nest))
    files = parts()
    files["manifest.json"] = b'{"format":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    refused(pack._container(files))


@pytest.mark.parametrize("field", ["members", "files", "run", "places", "failure", "created"])
def test_a_manifest_without_a_field_is_refused(field: str) -> None:
    refused(hostile(lambda manifest: manifest.pop(field)))


def test_an_unknown_field_is_refused() -> None:
    assert "surprise" in refused(hostile(lambda manifest: manifest.update(surprise=1)))


def test_a_wrong_type_is_refused() -> None:
    assert "exit_code" in refused(hostile(lambda manifest: manifest["run"].update(exit_code="2")))


def test_evidence_that_was_swapped_is_refused() -> None:
    files = parts()
    files["evidence.tar.zst"] = zstandard.ZstdCompressor().compress(b"other")
    assert "not what the manifest says" in refused(pack._container(files))


def test_a_member_whose_digest_is_another_is_refused() -> None:
    def forge(manifest: dict[str, Any]) -> None:
        manifest["members"][0]["sha256"] = "0" * 64

    assert "another digest" in refused(hostile(forge))


def test_a_culprit_that_is_not_marked_as_one_is_refused() -> None:
    def forge(manifest: dict[str, Any]) -> None:
        manifest["members"][0]["role"] = "restore"

    assert "role" in refused(hostile(forge))


OUTPUT = [row("run/stderr.txt", role="output"), row("run/stdout.txt", role="output")]


def test_the_repacking_of_these_tests_makes_bundles_that_open() -> None:
    rows = [row("project/a", b"x"), *OUTPUT]
    assert [member.path for member in pack.open_bundle(repacked(rows, [b"x", b"", b""])).members] == [
        "project/a"
    ]


@pytest.mark.parametrize(
    ("evil", "said"),
    [
        (row("../x"), "is not in"),
        (row("/etc/x"), "absolute"),
        (row("project/../../x"), "`..`"),
        (row("project/./x"), "`..`"),
        (row("C:/x"), "is not in"),
        (row("project/C:x"), "colon"),
        (row("project/\\\\host\\share"), "backslash"),
        (row("project/nul.txt"), "device"),
        (row("project/x "), "space"),
        (row("project/a\x00b"), "control"),
        (row("project/setuid", mode=0o4755), "set-user-id"),
        (row("project/link", kind="link", target="/etc/passwd"), "link out"),
        (row("project/link", kind="link", target="../../x"), "link out"),
        (row("project/link", kind="link", target="a/../../x"), "target"),
        (row("run/x", kind="link", target="y"), "none belongs"),
        (row("project/x", sha256="zz"), "digest"),
        (row("project/x", mtime_ns=1 << 70), "impossible|as it should be"),
    ],
)
def test_a_hostile_member_is_refused(evil: pack.Row, said: str) -> None:
    rows = sorted([evil, *OUTPUT], key=lambda each: each.path)
    with pytest.raises(BadBundleError, match=said):
        pack.open_bundle(repacked(rows, [b""] * 3))


@pytest.mark.parametrize(
    ("first", "second"),
    [("project/a", "project/a"), ("project/A", "project/a"), ("project/D/x", "project/d/y"),
     ("project/ﬁ", "project/fi"), ("project/e\u0301", "project/\u00e9"), ("project/a", "project/a/b")],
)  # fmt: skip
def test_members_that_collide_are_refused(first: str, second: str) -> None:
    rows = sorted([row(first), row(second), *OUTPUT], key=lambda each: each.path)
    with pytest.raises(BadBundleError, match=r"twice|differs only|lies below"):
        pack.open_bundle(repacked(rows, [b""] * 4))


def test_a_file_written_through_a_link_is_refused() -> None:
    rows = [row("project/l", kind="link", target="d"), row("project/l/x"), *OUTPUT]
    with pytest.raises(BadBundleError, match="lies below"):
        pack.open_bundle(repacked(rows, [b""] * 4))


def test_links_are_not_trusted_because_of_places_that_lie() -> None:
    def lie(manifest: dict[str, Any]) -> None:
        manifest["places"]["cache"] = "/etc"

    rows = [row("cache/l", kind="link", target="/etc/passwd"), *OUTPUT]
    tar = b"".join(pack._tar(rows, [Member(path="x")] * 3))

    def change(manifest: dict[str, Any]) -> None:
        lie(manifest)
        manifest["members"] = msgspec.to_builtins(rows)
        manifest["culprits"] = []

    assert "link out" in refused(hostile(change, evidence=zstandard.ZstdCompressor().compress(tar)))


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_tar_with_anything_but_files_directories_and_links_is_refused(kind: bytes) -> None:
    rows = [row("project/a"), *OUTPUT]
    tar = bytearray(b"".join(pack._tar(rows, [Member(path="x")] * 3)))
    info = tarfile.TarInfo("project/a")
    info.type, info.linkname = kind, "run/stderr.txt"
    tar[:512] = info.tobuf(tarfile.PAX_FORMAT)[:512]

    def change(manifest: dict[str, Any]) -> None:
        manifest["members"], manifest["culprits"] = msgspec.to_builtins(rows), []

    raw = hostile(change, evidence=zstandard.ZstdCompressor().compress(bytes(tar)))
    assert "not what the manifest says" in refused(raw)


def test_a_tar_with_a_member_that_the_manifest_does_not_name_is_refused() -> None:
    tar = zstandard.ZstdDecompressor().decompress(parts()["evidence.tar.zst"])
    more = tarfile.TarInfo("project/evil").tobuf(tarfile.PAX_FORMAT)
    refused(hostile(evidence=zstandard.ZstdCompressor().compress(tar[:-1024] + more + tar[-1024:])))
    swapped = tar[:-1024] + more + tar[-512:]  # of the right size
    refused(hostile(evidence=zstandard.ZstdCompressor().compress(swapped)))


def test_bytes_after_the_compressed_evidence_are_refused() -> None:
    assert "cannot be unpacked" in refused(hostile(evidence=parts()["evidence.tar.zst"] + b"more"))


# --- bombs ---


def test_a_zstd_bomb_is_refused_before_it_unpacks() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(450_000_000))

    def claim(manifest: dict[str, Any]) -> None:
        manifest["members"][0]["size"] = 449_000_000

    begin = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "bomb" in refused(hostile(claim, evidence=bomb))
    assert time.monotonic() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000


def test_a_bundle_that_would_unpack_to_more_than_the_limit_is_refused() -> None:
    def claim(manifest: dict[str, Any]) -> None:
        manifest["members"][0]["size"] = 10**12

    assert "is the limit" in refused(hostile(claim))


def test_more_members_than_the_limit_are_refused() -> None:
    def many(manifest: dict[str, Any]) -> None:
        one = {"role": "restore", "kind": "dir", "mode": 0o755, "size": 0}
        manifest["members"] = [{**one, "path": f"project/{number:06}"} for number in range(100_001)]
        manifest["culprits"] = []

    assert "100001 members" in refused(hostile(many))


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    tar = zstandard.ZstdDecompressor().decompress(parts()["evidence.tar.zst"])
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    evidence = writer.compress(tar) + writer.flush()
    refused(hostile(evidence=evidence))


def test_a_zip_bomb_is_refused_without_inflating_it() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(300_000_000))
    begin = time.monotonic()
    assert "compressed" in refused(out.getvalue())
    assert time.monotonic() - begin < 1


# --- fuzzing ---


def mutated(raw: bytes, chance: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 1, 2, 5, 20))):
        at = chance.randrange(len(data))
        deed = chance.randrange(6)
        if deed == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif deed == 1:
            data[at] = chance.choice((0, 255, 127, 1))
        elif deed == 2:
            del data[at : at + chance.randrange(1, 40)]
        elif deed == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 40))
        elif deed == 4:
            data[at : at + 4] = chance.randbytes(4)
        else:
            other = chance.randrange(len(data))
            data[at : at + 64] = data[other : other + 64]
        if not data:
            data = bytearray(b"P")
    return bytes(data)


def opened_or_none(raw: bytes) -> Bundle | None:
    """The bundle, None when it is refused; any other exception is the test's failure."""
    try:
        return pack.open_bundle(raw)
    except BadBundleError:
        return None


def same_or_refused(raw: bytes) -> bool:
    return opened_or_none(raw) in (None, SEED)


def test_a_mutated_bundle_is_the_same_bundle_or_refused() -> None:
    chance = random.Random(20261122)
    for _ in range(4_000):
        raw = mutated(RAW, chance)
        assert same_or_refused(raw)


def test_a_manifest_mutated_by_somebody_who_mends_the_digests_raises_nothing_else() -> None:
    chance = random.Random(7)
    files = parts()
    for _ in range(2_000):
        raw = pack._container({**files, "manifest.json": mutated(files["manifest.json"], chance)})
        opened = opened_or_none(raw)
        assert opened is None or pack.open_bundle(pack.write(opened, "", "")) == opened


def test_a_tar_mutated_by_somebody_who_mends_the_digests_raises_nothing_else() -> None:
    chance = random.Random(8)
    tar = zstandard.ZstdDecompressor().decompress(parts()["evidence.tar.zst"])
    for _ in range(1_000):
        raw = hostile(evidence=zstandard.ZstdCompressor(level=1).compress(mutated(tar, chance)))
        assert same_or_refused(raw)


def test_compressed_evidence_mutated_by_somebody_who_mends_the_digests_raises_nothing_else() -> None:
    chance = random.Random(9)
    evidence = parts()["evidence.tar.zst"]
    for _ in range(1_000):
        assert same_or_refused(hostile(evidence=mutated(evidence, chance)))


# --- verify ---


def test_verify_lists_what_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "x.uvreport.zip"
    path.write_bytes(RAW)
    checks = pack.verify(path)
    assert len(checks) == len(pack._CHECKS)
    assert all(check.ok for check in checks)


def test_verify_stops_at_what_is_wrong() -> None:
    checks = pack.verify(hostile(lambda manifest: manifest["members"][0].update(sha256="0" * 64)))
    assert [check.ok for check in checks] == [True] * (len(pack._CHECKS) - 1) + [False]
    assert "another digest" in checks[-1].wrong
    first = pack.verify(b"hello")
    assert [check.ok for check in first] == [True, False]


# --- saving ---


def test_saving_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.uvreport.zip"
    pack.save(RAW, path)
    pack.save(RAW + b"x", path)
    assert path.read_bytes() == RAW + b"x"
    assert os.listdir(tmp_path) == [path.name]


def test_saving_honours_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        pack.save(RAW, tmp_path / "a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_saving_onto_a_directory_or_into_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("x")
    with pytest.raises(CannotWriteError, match="is a directory"):
        pack.save(RAW, tmp_path / "d")
    with pytest.raises(CannotWriteError, match="is not a directory"):
        pack.save(RAW, tmp_path / "none" / "x")
    with pytest.raises(CannotWriteError, match="is not a directory"):
        pack.save(RAW, tmp_path / "f" / "x")
    assert sorted(os.listdir(tmp_path)) == ["d", "f"]


LIMITED = """
import resource, sys
from uvreport import pack
from uvreport.errors import CannotWriteError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    pack.save(bytes(1_000_000), sys.argv[1])
except CannotWriteError as error:
    print(error.message)
    sys.exit(7)
"""


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert "no space is left" in done.stdout
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_writable_says_so(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    code, said = unprivileged("save", closed / "x")
    assert code == 1, said
    assert "is not writable" in said
    assert os.listdir(closed) == []


SAVING = """
import sys
from uvreport import pack
one, two = bytes([1]) * 8_000_000, bytes([2]) * 8_000_000
print("go", flush=True)
while True:
    pack.save(one, sys.argv[1])
    pack.save(two, sys.argv[1])
"""


def test_killed_at_any_moment_there_is_a_whole_file_or_none(tmp_path: Path) -> None:
    chance = random.Random(3)
    seen = set()
    for number in range(12):
        path = tmp_path / f"{number}.zip"
        with subprocess.Popen(
            [sys.executable, "-c", SAVING, str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.random() * 0.12)
            child.send_signal(signal.SIGKILL)
        whole = path.read_bytes() if path.exists() else b""
        assert whole in (b"", bytes([1]) * 8_000_000, bytes([2]) * 8_000_000)
        seen.add(whole[:1])
    assert len(seen) > 1


def test_an_interrupt_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack.save(RAW, tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_the_tar_and_the_zip_do_not_depend_on_the_python_that_writes_them() -> None:
    rows = [
        row("cache/é" + "x" * 120, b"1", mtime_ns=-1_500_000_000),
        row("project/l", kind="link", target="y" * 130),
    ]
    headers = b"".join(map(pack._tar_header, rows))
    container = pack._container({"a": b"1", "b": b"2"})
    assert hashlib.sha256(headers).hexdigest()[:16] == "794efd5a82579a4e"
    assert hashlib.sha256(container).hexdigest()[:16] == "abba080c92582d63"
