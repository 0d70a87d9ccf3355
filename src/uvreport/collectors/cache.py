"""The cache: where it is and on what, who has written to it, and the entries at fault, raw and decoded."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from uvreport import hollow
from uvreport import relations as believed
from uvreport import uv as door
from uvreport.bundle import Gap, Member, Relation
from uvreport.cache import buckets, examine
from uvreport.cache.mixture import mixed_around
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    at,
    dicts,
    facts,
    link_chain,
    names_in,
    paths_of,
    read,
    reason,
    release_of,
    state,
    table,
    tables,
    text,
    unique,
)
from uvreport.collectors.project import hash_changes, hollow_archives
from uvreport.collectors.settings import discover, flags, workspace_root
from uvreport.collectors.sources import declaring, find_links, named_locals, path_sources
from uvreport.collectors.system import synced_by

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LIMIT_BYTES = 5_000_000
MAX_MEMBERS = 3_000
MAX_EXAMINED = 300

# An archive at fault is taken whole up to these; of a larger one, its metadata and the names.
ARCHIVE_LIMIT_BYTES = 1_000_000
MAX_IN_ARCHIVE = 500
MAX_NAMES_IN_ARCHIVE = 2_000
MAX_WALKED_IN_ARCHIVE = 20_000

FURNITURE = ("CACHEDIR.TAG", ".gitignore", ".lock")
SDIST_ENDINGS = (".tar.gz", ".zip", ".tgz")

BUCKET_FURNITURE = (".git", ".gitignore")

# The entries that hold digests of archives.
POINTERS = (".rev", ".http", "hashes.msgpack")
_DIGEST = re.compile(rb"[0-9a-f]{64}")

NETWORK_FILESYSTEMS = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "9p", "ceph", "fuse.ceph", "fuse.sshfs",
    "fuse.glusterfs", "glusterfs", "lustre", "gpfs", "beegfs", "afs", "webdav", "fuse.davfs",
    "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "virtiofs", "vboxsf", "fuse.vmhgfs-fuse", "prl_fs",
    "ncpfs",
})  # fmt: skip

_LINE_OF_MOUNT = re.compile(r"\bon (?P<point>/.*?) \((?P<type>\w+)(?:, (?P<options>[^)]*))?\)$")


class Mount(Struct, frozen=True, kw_only=True):
    """The filesystem that a path is on: its type, where it is mounted, how."""

    type: str
    point: str
    options: str


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    root = scene.places.cache
    at_fault = {path: _archive(scene, path) for path in _archives_at_fault(scene)}
    by_name = frozenset(path for found in at_fault.values() for path in found.by_name)
    paths, missing = _wanted(scene, at_fault, gaps)
    members = _taken(scene, paths, by_name, gaps)
    hollowed = _hollow_archives(scene, members, at_fault)
    members = sorted([*members, *hollowed], key=lambda member: member.path)
    members, changes = _with_hashes_of_hollow_ones(scene, members)
    value: dict[str, Any] = {"path": root, "chosen_by": chosen_by(scene)}
    what = state(scene, root)
    if what is None or not stat.S_ISDIR(what.st_mode):
        value["exists"] = what is not None
        value["kind"] = "not a folder" if what else "nothing"
        gaps.append(Gap(what="cache", why="it is not a folder" if what else "there is none"))
    else:
        value |= _about(scene, what, gaps)
    value["archives"] = [_about_archive(path, found, members) for path, found in at_fault.items()]
    value["archives"] += [
        {
            "path": path,
            "taken": "metadata",
            "files": sorted(member.path for member in hollowed if _archive_of(member) == path),
        }
        for path in sorted({_archive_of(member) for member in hollowed})
    ]
    value["hashes_changed"] = changes
    entries = _examined(scene, members, missing)
    found = (facts("cache", value), facts("cache-entries", entries), *members)
    return Findings(members=found, gaps=tuple(gaps))


# The place


def chosen_by(scene: Scene) -> str:
    """Which of uv's ways led to this cache."""
    given = flags(scene)
    off = scene.environ.get("UV_NO_CACHE", "").lower() not in ("", "0", "false", "no", "off")
    if {"--no-cache", "--no-cache-dir", "-n"} & set(given) or off:
        return "no cache was to be used"
    if "--cache-dir" in given:
        return "flag --cache-dir"
    if scene.environ.get("UV_CACHE_DIR"):
        return "variable UV_CACHE_DIR"
    for file in discover(scene):
        if file.used and "cache-dir" in file.document:
            return f"{file.level} file {file.path}"
    paths = paths_of(scene)
    if scene.platform == "darwin" and "/Library/Caches/" in scene.places.cache:
        return "default, the place of old releases"
    if scene.environ.get("XDG_CACHE_HOME") and scene.places.cache == paths.join(
        scene.environ["XDG_CACHE_HOME"], "uv"
    ):
        return "default, by XDG_CACHE_HOME"
    return "default"


