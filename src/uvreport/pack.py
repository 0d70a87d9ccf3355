"""Bundle <-> file: write it, open it, verify it. docs/bundle-format.md is the same thing in words.

A bundle is a stranger's file, so opening does not parse what it can compute. The ZIP must be, byte for byte,
the one that `write` makes of its four files; and the tar inside must be the one that the manifest describes,
header by header. No tar reader is let loose on it (the standard one has looped for ever on a negative size,
CVE-2025-8194), and there is no place left in the file for anything that the manifest does not name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import secrets
import stat
import tarfile
import unicodedata
import zipfile
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec
from msgspec import Struct

from uvreport.bundle import Bundle, Gap, Member, Places, Redaction
from uvreport.errors import BadBundleError, CannotWriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMAT = 1
SUFFIX = ".uvreport.zip"

ISSUE, REPORT, MANIFEST, EVIDENCE = "issue.md", "report.html", "manifest.json", "evidence.tar.zst"
_FILES = tuple(sorted((ISSUE, REPORT, MANIFEST, EVIDENCE)))

MAX_FILE_BYTES = 24_000_000  # GitHub takes 25 MB
MAX_MANIFEST_BYTES = 16_000_000
MAX_MEMBERS = 100_000
MAX_UNPACKED_BYTES = 500_000_000
MAX_RATIO = 1_000  # a log of one repeated line shrinks 150 times; a bomb shrinks 10,000 times
RATIO_FREE_BYTES = 32_000_000  # below this size no ratio is dangerous
MAX_WINDOW_BYTES = 1 << 24
MAX_DECODED_DEPTH = 64
MAX_PATH_BYTES, MAX_NAME_BYTES = 1_024, 255

TOPS = ("cache", "facts", "home", "project", "run")  # the first part of every member's path
RESTORED_TOPS = ("cache", "home", "project")
STDOUT, STDERR = "run/stdout.txt", "run/stderr.txt"

# The person's home as redaction writes it: Linux, macOS, Windows. Absolute links must stay below one of them.
CANONICAL_HOMES = ("/home/user", "/Users/user", "C:/Users/user")

_DEVICE_NAME = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\..*)?", re.IGNORECASE
)
# Controls, and the characters that make a path read differently from what it is.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TAR_TYPES = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
_TAR_END = bytes(1024)

Role = Literal["culprit", "restore", "read", "output"]


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A member as the manifest lists it. `sha256` is "" for a directory and a link.

    `role`: "culprit" is an entry at fault, "restore" is put back with it, "read" is for reading, "output" is
    what the command printed and is attached to `Bundle.run`.
    """

    path: str
    role: Role
    kind: Literal["file", "dir", "link"]
    mode: int
    size: int
    sha256: str = ""
    target: str = ""
    mtime_ns: int = 0
    collector: str = ""


class Digest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of the other files of the bundle must be."""

    sha256: str
    size: int


class _Replacements(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every place in one member where one rule put one placeholder; a log has a hundred thousand of them."""

    member: str
    rule: str
    placeholder: str
    offsets: tuple[int, ...]


class Opened(Struct, frozen=True, kw_only=True):
    """A bundle and the two texts that came with it."""

    bundle: Bundle
    issue: str
    report_html: str


class Check(Struct, frozen=True, kw_only=True):
    """One thing that `verify` looked at: `what`, and what is wrong with it ("" when it is well)."""

    what: str
    wrong: str = ""

    @property
    def ok(self) -> bool:
        return not self.wrong


# --- writing ---


def fit(bundle: Bundle) -> Bundle:
    """The bundle without the members that no bundle may hold, each of them a gap instead.

    Names that cannot be restored everywhere (`aux.py`, `Readme` beside `README`), links that lead out, and
    what lies below those. To be called before the proof, so that what is proven is what is written.
    """
    wrong = {row.path: fault for row, fault in _faults(_rows(bundle.members, bundle), bundle.places) if fault}
    if not wrong:
        return bundle
    return msgspec.structs.replace(
        bundle,
        members=tuple(member for member in bundle.members if member.path not in wrong),
        gaps=bundle.gaps
        + tuple(Gap(what=_shown(path), why=f"left out: {wrong[path]}") for path in sorted(wrong)),
    )


