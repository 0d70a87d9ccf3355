"""The digests under which uv files things: SeaHash of paths and URLs, in every form that a release has used.

Source: uv-cache-key (canonical_url.rs, cache_key.rs) of the tags, checked against names that real uvs made.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from uvreport.cache.buckets import version_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_MULTIPLIER = 0x6EED_0E9D_A4D9_4A4F
_SEEDS = (0x16F1_1FE8_9B0D_677C, 0xB480_A793_D8E6_C86C, 0x6FE2_E5AA_F078_EBC9, 0x14F9_94A4_C525_9381)


def _diffuse(x: int) -> int:
    x = x * _MULTIPLIER & _MASK
    x ^= (x >> 32) >> (x >> 60)
    return x * _MULTIPLIER & _MASK


def seahash(data: bytes) -> int:
    """SeaHash of `data` with the reference seeds, as the crate `seahash` 4.1 computes it."""
    a, b, c, d = _SEEDS
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        a, b, c, d = b, c, d, _diffuse(a ^ int.from_bytes(data[at : at + 8], "little"))
    if whole < len(data):
        a = _diffuse(a ^ int.from_bytes(data[whole:], "little"))
    return _diffuse(a ^ b ^ c ^ d ^ len(data))


def digest_bytes(data: bytes) -> str:
    """The 16 hex digits of a directory or file name, for bytes that are encoded already."""
    return seahash(data).to_bytes(8, "little").hex()


def digest(text: str) -> str:
    """The 16 hex digits under which uv files a URL or any other single string."""
    return digest_bytes(string(text))


# How uv feeds values to the hash (64-bit little-endian hosts).


def string(text: str) -> bytes:
    """A string: its UTF-8 bytes and one byte that UTF-8 never has."""
    return _utf8(text) + b"\xff"


def usize(number: int) -> bytes:
    """A length: 8 bytes, little end first."""
    return (number & _MASK).to_bytes(8, "little")


def option(value: bytes | None) -> bytes:
    """An Option: 0 for None, else 1 and the value."""
    return usize(0) if value is None else usize(1) + value


def path_new(path: str) -> bytes:
    """A Unix path as Rust 1.81 and later hash it (uv 0.4.8+)."""
    names = _components(path)
    k = 0
    for name in names:
        k = (k + len(name)) & _MASK
        k = ((k >> 2) | (k << 62)) & _MASK
    return b"".join(names) + usize(k)


def path_old(path: str) -> bytes:
    """A Unix path as older Rusts hash it (uv ..0.4.7)."""
    names = _components(path)
    return b"".join(names) + usize(sum(map(len, names)))


def _components(path: str) -> list[bytes]:
    return [name for name in _utf8(path).split(b"/") if name not in {b"", b"."}]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# URLs, as far as uv hands them to the hash: the part of rust's `url` crate that shows in the result.

_CONTROLS = frozenset({*range(0x21), *range(0x7F, 0x100)})
_FRAGMENT_SET = _CONTROLS | frozenset(b'"<>`')
_PATH_SET = _FRAGMENT_SET | frozenset(b"#?{}")
_SEGMENT_SET = _PATH_SET | frozenset(b"/%")
_QUERY_SET = _CONTROLS | frozenset(b'"#<>')
_USER_SET = _PATH_SET | frozenset(b"/:;=@[\\]^|")
_SPECIAL_PORTS = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443", "file": ""}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)\Z", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def _encode(text: str, unsafe: frozenset[int]) -> str:
    return "".join(f"%{byte:02X}" if byte in unsafe else chr(byte) for byte in _utf8(text))


class _Url:
    """A URL in the five parts that matter here; `str()` gives it back as rust's `url` serialises it."""

    __slots__ = ("fragment", "host", "path", "query", "scheme", "user")

    def __init__(
        self, scheme: str, user: str, host: str | None, path: str, query: str, fragment: str
    ) -> None:
        self.scheme, self.user, self.host = scheme, user, host
        self.path, self.query, self.fragment = path, query, fragment

    def copy(self) -> _Url:
        return _Url(self.scheme, self.user, self.host, self.path, self.query, self.fragment)

    def __str__(self) -> str:
        authority = "" if self.host is None else "//" + (self.user + "@" if self.user else "") + self.host
        return f"{self.scheme}:{authority}{self.path}{self.query}{self.fragment}"


