from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from tests.failing_states.state import on_path, person, sdist, source_tree, uv_does, wheel
from uvreport import hollow
from uvreport.redact import archives
from uvreport.uv import run as run_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uvreport.bundle import Uv

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": gzip.compress, ".tgz": gzip.compress, ".tar.bz2": bz2.compress, ".tbz": bz2.compress, ".tar": bytes,
    ".tar.xz": lzma.compress, ".txz": lzma.compress, ".tar.lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    ".tar.zst": lambda data: zstandard.ZstdCompressor().compress(data),
}  # fmt: skip


def made(path: Path, **more: bool) -> hollow.Hollow:
    with path.open("rb") as file:
        return hollow.hollow(file, path.name, **more)


def tar(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as packed:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def zipped(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return path


def test_a_hollow_wheel_holds_metadata_and_a_record_of_just_that(tmp_path: Path) -> None:
    found = made(wheel(tmp_path, "acme-core", "2.3.0", "Acme_Base>=1"))
    with zipfile.ZipFile(io.BytesIO(found.data)) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [
            f"acme_core-2.3.0.dist-info/{n}" for n in ("METADATA", "RECORD", "WHEEL")
        ]
        rows = packed.read("acme_core-2.3.0.dist-info/RECORD").decode().splitlines()
    assert [row.split(",")[0].rpartition("/")[2] for row in rows] == ["METADATA", "RECORD", "WHEEL"]
    assert (found.left_out, found.requires) == (2, ("acme-base",))


@pytest.mark.parametrize("release", ["0.4.24", "0.6.8", "0.9.30", "0.13.9"])
def test_uv_installs_a_hollow_wheel_and_a_hollow_requirement_of_it(
    release: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    who = person(tmp_path / "here", "mira", "app", {})
    for path in (wheel(tmp_path, "acme-core", "2.3.0", "base"), wheel(tmp_path, "base", "1.0")):
        (who.project / path.name).write_bytes(made(path).data)
    uv_does(who, uv_release(release), "venv")
    uv_does(who, uv_release(release), "pip", "install", "--no-index", "--find-links", ".", "acme-core")
    outcome = run_process(
        (on_path(who, uv_release(release)).path, "pip", "freeze"),
        cwd=str(who.project), env=who.env, timeout_s=60,
    )  # fmt: skip
    assert outcome.stdout.split() == ["acme-core==2.3.0", "base==1.0"]


@pytest.mark.parametrize("release", ["0.6.8", "0.9.30", "0.13.9"])
def test_uv_takes_a_hollow_sdist_for_the_whole_one_when_it_resolves(
    release: str, tmp_path: Path, uv_release: Callable[[str], Uv]
) -> None:
    who = person(tmp_path / "here", "mira", "app", {})
    stated = source_tree("lib", "1.5", dynamic=False)
    path = sdist(tmp_path, stated, tmp_path / "scratch")
    (who.project / path.name).write_bytes(made(path).data)
    (who.project / "in.txt").write_text(f"./{path.name}\n")
    uv_does(who, uv_release(release), "pip", "compile", "--no-index", "in.txt", "-o", "out.txt")
    assert path.name in (who.project / "out.txt").read_text()


def test_the_same_archive_gives_the_same_bytes(tmp_path: Path) -> None:
    path = wheel(tmp_path, "acme-core", "2.3.0")
    again = zipped(tmp_path / "again.whl", {})
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as other:
        for name in reversed(packed.namelist()):
            other.writestr(name, packed.read(name))  # another order, time and packing
    assert made(path).data == made(again).data


def test_no_code_and_no_description_is_left(tmp_path: Path) -> None:
    info = "x-1.dist-info"
    files = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: x\nVersion: 1\n\nSECRET description\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\n", f"{info}/RECORD": "SECRET.py,,\n", f"{info}/licenses/L": "SECRET",
        "SECRET.py": "SECRET", f"x-1.data/scripts/{info}/METADATA": "SECRET",
    }  # fmt: skip
    found = made(zipped(tmp_path / "x-1-py3-none-any.whl", files))
    assert b"SECRET" not in found.data
    assert found.shortened == (f"{info}/METADATA",)
    assert found.left_out == 3


@pytest.mark.parametrize("ending", [*PACK, ".zip"])
def test_an_sdist_of_every_kind_becomes_a_hollow_one_of_that_kind(ending: str, tmp_path: Path) -> None:
    files = {
        "x-1/PKG-INFO": "Name: x\nVersion: 1\nRequires-Dist: Other[a]>=2\n\nlong", "x-1/pyproject.toml": "[project]\n",
        "x-1/setup.py": "SECRET", "x-1/src/PKG-INFO": "SECRET", "x-1/x.py": "SECRET",
    }  # fmt: skip
    path = tmp_path / f"x-1{ending}"
    if ending == ".zip":
        zipped(path, files)
    else:
        path.write_bytes(PACK[ending](tar(files)))
    found = made(path)
    assert (found.kept, found.left_out) == (("x-1/PKG-INFO", "x-1/pyproject.toml", "x-1/setup.py"), 2)
    assert found.requires == ("other",)
    (tmp_path / path.name).write_bytes(found.data)
    # Made hollow again it is the same: whatever reads the one reads the other.
    assert made(path).data == found.data
    assert made(path).shortened == ()


def test_setup_py_keeps_its_code_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "x-1.tar"
    path.write_bytes(tar({"x-1/setup.py": "raise SystemExit"}))
    assert b"raise" not in made(path).data
    assert b"raise" in made(path, with_setup=True).data


@pytest.mark.parametrize("ending", [*PACK, ".zip", ".whl"])
@pytest.mark.parametrize(
    "data", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04" + b"\0" * 600]
)
def test_what_is_no_archive_is_said_to_be_none(ending: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x-1{ending}"
    path.write_bytes(data)
    with pytest.raises(hollow.NotAnArchiveError):
        made(path)


@pytest.mark.parametrize("ending", [".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_an_sdist_that_is_cut_off_is_none_even_if_what_is_wanted_comes_first(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"x-1{ending}"
    noise = "".join(hashlib.sha256(bytes([i % 256, i // 256])).hexdigest() for i in range(3000))
    data = PACK[ending](tar({"x-1/PKG-INFO": "Name: x\n", "x-1/x.py": noise}))
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(hollow.NotAnArchiveError):
        made(path)


def test_an_sdist_that_is_too_large_to_unpack_gives_what_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hollow, "UNPACK_LIMIT_BYTES", 100_000)
    path = tmp_path / "x-1.tar.gz"
    path.write_bytes(
        gzip.compress(tar({"x-1/PKG-INFO": "Name: x\n", "x-1/x": "x" * 200_000, "x-1/setup.cfg": "[x]"}))
    )
    found = made(path)
    assert (found.kept, found.left_out) == (("x-1/PKG-INFO",), None)


def test_metadata_beyond_the_cap_is_cut_at_a_line(tmp_path: Path) -> None:
    long = "Name: x\n" + "Classifier: A :: B\n" * 100_000
    found = made(zipped(tmp_path / "x-1-py3-none-any.whl", {"x-1.dist-info/METADATA": long}))
    with zipfile.ZipFile(io.BytesIO(found.data)) as packed:
        kept = packed.read("x-1.dist-info/METADATA")
    assert hollow.METADATA_LIMIT_BYTES - 100 < len(kept) <= hollow.METADATA_LIMIT_BYTES
    assert kept.endswith(b"A :: B\n")


def test_redaction_passes_a_hollow_wheel_on_whole(tmp_path: Path) -> None:
    path = wheel(tmp_path, "acme-core", "2.3.0")
    found = made(path)

    def rename(name: str, content: bytes) -> tuple[str, bytes]:
        return name, content.replace(b"acme-core", b"name-1")

    new = archives.recorded(archives.edited(found.data, rename, archives.Budget(len(found.data))), found.data)
    path.write_bytes(new)
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        metadata = packed.read("acme_core-2.3.0.dist-info/METADATA")
        record = packed.read("acme_core-2.3.0.dist-info/RECORD").decode()
    assert b"name-1" in metadata
    assert f"METADATA,{hollow_digest(metadata)},{len(metadata)}" in record


def hollow_digest(data: bytes) -> str:
    import base64

    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Acme_Core-2.3.0-py3-none-any.whl", "acme-core"), ("acme.core-2.3.0.tar.gz", "acme-core"),
        ("python-dateutil-2.8.2.zip", "python-dateutil"), ("x-1.0.post1.tgz", "x"), ("oddity.zip", "oddity"),
    ],
)  # fmt: skip
def test_the_package_is_told_by_the_file_name(name: str, package: str) -> None:
    assert hollow.package_of(name) == package