def write(bundle: Bundle, issue: str, report_html: str) -> bytes:
    """The bytes of the bundle file: the same for the same input, in whatever order the members come.

    Raises CannotWriteError when it would be larger than a bundle may be, or holds what a bundle may not
    (see `fit`): whatever is written here can be opened.
    """
    members = sorted(_with_output(bundle), key=lambda member: member.path)
    rows = _rows(members, bundle)
    _refuse_to_write(rows, bundle)
    tar = b"".join(_tar(rows, members))
    if len(tar) > MAX_UNPACKED_BYTES:
        _too_large(members, f"what it holds is {_mb(len(tar))}, and {_mb(MAX_UNPACKED_BYTES)} is the limit")
    documents = {ISSUE: issue.encode(), REPORT: report_html.encode()}
    size = 0
    for level in (3, 9):
        evidence = _compress(tar, level)
        manifest = _manifest(bundle, rows, {**documents, EVIDENCE: evidence})
        raw = _container({**documents, EVIDENCE: evidence, MANIFEST: manifest})
        size = len(raw)
        if size <= MAX_FILE_BYTES:
            break
    else:
        _too_large(members, f"it would be {_mb(size)}, and GitHub takes {_mb(MAX_FILE_BYTES)}")
    if len(manifest) > MAX_MANIFEST_BYTES:
        _too_large(members, f"its manifest alone would be {_mb(len(manifest))}")
    if len(tar) > RATIO_FREE_BYTES and len(tar) > MAX_RATIO * len(evidence):
        _too_large(
            members, f"{_mb(len(tar))} that shrink to {_mb(len(evidence))} look like an attack to its reader"
        )
    return raw


def save(data: bytes, path: str | os.PathLike[str]) -> None:
    """Writes `data` to `path`, whole or not at all, whatever happens on the way.

    Raises CannotWriteError, and then nothing is left behind. A file of that name is replaced.
    """
    target = os.fspath(path)
    folder = os.path.dirname(target) or "."
    if os.path.isdir(target):
        raise CannotWriteError(f"{target} is a directory.", hint="Name a file that does not exist yet.")
    # In the same directory, because a rename is only atomic within one file system. Created with 0o666 rather
    # than by tempfile, so that the person's umask decides who may read it.
    temporary = os.path.join(folder, f".{os.path.basename(target)}.{secrets.token_hex(6)}.part")
    try:
        flags = (
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        )
        descriptor = os.open(temporary, flags, 0o666)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:  # Ctrl-C too: nothing half-written stays
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        _explain(error, target, folder)
    # The file is whole by now, and is so where a directory cannot be synced (Windows, network mounts).
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _explain(error: OSError, target: str, folder: str) -> NoReturn:
    hint = "Name another place with --output."
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}:
        message = f"{target} was not written: no space is left in {folder} ({error.strerror})."
        hint = "Free some space, or name another place with --output."
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        message = f"{target} was not written: {folder} is not writable ({error.strerror})."
    elif error.errno in {errno.ENOENT, errno.ENOTDIR}:
        message = f"{target} was not written: {folder} is not a directory."
    elif error.errno == errno.EISDIR:
        message = f"{target} is a directory."
    else:
        message = f"{target} was not written: {error.strerror or error}."
    raise CannotWriteError(message, hint=hint) from error


def _with_output(bundle: Bundle) -> list[Member]:
    members = list(bundle.members)
    given = {member.path: member for member in members}
    for path, text in ((STDOUT, bundle.run.stdout), (STDERR, bundle.run.stderr)):
        if not _encodable(text):
            msg = f"Run holds undecoded output in {path}"
            raise ValueError(msg)
        if path not in given:
            members.append(Member(path=path, data=text.encode()))
        elif given[path].data != text.encode():
            msg = f"the member {path} is not what Run holds"
            raise ValueError(msg)
    return members


