"""Hollow archives: a wheel or an sdist with its metadata in it and nothing else.

uv resolves, locks and links by an archive's metadata; the code in it is nobody's business. A hollow archive is a valid
one of the same name, the same bytes for the same original.
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import csv
import gzip
import hashlib
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

METADATA_LIMIT_BYTES = 1_000_000

# Reading a packed tar means unpacking all of it, so there is a bound: half a second of gzip.
UNPACK_LIMIT_BYTES = 150_000_000

_OF_WHEEL = re.compile(r"[^/\\\0]+\.dist-info/(METADATA|WHEEL|RECORD|entry_points\.txt)")
_OF_SDIST = re.compile(
    r"[^/\\\0]+/(PKG-INFO|pyproject\.toml|setup\.cfg|setup\.py|hatch_build\.py|pdm_build\.py)"
)
_WRITTEN_METADATA = ("METADATA", "PKG-INFO")
_CODE = ("setup.py", "hatch_build.py", "pdm_build.py")  # that a build runs
_MOST_TOPS = 3  # one is right; that there are more can be the failure
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # zip has no time before

_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError,
    zlib.error, lzma.LZMAError,
)  # fmt: skip


class NotAnArchiveError(Exception):
    """Why a file cannot be read as the archive that its name says it is, as a phrase."""


class Hollow(Struct, frozen=True, kw_only=True):
    """A hollow archive: its bytes, the names in it, and how much of the original is left out.

    `shortened` are names whose content is not all of the original's. `left_out` counts files, None where the original
    was too large to be read to its end. `requires` are the normalised names of the packages that it asks for.
    """

    data: bytes
    kept: tuple[str, ...]
    shortened: tuple[str, ...]
    left_out: int | None
    requires: tuple[str, ...] = ()


def hollow(file: IO[bytes], name: str, *, with_setup: bool = False) -> Hollow:
    """The hollow form of the archive `file`, which is called `name` and can be seeked in.

    Of a wheel METADATA, WHEEL and entry_points.txt, and a RECORD of just these. Of an sdist PKG-INFO, pyproject.toml,
    setup.cfg, and setup.py and build hooks: empty, unless `with_setup`. Metadata goes without the long description. Raises
    NotAnArchiveError.
    """
    lower = name.lower()
    left_out: int | None
    try:
        if lower.endswith((".whl", ".zip")):
            original, left_out = _from_zip(file, _OF_WHEEL if lower.endswith(".whl") else _OF_SDIST)
        else:
            original, left_out = _from_tar(file, lower)
    except _UNREADABLE as problem:
        raise NotAnArchiveError(_phrase(problem)) from problem
    found = {path: _shortened(path, data, with_setup=with_setup) for path, data in original.items()}
    shortened = tuple(path for path in found if found[path] != original[path])
    if lower.endswith(".whl"):
        for path in [path for path in found if path.endswith("/RECORD")]:
            found[path] = _record(found, path)
    asked = [_requires(data) for path, data in found.items() if path.endswith(_WRITTEN_METADATA)]
    return Hollow(
        data=_zip(found) if lower.endswith((".whl", ".zip")) else _tar(found, lower),
        kept=tuple(path for path in found if not path.endswith("/")),
        shortened=shortened,
        left_out=left_out,
        requires=tuple(sorted({name for names in asked for name in names})),
    )


def _shortened(path: str, data: bytes, *, with_setup: bool) -> bytes:
    base = path.rpartition("/")[2]
    if base in _WRITTEN_METADATA:
        return _headers(data)
    if base in _CODE and not with_setup:
        return b""
    return data[:METADATA_LIMIT_BYTES]


def _requires(metadata: bytes) -> list[str]:
    said = metadata.decode("utf-8", "replace")
    return [normalized(name) for name in re.findall(r"(?m)^Requires-Dist:[ \t]*([\w.-]+)", said)]


def unpacked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is left of an unpacked wheel: of `files`, by path below it, those that a hollow wheel has, as it has them."""
    found = {
        path: _shortened(path, files[path], with_setup=False)
        for path in sorted(files)
        if _OF_WHEEL.fullmatch(path)
    }
    return {path: _record(found, path) if path.endswith("/RECORD") else found[path] for path in found}


def package_of(name: str) -> str:
    """The normalised name of the package that an archive is of, by its file name; "" where that says nothing."""
    stem = re.sub(r"(?i)\.(whl|zip|tgz|tbz|txz|tar(\.\w+)?)$", "", name)
    found = stem.partition("-")[0] if name.lower().endswith(".whl") else re.sub(r"-[^-]*\d[^-]*$", "", stem)
    return normalized(found)


