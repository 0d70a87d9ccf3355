"""The build backend that uv used, as wheels that a replay can build with: packed again from the cache, or found beside.

Without them a build cannot be made to fail again: a replay has no network, and the cache of another release has
nothing that this one reads. A wheel is the same for every release.
"""

from __future__ import annotations

import io
import os
import re
import stat
import time
import zipfile
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from uvreport.bundle import Gap, Member
from uvreport.cache import buckets
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    at,
    facts,
    names_in,
    paths_of,
    read,
    reason,
    state,
    strings,
    tables,
    within,
)
from uvreport.collectors.sources import declaring, find_links, path_sources
from uvreport.hollow import normalized

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where they go in the bundle; `uvreport.sandbox` lets uv look there, and `redact.public` lets through what is public.
FOLDER = "home/.uvreport/wheels"

# Of all of them together, unpacked: with what else there is it must fit into a file of 24 MB.
LIMIT_BYTES = 16_000_000
MAX_FILES = 8_000
LOOK_LIMIT_S = 2.0
MAX_REQUIREMENTS = 60

# uv says what it puts into the environment of a build: "Installing in a==1, b==2 in /.../builds-v0/.tmpX" up to 0.11,
# with backticks from 0.12 on.
_INSTALLING = re.compile(r"\bInstalling (?:in )?(`?[\w.-]+==[^\n]+?) in `?[^`\n]*builds-v\d")
_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # zip has no time before

# What no build asks for: a third of setuptools.
_NOT_TO_BUILD = re.compile(r"\.pyc$|\.exe$|/tests/")

# What is packed inside a wheel once more. Redaction has to look into everything, and a test's broken archive, as some
# backends have, would cost the whole report.
_PACKED = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07", b"!<arch>\n", b"\xed\xab\xee\xdb", b"MSCF", b"xar!", b"\x04\x22\x4d\x18", b"LZIP", b"\x1f\x9d",
)  # fmt: skip


class Requirement(Struct, frozen=True, order=True):
    """A package in a build environment: its normalised name and its version, "" where that was not told."""

    name: str
    version: str


class Archive(Struct, frozen=True, order=True):
    """An unpacked wheel in the cache: when it was put there, its version, its path. The newest is the largest."""

    time_ns: int
    version: str
    path: str


def collect(scene: Scene) -> Findings:
    # Where an entry of the cache is at fault, uv fails in reading it, and no build is needed to see that.
    at_fault = (scene.culprits or scene.missing) and scene.failure.class_ != "build"
    waiting = [] if at_fault else requirements(scene)
    if not waiting:
        return Findings()
    archives = _in_cache(scene)
    links = _in_find_links(scene)
    members: list[Member] = []
    gaps: list[Gap] = []
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    left = LIMIT_BYTES
    while waiting and len(seen) < MAX_REQUIREMENTS:
        want = waiting.pop(0)
        if want.name in seen:
            continue
        seen.add(want.name)
        beside = [path for path in links if _is_wheel_of(paths_of(scene).basename(path), want)]
        unpacked = [one for one in archives.get(want.name, ()) if want.version in ("", one.version)]
        what = f"the build requirement {want.name} {want.version}".rstrip()
        row: dict[str, Any] = {"name": want.name, "version": want.version, "member": None}
        rows.append(row)
        if not unpacked and not beside:
            gaps.append(Gap(what=what, why="neither in the cache nor in a folder of find-links"))
            continue
        try:
            # What the cache has first: that is what uv used, and it can be the fault.
            files, left_out = (
                unpacked_files(scene, max(unpacked).path, left)
                if unpacked
                else packed_files(scene, beside[0], left)
            )
            name = wheel_name(files)
        except TooLargeError:
            gaps.append(Gap(what=what, why=f"with it there would be more than {LIMIT_BYTES // 10**6} MB"))
            continue
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            gaps.append(Gap(what=what, why=reason(error)))
            continue
        left -= sum(len(data) for data, _ in files.values())
        member = Member(path=f"{FOLDER}/{name}", data=zipped(files))
        members.append(member)
        row |= {
            "version": name.split("-")[1],
            "member": member.path,
            "from": "archive" if unpacked else "find-links",
            "files": len(files),
            "left_out": left_out,
            "size_bytes": len(member.data),
        }
        if not want.version:
            waiting += [Requirement(name, "") for name in _asked_for(files)]
    return Findings(members=(facts("backend", rows), *members), gaps=tuple(gaps))