@functools.lru_cache(maxsize=1024)  # every rule of every era takes the same URL apart
def _parse(text: str) -> _Url | None:
    """The URL in its normal form, None for what uv would not take for a URL with a path of segments."""
    found = _URL.match(text.strip("".join(map(chr, range(0x21)))).translate({9: None, 10: None, 13: None}))
    if found is None or len(found[1]) == 1:  # one letter: a drive of Windows
        return None
    scheme = found[1].lower()
    rest, hash_, fragment = found[2].partition("#")
    rest, mark, query = rest.partition("?")
    special = scheme in _SPECIAL_PORTS
    if special:
        rest = rest.replace("\\", "/")
    user, host = "", None
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        path = slash + path
        user, at, host = authority.rpartition("@")
        if at:
            name, colon, password = user.partition(":")
            user = _encode(name, _USER_SET) + (colon + _encode(password, _USER_SET) if password else "")
        host = _host(scheme, host)
    elif special and scheme == "file" and rest.startswith("/"):
        path, host = rest, ""
    elif special and rest:
        return _parse(f"{scheme}://" + rest.lstrip("/") + mark + query + hash_ + fragment)
    elif rest.startswith("/"):
        path = rest
    else:
        return None
    return _Url(
        scheme,
        user,
        host,
        _path(path, special=special),
        mark + _encode(query, _QUERY_SET | frozenset(b"'") if special else _QUERY_SET),
        hash_ + _encode(fragment, _FRAGMENT_SET),
    )


def _host(scheme: str, host: str) -> str:
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = (name, "") if colon and not port else (host, "")
    if scheme in _SPECIAL_PORTS:
        name = name.lower()
        if scheme == "file" and name == "localhost":
            name = ""
        if not name.isascii():
            try:
                name = name.encode("idna").decode()
            except UnicodeError:
                name = _encode(name, _CONTROLS)
        if port == _SPECIAL_PORTS[scheme]:
            port = ""
    return name + (":" + port if port else "")


def _path(path: str, *, special: bool) -> str:
    out: list[str] = []
    segments = path.split("/")[1:] if path.startswith("/") else ([] if not path else path.split("/"))
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            del out[-1:]
            if last:
                out.append("")
        elif plain == ".":
            if last:
                out.append("")
        else:
            out.append(_encode(segment, _PATH_SET))
    if not segments:
        return "/" if special else ""
    return "/" + "/".join(out)


def path_url(path: str) -> str:
    """The `file://` URL that uv makes of an absolute path, Unix or Windows, lexically: links are not resolved."""
    if _DRIVE.match(path):
        drive, rest = path[:2], path[2:].replace("\\", "/")
        return f"file:///{drive}" + _file_path(rest)
    if path.startswith("\\\\"):
        host, _, rest = path[2:].replace("\\", "/").partition("/")
        return f"file://{host}" + _file_path(rest)
    return "file://" + _file_path(path)


def _file_path(path: str) -> str:
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(_encode(name, _SEGMENT_SET))
    return "/" + "/".join(names)


def canonical_url(url: str, release: str) -> str:
    """The URL as `release` hashes it, `url` itself where it is none.

    Three eras: credentials count up to 0.1.31; `file:` URLs are kept as they are from 0.1.32 to 0.5.26; percent
    escapes are normalised from 0.5.27 on.
    """
    key = version_key(release)
    parsed = _parse(url)
    if parsed is None:
        return url
    if key < (0, 1, 32):
        return str(_canonical(parsed, credentials=True, decode=False))
    if key < (0, 5, 27):
        return str(parsed) if not parsed.host else str(_canonical(parsed, credentials=False, decode=False))
    return str(_canonical(parsed, credentials=False, decode=True))


def _canonical(url: _Url, *, credentials: bool, decode: bool) -> _Url:
    url = url.copy()
    if not credentials:
        url.user = ""
    if url.path.endswith("/") and len(url.path) > 1:
        url.path = url.path[:-1]
    if url.host == "github.com":
        url.path = url.path.lower()
    prefix, at, suffix = url.path.rpartition("@")
    if at:
        if _is_git(prefix):
            url.path = f"{prefix[:-4]}@{suffix}"
    elif _is_git(url.path):
        head, _, last = url.path.rpartition("/")
        # The crate's `push` escapes the segment anew, "%" too.
        url.path = head + "/" + _encode(last[:-4], _SEGMENT_SET)
    if decode and "%" in url.path:
        url.path = "/" + "/".join(_recode(segment) for segment in url.path.split("/")[1:])
    return url


