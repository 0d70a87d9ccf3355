"""The person's files under overlays: uv sees them at their own paths, and what it changes goes elsewhere."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import stat
import tempfile
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace as replace_

from uvreport import isolate, uv
from uvreport.errors import CannotWriteError
from uvreport.isolate import launcher, trees
from uvreport.shadow.trial import Change, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uvreport.bundle import Places

_TMP = "tmp"
TRACED_FILES = 20_000
TRACED_BYTES = 1_000_000


class Layer(Struct, frozen=True, kw_only=True):
    """A directory of the person's at `root`, and where what a run did to it is kept, at `upper`."""

    root: str
    upper: str


class Left(Struct, frozen=True, kw_only=True):
    """What a run left in its overlays. `views` is a folder for lists of directories that lie in both halves."""

    layers: tuple[Layer, ...]
    untouched: Mapping[str, tuple[int, int]]  # copies made to be watched: path in the upper -> inode, mtime
    views: str

    def look(self, path: str) -> str | None:
        """Where what the run left at `path` can be read, None when there is nothing."""
        for _ in range(40):
            found, rest = self._step(path)
            if rest is None:
                return found if found is None else self._whole(path, found)
            path = rest
        return None

    def _whole(self, path: str, found: str) -> str:
        """A directory that is partly in the overlay and partly below it, as links to both; others as they are."""
        layer = self._layer(path)
        if (
            layer is None
            or not trees.within(found, layer.upper)
            or not os.path.isdir(found)
            or os.path.islink(found)
        ):
            return found
        if not os.path.isdir(path) or _is_opaque(found):
            return found
        names = set(os.listdir(found)) | set(os.listdir(path))
        os.makedirs(self.views, exist_ok=True)
        view = tempfile.mkdtemp(dir=self.views)
        for name in names:
            there = self._find(os.path.join(path, name))
            if there is not None:
                os.symlink(there, os.path.join(view, name))
        return view

    def _step(self, path: str) -> tuple[str | None, str | None]:
        """Where `path` is, or, when a link is on the way to it, None and the path that it leads to."""
        parts = [p for p in path.split("/") if p]
        for i in range(1, len(parts)):
            here = "/" + "/".join(parts[:i])
            found = self._find(here)
            if found is None:
                return None, None
            if os.path.islink(found):
                target = os.path.join(os.path.dirname(here), os.readlink(found))
                return None, os.path.normpath(os.path.join(target, *parts[i:]))
        return self._find("/" + "/".join(parts)), None

    def _find(self, path: str) -> str | None:
        layer = max(
            (x for x in self.layers if trees.within(path, x.root)), key=lambda x: len(x.root), default=None
        )
        if layer is None or layer.upper == layer.root:
            return path if os.path.lexists(path) else None
        upper = layer.upper
        for name in ("", *os.path.relpath(path, layer.root).split("/")):
            upper = os.path.join(upper, name) if name not in ("", ".") else upper
            there = _lstat(upper)
            if there is None:
                return path if os.path.lexists(path) else None
            if _is_whiteout(there):
                return None
            if stat.S_ISDIR(there.st_mode) and _is_opaque(upper):
                inside = os.path.join(layer.upper, os.path.relpath(path, layer.root))
                return inside if os.path.lexists(inside) and not _is_whiteout(os.lstat(inside)) else None
            if not stat.S_ISDIR(there.st_mode):
                break
        return upper

    def _layer(self, path: str) -> Layer | None:
        return max(
            (x for x in self.layers if trees.within(path, x.root)), key=lambda x: len(x.root), default=None
        )

    def changed(self) -> dict[str, Change]:
        """What the run created, changed or removed, by absolute path."""
        found: dict[str, Change] = {}
        for layer in self.layers:
            _changes(layer.upper, layer.root, layer.root, self.untouched, found)
        return found


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_whiteout(there: os.stat_result) -> bool:
    return stat.S_ISCHR(there.st_mode) and there.st_rdev == 0


def _is_opaque(path: str) -> bool:
    for name in ("user.overlay.opaque", "trusted.overlay.opaque"):
        with contextlib.suppress(OSError):
            if os.getxattr(path, name) == b"y":
                return True
    return False


