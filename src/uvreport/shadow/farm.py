"""The person's files as a copy at another path, for machines on which nothing can be mounted.

Project and cache entries are copied, unpacked archives are linked. Every path gets the same prefix, so that paths
relative to each other stay true; the digests that paths feed are computed anew, and what uv prints is turned back.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace as replace_

from uvreport import uv
from uvreport.cache import keys
from uvreport.errors import CannotWriteError
from uvreport.isolate import trees
from uvreport.isolate.moved import Moved, is_text, named, sources
from uvreport.shadow.trial import Change, Trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uvreport.bundle import Places

_TMP = "tmp"
MOST_BYTES = 8_000_000_000
# Made anew by whoever needs it, often huge, and nothing that uv reads.
_LEFT_OUT = {"node_modules", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
# What uv, and Git for it, reads of a home, beside the settings in `$XDG_CONFIG_HOME`.
_OF_HOME = (".netrc", ".gitconfig", ".git-credentials", ".python-version", "pyproject.toml", "uv.toml")
# Directories that uv may write to: wherever they are, it gets others.
_WRITTEN = re.compile(
    r"^(XDG_\w+_HOME|UV_TOOL_DIR|UV_TOOL_BIN_DIR|UV_PYTHON_(INSTALL|BIN|CACHE)_DIR|UV_INSTALL_DIR|UV_CREDENTIALS_DIR|"
    r"UV_PROJECT_ENVIRONMENT|VIRTUAL_ENV|CONDA_PREFIX|PWD)$"
)


class Farm:
    """A shadow (shadow.trial.Shadow) made by copying."""

    how: Literal["overlay", "copy"] = "copy"

    def __init__(self, base: str, places: Places, also: Sequence[str], why: str) -> None:
        self.why = why
        self._base = base
        self._places = places
        self._numbers = itertools.count()
        whole = [places.project, places.cwd, *([places.venv] if places.venv else []), *also]
        self._whole = list(dict.fromkeys(os.path.abspath(path) for path in whole))

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
        """As shadow.trial.Shadow.run says."""
        base = f"{self._base}/{next(self._numbers)}"
        cache = self._places.cache
        moved = Moved(f"{base}/r", self._roots())
        copy = _Copy(moved)
        try:
            os.makedirs(f"{base}/{_TMP}", mode=0o700)
            self._copy(copy, env)
            for path in without:
                _take_away(moved.path(os.path.join(cache, path)))
            for path, content in (replace or {}).items():
                _put(moved.base + moved.names(os.path.abspath(path)), content)
            os.makedirs(moved.base + cwd, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(
                f"The copy to run uv on could not be made: {error.strerror} ({error.filename}).",
                hint="Point TMPDIR at a directory with more room.",
            ) from error
        watched = copy.watch(cache, f"{base}/kept") if trace else None
        state = copy.state()
        words = [*argv[:1], *(self._word(word, moved) for word in argv[1:])]
        outcome = uv.run(
            words, cwd=moved.base + cwd, env=self._env(env, moved), timeout_s=timeout_s, until=until
        )
        return Trial(
            outcome=replace_(
                outcome,
                argv=tuple(argv),
                stdout=moved.back(outcome.stdout),
                stderr=moved.back(outcome.stderr),
            ),
            reads=None if watched is None else frozenset(map(moved.old_names, watched.reads())),
            look=lambda path: self._look(path, moved),
            changed=lambda: copy.changed(state),
        )

    def _roots(self) -> set[str]:
        """Every path that has moved: as it is named, and where it really is."""
        named_ = [self._places.cache, *(path for path in self._whole if not self._is_above_home(path))]
        return {path for name in named_ for path in (name, os.path.realpath(name)) if path != os.sep}

    def _is_above_home(self, path: str) -> bool:
        return trees.within(os.path.realpath(self._places.home), os.path.realpath(path))

    def _copy(self, copy: _Copy, env: Mapping[str, str]) -> None:
        home = self._places.home
        for path in self._whole:
            if self._is_above_home(path):  # a whole home is too much, and uv looks at little of it
                copy.files_in(path)
            else:
                copy.tree(path)
                if not os.path.lexists(path) and os.path.isdir(os.path.dirname(path)):
                    os.makedirs(
                        os.path.dirname(copy.moved.base + path), exist_ok=True
                    )  # it will be made in there
        config = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        data = env.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        support = os.path.join(home, "Library", "Application Support")
        for path in (
            *(os.path.join(home, name) for name in _OF_HOME),
            *(os.path.join(config, name) for name in ("uv", "git")),
            *(os.path.join(top, "uv", name) for top in (data, support) for name in ("credentials", "tools")),
        ):
            if os.path.lexists(path):
                copy.tree(path)
        os.makedirs(copy.moved.base + home, exist_ok=True)
        own = env.get("UV_PYTHON_INSTALL_DIR")
        for path in (
            *([own] if own else []),
            os.path.join(data, "uv", "python"),
            os.path.join(support, "uv", "python"),
        ):
            copy.links(path)
        # The bases of all runs have one length but not one text, so each has its own digests.
        texts = itertools.chain(sources(copy.files), *(named(text) for text in copy.texts))
        copy.moved.digests = keys.rekey(texts, copy.moved.edit)
        copy.tree(self._places.cache, cache=True)
        copy.settle()

    def _word(self, word: str, moved: Moved) -> str:
        """A word of the command line: paths in it moved, unless they name something that has not."""
        if os.path.isabs(word) and os.path.exists(word) and not os.path.lexists(moved.path(word)):
            return word
        return moved.edit(word)

    def _env(self, env: Mapping[str, str], moved: Moved) -> dict[str, str]:
        inside = {}
        for name, value in env.items():
            if name == "PATH":
                inside[name] = os.pathsep.join(self._word(part, moved) for part in value.split(os.pathsep))
            elif _WRITTEN.match(name) and os.path.isabs(value):
                inside[name] = moved.base + value
            else:
                inside[name] = self._word(value, moved)
        inside["UV_CACHE_DIR"] = moved.base + self._places.cache
        inside["TMPDIR"] = f"{os.path.dirname(moved.base)}/{_TMP}"
        if "HOME" in env:
            inside["HOME"] = moved.base + self._places.home
        # A hard link into an environment would be one to the person's own file. By flag one can still be asked
        # for; uv then copies what it writes to (RECORD) and only takes the rest away.
        inside["UV_LINK_MODE"] = "copy"
        return inside

    def _look(self, path: str, moved: Moved) -> str | None:
        now = moved.base + moved.names(path)
        if os.path.lexists(now):
            return now
        if any(trees.within(path, root) for root in moved.roots):
            return None
        return path if os.path.lexists(path) else None


class _Copy:
    """What is copied, for `moved`, so far."""

    def __init__(self, moved: Moved) -> None:
        self.moved = moved
        self.files: list[str] = []  # where they were
        self.texts: list[str] = []
        self._late: list[tuple[str, str, os.stat_result]] = []  # directories: modes come last
        self._entries: list[tuple[str, str]] = []  # copied cache files: where they were, where they are
        self._bytes = 0

    def tree(self, path: str, *, cache: bool = False) -> None:
        """Copies the file or directory `path`, if it is there; of a cache, the unpacked archives are linked.

        Links on the way to it become links on the way to the copy.
        """
        real = self._way(path)
        if os.path.lexists(real):
            to = self.moved.base + real
            os.makedirs(os.path.dirname(to), exist_ok=True)
            self._any(real, to, cache=cache, link=False, depth=0)

    def files_in(self, path: str) -> None:
        """Copies the files in the directory `path`, and nothing below it but an environment."""
        real = self._way(path)
        os.makedirs(self.moved.base + real, exist_ok=True)
        with os.scandir(real) as entries:
            for entry in entries:
                if entry.name == ".venv" or entry.is_file(follow_symlinks=False):
                    self._any(entry.path, self.moved.base + entry.path, cache=False, link=False, depth=1)

    def _way(self, path: str) -> str:
        """Where `path` really is. The links on the way there are made anew, to lead to the copy."""
        for _ in range(40):
            parts = path.split(os.sep)
            for i in range(2, len(parts) + 1):
                here = os.sep.join(parts[:i])
                if os.path.islink(here):
                    to, target = self.moved.base + here, os.readlink(here)
                    if not os.path.lexists(to):
                        os.makedirs(os.path.dirname(to), exist_ok=True)
                        os.symlink(self.moved.base + target if os.path.isabs(target) else target, to)
                    path = os.path.normpath(os.path.join(os.path.dirname(here), target, *parts[i:]))
                    break
            else:
                break
        return path

    def links(self, path: str) -> None:
        """A directory with a link to each thing in `path`: for interpreters, which uv does not change."""
        with contextlib.suppress(OSError):
            names = os.listdir(path)
            os.makedirs(self.moved.base + path, exist_ok=True)
            for name in names:
                if not os.path.lexists(f"{self.moved.base}{path}/{name}"):
                    os.symlink(os.path.join(path, name), f"{self.moved.base}{path}/{name}")

    def _any(self, path: str, to: str, *, cache: bool, link: bool, depth: int) -> None:
        there = os.lstat(path)
        if os.path.islink(to) or (os.path.lexists(to) and not os.path.isdir(to)):
            return  # copied already, as part of something else
        if stat.S_ISLNK(there.st_mode):
            os.symlink(self._target(os.readlink(path)), to)
        elif stat.S_ISDIR(there.st_mode):
            if not os.path.isdir(to):
                os.mkdir(to)
            self._late.append((to, path, there))
            try:
                names = sorted(os.listdir(path))
            except PermissionError:
                return  # as unreadable as it is
            for name in names:
                if name in _LEFT_OUT and not cache and depth:
                    continue
                into_archive = link or (cache and depth == 0 and name.startswith("archive-"))
                linked = into_archive and not os.path.basename(to).endswith(".dist-info")
                self._any(
                    os.path.join(path, name), os.path.join(to, self._name(name) if cache else name), cache=cache,
                    link=linked, depth=depth + 1,
                )  # fmt: skip
        elif stat.S_ISREG(there.st_mode):
            self._file(path, to, there, cache=cache, link=link)

    def _name(self, name: str) -> str:
        stem, dot, end = name.partition(".")
        return self.moved.digests.get(stem, stem) + dot + end

    def _target(self, target: str) -> str:
        return self.moved.path(target) if os.path.isabs(target) else self.moved.names(target)

    def _file(self, path: str, to: str, there: os.stat_result, *, cache: bool, link: bool) -> None:
        if link:
            with contextlib.suppress(OSError):  # another filesystem, or one without links
                os.link(path, to)
                return
        self._bytes += there.st_size
        if self._bytes > MOST_BYTES:
            raise OSError(27, f"more than {MOST_BYTES // 1_000_000_000} GB to copy", path)
        try:
            text = (
                None
                if cache or not is_text(os.path.basename(path)) or there.st_size > 50_000_000
                else _read(path)
            )
            if text is None:
                shutil.copyfile(path, to)
            else:
                self.texts.append(text)
                with open(to, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                    file.write(self.moved.edit(text))
        except PermissionError:
            with open(to, "wb") as file:  # nobody can read it: its size and its mode are all there is to see
                file.truncate(there.st_size)
        trees.like(to, there, path)
        if cache:
            self._entries.append((path, to))
        else:
            self.files.append(path)

    def settle(self) -> None:
        """Gives the directories their modes and times."""
        for to, path, there in reversed(self._late):
            trees.like(to, there, path)
        self._late.clear()

    def watch(self, cache: str, kept: str) -> trees.Watched:
        """Marks the copied cache entries, so that reading one shows."""
        os.mkdir(kept)
        watched = trees.Watched(kept)
        top = self.moved.base + os.path.realpath(cache)
        for _, to in self._entries:
            with contextlib.suppress(OSError):  # taken away before the run
                there = os.stat(to)
                os.utime(to, ns=(trees.MARK_NS, there.st_mtime_ns))
                watched.add(os.path.relpath(to, top), to)
        return watched

    def state(self) -> dict[str, tuple[int, ...]]:
        """Everything that is there: path to kind and mode, and of what is no directory inode, mtime and size."""
        found: dict[str, tuple[int, ...]] = {}
        for path, entry in trees.walk(self.moved.base):
            with contextlib.suppress(FileNotFoundError):
                there = entry.stat(follow_symlinks=False)
                found[path] = (there.st_mode,)
                if not stat.S_ISDIR(there.st_mode):
                    found[path] += (there.st_ino, there.st_mtime_ns, there.st_size)
        return found

    def changed(self, before: Mapping[str, tuple[int, ...]]) -> dict[str, Change]:
        """What is not as it was, by the path that it has on the person's machine."""
        after = self.state()
        found: dict[str, Change] = {}
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                at = "/" + self.moved.old_names(path)
                found[at] = "created" if path not in before else "removed" if path not in after else "changed"
        return found


def _read(path: str) -> str | None:
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    return None if "\0" in text else text


def _take_away(path: str) -> None:
    parent = os.path.dirname(path)
    if not os.path.lexists(path):
        return
    mode = os.stat(parent).st_mode
    os.chmod(parent, stat.S_IMODE(mode) | 0o700)
    try:
        trees.remove(path)
    finally:
        os.chmod(parent, stat.S_IMODE(mode))


def _put(path: str, content: bytes) -> None:
    mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o755
    _take_away(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