def _about(scene: Scene, what: os.stat_result, gaps: list[Gap]) -> dict[str, Any]:
    root = scene.places.cache
    mount = mount_of(scene, root)
    if mount is None:
        gaps.append(Gap(what="the filesystem of the cache", why=f"not known how to ask on {scene.platform}"))
    synced = synced_by(root)
    near = {"venv": scene.places.venv, "project": scene.places.project, "home": scene.places.home}
    found = _buckets(scene)
    given = flags(scene)
    link_mode = given.get("--link-mode") or scene.environ.get("UV_LINK_MODE", "")
    for file in discover(scene):
        link_mode = link_mode or (str(file.document.get("link-mode", "")) if file.used else "")
    return {
        "exists": True,
        "kind": "folder",
        "links": list(link_chain(scene, root)[1:]),
        "mode": f"{stat.S_IMODE(what.st_mode):04o}",
        "ours": what.st_uid == os.geteuid() if hasattr(os, "geteuid") else None,
        "writable": os.access(at(scene, root), os.W_OK | os.X_OK),
        "filesystem": mount,
        "network": mount is not None and mount.type in NETWORK_FILESYSTEMS,
        "synced_by": synced,
        "same_device_as": {name: _same_device(scene, what, path) for name, path in near.items() if path},
        "space": _space(scene, root, gaps),
        "case_sensitive": _case_sensitive(scene, root),
        "link_mode": link_mode or "default",
        "buckets": found,
        "other_entries": [
            n for n in names_in(scene, root) if buckets.kind_of(n) is None and n not in FURNITURE
        ],
        "mixed_writers": _mixed(found, scene.uv.release),
        "mixed_buckets": [
            {
                "bucket": mixture.bucket,
                "ranges": [{"writers": str(o.writers), "entries": o.entries} for o in mixture.writings],
            }
            for mixture in mixed_around(at(scene, root), [culprit.path for culprit in scene.culprits])
        ],
        "root_lock": state(scene, paths_of(scene).join(root, ".lock")) is not None,
    }


def mount_of(scene: Scene, path: str) -> Mount | None:
    """The filesystem that holds `path`, None where nobody here says."""
    if scene.platform.startswith("linux"):
        real = path if scene.root else os.path.realpath(path)
        return _innermost(real, _mounts_linux(text(scene, "/proc/self/mountinfo")))
    if scene.platform == "darwin":
        try:
            said = (
                door.run(["/sbin/mount"], cwd="/", env=scene.environ, timeout_s=2).stdout
                if not scene.root
                else ""
            )
        except OSError:
            said = ""
        return _innermost(path, mounts_macos(said or text(scene, "/mount.txt")))
    if sys.platform == "win32":
        return _volume(path)
    return None


def _mounts_linux(said: str) -> list[Mount]:
    found = []
    for line in said.splitlines():
        # 36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue
        before, separator, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if not separator or len(fields) < 6 or not kind:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
        options = ",".join(
            sorted(set(fields[5].split(",")) | set(kind[2].split(",") if len(kind) > 2 else ()))
        )
        # The options of an overlay name all of its layers' places; those are nobody's business.
        options = re.sub(r"(?:^|,)(?:lowerdir|upperdir|workdir)[^=]*=[^,]*", "", options).strip(",")
        found.append(Mount(type=kind[0], point=point, options=options))
    return found


def mounts_macos(said: str) -> list[Mount]:
    """The filesystems in what macOS's `mount` prints."""
    matches = (_LINE_OF_MOUNT.search(line) for line in said.splitlines())
    return [Mount(type=m["type"], point=m["point"], options=m["options"] or "") for m in matches if m]