def _rows(members: Iterable[Member], bundle: Bundle) -> list[Row]:
    own = {member.path for member in bundle.members}
    guilty = tuple(f"cache/{culprit.path}" for culprit in bundle.culprits)
    return [
        Row(
            path=member.path, kind=member.kind, mode=member.mode, size=len(member.data), target=member.target,
            sha256=hashlib.sha256(member.data).hexdigest() if member.kind == "file" else "",
            mtime_ns=member.mtime_ns, collector=member.collector,
            role="output" if member.path not in own else _role(member.path, guilty),
        )
        for member in members
    ]  # fmt: skip


def _role(path: str, guilty: Sequence[str]) -> Role:
    if any(path == culprit or path.startswith(culprit + "/") for culprit in guilty):
        return "culprit"
    return "restore" if path.split("/", 1)[0] in RESTORED_TOPS else "read"


def _refuse_to_write(rows: Sequence[Row], bundle: Bundle) -> None:
    fault = next((f"{_shown(row.path)} {fault}" for row, fault in _faults(rows, bundle.places) if fault), "")
    if not fault and len(rows) > MAX_MEMBERS:
        fault = f"{len(rows)} members are more than the {MAX_MEMBERS} that it may have"
    if not fault and any(_too_deep(culprit.decoded) for culprit in bundle.culprits):
        fault = "an entry is decoded more than 64 levels deep"
    if fault:
        raise CannotWriteError(f"The bundle cannot be written: {fault}.", hint="Leave it out with --without.")


def _too_large(members: Sequence[Member], why: str) -> NoReturn:
    largest = sorted(members, key=lambda member: (-len(member.data), member.path))[:3]
    named = ", ".join(
        f"{_shown(member.path)} ({_mb(len(member.data))}"
        + (f", from {member.collector})" if member.collector else ")")
        for member in largest
    )
    collectors = " ".join(sorted({f"--without {member.collector}" for member in largest if member.collector}))
    raise CannotWriteError(
        f"The bundle is too large: {why}.",
        hint=f"The largest members are {named}. Leave some out with {collectors or '--without COLLECTOR'}.",
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _compress(tar: bytes, level: int) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=level).compress(tar)


def _container(files: dict[str, bytes]) -> bytes:
    """The ZIP of `files`: stored, sorted, one fixed time, one fixed mode."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # Unix, wherever it is written
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def _tar(rows: Iterable[Row], members: Iterable[Member]) -> Iterator[bytes]:
    for row, member in zip(rows, members, strict=True):
        yield _tar_header(row)
        yield member.data
        yield bytes(-row.size % tarfile.BLOCKSIZE)
    yield _TAR_END


def _tar_header(row: Row) -> bytes:
    """The blocks before a member's data. Owner and group are 0 without names, the time is as recorded."""
    info = tarfile.TarInfo(row.path)
    info.type = _TAR_TYPES[row.kind]
    info.mode = row.mode
    info.size = row.size
    info.linkname = row.target
    whole, rest = divmod(abs(row.mtime_ns), 1_000_000_000)
    info.mtime = whole if row.mtime_ns >= 0 else -whole
    if rest:
        # tarfile would go through a float, which has lost the nanoseconds.
        info.pax_headers = {"mtime": f"{'-' if row.mtime_ns < 0 else ''}{whole}.{rest:09d}"}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _manifest(bundle: Bundle, rows: Sequence[Row], files: dict[str, bytes]) -> bytes:
    body = msgspec.to_builtins(msgspec.structs.replace(bundle, members=()))
    del body["run"]["stdout"], body["run"]["stderr"], body["members"]
    together: dict[tuple[str, str, str], list[int]] = {}
    for one in sorted(bundle.redactions):
        together.setdefault((one.member, one.rule, one.placeholder), []).append(one.offset)
    body["redactions"] = [
        _Replacements(member=member, rule=rule, placeholder=placeholder, offsets=tuple(offsets))
        for (member, rule, placeholder), offsets in sorted(together.items())
    ]
    body["members"] = rows
    body["format"] = FORMAT
    body["files"] = {
        name: Digest(sha256=hashlib.sha256(data).hexdigest(), size=len(data)) for name, data in files.items()
    }
    try:
        return msgspec.json.format(msgspec.json.encode(body, order="sorted"), indent=1) + b"\n"
    except UnicodeEncodeError as error:
        raise CannotWriteError(
            f"The bundle cannot be written: {_shown(error.object)[:200]} is not Unicode text.",
            hint="An argument, a variable or a file name holds bytes that are not UTF-8: rename or unset it.",
        ) from error


