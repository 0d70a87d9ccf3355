"""The last look: the finished bytes, every layer undone, searched for what must not be there.

Shares no search with the rules: they look for contexts and replace; this undoes encodings and asks whether a value
is still there. Whatever the rules miss for a reason of theirs should not be missed here for the same reason.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import html
import io
import lzma
import re
import tarfile
import unicodedata
import zipfile
import zlib
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_to_bytes

from msgspec import Struct

from uvreport.redact import names
from uvreport.redact.known import is_worth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from uvreport.bundle import Snapshot
    from uvreport.redact.known import Known

DEPTH_MOST = 6
BYTES_MOST = 1_000_000_000


class Hit(Struct, frozen=True, kw_only=True, order=True):
    """Something private in the finished bytes: in which member, at which byte of it once unpacked, and what it is.

    `what` is a phrase, never the value.
    """

    member: str
    offset: int
    what: str


# What redaction writes. Taken out before searching, so that a person called `Person` can report bugs, too.
_OURS = re.compile(
    (
        rb"redacted[0-9]+[x_]*|host[0-9]+\.invalid|person[0-9]+(?:@|%40)example\.invalid|person [0-9]+|account[0-9]+"
        rb"|/home/user\b|/users/user\b|\\users\\user\b|\buser[0-9]*\b"
    ),
)


def search(
    data: bytes, known: Known, snapshot: Snapshot | None = None, *, values: Iterable[bytes] = ()
) -> list[Hit]:
    """What is private in a finished file, sorted; empty when it may go out.

    Looks for everything `known`, for `values` (what redaction replaced), for the credentials that stand in the
    private `snapshot` the bundle was made of, and for the shapes of secrets.
    """
    wanted = _wanted(known, snapshot, values)
    hits: set[Hit] = set()
    for member, content in _layers("", data, 0):
        for offset, what in _in(content, wanted):
            hits.add(Hit(member=member or "the file itself", offset=offset, what=what))
    return sorted(hits)


# --- layers ------------------------------------------------------------------------------------------------------


def _layers(name: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """Every content that can be got at, with the name it has, and every name as a content of its own."""
    if depth > DEPTH_MOST:
        return
    opened = None
    try:
        if data[:2] == b"PK":
            opened = _zip(name, data, depth)
        elif data[257:262] == b"ustar":
            opened = _tar(name, data, depth)
        else:
            inner = _undone(data)
            if inner is not None:
                yield from _layers(f"{name}!", inner, depth + 1)
                return
        if opened is not None:
            yield from opened
            return
    except (
        OSError, EOFError, ValueError, KeyError, RuntimeError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError,
        zlib.error, lzma.LZMAError,
    ):  # fmt: skip
        pass  # damaged: its bytes are searched as they are
    yield name, data


def _undone(data: bytes) -> bytes | None:
    head = data[:6]
    if head[:3] == b"\x1f\x8b\x08":
        return gzip.decompress(data)
    if head[:3] == b"BZh":
        return bz2.decompress(data)
    if head == b"\xfd7zXZ\x00":
        return lzma.decompress(data)
    if head[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
                return stream.read(BYTES_MOST)
        except zstandard.ZstdError:
            return None
    return None


def _zip(name: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        yield name, packed.comment
        for info in packed.infolist():
            yield (
                name,
                info.filename.encode("utf-8", "surrogateescape") + b"\n" + info.comment + b"\n" + info.extra,
            )
            yield from _layers(f"{name}/{info.filename}".lstrip("/"), packed.read(info), depth + 1)


def _tar(name: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as packed:
        for info in packed:
            said = "\n".join(
                (info.name, info.linkname, info.uname, info.gname, *map(str, info.pax_headers.values()))
            )
            yield name, said.encode("utf-8", "surrogateescape")
            source = packed.extractfile(info) if info.isfile() else None
            if source is not None:
                yield from _layers(f"{name}/{info.name}".lstrip("/"), source.read(), depth + 1)


# --- what is looked for ------------------------------------------------------------------------------------------


class _Value(Struct, frozen=True):
    """A value in lower case, what it is, and whether it must not go on to the left or right: `dave`, not `davenport`."""

    data: bytes
    what: str
    left: bool
    right: bool


def _wanted(known: Known, snapshot: Snapshot | None, values: Iterable[bytes]) -> tuple[_Value, ...]:
    what: dict[bytes, str] = {}

    def want(value: str, kind: str) -> None:
        for text in {
            value,
            unicodedata.normalize("NFC", value),
            unicodedata.normalize("NFD", value),
            value.casefold(),
        }:
            data = text.encode("utf-8", "surrogateescape").lower()
            if len(data) >= 3:
                what.setdefault(data, kind)

    for user in known.users:
        if names.is_generic_user(user):
            continue
        if len(user) < 3 or user.casefold() in names.COMMON_WORDS:
            for lead in ("/home/", "/users/", "\\users\\"):
                want(lead + user, "a home directory")
        else:
            want(user, "an account name")
    for name in known.accounts:
        want(name, "an account name")
    for name in known.full_names:
        want(name, "a person's name")
    for address in known.emails:
        want(address, "an e-mail address")
    for home in known.homes:
        if not names.is_generic_user(re.split(r"[\\/]", home.rstrip("\\/"))[-1]):
            want(home, "a home directory")
    for host in (known.hostname, *known.hosts, *known.indexes, *known.domains):
        is_private = len(host) >= 3 and not names.is_public_host(host) and not names.is_generic_user(host)
        if is_private and ("." in host or host.casefold() not in names.COMMON_WORDS):
            want(host.strip("."), "a host name or domain")
    for org in known.orgs:
        want(org, "the name of an organisation")
    for secret in (
        *known.secrets,
        *(_texts(values)),
        *(_credentials(snapshot) if snapshot is not None else ()),
    ):
        if is_worth(secret):
            want(secret, "a credential")
            if "%" in secret:
                want(unquote(secret), "a credential")
    return tuple(_value(data, what[data]) for data in sorted(what, key=len, reverse=True))


def _texts(values: Iterable[bytes]) -> Iterator[str]:
    return (value.decode("utf-8", "surrogateescape") for value in values)


def _value(data: bytes, what: str) -> _Value:
    is_word = what != "a credential" or (len(data) < 8 and data.isalnum())
    return _Value(data, what, is_word and data[:1].isalnum(), is_word and data[-1:].isalnum())


def _places(low: bytes, value: _Value, *, edges: bool) -> Iterator[tuple[int, int]]:
    """Where the value stands. A plain search for each value: one expression for all is many times slower."""
    size = len(value.data)
    start = low.find(value.data)
    while start >= 0:
        end = start + size
        goes_on = (value.left and low[start - 1 : start].isalnum()) or (
            value.right and low[end : end + 1].isalnum()
        )
        if not (edges and goes_on):
            yield start, end
        start = low.find(value.data, start + 1)


_IN_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"'`<>]{0,256}:([^\s/@\"'`<>]{4,256})@")
_NAMED = re.compile(
    r"(?i)\b[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY)\s{0,4}[=:]\s{0,4}[\"']([^\"'\r\n]{8,512})[\"']"
)


def _credentials(snapshot: Snapshot) -> Iterator[str]:
    """The credentials that the private snapshot holds, found in ways of this module's own."""
    for name, value in snapshot.run.env.items():
        if names.is_secret_variable(name):
            yield value
    texts = [snapshot.run.stdout, snapshot.run.stderr, *snapshot.run.env.values()]
    texts += [
        member.data[:4_000_000].decode("utf-8", "ignore")
        for member in snapshot.members
        if b"\0" not in member.data[:1024]
    ]
    for text in texts:
        if "@" in text:
            yield from _IN_URL.findall(text)
        for value in _NAMED.findall(text) if re.search(r"(?i)passw|secret|token|api_key", text) else ():
            if not re.fullmatch(r"[\w. -]*", value) or names.looks_random(value.encode(), 12):
                yield value