def normalized(name: str) -> str:
    """A package's name as uv compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def replaced(data: bytes, hashes: Collection[tuple[str, str]]) -> bytes:
    """`data` with each of the hashes (hexadecimal digits, old and new of one length) replaced wherever it stands."""
    for old, new in hashes:
        data = data.replace(old.encode(), new.encode())
    return data


def _phrase(problem: BaseException) -> str:
    said = str(problem).strip() or type(problem).__name__
    return said[0].lower() + said[1:]


# Reading


def _bounded(file: IO[bytes]) -> bytes:
    return file.read(METADATA_LIMIT_BYTES + 1)


def _from_zip(file: IO[bytes], wanted: re.Pattern[str]) -> tuple[dict[str, bytes], int]:
    with zipfile.ZipFile(file) as packed:
        infos = [info for info in packed.infolist() if not info.is_dir()]
        chosen = {info.filename: info for info in infos if wanted.fullmatch(info.filename)}
        found = _tops(info.filename for info in packed.infolist()) if wanted is _OF_SDIST else {}
        for name in sorted(chosen):
            with packed.open(chosen[name]) as content:
                found[name] = _bounded(content)
    return dict(sorted(found.items())), len(infos) - len(chosen)


def _from_tar(file: IO[bytes], name: str) -> tuple[dict[str, bytes], int | None]:
    found: dict[str, bytes] = {}
    names: dict[str, None] = {}
    count = 0
    whole = True
    with _unpacked(file, name) as plain:
        meter = _Meter(
            plain, UNPACK_LIMIT_BYTES // (8 if name.endswith((".bz2", ".tbz", ".xz", ".txz", ".lzma")) else 1)
        )
        try:
            with tarfile.open(fileobj=meter, mode="r|") as packed:
                for info in packed:
                    count += not info.isdir()
                    names.setdefault(info.name.partition("/")[0] + "/")
                    content = (
                        packed.extractfile(info) if info.isreg() and _OF_SDIST.fullmatch(info.name) else None
                    )
                    if content is not None:
                        found[info.name] = _bounded(content)
            while meter.read(1 << 20):  # what is cut off or garbled behind the last member shows only here
                pass
        except _TooMuchError:
            whole = False
    left_out = count - len(found) if whole else None
    return dict(sorted({**_tops(names), **found}.items())), left_out


def _tops(names: Iterable[str]) -> dict[str, bytes]:
    """The folders at the top, as names with a slash: uv refuses an sdist that has not exactly one."""
    tops = sorted({name.partition("/")[0] for name in names if "/" in name} - {"", ".", ".."})
    return {f"{top}/": b"" for top in tops[:_MOST_TOPS] if "\\" not in top and "\0" not in top}


class _TooMuchError(Exception):
    pass


class _Meter(io.RawIOBase):
    """A file that stops being one after so many bytes."""

    def __init__(self, inner: IO[bytes], left: int) -> None:
        super().__init__()
        self._inner = inner
        self._left = left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _TooMuchError
        return data


@contextlib.contextmanager
def _unpacked(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    if name.endswith((".tar.gz", ".tgz")):
        with gzip.GzipFile(fileobj=file) as plain:
            yield plain  # type: ignore[misc]  # a file object in all but name
    elif name.endswith((".tar.bz2", ".tbz")):
        with bz2.BZ2File(file) as plain_bz2:
            yield plain_bz2
    elif name.endswith((".tar.xz", ".txz", ".tar.lzma")):
        with lzma.LZMAFile(file) as plain_xz:
            yield plain_xz
    elif name.endswith(".tar.zst"):
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain_zst:
                yield plain_zst
        except zstandard.ZstdError as problem:
            raise ValueError(str(problem)) from problem
    else:
        yield file


def _headers(data: bytes) -> bytes:
    """Metadata up to the first empty line: behind it is the long description, which uv does not read."""
    end = re.search(rb"\r?\n\r?\n", data)
    kept = data[: end.end()] if end else data
    if len(kept) <= METADATA_LIMIT_BYTES:
        return kept
    return kept[: kept.rfind(b"\n", 0, METADATA_LIMIT_BYTES) + 1]


# Packing


def _record(files: dict[str, bytes], own: str) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for path in sorted(files):
        if path == own:
            rows.writerow((path, "", ""))
        elif not path.endswith("/RECORD"):
            digest = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=").decode()
            rows.writerow((path, f"sha256={digest}", len(files[path])))
    return out.getvalue().encode()


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    # Stored: what deflate makes of the same bytes depends on the zlib at hand.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(files):
            info = zipfile.ZipInfo(path, _EARLIEST)
            info.create_system = 3
            info.external_attr = (0o40755 if path.endswith("/") else 0o100644) << 16
            packed.writestr(info, files[path])
    return out.getvalue()


def _tar(files: dict[str, bytes], name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as packed:
        for path in sorted(files):
            info = tarfile.TarInfo(path)
            info.mode = 0o644
            if path.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            info.size = len(files[path])
            packed.addfile(info, io.BytesIO(files[path]))
    return _packed(out.getvalue(), name)


def _packed(plain: bytes, name: str) -> bytes:
    if name.endswith((".tar.gz", ".tgz")):
        out = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=0) as packed:
            packed.write(plain)
        return out.getvalue()
    if name.endswith((".tar.bz2", ".tbz")):
        return bz2.compress(plain)
    if name.endswith((".tar.xz", ".txz")):
        return lzma.compress(plain)
    if name.endswith(".tar.lzma"):
        return lzma.compress(plain, format=lzma.FORMAT_ALONE)
    if name.endswith(".tar.zst"):
        import zstandard

        return zstandard.ZstdCompressor(level=3).compress(plain)
    return plain