# --- what a member may be ---


def _faults(rows: Iterable[Row], places: Places) -> Iterator[tuple[Row, str]]:
    """Each row, with what is wrong with it or ""; what is faulty is no hindrance to what follows."""
    taken: dict[str, str] = {}  # as a file system that ignores case sees it -> as written
    closed: set[str] = set()  # files and links: nothing can lie below them
    for row in sorted(rows, key=lambda row: row.path):
        fault = _name_fault(row.path) or _shape_fault(row) or _link_fault(row, places)
        parts = row.path.split("/")
        prefixes = [] if fault else ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        folded = [_folded(prefix) for prefix in prefixes]
        if not fault and taken.get(folded[-1]) == row.path:
            fault = "is there twice"
        for prefix, key in zip(prefixes, folded, strict=True):
            if not fault and taken.get(key, prefix) != prefix:
                fault = f"differs only in case or accents from {_shown(taken[key])}"
            if not fault and prefix != row.path and key in closed:
                fault = f"lies below {_shown(prefix)}, which is not a directory"
        if not fault:
            taken.update(zip(folded, prefixes, strict=True))
            if row.kind != "dir":
                closed.add(folded[-1])
        yield row, fault


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _name_fault(path: str) -> str:
    parts = path.split("/")
    if not path:
        return "has no name"
    if path.startswith("/"):
        return "is an absolute path"
    if parts[0] not in TOPS:
        return f"is not in {', '.join(TOPS[:-1])} or {TOPS[-1]}"
    if not _encodable(path):
        return "has a name that is not Unicode text"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"has a name of more than {MAX_PATH_BYTES} bytes"
    return next(filter(None, map(_part_fault, parts)), "")


def _part_fault(part: str) -> str:
    if part in {"", ".", ".."}:
        return "has an empty, `.` or `..` part in its name"
    if "\\" in part or ":" in part:
        return "has a backslash or a colon in its name, which Windows reads as another place"
    if _UNSEEN.search(part):
        return "has a control character in its name"
    if part[-1] in ". ":
        return "has a part that ends with a dot or a space, which Windows drops"
    if _DEVICE_NAME.fullmatch(part):
        return "has a name that Windows keeps for a device"
    if len(part.encode()) > MAX_NAME_BYTES:
        return f"has a part of more than {MAX_NAME_BYTES} bytes in its name"
    return ""


def _shape_fault(row: Row) -> str:
    if row.mode & ~0o777:
        return f"has mode {row.mode:o}: set-user-id, set-group-id and sticky bits are refused"
    if row.size < 0 or (row.kind != "file" and row.size):
        return "is not a file and has content" if row.size > 0 else "has a negative size"
    if bool(row.target) != (row.kind == "link"):
        return "is a link to nowhere" if row.kind == "link" else "is not a link and has a target"
    if bool(row.sha256) != (row.kind == "file") or (row.sha256 and not _SHA256.fullmatch(row.sha256)):
        return "has no proper digest"
    if abs(row.mtime_ns) >= 1 << 63:
        return "has an impossible time"
    if row.kind != "dir" and row.path in TOPS:
        return "is not a directory"
    return ""