# What each shape cannot be without, in lower case; the expression; what it is.
_SHAPES = tuple(
    (tuple(word.encode() for word in words.split(" | ")), re.compile(pattern), what)
    for words, pattern, what in (
        (
            "-----begin ",
            rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\\rn]{0,8}(?!redacted)[A-Za-z0-9+/=]{16}",
            "a private key",
        ),
        ("akia | asia", rb"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", "a cloud key"),
        (
            "gho_ | ghp_ | ghu_ | ghs_ | ghr_ | github_pat_ | glpat-",
            rb"(?<![A-Za-z0-9])(?:gh[opusr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40}|glpat-[A-Za-z0-9_-]{20})",
            "a forge token",
        ),
        ("pypi-age", rb"(?<![A-Za-z0-9])pypi-AgE[A-Za-z0-9_-]{40}", "a package index token"),
        ("xox", rb"(?<![A-Za-z0-9])xox[abeoprs]-[0-9A-Za-z-]{20}", "a chat token"),
        (
            "eyj",
            rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10}",
            "a JSON web token",
        ),
        ("aiza", rb"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}", "a cloud key"),
        (
            "npm_ | hf_ | k_live_ | dckr_pat_ | hvs. | ya29. | sg.",
            (
                rb"(?<![A-Za-z0-9_-])(?:npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{34}|[sr]k_live_[A-Za-z0-9]{24}|dckr_pat_[A-Za-z0-9_-]{24}"
                rb"|hvs\.[A-Za-z0-9_-]{24}|ya29\.[A-Za-z0-9_-]{30}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"
            ),
            "the token of a service",
        ),
        ("age-secret-key-1", rb"AGE-SECRET-KEY-1[A-Z0-9]{50}", "a private key"),
        ("mii", rb"MII[A-Za-z0-9+/]{3}IBA[AD][A-Za-z0-9+/]{40}", "a private key"),
        (
            "authorization",
            (
                rb"(?i)authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|bearer|token)\s{1,3}"
                rb"(?!redacted)(?=[A-Za-z+/_.=-]{0,40}[0-9])[A-Za-z0-9+/_.=-]{24}"
            ),
            "the value of a header",
        ),
        (
            "machine",
            rb"(?<![a-z])machine\s{1,8}\S{1,200}\s{1,40}login\s{1,40}\S{1,200}\s{1,40}password\s{1,40}(?!redacted)[^\s\"'`]{4}",
            "a password of a netrc file",
        ),
        (
            "://",
            (
                rb"://[^\s/:@\"'`<>]{0,256}:"
                rb"(?!redacted|x{2,}|[*x.]{3,64}@|\*|\$|%7B|%[A-Z_]{3,60}%|\{|<|\.\.\.|\xe2\x80\xa2)[^\s/@:\"'`<>*]{4,256}@[A-Za-z0-9\[]"
            ),
            "a password in a URL",
        ),
    )
)


