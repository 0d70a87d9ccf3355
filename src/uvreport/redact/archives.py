"""Archives and compressed files, opened to look at every text inside, packed again only when one changed."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# How deep archives are opened, and how much of them altogether, before they count as impossible to look into.
DEPTH_MOST = 4
BYTES_MOST = 512_000_000
# What no honest archive is: text of one letter packs a thousandfold, source code tenfold.
RATIO_MOST = 200
RATIO_FROM = 32_000_000  # bytes; below this nobody is hurt
XZ_MEMORY_MOST = 256_000_000  # bytes that a header may ask for

_OPAQUE = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!\x1a\x07", "a RAR archive"), (b"!<arch>\n", "an ar archive"),
    (b"\xed\xab\xee\xdb", "an RPM package"), (b"MSCF", "a cabinet file"), (b"xar!", "a xar archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 stream"), (b"LZIP", "an lzip stream"), (b"\x1f\x9d", "a compress stream"),
    (b"SQLite format 3\0", ""),
)  # fmt: skip


class CannotLookInsideError(Exception):
    """Why an archive cannot be looked into, as a phrase that completes "it is ..."; `inside` names what in it."""

    def __init__(self, why: str, inside: str = "") -> None:
        super().__init__(why)
        self.inside = inside


def kind_of(data: bytes) -> str:
    """What the bytes are: "zip", "tar", "gz", "bz2", "xz", "zst", "" for none of these.

    Raises CannotLookInsideError for a kind of archive that cannot be opened here.
    """
    head = data[:8]
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06") and b"PK\x05\x06" in data[-66_000:]:
        return "zip"
    if head[:3] == b"\x1f\x8b\x08":
        return "gz"
    if head[:3] == b"BZh" and data[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    if head[:6] == b"\xfd7zXZ\x00":
        return "xz"
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return "zst"
    if data[257:262] == b"ustar":
        return "tar"
    for magic, what in _OPAQUE:
        if what and data.startswith(magic):
            raise CannotLookInsideError(what)
    return ""


class Budget:
    """How many bytes may still be unpacked; shared by everything inside one member of `packed_bytes`."""

    def __init__(self, packed_bytes: int) -> None:
        self.most = min(BYTES_MOST, max(RATIO_FROM, RATIO_MOST * packed_bytes))
        self.left = self.most

    def take(self, size_bytes: int) -> None:
        """Raises CannotLookInsideError when it is more than is left. To be asked before anything is unpacked."""
        self.left -= size_bytes
        if self.left < 0:
            what = "more than" if self.most == BYTES_MOST else "a decompression bomb: more than"
            raise CannotLookInsideError(f"{what} {self.most:,} bytes once unpacked")


def edited(data: bytes, edit: Callable[[str, bytes], tuple[str, bytes]], budget: Budget) -> bytes:
    """An archive with each name and content passed through `edit`; the very same bytes when none changed.

    Packed anew it is deterministic: order and times of the members stay, RECORD of a wheel is brought up to
    date by the caller. Raises CannotLookInsideError.
    """
    kind = kind_of(data)
    try:
        if kind == "zip":
            return _zip(data, edit, budget)
        if kind == "tar":
            return _tar(data, edit, budget)
        return _stream(kind, data, edit, budget)
    except (
        OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError,
        zlib.error, lzma.LZMAError,
    ) as problem:  # fmt: skip
        raise CannotLookInsideError(
            f"a {kind} file that does not open ({type(problem).__name__})"
        ) from problem


def _stream(kind: str, data: bytes, edit: Callable[[str, bytes], tuple[str, bytes]], budget: Budget) -> bytes:
    inner = _undone(kind, data, budget)
    name = ""
    if kind == "gz" and data[3] & 8:  # the name of the file that was packed
        start = 10 + (2 + int.from_bytes(data[10:12], "little") if data[3] & 4 else 0)
        name = data[start : data.index(b"\0", start)].decode("latin-1")
    new_name, new = edit(name, inner)
    if new == inner and new_name == name:
        return data
    if kind == "gz":
        out = io.BytesIO()
        with gzip.GzipFile(
            filename=new_name, mode="wb", fileobj=out, mtime=int.from_bytes(data[4:8], "little")
        ) as packed:
            packed.write(new)
        return out.getvalue()
    if kind == "bz2":
        return bz2.compress(new)
    if kind == "xz":
        return lzma.compress(new)
    import zstandard

    return zstandard.ZstdCompressor(level=3).compress(new)


def _undone(kind: str, data: bytes, budget: Budget) -> bytes:
    most = budget.left + 1
    if kind == "gz":
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            inner = packed.read(most)
    elif kind == "bz2":
        with bz2.BZ2File(io.BytesIO(data)) as packed_bz2:
            inner = packed_bz2.read(most)
    elif kind == "xz":
        inner = _unpacked_xz(data, most)
    else:
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as packed_zst:
                inner = packed_zst.read(most)
        except zstandard.ZstdError as problem:
            raise ValueError(str(problem)) from problem
    budget.take(len(inner))
    return inner


def _unpacked_xz(data: bytes, most: int) -> bytes:
    """At most so many bytes of all streams in it. LZMAFile would take as much memory as a header asks for."""
    out: list[bytes] = []
    while data and most > 0:
        unpack = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_MOST)
        piece = unpack.decompress(data, most)
        if not unpack.eof and len(piece) < most:
            raise EOFError
        out.append(piece)
        most -= len(piece)
        data = unpack.unused_data.lstrip(b"\0") if unpack.eof else b""
    return b"".join(out)


def _zip(data: bytes, edit: Callable[[str, bytes], tuple[str, bytes]], budget: Budget) -> bytes:
    changed = False
    parts: list[tuple[zipfile.ZipInfo, str, bytes]] = []
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        comment = packed.comment
        for info in packed.infolist():
            if info.flag_bits & 1:
                raise CannotLookInsideError("an encrypted zip file", info.filename)
            budget.take(info.file_size)
            inner = b"" if info.is_dir() else packed.read(info)
            name, new = edit(info.filename, inner)
            if info.comment:
                info.comment = edit("", info.comment)[1]
            changed = changed or name != info.filename or new != inner
            parts.append((info, name, new))
        new_comment = edit("", comment)[1] if comment else comment
        # Bytes before the first member (a script, a shebang) are text like any other.
        prefix = data[: min((info.header_offset for info in packed.infolist()), default=0)]
        new_prefix = edit("", prefix)[1] if prefix else prefix
    if not changed and new_comment == comment and new_prefix == prefix:
        return data
    out = io.BytesIO()
    out.write(new_prefix)
    with zipfile.ZipFile(out, "a" if new_prefix else "w") as packed:
        packed.comment = new_comment
        for info, name, new in parts:
            fresh = zipfile.ZipInfo(name, info.date_time)
            fresh.compress_type = info.compress_type
            fresh.external_attr = info.external_attr
            fresh.create_system = info.create_system
            fresh.comment = info.comment
            packed.writestr(fresh, new)
    return out.getvalue()


def _tar(data: bytes, edit: Callable[[str, bytes], tuple[str, bytes]], budget: Budget) -> bytes:
    changed = False
    parts: list[tuple[tarfile.TarInfo, bytes]] = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as packed:
        for info in packed:
            budget.take(info.size)
            if not stat.S_IFMT(info.mode) and not (
                info.isfile() or info.isdir() or info.issym() or info.islnk()
            ):
                raise CannotLookInsideError("a tar file with devices in it")
            source = packed.extractfile(info) if info.isfile() else None
            inner = source.read() if source else b""
            name, new = edit(info.name, inner)
            link = edit("", info.linkname.encode("utf-8", "surrogateescape"))[1].decode(
                "utf-8", "surrogateescape"
            )
            owner, group = info.uname, info.gname
            for field in ("uname", "gname"):
                value = getattr(info, field)
                told = edit("", f"USER={value}\n".encode("utf-8", "surrogateescape"))[1].decode(
                    "utf-8", "replace"
                )
                setattr(info, field, told[5:-1])
            pax = {
                key: edit("", value.encode("utf-8", "surrogateescape"))[1].decode("utf-8", "replace")
                for key, value in info.pax_headers.items()
            }
            if (name, new, link, info.uname, info.gname, pax) != (
                info.name,
                inner,
                info.linkname,
                owner,
                group,
                info.pax_headers,
            ):
                changed = True
            info.name, info.linkname, info.size = name, link, len(new)
            info.pax_headers = {
                key: value
                for key, value in pax.items()
                if key not in ("path", "linkpath", "size", "uname", "gname")
            }
            parts.append((info, new))
    if not changed:
        return data
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as packed:
        for info, new in parts:
            packed.addfile(info, io.BytesIO(new) if info.isfile() else None)
    return out.getvalue()


def recorded(data: bytes, before: bytes) -> bytes:
    """A wheel with its RECORD brought up to date, for the files that were as recorded in `before`; else as it is."""
    if kind_of(data) != "zip":
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(io.BytesIO(before)) as old:
        names = [info.filename for info in packed.infolist()]
        listed = next((name for name in names if name.endswith(".dist-info/RECORD")), None)
        if listed is None:
            return data
        # The order of the members is kept, so that names that were changed still find what they were.
        pairs = {
            new.filename: (old.read(was), packed.read(new))
            for was, new in zip(old.infolist(), packed.infolist(), strict=True)
        }
    record = updated_record(pairs[listed][1].decode("utf-8", "surrogateescape"), pairs.get)

    def edit(name: str, inner: bytes) -> tuple[str, bytes]:
        return name, record.encode("utf-8", "surrogateescape") if name == listed else inner

    return _zip(data, edit, Budget(len(data)))


def updated_record(record: str, read: Callable[[str], tuple[bytes, bytes] | None]) -> str:
    """The text of a RECORD with the digest and size of every file that changed and was as recorded before.

    `read` gives a file's content (before, now), None for one that is not there. What was wrong stays wrong: it
    is evidence.
    """
    lines = []
    for line in record.splitlines(keepends=True):
        path, digest, size = (*line.rstrip("\r\n").rsplit(",", 2), "", "")[:3]
        algorithm, _, value = digest.partition("=")
        contents = (
            read(path.strip('"').replace('""', '"')) if algorithm in ("sha256", "sha384", "sha512") else None
        )
        if contents is not None and contents[0] != contents[1] and _digest(algorithm, contents[0]) == value:
            told = f"{algorithm}={_digest(algorithm, contents[1])},{len(contents[1]) if size else ''}"
            line = line.replace(f"{digest},{size}", told)  # noqa: PLW2901  (the line as it is now)
        lines.append(line)
    return "".join(lines)


def _digest(algorithm: str, data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
