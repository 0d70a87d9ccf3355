"""Known values in every spelling in which they may stand, as needles to look for."""

from __future__ import annotations

import base64
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from uvreport.redact import names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from uvreport.redact.known import Known

# Below these lengths a value is looked for as a whole word only, or not at all: `ci` is in every second line.
WORD_LEAST = 3
ENCODED_LEAST = 4


class Needle(NamedTuple):
    """Bytes to look for in lower-cased text.

    `edge` says what must not stand beside it: "word" (a letter or digit), "path" (what would continue a file
    name), "host" (what would make it another host), "" (nothing). A `grow` needle takes the whole run of that
    alphabet around it (a base64 text that holds the value). The first `skip` bytes only say where, and stay.
    """

    literal: bytes
    kind: str
    key: bytes
    edge: str
    grow: str = ""
    placeholder: str = ""
    skip: int = 0


def needles(known: Known) -> tuple[Needle, ...]:
    """All needles of what is known, the ones that say most first."""
    found: dict[tuple[bytes, str, str], Needle] = {}
    for needle in _all(known):
        if needle.literal:
            found.setdefault((needle.literal, needle.edge, needle.grow), needle)
    return tuple(found.values())


def _all(known: Known) -> Iterator[Needle]:
    for old, new in known.digests:
        yield Needle(old.lower().encode(), "digest", old.encode(), "word", placeholder=new)
    for name, becomes in known.packages:
        for joint in ("-", "_", "."):
            yield Needle(
                name.replace("-", joint).encode(),
                "package",
                name.encode(),
                "word",
                placeholder=becomes.replace("-", joint),
            )
    for reference, becomes in known.relative:
        yield Needle(reference.lower().encode(), "path", reference.encode(), "relative", placeholder=becomes)
    for path, canonical in known.prefixes:
        yield from _path(path, canonical)
    for value in known.secrets:
        yield from _plain("secret", value, "word" if len(value) < 8 and value.isalnum() else "")
    for value in known.accounts:
        yield from _plain("account", value, "word")
    for value in known.emails:
        yield from _plain("email", value, "word")
    for value in known.full_names:
        yield from _name(value)
    for host in dict.fromkeys((known.hostname, *known.hosts, *known.indexes)):
        yield from _host(host)
    for domain in known.domains:
        yield from _host(domain.lstrip("."), domain=True)
    for org in known.orgs:
        yield from _plain("org", org, "word")
    for user in known.users:
        yield from _user(user)


def _forms(value: str) -> set[bytes]:
    """A text in lower case as UTF-8, composed and decomposed, as Latin-1, and with its upper case folded back."""
    forms = set()
    for text in (value, value.upper(), value.lower(), value.title()):
        for shape in ("NFC", "NFD"):
            shaped = unicodedata.normalize(shape, text)
            forms.add(shaped.encode("utf-8", "surrogateescape").lower())
    if not value.isascii():
        for text in (value, value.upper()):
            for codec in ("latin-1", "cp1252"):
                try:
                    forms.add(text.encode(codec).lower())
                except UnicodeEncodeError:
                    continue
    return forms


def _plain(kind: str, value: str, edge: str, key: str = "") -> Iterator[Needle]:
    """The needles of one value: as it is, in UTF-16, in hex and in base64."""
    name = (key or value).encode("utf-8", "surrogateescape")
    for form in _forms(value):
        yield Needle(form, kind, name, edge)
    if " " in value:
        for joint in ("+", "\\ "):
            yield Needle(
                value.replace(" ", joint).encode("utf-8", "surrogateescape").lower(), kind, name, edge
            )
    if len(value.encode("utf-8", "surrogateescape")) < ENCODED_LEAST:
        return
    for codec in ("utf-16-le", "utf-16-be"):
        yield Needle(value.encode(codec, "surrogatepass").lower(), kind, name, "")
    for text in dict.fromkeys((value, value.lower(), value.upper())):
        data = text.encode("utf-8", "surrogateescape")
        yield Needle(data.hex().encode(), "secret", name, "", "hex")
        for shifted in base64_cores(data):
            yield Needle(shifted.lower(), "secret", data, "", "base64")


def base64_cores(data: bytes) -> Iterator[bytes]:
    """The characters that every base64 text holding `data` has, one for each alignment, in both alphabets."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data)
        first = (shift * 8 + 5) // 6
        last = (shift + len(data)) * 8 // 6
        core = encoded[first:last]
        if len(core) >= 4:
            yield core
            other = core.replace(b"+", b"-").replace(b"/", b"_")
            if other != core:
                yield other


def _name(value: str) -> Iterator[Needle]:
    yield from _plain("name", value, "word")
    parts = value.split()
    if len(parts) >= 2:
        for spelled in (
            f"{parts[-1]}, {' '.join(parts[:-1])}",
            *(joint.join(parts) for joint in (".", "_", "-")),
            *(() if len(parts[-1]) < 4 else (f"{parts[0][0]}. {parts[-1]}", f"{parts[-1]}, {parts[0][0]}.")),
        ):
            yield from (n for n in _plain("name", spelled, "word", key=value) if not n.grow)


def _user(value: str) -> Iterator[Needle]:
    if names.is_generic_user(value):
        return
    weak = len(value) < WORD_LEAST or value.casefold() in names.COMMON_WORDS
    if weak:
        for lead in ("home/", "users/", "home\\", "users\\", "user=", "logname=", "username=", "uid="):
            yield Needle((lead + value.lower()).encode(), "user", value.encode(), "path", skip=len(lead))
        return
    yield from _plain("user", value, "word")
    if len(value) > 8 or not value.isalnum():
        stem = "".join(c for c in value.rpartition(".")[0] or value if c.isascii() and c.isalnum())[:6]
        if len(stem) >= 2:
            # The 8.3 name that Windows gives to a long or odd one.
            for number in "123":
                yield Needle(f"{stem}~{number}".lower().encode(), "user", value.encode(), "word")


def _host(value: str, *, domain: bool = False) -> Iterator[Needle]:
    if names.is_public_host(value) or names.is_generic_user(value) or len(value) < WORD_LEAST:
        return
    if "." not in value and value.casefold() in names.COMMON_WORDS:
        return
    edge = "domain" if domain else "host"
    try:
        ascii_form = value.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_form = value
    yield from _plain("host", value, edge)
    if ascii_form != value:
        yield from _plain("host", ascii_form, edge, key=value)


def _path(path: str, canonical: str) -> Iterator[Needle]:
    key = path.encode("utf-8", "surrogateescape")
    spelled = {path}
    windows = len(path) > 2 and path[1] == ":"
    if windows:
        slashed = path.replace("\\", "/")
        drive, rest = slashed[0], slashed[2:]
        spelled |= {
            slashed,
            f"/{drive}{rest}",
            f"/mnt/{drive}{rest}",
            f"/cygdrive/{drive}{rest}",
            path.replace("/", "\\"),
        }
    for text in spelled:
        becomes = canonical
        if windows and "\\" not in text:
            becomes = canonical.replace("\\", "/")
        # `/root` and `/app` also end other paths; longer ones are themselves wherever they stand.
        edge = "path" if text.count("/") + text.count("\\") > 1 else "whole-path"
        for form in _forms(text):
            yield Needle(form, "path", key, edge, placeholder=becomes)
        for codec in ("utf-16-le", "utf-16-be"):
            yield Needle(text.encode(codec, "surrogatepass").lower(), "path16", key, "", placeholder=becomes)