def _in(content: bytes, wanted: tuple[_Value, ...]) -> Iterator[tuple[int, str]]:
    for how, text, exact in _views(content):
        low = text.lower()
        is_decoded = how in _DECODED
        for value in wanted:
            for start, end in _places(low, value, edges=not is_decoded):
                if (is_decoded and not _is_said(low, start, end)) or _is_ours(low, start, end):
                    continue
                yield (start if exact else -1), f"{value.what}{how}"
        for literals, shape, what in _SHAPES:
            if any(literal in low for literal in literals):
                found = shape.search(text)
                if found is not None:
                    yield (found.start() if exact else -1), what + how


_DECODED = frozenset({", in base64", ", in hex"})


def _is_said(low: bytes, start: int, end: int) -> bool:
    """Whether a match in decoded bytes is text and no accident: three letters are in every thousandth digest."""
    if end - start >= 8:
        return True
    around = low[max(0, start - 6) : start] + low[end : end + 6]
    return end - start >= 4 and all(0x20 <= byte < 0x7F or byte in b"\t\r\n" for byte in around)


def _is_ours(low: bytes, start: int, end: int) -> bool:
    """Whether a match is inside of something that redaction wrote."""
    for ours in _OURS.finditer(low, max(0, start - 60), min(len(low), end + 60)):
        if ours.start() <= start and end <= ours.end():
            return True
    return False