def _changes(
    upper: str,
    path: str,
    lower: str | None,
    untouched: Mapping[str, tuple[int, int]],
    found: dict[str, Change],
) -> None:
    """Adds what is in `upper`, which stands for `path`, to `found`. `lower` is None where nothing was."""
    with os.scandir(upper) as entries:
        here = sorted(entries, key=lambda e: e.name)
    for entry in here:
        at = os.path.join(path, entry.name)
        there = entry.stat(follow_symlinks=False)
        was = None if lower is None else _lstat(os.path.join(lower, entry.name))
        if _is_whiteout(there):
            found[at] = "removed"
        elif entry.is_dir(follow_symlinks=False):
            below = (
                None
                if was is None or not stat.S_ISDIR(was.st_mode)
                else os.path.join(lower or "", entry.name)
            )
            if was is None:
                found[at] = "created"
            elif below is None:
                found[at] = "changed"
            elif _is_opaque(entry.path):
                kept = set(os.listdir(entry.path))
                found |= {os.path.join(at, name): "removed" for name in os.listdir(below) if name not in kept}
            _changes(entry.path, at, below, untouched, found)
        elif untouched.get(entry.path) == (there.st_ino, there.st_mtime_ns):
            continue
        elif was is None:
            found[at] = "created"
        elif not _same(entry.path, there, os.path.join(lower or "", entry.name), was):
            found[at] = "changed"


def _same(a: str, of_a: os.stat_result, b: str, of_b: os.stat_result) -> bool:
    """Whether two entries are the same to read: opening a file for writing copies it without changing it."""
    if (stat.S_IFMT(of_a.st_mode), of_a.st_mode & 0o7777) != (
        stat.S_IFMT(of_b.st_mode),
        of_b.st_mode & 0o7777,
    ):
        return False
    if stat.S_ISLNK(of_a.st_mode):
        return os.readlink(a) == os.readlink(b)
    if of_a.st_size != of_b.st_size:
        return False
    if of_a.st_mtime_ns == of_b.st_mtime_ns or not stat.S_ISREG(of_a.st_mode):
        return True
    try:
        with open(a, "rb") as one, open(b, "rb") as other:
            return one.read() == other.read()
    except OSError:
        return False


class Root(Struct, frozen=True):
    path: str
    mount: str


def roots_of(places: Places, also: Sequence[str]) -> tuple[tuple[Root, ...], str]:
    """The directories that need an overlay each, and why that cannot be done."""
    mounts = [path for path, _ in launcher.mounts_below("/")]
    needed = [places.cache, places.project, *([places.venv] if places.venv else []), *also]
    wanted = []
    for path in (places.home, places.cwd, *needed):
        real = os.path.realpath(path)
        while not os.path.isdir(real):  # not there yet: it will be made, in the overlay of what it is in
            real = os.path.dirname(real)
        if real != "/":
            wanted.append(real)
        elif path in needed:
            return (), f"{path} cannot be covered without covering the whole machine"
    # One overlay for all that is on one mount and near each other: between two of them uv could make no links,
    # and would warn of different filesystems where there are none.
    near: dict[tuple[str, str], list[str]] = {}
    for path in wanted:
        near.setdefault((_mount_of(path, mounts), path.split("/")[1]), []).append(path)
    return tuple(Root(os.path.commonpath(paths), mount) for (mount, _), paths in near.items()), ""


def _mount_of(path: str, mounts: Sequence[str]) -> str:
    return max((m for m in mounts if trees.within(path, m)), key=len, default="/")


def scratch_for(roots: Sequence[Root], cache: str) -> str:
    """A temporary directory outside of every root, if it can be on the cache's filesystem; "" when there is none.

    On the same filesystem what uv links from the cache stays a link.
    """
    found = []
    for path in dict.fromkeys((tempfile.gettempdir(), "/var/tmp", "/tmp", "/dev/shm")):  # noqa: S108 only mkdtemp is used in them
        real = os.path.realpath(path)
        if (
            os.path.isdir(real)
            and os.access(real, os.W_OK | os.X_OK)
            and not any(trees.within(real, r.path) for r in roots)
        ):
            found.append(real)
    while cache and not os.path.isdir(cache):
        cache = os.path.dirname(cache)
    device = os.stat(cache).st_dev
    found.sort(
        key=lambda path: (os.stat(path).st_dev != device, bool(os.statvfs(path).f_flag & os.ST_NOATIME))
    )
    return found[0] if found else ""