def _link_fault(row: Row, places: Places) -> str:
    """A link may lead anywhere inside its own top, and nowhere else, by whatever other links it passes.

    `..` may only come first: after a name it would be taken from wherever a link of that name leads.
    """
    if row.kind != "link":
        return ""
    out = f"is a link out of {row.path.split('/', 1)[0]}"
    top, *inner = row.path.split("/")
    if top not in RESTORED_TOPS:
        return "is a link where none belongs"
    if not _encodable(row.target) or len(row.target.encode()) > MAX_PATH_BYTES:
        return "is a link to a name that is not Unicode text, or too long"
    target = row.target
    if target.startswith(("/", "C:/")):
        place = {"cache": places.cache, "home": places.home, "project": places.project}[top].replace(
            "\\", "/"
        )
        home = places.home.replace("\\", "/")
        if home not in CANONICAL_HOMES or not (place + "/").startswith(home + "/"):
            return out
        if any(map(_part_fault, place[len(home) + 1 :].split("/"))) and place != home:
            return out
        if target != place and not target.startswith(place + "/"):
            return out
        names = target[len(place) + 1 :].split("/") if target != place else []
    else:
        names = target.split("/")
        above = next((depth for depth, name in enumerate(names) if name != ".."), len(names))
        if above > len(inner) - 1:
            return out
        names = names[above:]
    if not names:
        return ""
    if names[0] == "." and not names[1:]:
        return ""
    fault = next(filter(None, map(_part_fault, names)), "")
    return fault and f"is a link whose target {fault.removeprefix('has a ')}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(path: str) -> str:
    """A stranger's name, fit to be printed."""
    return (
        _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", path)
        .encode("utf-8", "backslashreplace")
        .decode()
    )


# --- opening ---


def open_bundle(source: str | os.PathLike[str] | bytes) -> Bundle:
    """The bundle in a file, or in the bytes of one; members sorted by path, redactions in order.

    Raises BadBundleError, with one sentence that says what is wrong, for all that is not exactly a bundle.
    """
    return open_whole(source).bundle


def open_whole(source: str | os.PathLike[str] | bytes) -> Opened:
    """What `open_bundle` returns, with the issue's text and the report's. Raises the same."""
    return _open(*_bytes_of(source), [])


def verify(source: str | os.PathLike[str] | bytes) -> list[Check]:
    """Everything that opening looks at, in order, up to and including the first thing that is wrong.

    Never raises BadBundleError: that the bundle is bad is the answer.
    """
    done: list[str] = []
    try:
        _open(*_bytes_of(source), done)
    except BadBundleError as error:
        following = _CHECKS[len(done)] if len(done) < len(_CHECKS) else _CHECKS[-1]
        return [*(Check(what=what) for what in done), Check(what=following, wrong=error.message)]
    return [Check(what=what) for what in done]


_CHECKS = (
    "the file can be read and is no larger than a bundle may be",
    "it is a ZIP with a manifest",
    f"it has format {FORMAT}",
    "the ZIP holds the four files of a bundle, and not a byte more",
    "the manifest is complete and well-formed",
    "the digests of the issue, the report and the evidence agree",
    "no member leads out, runs, collides or lies about its size",
    "the evidence unpacks to what the manifest says",
    "the digest of every member agrees",
)

_MAKE_AGAIN = "Ask for the file again: it must be attached as uvreport wrote it, not repacked."