# What was used


def requirements(scene: Scene) -> list[Requirement]:
    """The packages that uv installed to build with in this run, or, where its output does not say, those declared.

    None where nothing was built.
    """
    said = {
        Requirement(normalized(name), version)
        for match in _INSTALLING.finditer(scene.run.stderr)
        for name, version in _PINNED.findall(match[1])
    }
    if said or scene.failure.class_ != "build" or scene.run.how != "log":
        return sorted(said)
    return sorted(Requirement(name, "") for name in _declared(scene))


def _declared(scene: Scene) -> set[str]:
    """What the sources of this run say that they are built with; setuptools where they do not say."""
    files = declaring(scene)
    documents = {file.folder: file.document for file in files}
    for local in (local for file in files for local in path_sources(scene, file)):
        documents.setdefault(local.path, {})
    found: set[str] = set()
    for document in documents.values():
        system = tables(within(document, "build-system"))
        for line in strings(system.get("requires")) if system else ["setuptools"]:
            if name := re.match(r"\s*([A-Za-z0-9][\w.-]*)", line):
                found.add(normalized(name[1]))
    return found


# Where it is


def _in_cache(scene: Scene) -> dict[str, list[Archive]]:
    """The unpacked wheels of the cache by the normalised name of their package."""
    root = scene.places.cache
    join = paths_of(scene).join
    found: dict[str, list[Archive]] = {}
    until = time.monotonic() + LOOK_LIMIT_S
    for bucket in (name for name in names_in(scene, root) if buckets.kind_of(name) == "archive"):
        for archive in names_in(scene, join(root, bucket)):
            if time.monotonic() > until:
                break
            folder = join(root, bucket, archive)
            what = state(scene, folder, follow=False)
            if what is None or not stat.S_ISDIR(what.st_mode):
                continue
            for info in names_in(scene, folder):
                name, _, version = info.removesuffix(".dist-info").rpartition("-")
                if info.endswith(".dist-info") and name:
                    found.setdefault(normalized(name), []).append(Archive(what.st_mtime_ns, version, folder))
    return found


def _in_find_links(scene: Scene) -> list[str]:
    """The wheels that lie in folders of find-links."""
    join = paths_of(scene).join
    return [
        join(link.path, name)
        for link in find_links(scene)
        for name in names_in(scene, link.path)
        if name.lower().endswith(".whl")
    ]


def _is_wheel_of(name: str, want: Requirement) -> bool:
    parts = name.removesuffix(".whl").split("-")
    return len(parts) >= 5 and normalized(parts[0]) == want.name and want.version in ("", parts[1])


# The wheel


class TooLargeError(Exception):
    """There is more of it than may go in."""


Files = dict[str, "tuple[bytes, bool]"]


def unpacked_files(scene: Scene, folder: str, most_bytes: int) -> tuple[Files, list[str]]:
    """What is in an unpacked archive, each file with whether it is a program, and what was left out.

    Raises OSError, and TooLargeError.
    """
    found: Files = {}
    left_out: list[str] = []
    for relative in _walked(scene, folder, ""):
        path = paths_of(scene).join(folder, *relative.split("/"))
        what = state(scene, path, follow=False)
        if what is None or not stat.S_ISREG(what.st_mode):
            left_out.append(relative)
            continue
        if what.st_size > most_bytes or len(found) >= MAX_FILES:
            raise TooLargeError
        data = read(scene, path, limit_bytes=most_bytes)
        most_bytes -= len(data)
        _take(found, left_out, relative, data, program=bool(what.st_mode & 0o100))
    return found, left_out