_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{6,}")
# A line end between two lines of base64 or hex, with what may stand around it.
_WRAPPED = re.compile(
    rb"(?<=[A-Za-z0-9+/_-]{16})[\"'\\]?\r?\n[ \t>#|\"']{0,40}(?=[A-Za-z0-9+/_-]{2,200}[=\"'\\]{0,3}(?:[\r\n]|$))"
)
_BASE64_TWICE = re.compile(rb"[A-Za-z0-9+/_-]{16,}")  # as random bytes hardly ever are
_TWICE = 2
_JOINED = re.compile(rb"[A-Za-z0-9+/_-]{34,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){4,}")
_ESCAPED = re.compile(
    rb"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|([\\/\"' ]))"
)
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def _views(content: bytes) -> Iterator[tuple[str, bytes, bool]]:
    """The content as it is and with each encoding undone: (", how", bytes, whether offsets are the content's)."""
    yield "", content, True
    percent = content
    if b"%" in content:
        percent = unquote_to_bytes(content)
        yield ", percent-encoded", percent, False
        if b"%" in percent:
            yield ", percent-encoded twice", unquote_to_bytes(percent), False
    if b"\\" in content:
        once = _unescaped(content)
        yield ", escaped", once, False
        if b"\\" in once:
            yield ", escaped twice", _unescaped(once), False
        if b"%" in once:
            yield ", escaped and percent-encoded", unquote_to_bytes(once), False
    if b"&" in content:
        yield (
            ", as HTML",
            html.unescape(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
            False,
        )
    if b"\0" in content:
        yield ", in UTF-16", content.replace(b"\0", b""), False
    yield from _decoded(content)
    unwrapped = _WRAPPED.sub(b"", content)
    if unwrapped != content:
        longer = set(_JOINED.findall(unwrapped)) - set(_JOINED.findall(content))
        if longer:
            yield from _decoded(b"\n".join(sorted(longer)))


def _unescaped(content: bytes) -> bytes:
    def plain(match: re.Match[bytes]) -> bytes:
        short, long, byte, octal, char = match.groups()
        if short or long:
            number = int(short or long, 16)
            return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b""
        if byte:
            return bytes((int(byte, 16),))
        return bytes((int(octal, 8),)) if octal else bytes(char or b"")

    return _ESCAPED.sub(plain, content)


def _is_gzip(data: bytes) -> bool:
    if data[:3] != b"\x1f\x8b\x08":
        return False
    try:
        zlib.decompressobj(31).decompress(data, 1)
    except zlib.error:
        return False
    return True


def _decoded(content: bytes, depth: int = 1) -> Iterator[tuple[str, bytes, bool]]:
    """What the base64 and hex texts in the content say, at every alignment, each decoded once."""
    runs = set(_BASE64.findall(content))
    if runs:
        out: list[bytes] = []
        for run in runs:
            standard = run.translate(_TO_STANDARD)
            for shift in range(4):
                piece = standard[shift:]
                piece = piece[: len(piece) - (len(piece) % 4 == 1)]
                try:
                    out.append(base64.b64decode(piece + b"=" * (-len(piece) % 4)))
                except (binascii.Error, ValueError):
                    continue
        out += [zlib.decompressobj(31).decompress(piece, 1 << 20) for piece in out if _is_gzip(piece)]
        said = b"\n".join(out)
        yield ", in base64", said, False
        twice = set(_BASE64_TWICE.findall(said))
        if twice and depth < _TWICE:
            yield from _decoded(b"\n".join(twice), depth + 1)
    digits = {run for run in _HEX.findall(content) if len(run) >= 8}
    if digits:
        yield ", in hex", b"\n".join(bytes.fromhex(run.decode()) for run in digits), False