class Overlaid:
    """A shadow (shadow.trial.Shadow) made of overlays."""

    how: Literal["overlay", "copy"] = "overlay"
    why = ""

    def __init__(self, base: str, roots: tuple[Root, ...], cache: str) -> None:
        self._base = base
        self._roots = roots
        self._cache = os.path.realpath(cache)
        self._numbers = itertools.count()
        self._below = _mounts_to_keep(roots)

    def cannot(self) -> str:
        """Why overlays cannot be had here, "" when they can: tried with all of them and no command."""
        outcome = self.run([], cwd="/", env={}, timeout_s=20).outcome
        return isolate.could_not(outcome.exit_code, outcome.stderr) or (
            ""
            if outcome.exit_code == 0
            else f"the launcher ended with {outcome.exit_code}: {outcome.stderr.strip()}"
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        timeout_s: float,
        without: Sequence[str] = (),
        replace: Mapping[str, bytes] | None = None,
        trace: bool = False,
        until: re.Pattern[bytes] | None = None,
    ) -> Trial:
        base = os.path.join(self._base, str(next(self._numbers)))
        os.mkdir(base, 0o700)
        os.mkdir(f"{base}/{_TMP}", 0o700)
        layers, overlays = [], []
        for i, root in enumerate(self._roots):
            upper, work = f"{base}/{i}", f"{base}/w{i}"
            os.mkdir(upper)
            os.mkdir(work)
            layers.append(Layer(root=root.path, upper=upper))
            overlays.append(isolate.Overlay(at=root.path, upper=upper, work=work))
        watched = self._watch(base, layers) if trace else None
        for layer in layers:
            trees.like(layer.upper, os.stat(layer.root), layer.root)
        put = []
        for i, (path, content) in enumerate((replace or {}).items()):
            with open(f"{base}/put{i}", "wb") as file:
                file.write(content)
            put.append((f"{base}/put{i}", path))
        if without:
            with open(f"{base}/without", "wb") as file:
                file.writelines(os.fsencode(os.path.join(self._cache, path)) + b"\0" for path in without)
        cover = isolate.Cover(
            writable=base,
            mounts=tuple(
                sorted(
                    [*overlays, *self._below], key=lambda m: (m if isinstance(m, str) else m.at).split("/")
                )
            ),
            cwd=cwd,
            remove=f"{base}/without" if without else "",
            put=tuple(put),
        )
        inside = dict(env)
        for name in ("TMPDIR", "TMP", "TEMP"):
            if name == "TMPDIR" or name in env:
                inside[name] = f"{base}/{_TMP}"
        outcome = uv.run(isolate.wrap(argv, cover), cwd="/", env=inside, timeout_s=timeout_s, until=until)
        why = isolate.could_not(outcome.exit_code, outcome.stderr)
        if why and argv:
            raise CannotWriteError(f"The copy to run uv on could not be made: {why}.")
        left = Left(
            layers=tuple(layers),
            untouched={} if watched is None else watched.untouched(),
            views=f"{base}/views",
        )
        return Trial(
            outcome=replace_(outcome, argv=tuple(argv)),
            reads=None if watched is None else watched.reads(),
            look=left.look,
            changed=left.changed,
            refused=_refused(outcome.stderr, [base, *(root.path for root in self._roots)]),
        )  # fmt: skip

    def _watch(self, base: str, layers: Sequence[Layer]) -> trees.Watched | None:
        """Copies of the small cache entries in the overlay, so that a read of one shows in its time of access."""
        layer = max((x for x in layers if trees.within(self._cache, x.root)), key=lambda x: len(x.root))
        if os.statvfs(base).f_flag & os.ST_NOATIME:
            return None
        return trees.watch(
            self._cache, os.path.normpath(os.path.join(layer.upper, os.path.relpath(self._cache, layer.root))),
            layer.root, layer.upper, kept=f"{base}/kept", max_files=TRACED_FILES, max_bytes=TRACED_BYTES,
        )  # fmt: skip


_READ_ONLY = re.compile(r"os error 30\)|\[Errno 30\]")
_ABSOLUTE = re.compile(r"(?<![\w.:/])/[^\s`'\"]+|(?<=[`'\"])/[^`'\"\n]+")


def _refused(said: str, reached: Sequence[str]) -> str:
    """Where a file system was read-only only because no overlay `reached` there, by what the command `said`; "" for none."""
    if not _READ_ONLY.search(said):
        return ""
    for found in reversed(list(_ABSOLUTE.finditer(said[-20_000:]))):
        folder = os.path.realpath(found[0])
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        outside = folder != "/" and not any(trees.within(folder, top) for top in reached)
        if outside and os.access(folder, os.W_OK) and not os.statvfs(folder).f_flag & os.ST_RDONLY:
            return folder
    return ""


def _mounts_to_keep(roots: Sequence[Root]) -> tuple[str, ...]:
    """What is mounted below the roots and must be mounted again, because an overlay shows only what lies beneath."""
    kept: list[str] = []
    paths = [r.path for r in roots]
    for mount in sorted({path for path, _ in launcher.mounts_below("/")}):
        over = max(
            (p for p in (*paths, *kept) if trees.within(mount, p) and mount != p), key=len, default=None
        )
        if mount not in paths and over in paths:
            kept.append(mount)
    return tuple(kept)