def _bytes_of(source: str | os.PathLike[str] | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        name, raw = "the bundle", source
    else:
        name = _shown(os.path.basename(os.fspath(source)) or os.fspath(source))
        raw = _read(os.fspath(source), name)
    if len(raw) > MAX_FILE_BYTES:
        _bad(f"{name} is too large for a bundle: more than {_mb(MAX_FILE_BYTES)}.")
    if not raw:
        _bad(f"{name} is empty.", "Download it again.")
    return name, raw


def _read(path: str, name: str) -> bytes:
    try:
        # A pipe would be waited for; what it is must be known before it is opened.
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            _bad(f"{name} is a directory, not a bundle.", "Name the .uvreport.zip file in it.")
        if not stat.S_ISREG(kind):
            _bad(f"{name} is not a regular file.")
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise BadBundleError(f"There is no file {_shown(path)}.", hint="Check the name.") from error
    except PermissionError as error:
        raise BadBundleError(
            f"{name} may not be read: permission denied.", hint="Check its owner and mode."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadBundleError(
            f"{name} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error


def _bad(message: str, hint: str = _MAKE_AGAIN) -> NoReturn:
    raise BadBundleError(message, hint=hint)


def _open(name: str, raw: bytes, done: list[str]) -> Opened:
    checks = iter(_CHECKS)
    done.append(next(checks))
    files = _unzip(name, raw)
    done.append(next(checks))
    _known_format(name, files[MANIFEST])
    done.append(next(checks))
    _exactly(name, raw, files)
    done.append(next(checks))
    body, rows, digests = _parsed(name, files[MANIFEST])
    done.append(next(checks))
    for file, digest in digests.items():
        if len(files[file]) != digest.size or hashlib.sha256(files[file]).hexdigest() != digest.sha256:
            _bad(f"{name} is damaged: {file} is not what the manifest says.")
    done.append(next(checks))
    bundle = _bundle(name, body)
    _harmless(name, rows, bundle)
    done.append(next(checks))
    headers = [_tar_header(row) for row in rows]
    tar = _unpacked(name, rows, headers, files[EVIDENCE])
    done.append(next(checks))
    bundle = _attached(name, bundle, rows, _members(name, rows, headers, tar))
    try:
        issue, report = files[ISSUE].decode(), files[REPORT].decode()
    except UnicodeDecodeError as error:
        raise BadBundleError(f"{name} is damaged: its text is not UTF-8.", hint=_MAKE_AGAIN) from error
    done.append(next(checks))
    return Opened(bundle=bundle, issue=issue, report_html=report)


def _unzip(name: str, raw: bytes) -> dict[str, bytes]:
    """The files of the ZIP, read only as far as cannot hurt: at most 64 of them, stored, none twice."""
    end = raw[-22:]
    if not raw.startswith(b"PK\x03\x04"):
        _bad(f"{name} is not a bundle: it is not a ZIP file.")
    if len(end) < 22 or not end.startswith(b"PK\x05\x06") or end[20:] != b"\0\0":
        if raw.rfind(b"PK\x05\x06") < 0:
            _bad(f"{name} is cut off: the end of the ZIP is missing.", "Download it again.")
        _bad(f"{name} is damaged: something follows the end of the ZIP.")
    count, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if count > 64 or directory > 64 * 1024:
        _bad(f"{name} is not a bundle: it is a ZIP of {count} files.")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for info in archive.infolist():
                if info.flag_bits & 0x41:
                    _bad(f"{name} is not a bundle: {_shown(info.filename)} in it is encrypted.")
                if info.compress_type != zipfile.ZIP_STORED:
                    _bad(f"{name} is not as uvreport wrote it: {_shown(info.filename)} in it is compressed.")
                if info.filename in files:
                    _bad(f"{name} is damaged: {_shown(info.filename)} is in it twice.")
                if info.file_size > len(raw):
                    _bad(
                        f"{name} is damaged: {_shown(info.filename)} claims to be larger than the whole file."
                    )
                files[info.filename] = archive.read(info)
    except BadBundleError:
        raise
    except zipfile.BadZipFile as error:
        raise BadBundleError(
            f"{name} is damaged: {_shown(str(error))}.", hint="Download it again."
        ) from error
    except Exception as error:  # zipfile meets a stranger's bytes with half a dozen kinds of exception
        raise BadBundleError(
            f"{name} is damaged: it cannot be read as a ZIP.", hint="Download it again."
        ) from error
    if MANIFEST not in files:
        _bad(f"{name} is not a bundle: there is no {MANIFEST} in it.")
    return files


class _FormatOnly(Struct, frozen=True):
    format: int


def _known_format(name: str, manifest: bytes) -> None:
    if len(manifest) > MAX_MANIFEST_BYTES:
        _bad(f"{name} is not a bundle: its manifest is {_mb(len(manifest))}.")
    try:
        found = msgspec.json.decode(manifest, type=_FormatOnly, strict=True).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBundleError(
            f"{name} is not a bundle: its manifest has no format number ({str(error)[:120]}).",
            hint=_MAKE_AGAIN,
        ) from error
    if found != FORMAT:
        _bad(
            f"This bundle has format {found}; this uvreport reads format {FORMAT}.",
            "Upgrade with `uv tool upgrade uvreport`, or run `uvx uvreport@latest`."
            if found > FORMAT
            else _MAKE_AGAIN,
        )


def _exactly(name: str, raw: bytes, files: dict[str, bytes]) -> None:
    missing = [file for file in _FILES if file not in files]
    extra = sorted(set(files) - set(_FILES))
    if missing:
        _bad(f"{name} is damaged: {', '.join(missing)} is missing.")
    if extra:
        _bad(f"{name} is not as uvreport wrote it: {_shown(extra[0])[:200]} does not belong in it.")
    if _container(files) != raw:
        _bad(f"{name} is not as uvreport wrote it: its ZIP was repacked, or holds more than the four files.")


def _parsed(name: str, manifest: bytes) -> tuple[dict[str, Any], tuple[Row, ...], dict[str, Digest]]:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            _bad(f"{name} is damaged: its manifest says one thing twice.")
        return found

    try:
        # Two readers must not see two things: a key that is there twice is refused, which msgspec would take.
        json.loads(manifest, object_pairs_hook=each_once)
        body = msgspec.json.decode(manifest, type=dict[str, Any], strict=True)
        body.pop("format")
        rows = msgspec.convert(body.pop("members", None), type=tuple[Row, ...], strict=True)
        digests = msgspec.convert(body.pop("files", None), type=dict[str, Digest], strict=True)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise BadBundleError(
            f"{name} is damaged: its manifest is not as it should be ({str(error)[:200]}).", hint=_MAKE_AGAIN
        ) from error
    if set(digests) != {ISSUE, REPORT, EVIDENCE}:
        _bad(f"{name} is damaged: its manifest has no digests of the other files.")
    return body, rows, digests


_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(Bundle))


def _bundle(name: str, body: dict[str, Any]) -> Bundle:
    """The bundle of the manifest's body, still without members and output."""
    strange = sorted(set(body) - _FIELDS)
    if strange:
        _bad(f"{name} is damaged: format {FORMAT} has no field {_shown(strange[0])[:100]} in its manifest.")
    try:
        run = body.get("run")
        if isinstance(run, dict) and run.keys() & {"stdout", "stderr"}:
            _bad(f"{name} is damaged: the output belongs in {STDOUT} and {STDERR}.")
        if isinstance(run, dict):
            body["run"] = {**run, "stdout": "", "stderr": ""}
        groups = msgspec.convert(body.pop("redactions", []), type=tuple[_Replacements, ...], strict=True)
        bundle = msgspec.convert(body, type=Bundle, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadBundleError(
            f"{name} is damaged: its manifest is not as it should be ({str(error)[:200]}).", hint=_MAKE_AGAIN
        ) from error
    if any(_too_deep(culprit.decoded) for culprit in bundle.culprits):
        _bad(
            f"{name} is not a bundle: an entry in its manifest is nested more than {MAX_DECODED_DEPTH} deep."
        )
    redactions = sorted(
        Redaction(member=group.member, offset=offset, rule=group.rule, placeholder=group.placeholder)
        for group in groups
        for offset in group.offsets
    )
    return msgspec.structs.replace(bundle, redactions=tuple(redactions))


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DECODED_DEPTH + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list | tuple)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _harmless(name: str, rows: Sequence[Row], bundle: Bundle) -> None:
    if len(rows) > MAX_MEMBERS:
        _bad(
            f"{name} is refused: {len(rows)} members are more than the {MAX_MEMBERS} that a bundle may have."
        )
    if [row.path for row in rows] != sorted(row.path for row in rows):
        _bad(f"{name} is damaged: its members are not in order.")
    for row, fault in _faults(rows, bundle.places):
        if fault:
            _bad(f"{name} is refused: {_shown(row.path)[:200]} {fault}.")
    guilty = tuple(f"cache/{culprit.path}" for culprit in bundle.culprits)
    for row in rows:
        output = row.role == "output" and row.path in {STDOUT, STDERR}
        if not output and row.role != _role(row.path, guilty):
            _bad(f"{name} is damaged: {_shown(row.path)[:200]} has the role {row.role}.")


def _unpacked(name: str, rows: Sequence[Row], headers: Sequence[bytes], evidence: bytes) -> bytes:
    """The tar, after its size, window and ratio were found fit to be unpacked."""
    import zstandard

    size = sum(map(len, headers)) + sum(row.size + -row.size % tarfile.BLOCKSIZE for row in rows)
    size += len(_TAR_END)
    if size > MAX_UNPACKED_BYTES:
        _bad(
            f"{name} is refused: it would unpack to {_mb(size)}, and {_mb(MAX_UNPACKED_BYTES)} is the limit."
        )
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * len(evidence):
        _bad(f"{name} is refused: {_mb(len(evidence))} that unpack to {_mb(size)} are a decompression bomb.")
    try:
        frame = zstandard.get_frame_parameters(evidence)
        if frame.content_size != size:
            _bad(f"{name} is damaged: the evidence is not as large as the manifest says.")
        if frame.window_size > MAX_WINDOW_BYTES or frame.dict_id:
            _bad(f"{name} is refused: its evidence asks for more memory than a bundle needs.")
        # The content size in the header is exact, and zstd stops at it; what follows the frame is an error.
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        tar = reader.decompress(
            evidence, max_output_size=size, read_across_frames=False, allow_extra_data=False
        )
    except (zstandard.ZstdError, MemoryError) as error:
        raise BadBundleError(
            f"{name} is damaged: the evidence cannot be unpacked.", hint=_MAKE_AGAIN
        ) from error
    if len(tar) != size:
        _bad(f"{name} is damaged: the evidence is not as large as the manifest says.")
    return tar


def _members(name: str, rows: Sequence[Row], headers: Sequence[bytes], tar: bytes) -> list[Member]:
    """The members: the tar is compared with the one that the manifest describes, not parsed."""
    at, members = 0, []
    for row, header in zip(rows, headers, strict=True):
        begin = at + len(header)
        data = tar[begin : begin + row.size]
        end = begin + row.size + -row.size % tarfile.BLOCKSIZE
        if tar[at:begin] != header or tar[begin + row.size : end].strip(b"\0"):
            _bad(
                f"{name} is refused: the evidence is not what the manifest says at {_shown(row.path)[:200]}."
            )
        if row.kind == "file" and hashlib.sha256(data).hexdigest() != row.sha256:
            _bad(f"{name} is damaged: {_shown(row.path)[:200]} has another digest than the manifest says.")
        members.append(
            Member(
                path=row.path, data=data, kind=row.kind, mode=row.mode, target=row.target,
                mtime_ns=row.mtime_ns, collector=row.collector,
            )
        )  # fmt: skip
        at = end
    if tar[at:] != _TAR_END:
        _bad(f"{name} is refused: something follows the last member of the evidence.")
    return members


def _attached(name: str, bundle: Bundle, rows: Sequence[Row], members: Sequence[Member]) -> Bundle:
    output = {member.path: member for member in members if member.path in {STDOUT, STDERR}}
    if set(output) != {STDOUT, STDERR}:
        _bad(f"{name} is damaged: the output of the command is missing.")
    try:
        stdout, stderr = output[STDOUT].data.decode(), output[STDERR].data.decode()
    except UnicodeDecodeError as error:
        raise BadBundleError(f"{name} is damaged: the output is not UTF-8.", hint=_MAKE_AGAIN) from error
    return msgspec.structs.replace(
        bundle,
        members=tuple(member for row, member in zip(rows, members, strict=True) if row.role != "output"),
        run=msgspec.structs.replace(bundle.run, stdout=stdout, stderr=stderr),
    )
