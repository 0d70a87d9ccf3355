"""A tree that stands at another path than its own: `base` before every path that it moved with."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from uvreport.isolate import trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What a uv cache files under a digest that a path feeds.
_DIGEST = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{16}(?![0-9a-zA-Z])")
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar")
_SOURCE_MARKS = {"pyproject.toml", "setup.py", "setup.cfg"}
# Texts in which uv looks for paths.
TEXTS = (
    "pyproject.toml",
    "uv.lock",
    "uv.toml",
    ".python-version",
    ".python-versions",
    "pylock.toml",
    "pyvenv.cfg",
)
TEXT_ENDINGS = (".txt", ".in", ".toml", ".pth", ".egg-link")


class Moved:
    """Turns texts of the old places into texts of the new ones, and back.

    `roots` are the absolute paths that moved. `digests` are the names in a cache that change with them, old to
    new; set once they are known.
    """

    def __init__(self, base: str, roots: Iterable[str]) -> None:
        self.base = base
        self.roots = tuple(sorted(set(roots), key=len, reverse=True))
        self.digests: dict[str, str] = {}
        spelled = {text for root in self.roots for text in (root, quote(root, safe="/+@~^|';=,!()*[]:"))}
        spellings = sorted(spelled, key=len, reverse=True)
        one = "|".join(map(re.escape, spellings))
        self._there = re.compile(rf"(?<![\w.~+-])(?:{one})(?![\w.~+-])" if one else r"(?!)")
        # Where uv wraps a line it may break the path anywhere.
        wrap = r"(?:\n[ \u2502]*)?"
        self._back = re.compile(wrap.join(map(re.escape, base)) + "(?=" + wrap + "/)")

    def edit(self, text: str) -> str:
        """`text` with every moved path in it as it is now."""
        return self._there.sub(lambda match: self.base + match[0], text)

    def back(self, text: str) -> str:
        """`text` as it would be if nothing had moved."""
        old = {new: was for was, new in self.digests.items()}
        return _DIGEST.sub(lambda match: old.get(match[0], match[0]), self._back.sub("", text))

    def path(self, path: str) -> str:
        """Where the absolute `path`, of the old places, is now."""
        if not any(trees.within(path, root) for root in self.roots):
            return path
        return self.base + self.names(path)

    def names(self, path: str) -> str:
        """`path` with the digests in it as they are now."""
        return "/".join(self.digests.get(name, name) for name in path.split("/"))

    def old_names(self, path: str) -> str:
        """`path` with the digests in it as they were."""
        old = {new: was for was, new in self.digests.items()}
        return "/".join(old.get(name, name) for name in path.split("/"))


def is_text(name: str) -> bool:
    """Whether a file of this name is one in which uv looks for paths."""
    return name in TEXTS or name.endswith(TEXT_ENDINGS)


def sources(paths: Iterable[str]) -> Iterator[str]:
    """Of all these files, what uv can have filed under a digest of its path: sources, archives and their folders."""
    seen: set[str] = set()
    for path in paths:
        folder, name = os.path.split(path)
        if name in _SOURCE_MARKS or name.endswith(_ARCHIVE):
            if folder not in seen:
                seen.add(folder)
                yield folder
            if name.endswith(_ARCHIVE):
                yield path
        elif name.endswith(".py") and folder not in seen:
            yield path  # a script with an environment of its own


def named(text: str) -> Iterator[str]:
    """Every local URL that a text names."""
    for match in re.finditer(r"(?:git\+)?file://[^\s\"'`<>]+", text):
        yield match[0]