def _walked(scene: Scene, folder: str, relative: str) -> Iterator[str]:
    with os.scandir(at(scene, folder)) as entries:
        here = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_dir in here:
        path = f"{relative}/{name}" if relative else name
        if is_dir:
            yield from _walked(scene, paths_of(scene).join(folder, name), path)
        else:
            yield path


def packed_files(scene: Scene, path: str, most_bytes: int) -> tuple[Files, list[str]]:
    """The same of a wheel. Raises OSError, BadZipFile, ValueError and TooLargeError."""
    found: Files = {}
    left_out: list[str] = []
    with zipfile.ZipFile(at(scene, path)) as packed:
        infos = [info for info in packed.infolist() if not info.is_dir()]
        if sum(info.file_size for info in infos) > most_bytes or len(infos) > MAX_FILES:
            raise TooLargeError
        for info in infos:
            try:
                with packed.open(info) as file:
                    data = file.read(most_bytes + 1)
            except (NotImplementedError, RuntimeError) as error:  # another compression, a password
                raise ValueError(str(error)) from error
            most_bytes -= len(data)
            if most_bytes < 0:
                raise TooLargeError
            _take(found, left_out, info.filename, data, program=bool(info.external_attr >> 16 & 0o100))
    return found, left_out


def _take(found: Files, left_out: list[str], relative: str, data: bytes, *, program: bool) -> None:
    if _NOT_TO_BUILD.search(relative) or data.startswith(_PACKED) or data[257:262] == b"ustar":
        left_out.append(relative)
    else:
        found[relative] = (data, program)


def wheel_name(files: Files) -> str:
    """The file name of the wheel that these files are, by its metadata. Raises ValueError when that does not tell."""
    (info, *more) = {path.partition("/")[0] for path in files if re.match(r"[^/]+\.dist-info/", path)} or {""}
    tags = re.findall(
        r"(?m)^Tag:[ \t]*([\w.]+)-([\w.]+)-([\w.]+)[ \t]*\r?$",
        files.get(f"{info}/WHEEL", (b"", False))[0].decode("utf-8", "replace"),
    )
    stem = info.removesuffix(".dist-info")
    if more or not tags or not re.fullmatch(r"[\w.]+-[\w.!+]+", stem):
        raise ValueError("its metadata does not say what wheel it is")
    columns = [".".join(dict.fromkeys(column)) for column in zip(*tags, strict=True)]
    return "-".join([stem, *columns]) + ".whl"


def _asked_for(files: Files) -> list[str]:
    """The normalised names of the packages that these files ask for, those of extras left out."""
    said = [data for path, (data, _) in files.items() if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)]
    lines = re.findall(
        r"(?m)^Requires-Dist:[ \t]*([\w.-]+)(.*)$", b"\n".join(said).decode("utf-8", "replace")
    )
    return [normalized(name) for name, rest in lines if "extra ==" not in rest]


def zipped(files: Files) -> bytes:
    """The wheel: the same bytes for the same files. What RECORD says stays, also where it is wrong."""
    out = io.BytesIO()
    # Stored: what deflate makes of the same bytes depends on the zlib at hand, and the evidence is compressed as a whole.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as packed:
        # The metadata at the end, as the specification of wheels advises.
        for path in sorted(files, key=lambda path: (bool(re.match(r"[^/]+\.dist-info/", path)), path)):
            data, program = files[path]
            info = zipfile.ZipInfo(path, _EARLIEST)
            info.create_system = 3
            info.external_attr = (0o100755 if program else 0o100644) << 16
            packed.writestr(info, data)
    return out.getvalue()


COLLECTOR = Collector(
    name="backend",
    what="where something was built: the build backend that uv used, as wheels",
    collect=collect,
)