def _is_git(path: str) -> bool:
    name = path.rstrip("/").rpartition("/")[2]
    return len(name) > 4 and name[-4:].lower() == ".git" and not path.endswith("/")


def _recode(segment: str) -> str:
    raw = unquote_to_bytes(segment)
    try:
        return _encode(raw.decode("utf-8"), _SEGMENT_SET)
    except UnicodeDecodeError:
        return _encode(segment, _SEGMENT_SET)


def repository_url(url: str, release: str) -> str:
    """The repository behind a Git URL, as `release` hashes it for its database: no ref, no query, no fragment."""
    canonical = _parse(canonical_url(url, release))
    return url if canonical is None else str(_repository(canonical))


def _repository(url: _Url) -> _Url:
    url = url.copy()
    if url.scheme.startswith("git+"):
        prefix, at, _ = url.path.rpartition("@")
        if at:
            url.path = prefix
    url.query = url.fragment = ""
    return url


# Interpreters.


def interpreter_shard(arch: str, os_type: str, kernel_release: str, release: str) -> str:
    """The directory of an interpreter's entry inside its bucket, "" when `release` has none (..0.5.8)."""
    key = version_key(release)
    if key < (0, 5, 9):
        return ""
    if key < (0, 6, 4):
        return arch
    return digest_bytes(string(arch) + string(os_type) + string(kernel_release))


def interpreter_file(
    path: str,
    canonical_path: str,
    release: str,
    *,
    executable: str | None = None,
    launcher: str | None = None,
) -> str:
    """The 16 hex digits of an interpreter's entry (Unix paths only).

    `path` is the absolute path of the executable, links not resolved, `canonical_path` with them resolved;
    `executable` and `launcher` are PYTHONEXECUTABLE and __PYVENV_LAUNCHER__, which count from 0.12.4 on.
    """
    key = version_key(release)
    if key < (0, 1, 32):
        return digest_bytes(usize(len(_utf8(path))) + _utf8(path))
    if key < (0, 4, 8):
        return digest_bytes(path_old(path))
    if key < (0, 7, 18):
        return digest_bytes(path_new(path))
    pair = path_new(path) + path_new(canonical_path)
    if key < (0, 12, 4):
        return digest_bytes(pair)
    named = (None if value is None else string(value) for value in (executable, launcher))
    return digest_bytes(pair + b"".join(map(option, named)))


def interpreter_era(release: str) -> tuple[int, int]:
    """Which form of shard and of file name a release gives interpreter entries: equal where it is the same form."""
    key = version_key(release)
    shards = ((0, 5, 9), (0, 6, 4))
    files = ((0, 1, 32), (0, 4, 8), (0, 7, 18), (0, 12, 4))
    return sum(key >= since for since in shards), sum(key >= since for since in files)


def interpreter_candidates(path: str, canonical_path: str) -> dict[str, str]:
    """Every digest under which any release may have filed this interpreter, and the rule."""
    return {
        interpreter_file(path, canonical_path, release): f"interpreter, {span}"
        for release, span in (
            ("0.1.31", "..0.1.31"), ("0.4.7", "0.1.32..0.4.7"), ("0.7.17", "0.4.8..0.7.17"),
            ("0.12.3", "0.7.18..0.12.3"), ("0.12.4", "0.12.4.."),
        )
    }  # fmt: skip


# Build settings.

_VARIABLES_PLAIN = (0, 8, 12)  # an Option around them before


def build_settings(
    settings: Mapping[str, str | Sequence[str]], release: str, *, variables: Mapping[str, str] | None = None
) -> str:
    """The directory inside a build for its config settings and extra build variables, "" when there are none.

    A setting that is given more than once is a list; those for one package come before those for all. What
    `extra-build-dependencies` adds is not covered: its requirements are hashed field by field.
    """
    key = version_key(release)
    if not settings and (key < (0, 8, 6) or not variables):
        return ""
    out = b"".join(
        string(name)
        + (string(value) if isinstance(value, str) else usize(len(value)) + b"".join(map(string, value)))
        for name, value in sorted(settings.items())
    )
    if key >= (0, 8, 4):
        out += usize(0)  # extra build dependencies
    if key >= (0, 8, 6):
        pairs = sorted((variables or {}).items())
        listed = usize(len(pairs)) + b"".join(string(name) + string(value) for name, value in pairs)
        out += listed if key >= _VARIABLES_PLAIN else option(listed if pairs else None)
    return digest_bytes(out)