def _innermost(path: str, mounts: list[Mount]) -> Mount | None:
    holding = [m for m in mounts if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
    # Of two on the same point the later one is on top.
    return max(enumerate(holding), key=lambda pair: (len(pair[1].point), pair[0]))[1] if holding else None


def _volume(path: str) -> Mount | None:
    if sys.platform != "win32":
        return None
    import ctypes

    drive = os.path.splitdrive(os.path.abspath(path))[0] + "\\"
    kind = ctypes.create_unicode_buffer(64)
    ok = ctypes.windll.kernel32.GetVolumeInformationW(drive, None, 0, None, None, None, kind, 64)
    remote = ctypes.windll.kernel32.GetDriveTypeW(drive) == 4
    return Mount(type="smb3" if remote else kind.value, point=drive, options="") if ok else None


def _same_device(scene: Scene, what: os.stat_result, path: str) -> bool | None:
    """Whether hard links from the cache can reach `path`, by its nearest folder that exists."""
    paths = paths_of(scene)
    while (there := state(scene, path)) is None:
        if paths.dirname(path) == path:
            return None
        path = paths.dirname(path)
    return there.st_dev == what.st_dev


def _space(scene: Scene, root: str, gaps: list[Gap]) -> dict[str, Any] | None:
    """Free space in powers of two and tenths, so that another program's file does not change the report."""
    if not hasattr(os, "statvfs"):
        import shutil

        usage = shutil.disk_usage(at(scene, root))
        return {"free": step(usage.free), "free_tenths": 10 * usage.free // max(usage.total, 1)}
    try:
        found = os.statvfs(at(scene, root))
    except OSError as error:
        gaps.append(Gap(what="free space", why=reason(error)))
        return None
    return {
        "free": step(found.f_bavail * found.f_frsize),
        "free_tenths": 10 * found.f_bavail // max(found.f_blocks, 1),
        # Some filesystems make inodes as they go and say 0.
        "inodes_free_tenths": 10 * found.f_favail // found.f_files if found.f_files else None,
    }


def step(size_bytes: int) -> str:
    """A size in words, cut to a power of two: "at least 64 GB"."""
    megabytes = size_bytes // 1_000_000
    if megabytes < 1:
        return "less than 1 MB"
    power = 1 << (megabytes.bit_length() - 1)
    return f"at least {power // 1024} GB" if power >= 1024 else f"at least {power} MB"


def _case_sensitive(scene: Scene, root: str) -> bool | None:
    """Whether `A` and `a` are two names there, by a name that exists: nothing is written to find out."""
    paths = paths_of(scene)
    for name in names_in(scene, root):
        if name.swapcase() == name:
            continue
        one, other = state(scene, paths.join(root, name)), state(scene, paths.join(root, name.swapcase()))
        return other is None or one is None or (one.st_ino, one.st_dev) != (other.st_ino, other.st_dev)
    return None


def _buckets(scene: Scene) -> list[dict[str, Any]]:
    found = []
    release = scene.uv.release if release_of(scene.uv.release) else ""
    for name in names_in(scene, scene.places.cache):
        kind = buckets.kind_of(name)
        if kind is None:
            continue
        span = buckets.releases_of(name)
        found.append(
            {
                "name": name,
                "kind": kind,
                "releases": str(span) if span else "unknown to this uvreport",
                "used_by_this_release": release in span if span and release else None,
                "entries": len(names_in(scene, paths_of(scene).join(scene.places.cache, name))),
            }
        )
    return found


def _mixed(found: list[dict[str, Any]], release: str) -> dict[str, list[str]]:
    """The kinds of which more than one generation is there, and the buckets of others."""
    kinds: dict[str, list[str]] = {}
    for bucket in found:
        kinds.setdefault(bucket["kind"], []).append(bucket["name"])
    return {
        "generations": sorted(name for names in kinds.values() if len(names) > 1 for name in names),
        "of_other_releases": [b["name"] for b in found if b["used_by_this_release"] is False]
        if release
        else [],
    }


# The entries


class Archive(Struct, frozen=True, kw_only=True):
    """What is taken of an archive at fault: all paths in it, cache-relative, and which of them by name only."""

    paths: tuple[str, ...]
    by_name: frozenset[str]
    whole: bool
    left_out: int


def _archives_at_fault(scene: Scene) -> list[str]:
    """The archives that hold a culprit, or lack a file whose absence is at fault; cache-relative, sorted."""
    found = set()
    for path in (*(culprit.path for culprit in scene.culprits), *scene.missing):
        parts = path.split("/")
        if len(parts) > 1 and buckets.kind_of(parts[0]) == "archive":
            found.add("/".join(parts[:2]))
    return sorted(found)


def _archive(scene: Scene, path: str) -> Archive:
    """All of a small archive; of a large one all names, with content only what its dist-info folder holds.

    What is not text goes in by name only even so: redaction has to look into everything that goes in with content.
    """
    # Its metadata first, however much else there is.
    tops = sorted(
        (f"{path}/{name}" for name in names_in(scene, _in_cache(scene, path))),
        key=lambda top: not _is_metadata(top),
    )
    paths: list[str] = []
    for top in tops:
        paths += _tree(scene, top, max(MAX_WALKED_IN_ARCHIVE - len(paths), 1))
    left_out = len(paths) - MAX_NAMES_IN_ARCHIVE
    paths = paths[:MAX_NAMES_IN_ARCHIVE]
    states = {found: state(scene, _in_cache(scene, found), follow=False) for found in paths}
    sizes = {found: what.st_size for found, what in states.items() if what and stat.S_ISREG(what.st_mode)}
    whole = len(sizes) <= MAX_IN_ARCHIVE and sum(sizes.values()) <= ARCHIVE_LIMIT_BYTES and left_out <= 0
    by_name = {
        found for found in sizes if not _is_metadata(found) and not (whole and _reads_as_text(scene, found))
    }
    return Archive(paths=(path, *paths), by_name=frozenset(by_name), whole=whole, left_out=max(left_out, 0))


def _hollow_archives(scene: Scene, members: list[Member], at_fault: Collection[str]) -> list[Member]:
    """The metadata of every archive that a taken entry leads to, with a RECORD of just that.

    A release that gets past the entry at fault links the archive: of an empty folder it would say another failure.
    """
    there = {member.path for member in members}
    found: list[Member] = []
    for member in members:
        path = member.path.removeprefix("cache/")
        if member.kind != "dir" or path.count("/") != 1 or path in at_fault or _archive_of(member) != path:
            continue
        files: dict[str, bytes] = {}
        for info in names_in(scene, _in_cache(scene, path)):
            for name in (
                names_in(scene, _in_cache(scene, f"{path}/{info}")) if info.endswith(".dist-info") else ()
            ):
                with contextlib.suppress(OSError):
                    data = read(
                        scene, _in_cache(scene, f"{path}/{info}/{name}"), limit_bytes=ARCHIVE_LIMIT_BYTES
                    )
                    files[f"{info}/{name}"] = data
        for name, data in hollow.unpacked(files).items():
            if f"{member.path}/{name}" not in there:
                found.append(Member(path=f"{member.path}/{name}", data=data, mtime_ns=member.mtime_ns))
    return found


def _archive_of(member: Member) -> str:
    """The archive that a member is or is in, cache-relative; "" for one that is elsewhere."""
    parts = member.path.split("/")[1:3]
    return "/".join(parts) if len(parts) == 2 and buckets.kind_of(parts[0]) == "archive" else ""


def _is_metadata(path: str) -> bool:
    return any(part.endswith(".dist-info") for part in path.split("/")[2:3])


def _reads_as_text(scene: Scene, path: str) -> bool:
    try:
        return "\0" not in read(scene, _in_cache(scene, path), limit_bytes=ARCHIVE_LIMIT_BYTES).decode(
            "utf-8"
        )
    except (OSError, UnicodeDecodeError):
        return False


def _about_archive(path: str, found: Archive, members: list[Member]) -> dict[str, Any]:
    taken = {member.path.removeprefix("cache/") for member in members}
    named = found.by_name & taken
    return {
        "path": path,
        "taken": "whole" if found.whole and not named else "in part",
        "by_name_only": sorted(named)[:MAX_IN_ARCHIVE],
        "by_name_only_count": len(named),
        "left_out": found.left_out + len(set(found.paths) - taken),
    }


def _with_hashes_of_hollow_ones(
    scene: Scene, members: list[Member]
) -> tuple[list[Member], list[dict[str, Any]]]:
    """The members with each digest of a local archive replaced by that of the hollow one that goes into the bundle.

    The lockfile in the bundle names the hollow ones, and uv believes an entry only with the digest of the lockfile.
    """
    if not any(_DIGEST.search(member.data) for member in members if member.path.endswith(POINTERS)):
        return members, []
    pairs = hash_changes(hollow_archives(scene, declaring(scene)))
    found, changes = [], []
    for member in members:
        data = member.data
        if member.path.endswith(POINTERS):
            changes += [
                {"member": member.path, "from": old, "to": new} for old, new in pairs if old.encode() in data
            ]
            data = hollow.replaced(data, pairs)
        found.append(replace(member, data=data) if data is not member.data else member)
    return found, changes


def _wanted(scene: Scene, at_fault: dict[str, Archive], gaps: list[Gap]) -> tuple[list[str], list[str]]:
    """The cache-relative paths to take, most important first, and those named that are not there."""
    root = scene.places.cache
    paths = paths_of(scene)
    culprits = [culprit.path for culprit in scene.culprits]
    wanted: dict[str, None] = {}
    for path in culprits:
        # A bucket at fault is so by its mode: everything that was ever put into it is not the evidence. An archive
        # has rules of its own.
        tree = _tree(scene, path, MAX_MEMBERS) if "/" in path and path not in at_fault else [path]
        wanted.update(dict.fromkeys(tree))
    for archive in at_fault.values():
        wanted.update(dict.fromkeys(archive.paths))
    for path in culprits:
        beside = examine.neighbours(at(scene, root), path)
        wanted.update(dict.fromkeys(p for p in sorted(beside) if not _is_code(p)))
    # What the run read of an archive comes last: it is large, and rarely at fault.
    around = sorted(scene.around, key=lambda path: (path.startswith("archive-v"), path))
    wanted.update(dict.fromkeys(around))
    used = {path.split("/")[0] for path in wanted}
    furniture = [*FURNITURE, *(f"{bucket}/{name}" for bucket in sorted(used) for name in BUCKET_FURNITURE)]
    for path in furniture:
        if state(scene, paths.join(root, path)) is not None:
            wanted.setdefault(path, None)
    there = [path for path in wanted if state(scene, _in_cache(scene, path), follow=False) is not None]
    missing = [path for path in culprits if path not in there]
    gaps.extend(Gap(what=f"cache/{path}", why="it is not there") for path in missing)
    return there, missing


def _is_code(path: str) -> bool:
    """Whether an entry is a package itself and not what uv wrote down about it: taken only if it was read."""
    parts = path.split("/")
    return parts[-1].endswith((".whl", *SDIST_ENDINGS)) or "src" in parts[2:]


def _in_cache(scene: Scene, path: str) -> str:
    paths = paths_of(scene)
    return str(paths.join(scene.places.cache, *path.split("/")))


def _tree(scene: Scene, path: str, most: int) -> list[str]:
    """A path and, when it is a folder, all or `most` of what is in it: a folder at fault is so by what it holds."""
    found = [path]
    what = state(scene, _in_cache(scene, path), follow=False)
    if what is not None and stat.S_ISDIR(what.st_mode):
        for name in names_in(scene, _in_cache(scene, path)):
            if len(found) > most:
                break
            found.extend(_tree(scene, f"{path}/{name}", most - len(found)))
    return found


def _taken(scene: Scene, wanted: list[str], by_name: frozenset[str], gaps: list[Gap]) -> list[Member]:
    members: dict[str, Member] = {}
    left, dropped = LIMIT_BYTES, 0
    for path in wanted:
        if len(members) >= MAX_MEMBERS:
            dropped += 1
            continue
        member = _one(scene, path, left, gaps, with_content=path not in by_name)
        if member is None:
            dropped += 1
            continue
        members[path] = member
        left -= len(member.data)
        target = _target_in_cache(scene, path, member)
        there = state(scene, _in_cache(scene, target)) if target and target not in members else None
        if target and there is not None and stat.S_ISDIR(there.st_mode):
            # A link that led somewhere must not lead nowhere elsewhere: that would be another failure.
            members[target] = _folder(target, there)
    if dropped:
        gaps.append(
            Gap(
                what=f"{dropped} cache entries", why=f"more than {LIMIT_BYTES // 10**6} MB, or not to be read"
            )
        )
    for path in list(members):
        for parent in _parents(path):
            what = state(scene, _in_cache(scene, parent))
            if parent not in members and what is not None and stat.S_IMODE(what.st_mode) & 0o700 != 0o700:
                members[parent] = _folder(parent, what)
    return [members[path] for path in sorted(members)]


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _folder(path: str, what: os.stat_result) -> Member:
    return Member(
        path=f"cache/{path}", kind="dir", mode=stat.S_IMODE(what.st_mode), mtime_ns=what.st_mtime_ns
    )


def _one(scene: Scene, path: str, left: int, gaps: list[Gap], *, with_content: bool) -> Member | None:
    here = _in_cache(scene, path)
    what = state(scene, here, follow=False)
    if what is None:
        return None
    mode, time = stat.S_IMODE(what.st_mode), what.st_mtime_ns
    if stat.S_ISLNK(what.st_mode):
        return Member(path=f"cache/{path}", kind="link", target=os.readlink(at(scene, here)), mode=0o777)
    if stat.S_ISDIR(what.st_mode):
        if not os.access(at(scene, here), os.R_OK | os.X_OK):
            gaps.append(Gap(what=f"cache/{path}", why="the folder cannot be listed"))
        return _folder(path, what)
    if not stat.S_ISREG(what.st_mode):
        gaps.append(Gap(what=f"cache/{path}", why="neither file, folder nor link"))
        return None
    if not with_content:
        return Member(path=f"cache/{path}", mode=mode, mtime_ns=time)
    if what.st_size > left:
        return None
    try:
        data = read(scene, here, limit_bytes=LIMIT_BYTES)
    except OSError as error:
        # That it cannot be read is the evidence: it goes in without its content, and with its mode.
        gaps.append(Gap(what=f"the content of cache/{path}", why=reason(error)))
        data = b""
    return Member(path=f"cache/{path}", data=data, mode=mode, mtime_ns=time)


def _target_in_cache(scene: Scene, path: str, member: Member) -> str | None:
    if member.kind != "link":
        return None
    paths = paths_of(scene)
    target = paths.normpath(paths.join(paths.dirname(_in_cache(scene, path)), member.target))
    for root in (scene.places.cache, os.path.realpath(scene.places.cache)):
        if target.startswith(root + paths.sep):
            return str(target[len(root) + 1 :]).replace(paths.sep, "/")
    return None


def _examined(scene: Scene, members: list[Member], missing: list[str]) -> list[Any]:
    """Each entry that was taken, decoded and attributed; archives and the furniture are left out."""
    found: list[Any] = []
    named = {culprit.path for culprit in scene.culprits}
    for path in [*missing, *(member.path.removeprefix("cache/") for member in members)]:
        bucket = path.split("/")[0]
        if path not in named and (
            bucket.startswith("archive-v") or "/" not in path or path.endswith(BUCKET_FURNITURE)
        ):
            continue
        if len(found) < MAX_EXAMINED:
            finding = examine.examine(at(scene, scene.places.cache), path, scene.uv.release)
            entry = msgspec.to_builtins(finding, str_keys=True)
            del entry["spans"]
            found.append({**entry, "culprit": path in named, "writers": str(finding.writers or "")})
    return sorted(found, key=lambda entry: (not entry["culprit"], entry["path"]))


# Times


def relations(scene: Scene, members: Sequence[Member]) -> tuple[tuple[Relation, ...], tuple[Gap, ...]]:
    """How the entries among `members` agree with the times of their local sources, and what cannot be said."""
    if scene.root:  # the files of another system: their times are those of a copy
        return (), ()
    entries = [member.path.removeprefix("cache/") for member in members if member.path.startswith("cache/")]
    return believed.relations(scene.places.cache, entries, scene.places.project, _local_sources(scene))


def _local_sources(scene: Scene) -> list[str]:
    """Every directory and archive of this machine that uv may have built or unpacked, and folders of find-links."""
    paths = paths_of(scene)
    files = declaring(scene)
    root = workspace_root(scene)
    found = [file.folder for file in files]
    found += [local.path for local in named_locals(scene)]
    found += [local.path for file in files for local in path_sources(scene, file)]
    found += [local.path for local in find_links(scene)]
    for package in dicts(table(scene, paths.join(root, "uv.lock")).get("package")):
        source = tables(package.get("source"))
        for kind in ("path", "directory", "editable", "virtual", "registry"):
            where = source.get(kind)
            if isinstance(where, str) and "://" not in where:
                found.append(paths.normpath(paths.join(root, where)))
    return unique(found)


COLLECTOR = Collector(
    name="cache",
    what="location, filesystem and buckets of the cache; the entries at fault, raw and decoded",
    collect=collect,
)
