"""What uv says of METADATA, WHEEL and RECORD when it installs an unpacked wheel, "" where it takes them.

Measured on releases from 0.4.11 to 0.13.9. All three are read when a wheel is installed, in this order; nothing but
RECORD's own form is looked at there, so a RECORD without a line in it installs.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from uvreport.cache import shapes
from uvreport.cache.buckets import version_key

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = ("METADATA", "WHEEL", "RECORD")
_WHEEL_VERSION = re.compile(r"(\d+)\.(\d+)\Z", re.ASCII)


def complaint(file: str, data: bytes, dist_info: str, release: str) -> str:
    """The last cause that `release` prints for that content of a file of `dist_info`, "" when it installs."""
    if file == "METADATA":
        return _metadata(data, dist_info, release)
    return _wheel(data) if file == "WHEEL" else record_complaint(data)


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw in io.BytesIO(data):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:  # what follows is a description, which can be long
            break
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _metadata(data: bytes, dist_info: str, release: str) -> str:
    headers = _headers(data)
    field = "Metadata field" if _since(release, "0.4.13") else "metadata field"
    if not _since(release, "0.6.0"):
        stated = headers.get("metadata-version")
        if stated is None:
            return f"The wheel is invalid: {field} Metadata-Version not found"
        parsed = _WHEEL_VERSION.match(stated)
        if parsed is None or int(parsed[1]) > 2:
            return f"The wheel is invalid: Invalid `Metadata-Version` field: {stated}"
    for wanted in ("Name", "Version"):
        if wanted.lower() not in headers:
            return f"The wheel is invalid: {field} {wanted} not found"
    problem = shapes.bad_name(headers["name"]) or shapes.bad_version(headers["version"])
    if problem:
        return problem
    name, _, version = dist_info.removesuffix(".dist-info").partition("-")
    # The sentence around the two was changed once; they stood in all that were seen.
    if _normal(headers["name"]) != _normal(name):
        return f"{_normal(headers['name'])} != {_normal(name)}"
    if _plain(headers["version"]) != _plain(version):
        return f"{headers['version']} != {version}"
    return ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plain(version: str) -> str:
    """Enough of PEP 440's normal form to tell two spellings of one version from two versions."""
    text = re.sub(r"[-_]", ".", version.strip().lower().removeprefix("v"))
    release, _, rest = re.sub(
        r"(\d)\.?(a|b|rc|c|alpha|beta|pre|preview|post|dev)", r"\1 \2", text, count=1
    ).partition(" ")
    head, _, local = release.partition("+")
    numbers = [part.lstrip("0") or "0" for part in head.split(".")]
    while len(numbers) > 1 and numbers[-1] == "0":
        numbers.pop()
    short = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
    rest = re.sub(r"alpha|beta|preview|pre|(?<!r)c", lambda found: short[found[0]], rest).replace(".", "")
    return ".".join(numbers) + rest + local


def _wheel(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "stream did not contain valid UTF-8"
    stated = _headers(data).get("wheel-version")
    parsed = _WHEEL_VERSION.match(stated or "")
    if parsed is None:
        return (
            "Invalid Wheel-Version in"  # `WHEEL file` follows, in backticks in the newest, and what was found
        )
    if parsed[1] != "1":
        return f"Unsupported wheel major version (expected 1, got {parsed[1]})"
    return ""


def record_complaint(data: bytes) -> str:
    """What a RECORD with that content makes every release say, "" when it can be read."""
    previous = 0
    for number, (line, byte, raw) in enumerate(_records(data)):
        where = f"record {number} (line: {line}, byte: {byte})"
        if number and len(raw) != previous:
            return f"CSV error: {where}: found record with {len(raw)} fields, but the previous record has {previous} fields"
        previous = len(raw)
        for at, field in enumerate(raw):
            try:
                field.encode("latin-1").decode("utf-8")
            except UnicodeDecodeError as error:
                return (
                    f"CSV parse error: record {number} (line {line}, field: {at}, byte: {byte}): "
                    f"invalid utf-8: invalid UTF-8 in field {at} near byte index {error.start}"
                )
        if len(raw) < 3:
            return f"CSV deserialize error: {where}: invalid length {len(raw)}, expected struct RecordEntry with 3 elements"
        if raw[2] and not re.fullmatch(r"\+?\d{1,20}", raw[2], re.ASCII):
            return f"CSV deserialize error: {where}: field 2: invalid digit found in string"
    return ""


def _records(data: bytes) -> Iterator[tuple[int, int, list[str]]]:
    """Line, byte and fields of every record; fields are bytes as Latin-1."""
    text = data.decode("latin-1")
    if '"' not in text:
        byte = 0
        for line, row in enumerate(text.split("\n"), 1):
            if row.removesuffix("\r"):
                yield line, byte, row.removesuffix("\r").split(",")
            byte += len(row) + 1
        return
    lines = io.StringIO(text, newline="").readlines()
    starts = [0]
    for row in lines:
        starts.append(starts[-1] + len(row))
    reader = csv.reader(lines)
    begin = 0
    for fields in reader:
        if fields:
            yield begin + 1, starts[begin], fields
        begin = reader.line_num


def _since(release: str, first: str) -> bool:
    return version_key(release) >= version_key(first)