# All forms at once.

_ERAS = (("..0.1.31", "0.1.31"), ("0.1.32..0.5.26", "0.5.26"), ("0.5.27..", "0.5.27"))
_SHA = re.compile(r"[0-9a-f]{40}\Z")


def _filings(text: str) -> dict[str, bytes]:
    """The rule and the bytes hashed, for every rule that applies to this URL or absolute path."""
    url = text
    out: dict[str, bytes] = {}
    if text.startswith(("/", "\\\\")) or _DRIVE.match(text):
        url = path_url(text)
        if text.startswith("/"):
            out["path as of a script or environment, 0.4.8.."] = path_new(text)
            out["path as of a script or environment, ..0.4.7"] = path_old(text)
            out["interpreter, ..0.1.31"] = usize(len(_utf8(text))) + _utf8(text)
            out["interpreter that is no link, 0.7.18..0.12.3"] = path_new(text) * 2
            out["interpreter that is no link, 0.12.4.."] = path_new(text) * 2 + usize(0) * 2
    parsed = _parse(url)
    if parsed is None:
        return out
    # The newest rules go first: where two give one digest, the newer names it.
    for era, release in reversed(_ERAS):
        out[f"canonical URL, {era}"] = string(canonical_url(url, release))
    out["URL as written"] = string(url)
    out["URL as parsed"] = string(str(parsed))
    if not url.endswith("/") and not parsed.query and not parsed.fragment:
        out["URL as written, with a slash"] = string(url + "/")  # find-links, as people also write it
    bare = url.removeprefix("git+")
    for era, release in reversed(_ERAS):
        out[f"Git repository, {era}"] = string(repository_url(bare, release))
        # A ref is dropped only while the scheme still says `git+`; then the scheme goes, too.
        repository = repository_url("git+" + bare, release)[4:]
        out[f"Git repository without ref, {era}"] = string(repository)
    newest = repository_url("git+" + bare, "0.5.27")[4:]
    out["Git checkout, 0.13.9.."] = string(newest) + b"\x00"
    out["Git checkout with LFS, 0.9.15.."] = string(newest) + b"\x01"
    for name, requested in _git_requests(bare):
        for era, release in reversed(_ERAS):
            out[f"Git source {name}, {era}"] = string(canonical_url(requested, release))
    return out


def _git_requests(url: str) -> list[tuple[str, str]]:
    """What a Git source of a lockfile (`URL?rev=X&subdirectory=S#SHA`) or a requirement is requested as."""
    base, _, fragment = url.partition("#")
    base, _, query = base.partition("?")
    wanted = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    tail = f"#subdirectory={wanted['subdirectory']}" if wanted.get("subdirectory") else ""
    out = [("as written", "git+" + url)]
    if _SHA.match(fragment):
        out.append(("at its commit", f"git+{base}@{fragment}{tail}"))
    refs = ((key, wanted.get(key)) for key in ("rev", "tag", "branch"))
    out.extend((f"at its {key}", f"git+{base}@{ref}{tail}") for key, ref in refs if ref)
    return out


def candidates(text: str) -> dict[str, str]:
    """Every digest under which any release may have filed this URL or absolute path, and by which rule.

    `text` is taken as written in a pyproject.toml, a lockfile, a log line or a setting. What is neither a URL
    nor an absolute path gives nothing.
    """
    out: dict[str, str] = {}
    for rule, data in _filings(text).items():
        out.setdefault(digest_bytes(data), rule)
    return out


def rekey(before: Iterable[str], edit: Callable[[str], str]) -> dict[str, str]:
    """The digests that `edit` changes: old to new, for every text and every rule.

    Each text is edited as a whole, then filed by the same rule as before. Unchanged digests are left out.
    """
    out: dict[str, str] = {}
    for text in before:
        after = edit(text)
        if after == text:
            continue
        old, new = _filings(text), _filings(after)
        for rule, data in old.items():
            if rule in new and data != new[rule]:
                out.setdefault(digest_bytes(data), digest_bytes(new[rule]))
    return out
