"""The latest uv commands of the person's shells, from their history files. Nothing is run for it."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from uvreport.invocation import is_uv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST = 5
TAIL_BYTES = 200_000

_ZSH = re.compile(r"^: (?P<when>\d+):\d+;")
_FISH = re.compile(r"^- cmd: (?P<line>.*)$")
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
# Commands that do not fail in a way that anybody reports.
_IDLE = frozenset({"help", "version", "--version", "--help", "-V", "-h"})


def latest(environ: Mapping[str, str], platform: str) -> tuple[tuple[str, ...], ...]:
    """Up to five distinct uv command lines, latest first; empty when no history can be read."""
    found: list[tuple[str, ...]] = []
    for path in _files(environ, platform):
        for line in reversed(list(_lines(path))):
            words = _uv_words(line)
            if words and words not in found:
                found.append(words)
            if len(found) == MOST:
                return tuple(found)
    return tuple(found)


def _files(environ: Mapping[str, str], platform: str) -> list[str]:
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    named = [environ["HISTFILE"]] if environ.get("HISTFILE") else []
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    usual = [
        os.path.join(home, ".zsh_history"),
        os.path.join(home, ".bash_history"),
        os.path.join(data, "fish", "fish_history"),
    ]
    if platform == "win32":
        usual = [
            os.path.join(
                environ.get("APPDATA", ""),
                "Microsoft",
                "Windows",
                "PowerShell",
                "PSReadLine",
                "ConsoleHost_history.txt",
            )
        ]
    there = [path for path in (*named, *usual) if os.path.isfile(path)]
    # The shell that was used last wrote last.
    return sorted(dict.fromkeys(there), key=os.path.getmtime, reverse=True)


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        fish = _FISH.match(line)
        yield fish["line"] if fish else _ZSH.sub("", line)


def _uv_words(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line)
    except ValueError:
        return ()
    while words and _ASSIGNMENT.match(words[0]):
        words.pop(0)
    if len(words) < 2 or not is_uv(words[0]) or words[1] in _IDLE:
        return ()
    if any(word in {"|", "&&", "||", ";", ">", ">>", "&"} for word in words):
        cut = next(i for i, word in enumerate(words) if word in {"|", "&&", "||", ";", ">", ">>", "&"})
        words = words[:cut]
    return tuple(words)
