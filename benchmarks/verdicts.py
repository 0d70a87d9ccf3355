"""Damages the entries of real caches, runs real uvs on them, and holds what they do against what `examine` said before.

    python -m benchmarks.verdicts [--releases R ...] [--stories S ...] [--entries E ...] [--damages D ...]
                                  [--workers N] [--save FILE] [--known FILE] [--write FILE]

For every release and every kind of source a healthy cache is made from local sources: files, a source tree, a Git
repository by `file://`, and an index on the loopback. Then every kind of entry in it is damaged in every way, each
time on a fresh copy of that cache, and several commands are run. What they do (fail and with what last cause, write
the entry anew, pass over it, or install something else than before) is the observed outcome. `--write` makes the
document with the tables; without it the disagreements are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import functools
import hashlib
import io
import os
import re
import shutil
import stat as modes
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from tests.failing_states.state import flat, served, source_tree, wheel, without_root_powers, write

from uvreport import releases, uv
from uvreport.cache import layout, trailer
from uvreport.cache.buckets import bucket, version_key
from uvreport.cache.entry import plain
from uvreport.cache.examine import Finding, examine, walk
from uvreport.demo import person_env
from uvreport.failures.chain import parse

RELEASES = ("0.4.30", "0.5.18", "0.6.8", "0.7.22", "0.9.30", "0.11.33", "0.12.24", "0.13.9")
TIMEOUT_S = 90

Did = Literal["fatal", "differs", "healed", "read", "not looked at"]


# -- what is made healthy -----------------------------------------------------------------------------------


class Sources(Struct, frozen=True):
    """Where the sources of every story are: a folder, and the URL under which its `www` is served."""

    root: Path
    url: str

    def file(self, name: str) -> str:
        return (self.root / name).as_uri()


class Command(Struct, frozen=True):
    """A command of a story. `words` are uv's, in which `{...}` are places; `lock` is whether `uv.lock` is kept."""

    said: str
    words: tuple[str, ...]
    lock: bool = True


class Target(Struct, frozen=True):
    """A kind of entry in a story's cache: a glob in which `{sdists}` and so on are buckets, and how it is damaged."""

    name: str
    glob: str
    damages: Literal["file", "text", "dir", "link", "few", "built", "source"] = "file"


class Story(Struct, frozen=True):
    """A kind of source. `made` says how, `project` gives its dependency and the tables of `pyproject.toml`."""

    name: str
    made: str
    tables: Callable[[Sources], str]
    targets: tuple[Target, ...]
    commands: tuple[Command, ...]
    files: Callable[[Sources], dict[str, str]] = lambda _: {}


OFFLINE = ("--offline",)
NAMED = "acme-core"
PROJECT = """\
[project]
name = "acme-app"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = [{dependencies}]

[tool.uv]
package = false
"""


def _projects(*more: str) -> tuple[Command, ...]:
    return (
        Command("`uv sync --frozen`", ("sync", "--frozen", *more)),
        Command("`uv sync` without a lockfile", ("sync", *more), lock=False),
    )


def _source(text: str) -> Callable[[Sources], str]:
    def tables(at: Sources) -> str:
        where = text.replace("{root}", str(at.root)).replace("{url}", at.url)
        return f"no-index = true\n\n[tool.uv.sources]\n{NAMED} = {{ {where} }}\n"

    return tables


STEM = "acme_core-1.0-py3-none-any"


def _built(shard: str, *, few: bool = False) -> tuple[Target, ...]:
    """What stands in a build below a revision, and the archive that the built wheel is unpacked to."""
    return (
        Target("`metadata.msgpack`", f"{shard}/metadata.msgpack", "few" if few else "file"),
        Target("built wheel", f"{shard}/{STEM}.whl", "few" if few else "built"),
        Target("link to the archive of a built wheel", f"{shard}/{STEM}", "link"),
        Target("archive of a built wheel", "archive-v0/*", "dir"),
    )


STORIES = (
    Story(
        "source tree",
        "a dependency on a directory by path, whose version only a build can tell",
        _source('path = "{root}/tree"'),
        (Target("`revision.rev` of a source tree", "{sdists}/path/*/revision.rev"), *_built("{sdists}/path/*/*")),
        _projects(*OFFLINE),
    ),
    Story(
        "editable",
        "the same, as an editable",
        _source('path = "{root}/tree", editable = true'),
        (
            Target("`revision.rev` of an editable", "{sdists}/editable/*/revision.rev"),
            *_built("{sdists}/editable/*/*", few=True)[:2],
        ),
        _projects(*OFFLINE)[:2],
    ),
    Story(
        "source archive",
        "a dependency on a `.tar.gz` file by path",
        _source('path = "{root}/acme_core-1.0.tar.gz"'),
        (
            Target("`revision.rev` of a source archive", "{sdists}/path/*/revision.rev"),
            *_built("{sdists}/path/*/*"),
            Target("unpacked source of a source archive", "{sdists}/path/*/*/src|{sdists}/path/*/*/source", "source"),
        ),
        _projects(*OFFLINE),
    ),
    Story(
        "wheel file",
        "a dependency on a `.whl` file by path",
        _source(f'path = "{{root}}/{STEM}.whl"'),
        (
            Target("pointer of a wheel file (`.rev`)", "{wheels}/url/*/acme-core/*.rev"),
            Target("link to the archive of a wheel file", "{wheels}/url/*/acme-core/*-py3-none-any", "link"),
            Target("archive of a wheel file", "archive-v0/*", "dir"),
            Target("`RECORD` in an archive", "archive-v0/*/acme_core-1.0.dist-info/RECORD", "text"),
            Target("`METADATA` in an archive", "archive-v0/*/acme_core-1.0.dist-info/METADATA", "text"),
            Target("`WHEEL` in an archive", "archive-v0/*/acme_core-1.0.dist-info/WHEEL", "text"),
            Target("module in an archive", "archive-v0/*/acme_core/core.py", "text"),
            Target("dist-info directory of an archive", "archive-v0/*/acme_core-1.0.dist-info", "dir"),
        ),
        _projects(*OFFLINE),
    ),
    Story(
        "source archive by URL",
        "a dependency on a `.tar.gz` by URL, from a server on the loopback that is still there",
        _source('url = "{url}/acme_core-1.0.tar.gz"'),
        (
            Target("`revision.http` of a URL", "{sdists}/url/*/revision.http"),
            *_built("{sdists}/url/*/*", few=True)[:2],
            Target(
                "unpacked source of a URL",
                "{sdists}/url/*/*/src|{sdists}/url/*/*/acme_core-1.0.tar.gz",
                "source",
            ),
        ),
        _projects(),
    ),
    Story(
        "wheel by URL",
        "a dependency on a `.whl` by URL, from a server on the loopback that is still there",
        _source(f'url = "{{url}}/{STEM}.whl"'),
        (
            Target("pointer of a wheel by URL (`.http`)", "{wheels}/url/*/acme-core/*.http"),
            Target("metadata of a wheel by URL (`.msgpack`)", "{wheels}/url/*/acme-core/*.msgpack", "few"),
            Target("link to the archive of a wheel by URL", "{wheels}/url/*/acme-core/*-py3-none-any", "link"),
            Target("archive of a wheel by URL", "archive-v0/*", "dir"),
        ),
        _projects(),
    ),
    Story(
        "wheel from an index",
        "a dependency on a wheel from an index on the loopback that is still there",
        lambda at: f'index-url = "{at.url}/simple-wheels"\n',
        (
            Target("page of an index (`.rkyv`)", "{simple}/index/*/acme-core.rkyv"),
            Target("pointer of a wheel from an index (`.http`)", "{wheels}/index/*/acme-core/*.http"),
            Target("metadata of a wheel from an index (`.msgpack`)", "{wheels}/index/*/acme-core/*.msgpack"),
            Target("link to the archive of a wheel from an index", "{wheels}/index/*/acme-core/*-py3-none-any", "link"),
            Target("archive of a wheel from an index", "archive-v0/*", "dir"),
        ),
        _projects(),
    ),
    Story(
        "source archive from an index",
        "a dependency on a source archive from an index on the loopback that is still there",
        lambda at: f'index-url = "{at.url}/simple-sdists"\n',
        (
            Target("`revision.http` of an index", "{sdists}/index/*/acme-core/1.0/revision.http"),
            *_built("{sdists}/index/*/acme-core/1.0/*", few=True)[:2],
            Target(
                "unpacked source of an index",
                "{sdists}/index/*/acme-core/1.0/*/src|{sdists}/index/*/acme-core/1.0/*/acme_core-1.0.tar.gz",
                "source",
            ),
        ),
        _projects(),
    ),
    Story(
        "flat index",
        "a dependency on a wheel from a page of links (`find-links`) on the loopback that is still there",
        lambda at: f'no-index = true\nfind-links = ["{at.url}/flat/"]\n',
        (
            Target("page of links", "{flat-index}/html/*.msgpack"),
            Target("pointer of a wheel from a page of links (`.http`)", "{wheels}/index/*/acme-core/*.http", "few"),
        ),
        _projects(),
    ),
    Story(
        "folder of wheels",
        "a dependency on a wheel from a folder (`find-links`)",
        lambda at: f'no-index = true\nfind-links = ["{at.root}/house"]\n',
        (Target("pointer of a wheel in a folder (`.rev`)", "{wheels}/*/*/acme-core/*.rev"),),
        _projects(*OFFLINE),
    ),
    Story(
        "Git",
        "a dependency on a commit of a Git repository by `file://`, which is still there",
        _source('git = "{root_uri}/repository", rev = "{commit}"'),
        (
            Target("Git database", "{git}/db/*", "dir"),
            Target("`HEAD` of a Git database", "{git}/db/*/.git/HEAD|{git}/db/*/HEAD", "text"),
            Target("Git checkout", "{git}/checkouts/*/*[!k]", "dir"),
            Target("mark of a Git checkout (`.ok`)", "{git}/checkouts/*/*/.ok|{git}/checkouts/*/*.ok", "few"),
            Target("lock of a Git repository", "{git}/locks/*", "few"),
            *_built("{sdists}/git/*/*", few=True)[:2],
        ),
        _projects(),
    ),
    Story(
        "interpreter",
        "an environment made with an interpreter that is cached",
        lambda _: "",
        (
            Target("interpreter", "{interpreter}/**/*.msgpack"),
            Target("`CACHEDIR.TAG`", "CACHEDIR.TAG", "few"),
            Target("`.gitignore` of the cache", ".gitignore", "few"),
            Target("`.lock` of the cache", ".lock", "few"),
            Target("decoy `.git` of the source archives", "{sdists}/.git"),
            Target("`.gitignore` of the source archives", "{sdists}/.gitignore", "few"),
        ),
        (Command("`uv venv`", ("venv", *OFFLINE, "--python", "{python}", "{target}")),),
    ),
    Story(
        "run with",
        "`uv run --with` a wheel from a folder",
        lambda _: "",
        (
            Target("link to a cached environment", "{environments}/*/*", "link"),
            Target("archive of a cached environment", "archive-v0/*", "dir"),
        ),
        (
            Command(
                "`uv run --with`",
                ("run", *OFFLINE, "--no-project", "--no-index", "--find-links", "{root}/house", "--with", NAMED,
                 "python", "-c", "import acme_core.core"),
            ),
        ),
    ),
    Story(
        "script",
        "`uv run` of a script that requires a wheel from a folder",
        lambda _: "",
        (Target("environment of a script", "{environments}/script-*", "dir"),),
        (Command("`uv run SCRIPT`", ("run", *OFFLINE, "script.py")),),
        files=lambda at: {
            "script.py": "# /// script\n# requires-python = '>=3.10'\n# dependencies = ['acme-core']\n"
            f"# [tool.uv]\n# no-index = true\n# find-links = ['{at.root}/house']\n# ///\nimport acme_core.core\n"
        },
    ),
)  # fmt: skip


def make_sources(root: Path) -> None:
    """Everything that the stories' sources are, below `root`."""
    write(root / "tree", source_tree(NAMED, "1.0"))
    _archive(root / "acme_core-1.0.tar.gz", source_tree(NAMED, "1.0", under="acme_core-1.0/"))
    wheel(root, NAMED, "1.0")
    www = root / "www"
    wheel(www, NAMED, "1.0")
    wheel(root / "house", NAMED, "1.0")
    shutil.copy(root / "acme_core-1.0.tar.gz", www)
    metadata = f"Metadata-Version: 2.1\nName: {NAMED}\nVersion: 1.0\n"
    write(www, {f"{STEM}.whl.metadata": metadata})
    told = f"data-dist-info-metadata='true' data-core-metadata='true'>{STEM}.whl"
    pages = {
        f"simple-wheels/{NAMED}": f"<a href='../../{STEM}.whl' {told}</a>",
        f"simple-sdists/{NAMED}": "<a href='../../acme_core-1.0.tar.gz'>acme_core-1.0.tar.gz</a>",
        "flat": f"<a href='../{STEM}.whl'>{STEM}.whl</a>",
    }
    write(
        www,
        {
            f"{name}/index.html": f"<!DOCTYPE html><html><body>{link}</body></html>"
            for name, link in pages.items()
        },
    )
    repository = root / "repository"
    write(repository, source_tree(NAMED, "1.0"))
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "one")):
        _git(root, *words)


def _archive(path: Path, files: dict[str, str]) -> None:
    """A source archive without PKG-INFO."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def _git(root: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for part in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{part}_NAME": "Ada Benk", f"GIT_{part}_EMAIL": "ada@corp.example"}
        env[f"GIT_{part}_DATE"] = "2025-03-19T12:00:00Z"
    done = subprocess.run(
        ["git", *words], cwd=root / "repository", env=env, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


# -- one release's cache of one story, and running commands on copies of it -------------------------------------


class Ran(Struct, frozen=True):
    """How a command ended. `result` is a digest of what it installed."""

    exit_code: int | None
    stderr: str
    result: str


class Scene:
    """A story with one release: a project, a healthy cache, and runs on copies of that cache put in its place."""

    def __init__(
        self, root: Path, release: str, story: Story, sources: Sources, obtain: Callable[[str], str]
    ) -> None:
        self.story, self.release, self.sources = story, release, sources
        self.uv = obtain(release)
        self.root = root
        self.project, self.pristine = root / "project", root / "pristine"
        self.env = person_env(str(root), str(root / "home")) | {
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "400",
        }
        self.cache = root / "home" / ".cache" / "uv"
        self.target = root / "target"
        dependencies = "" if story.name in {"interpreter", "run with", "script"} else f'"{NAMED}"'
        tables = self._filled(story.tables(sources))
        write(self.project, {"pyproject.toml": PROJECT.format(dependencies=dependencies) + tables})
        write(self.project, story.files(sources))
        self.healthy: dict[str, Ran] = {}
        self.lock = b""
        self.named: set[str] = set()

    def _filled(self, text: str) -> str:
        commit = _git(self.sources.root, "rev-parse", "HEAD") if "{commit}" in text else ""
        return text.replace("{commit}", commit).replace("{root_uri}", self.sources.root.as_uri())

    def fill(self) -> None:
        """Makes the healthy cache: of a project that was locked elsewhere, so that its hashes are asked for.

        AssertionError when a command fails.
        """
        self.run(self.story.commands[-1])
        with contextlib.suppress(FileNotFoundError):
            self.lock = (self.project / "uv.lock").read_bytes()
        remove(self.cache)
        for command in (*self.story.commands, *self.story.commands):
            ran = self.run(command)
            assert ran.exit_code == 0, (self.release, self.story.name, command.words, ran.stderr)
            self.healthy[command.said] = ran
            with contextlib.suppress(FileNotFoundError):
                self.lock = (self.project / "uv.lock").read_bytes()
        root = str(self.cache)
        self.named = {named for path in walk(root) for named in self._names(root, path)}
        self.cache.rename(self.pristine)
        self.restore()  # links were absolute for long: without it they lead nowhere

    def _names(self, root: str, path: str) -> tuple[str, ...]:
        links = examine(root, path, self.release).links_to
        place = layout.parse(path)
        if place.kind == "sdists" and place.revision:  # a link in a build: only the current build's counts
            pointers = [f"{place.shard}/{name}" for name in ("revision.rev", "revision.http")]
            current = [link for pointer in pointers for link in examine(root, pointer, self.release).links_to]
            return links if f"{place.shard}/{place.revision}" in current else ()
        return links

    def restore(self) -> None:
        """The healthy cache in its place again."""
        remove(self.cache)
        shutil.copytree(self.pristine, self.cache, symlinks=True)

    def ready(self, command: Command) -> list[str]:
        """uv's words for a command, the project as the command is to find it."""
        for folder in (self.project / ".venv", self.target):
            remove(folder)
        lock = self.project / "uv.lock"
        lock.unlink(missing_ok=True)
        if command.lock and self.lock:
            lock.write_bytes(self.lock)
        words: list[str] = []
        for word in command.words:
            places = {
                "target": self.target,
                "python": os.path.realpath(sys.executable),
                "root": self.sources.root,
            }
            words.append(word.format(**places))
        return words

    def run(self, command: Command, prefix: Sequence[str] = ()) -> Ran:
        words = self.ready(command)
        outcome = uv.run((*prefix, self.uv, *words), cwd=str(self.project), env=self.env, timeout_s=TIMEOUT_S)
        installed = (self.project / ".venv").glob("lib*/python*/site-packages")
        return Ran(outcome.exit_code, outcome.stderr, "".join(_installed(folder) for folder in installed))

    def paths(self, target: Target) -> list[str]:
        """The entries of that kind in the healthy cache, relative."""
        found: set[str] = set()
        for pattern in target.glob.split("|"):
            glob = pattern
            for kind in ("sdists", "wheels", "simple", "flat-index", "git", "interpreter", "environments"):
                glob = glob.replace(f"{{{kind}}}", bucket(kind, self.release) or "none")
            found.update(str(path.relative_to(self.pristine)) for path in self.pristine.glob(glob))
        return sorted(path for path in found if self._current(path) and not path.endswith(".lock"))

    def _current(self, path: str) -> bool:
        """Whether the pointers lead to it: filling leaves builds and archives behind that nothing names any more."""
        place = layout.parse(path)
        if place.kind == "archive":
            inside = (self.pristine / place.shard / "pyvenv.cfg").exists()
            return place.shard in self.named and inside == (self.story.name == "run with")
        if place.kind == "sdists" and place.revision:
            return f"{place.shard}/{place.revision}" in self.named
        return True


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _installed(folder: Path) -> str:
    """A digest of what is in a site-packages, without what differs from run to run."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if (
            not path.is_file()
            or "__pycache__" in name
            or path.name in {"uv_cache.json", ".lock"}
            or name.startswith("_virtualenv")
        ):
            continue
        data = path.read_bytes()
        if path.name == "RECORD":
            rows = [row for row in data.splitlines() if b"uv_cache.json" not in row]
            data = b"\n".join(sorted(rows))
        digest.update(f"{name}\0{path.stat().st_mode & 0o444:o}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


# -- damage --------------------------------------------------------------------------------------------------

Damage = Callable[[Path], None]


def _bytes(change: Callable[[bytes], bytes]) -> Damage:
    def damage(path: Path) -> None:
        before = path.read_bytes()
        data = change(before)
        if data == before:
            raise TypeError("this changes nothing here")
        path.unlink()
        path.write_bytes(data)

    return damage


def _flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else b"\1"


def _fields(change: Callable[[list[Any]], Any]) -> Callable[[bytes], bytes]:
    """A change of the first struct of a msgpack entry, its trailer kept sound."""

    def changed(raw: bytes) -> bytes:
        parts = trailer.split(raw)
        value = plain(parts.data)
        return trailer.join(msgspec.msgpack.encode(change(value)), parts.policy, parts.form)

    return changed


def _in_last(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """In the struct inside: of `[time, struct]` the second, else the value itself."""
    return lambda value: (
        [value[0], change(value[1])]
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], list)
        else change(value)
    )


def _more(value: Any) -> Any:
    return {**value, "unheard": None} if isinstance(value, dict) else [*value, None]


def _fewer(value: Any) -> Any:
    return dict(list(value.items())[1:]) if isinstance(value, dict) else value[:-1]


def _gone(path: Path) -> None:
    remove(path)


def _directory(path: Path) -> None:
    remove(path)
    path.mkdir()


def _file(path: Path) -> None:
    remove(path)
    path.write_bytes(b"x")


def _dangling(path: Path) -> None:
    remove(path)
    path.symlink_to("nowhere")


def _closed(path: Path) -> None:
    path.chmod(0)


def _copied(path: Path) -> None:
    """What a tool that follows links makes of one."""
    real = path.resolve()
    path.unlink()
    shutil.copytree(real, path, symlinks=True)


def _without_link(damage: Damage) -> Damage:
    """The same where the link to the unpacked wheel is gone too, so that uv has to look at the wheel itself."""

    def both(path: Path) -> None:
        damage(path)
        path.with_suffix("").unlink()

    return both


def _without_wheel(damage: Damage) -> Damage:
    """The same where what was built is gone too, as `uv cache prune --ci` leaves it: the source is needed."""

    def both(path: Path) -> None:
        damage(path)
        for other in list(path.parent.iterdir()):
            if other != path:
                remove(other)

    return both


BYTES: dict[str, Damage] = {
    "cut to 10 bytes": _bytes(lambda data: data[:10]),
    "cut to half": _bytes(lambda data: data[: len(data) // 2]),
    "empty": _bytes(lambda _: b""),
    "zeroed": _bytes(lambda data: bytes(len(data))),
    "one bit flipped": _bytes(_flipped),
    "bytes after the end": _bytes(lambda data: data + b"\xc1 more than there was"),
    "a page of HTML": _bytes(lambda _: b"<html><body>502 Bad Gateway</body></html>\n"),
}
FIELDS: dict[str, Damage] = {
    "one field more": _bytes(_fields(_in_last(_more))),
    "one field fewer": _bytes(_fields(_in_last(_fewer))),
}
NAMES: dict[str, Damage] = {
    "a hash with a letter that is no digit": _bytes(
        lambda data: re.sub(rb"([0-9a-f]{30})[0-9a-f]([0-9a-f]{33})", rb"\1g\2", data)
    ),
    "of another package": _bytes(lambda data: data.replace(b"acme-core", b"acme-corf")),
    "of another version": _bytes(lambda data: data.replace(b"\xa31.0", b"\xa31.1")),
}
KINDS: dict[str, Damage] = {
    "missing": _gone,
    "a directory": _directory,
    "a dangling link": _dangling,
    "mode 000": _closed,
}
TEXTS = BYTES | KINDS
DIRS: dict[str, Damage] = {
    "missing": _gone, "an empty directory": _directory, "a file": _file, "a dangling link": _dangling,
    "mode 000": _closed,
}  # fmt: skip
DAMAGES: dict[str, dict[str, Damage]] = {
    "file": BYTES | FIELDS | NAMES | KINDS,
    "text": BYTES | KINDS,
    "built": {f"{name}, and its link missing": _without_link(TEXTS[name]) for name in TEXTS if name != "missing"}
    | {name: TEXTS[name] for name in ("cut to half", "zeroed", "missing", "a directory", "mode 000")},
    "source": DIRS | {f"{name}, and no built wheel": _without_wheel(DIRS[name]) for name in DIRS if name != "missing"}
    | {"missing, and no built wheel": _without_wheel(_gone)},
    "few": {name: {**BYTES, **KINDS}[name] for name in ("cut to half", "zeroed", *KINDS)},
    "dir": DIRS,
    "link": {
        "missing": _gone, "a file": _file, "an empty directory": _directory, "a dangling link": _dangling,
        "a copy of the directory": _copied,
    },
}  # fmt: skip
UNTOUCHED = "untouched"


def skeleton(data: bytes) -> Any:
    """What makes two entries the same to a decoder: form of the trailer, lengths, kinds; None when it is no msgpack."""
    parts = trailer.split(data)
    value = plain(parts.data)

    def bare(part: Any) -> Any:
        if isinstance(part, list):
            return [bare(item) for item in part]
        if isinstance(part, dict):
            return sorted(map(str, part))
        return len(part) if isinstance(part, str) and len(part) in {16, 21} else type(part).__name__

    return None if value is None else (parts.form, bare(value))


# -- what is seen, and what was said ----------------------------------------------------------------------------


class Row(Struct, frozen=True, kw_only=True):
    """One damage at one entry for one release: what `examine` said of the cache, and what each command did."""

    story: str
    entry: str
    damage: str
    release: str
    said: str
    innermost: tuple[str, ...]
    states: tuple[str, ...]
    did: Did
    commands: tuple[tuple[str, Did], ...]
    last: str
    agrees: bool | None
    path: str


ORDER = ("readable", "ignored", "healed", "suspicious", "fatal")


def observe(scene: Scene, target: Target, path: str, name: str, damage: Damage | None) -> Row | None:
    """A row, None where the damage makes no sense there."""
    seen: list[tuple[str, Did]] = []
    watched: list[Path] = []
    awaited: list[Path] = []
    last = ""
    blamed: list[Finding] = []
    prefix = without_root_powers() if "mode 000" in name else ()
    if prefix is None:
        return None
    commands = scene.story.commands
    if target.glob.startswith("archive-v0/"):
        commands = commands[:1]  # installing looks at it, resolving does not
    for at, command in enumerate(commands):
        scene.restore()
        full = scene.cache / path
        if damage is not None:
            before = _look(full)
            try:
                damage(full)
            except (TypeError, IndexError, AttributeError):
                return None
            if _look(full) == before:
                return None
        if at == 0:
            blamed = findings(scene, path)
            watched = [scene.cache / f.path for f in blamed if f.verdict not in {"readable", "unknown"}]
            awaited = [scene.cache / name for f in blamed for name in f.links_to]
        before = _look(full)
        beside = [_look(other) for other in watched]
        _age(full)
        aged = _atime(full)
        lacking = [other for other in awaited if not other.exists()]
        ran = scene.run(command, prefix)
        read = _atime(full) != aged
        after = _look(full)
        did: Did
        if ran.exit_code != 0:
            did = "fatal"
            chain = parse(ran.stderr)
            last = last or flat(chain.frames[-1] if chain and chain.frames else ran.stderr[-300:])
        elif ran.result != scene.healthy[command.said].result:
            did = "differs"
        elif (
            after != before
            or [_look(other) for other in watched] != beside
            or any(other.exists() for other in lacking)
        ):
            did = "healed"
        elif before is not None and read:
            did = "read"
        else:
            did = "not looked at"
        seen.append((command.said, did))
        if did == "fatal" and any(
            f.verdict == "fatal" and f.innermost and f.innermost in last for f in blamed
        ):
            break
        if full.exists() and not full.is_symlink() and "mode 000" in name:
            full.chmod(0o700)
    worst: Did = min(
        (did for _, did in seen), key=("fatal", "differs", "healed", "read", "not looked at").index
    )
    told = [f for f in blamed if not (f.state == "missing" and f.path == path)]
    said = max((f.verdict for f in told if f.verdict in ORDER), key=ORDER.index, default="readable")
    inner = tuple(dict.fromkeys(f.innermost for f in told if f.verdict == "fatal"))
    gone = any(f.state == "missing" and f.path == path for f in blamed)
    agrees = agreement(said, worst, gone=gone)
    if worst == "fatal" and not any(text and text in flat(last) for text in inner):
        agrees = False
    return Row(
        story=scene.story.name,
        entry=target.name,
        damage=name,
        release=scene.release,
        said=said,
        innermost=inner,
        states=tuple(f"{f.path}: {f.verdict} {f.state}" for f in told if f.verdict != "readable"),
        did=worst,
        commands=tuple(seen),
        last=last,
        agrees=agrees,
        path=path,
    )


def agreement(said: str, did: Did, *, gone: bool) -> bool | None:
    """Whether a verdict is what was seen; None when no command looked, so that nothing was seen.

    What is not there can only be passed over or made anew.
    """
    if did == "not looked at" and said in {"fatal", "healed", "suspicious"}:
        return None
    return (
        said
        in {
            "fatal": {"fatal"},
            "differs": {"suspicious"},
            "healed": {"healed", "readable", "ignored"} if gone else {"healed"},
            "read": {"readable", "ignored", "healed"} if gone else {"readable", "ignored"},
            "not looked at": {"readable", "ignored", "healed"} if gone else {"readable", "ignored"},
        }[did]
    )


def findings(scene: Scene, path: str) -> list[Finding]:
    """What `examine` says of that entry, and whatever else in the cache is not in order."""
    root = str(scene.cache)
    found = {path: examine(root, path, scene.release)}
    for other in walk(root):
        finding = examine(root, other, scene.release)
        if finding.verdict not in {"readable", "not-read", "unknown"}:
            found.setdefault(other, finding)
    return list(found.values())


def _look(path: Path) -> Any:
    """Everything about an entry that a run can change, None when it is not there."""
    try:
        info = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if modes.S_ISLNK(info.st_mode):
        return ("link", os.readlink(path))
    if modes.S_ISREG(info.st_mode):
        return ("file", info.st_mode, info.st_ino, path.read_bytes())
    below = [(str(p.relative_to(path)), p.is_file() and p.read_bytes()) for p in sorted(path.rglob("*"))]
    return ("dir", info.st_mode, [row for row in below if not row[0].endswith((".lock", "index"))])


def _age(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.utime(path, ns=(10**18, path.lstat().st_mtime_ns), follow_symlinks=False)


def _atime(path: Path) -> int:
    try:
        return path.lstat().st_atime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


# -- all of it ------------------------------------------------------------------------------------------------


class Wanted(Struct, frozen=True, kw_only=True):
    """Which part of the table: everything where nothing is said. Globs."""

    releases: tuple[str, ...] = RELEASES
    stories: tuple[str, ...] = ("*",)
    entries: tuple[str, ...] = ("*",)
    damages: tuple[str, ...] = ("*",)

    def takes(self, globs: tuple[str, ...], name: str) -> bool:
        return any(fnmatch.fnmatchcase(name.lower(), glob.lower()) for glob in globs)


def rows(root: Path, wanted: Wanted, workers: int, obtain: Callable[[str], str]) -> Iterator[Row]:
    """The rows, in no particular order, made below `root`."""
    make_sources(root / "sources")
    with served(root / "sources" / "www") as url, ThreadPoolExecutor(workers) as pool:
        sources = Sources(root / "sources", url)
        stories = [story for story in STORIES if wanted.takes(wanted.stories, story.name)]
        scenes = [
            Scene(root / f"{story.name}-{release}".replace(" ", "-"), release, story, sources, obtain)
            for story in stories
            for release in wanted.releases
        ]
        list(pool.map(Scene.fill, scenes))
        by_others = written(scenes)
        jobs = [pool.submit(_all_of, scene, wanted, by_others) for scene in scenes]
        for job in jobs:
            yield from job.result()


def written(scenes: list[Scene]) -> dict[tuple[str, str], dict[str, bytes]]:
    """What every release wrote, by story and kind of entry."""
    found: dict[tuple[str, str], dict[str, bytes]] = {}
    for scene in scenes:
        for target in scene.story.targets:
            for path in scene.paths(target)[:1]:
                if target.damages == "file":
                    data = (scene.pristine / path).read_bytes()
                    found.setdefault((scene.story.name, target.name), {})[scene.release] = data
    return found


def _all_of(scene: Scene, wanted: Wanted, written: dict[tuple[str, str], dict[str, bytes]]) -> list[Row]:
    rows_of = (observe(scene, *which) for which in damaged(scene, wanted, written))
    return [row for row in rows_of if row is not None]


def damaged(
    scene: Scene, wanted: Wanted, written: dict[tuple[str, str], dict[str, bytes]]
) -> Iterator[tuple[Target, str, str, Damage | None]]:
    """Every kind of entry of a scene, its path, and every damage to it with its name; None is no damage."""
    for target in scene.story.targets:
        if not wanted.takes(wanted.entries, target.name):
            continue
        paths = scene.paths(target)
        if not paths:
            continue
        path = paths[0] if target.name != "interpreter" else _own_interpreter(scene, paths)
        damages = dict[str, Damage | None](DAMAGES[target.damages]) | _foreign(
            written.get((scene.story.name, target.name), {}), scene.release
        )
        for name, damage in ({UNTOUCHED: None} | damages).items():
            if name == UNTOUCHED or wanted.takes(wanted.damages, name):
                yield target, path, name, damage


def _own_interpreter(scene: Scene, paths: list[str]) -> str:
    """The entry of the interpreter that the commands name, not that of an environment made with it."""
    python = os.path.realpath(sys.executable).encode()
    for path in paths:
        decoded = examine(str(scene.pristine), path, scene.release).decoded
        data = decoded["data"]
        if data.get("info", data)["sys_executable"].encode() == python:
            return path
    return paths[0]


def _instead(data: bytes, _: bytes) -> bytes:
    return data


def _foreign(written: dict[str, bytes], release: str) -> dict[str, Damage | None]:
    """The entry as other releases wrote it, one for every shape that is not this release's own."""
    shapes: dict[str, list[str]] = {}
    for other in sorted(written, key=version_key):
        shapes.setdefault(repr(skeleton(written[other])), []).append(other)
    own = repr(skeleton(written[release])) if release in written else ""
    found: dict[str, Damage | None] = {}
    for shape, writers in shapes.items():
        if shape != own:
            data = written[writers[-1]]
            found[f"as {writers[-1]} writes it"] = _bytes(functools.partial(_instead, data))
    return found


# -- the document ---------------------------------------------------------------------------------------------

BLAMED = "## Who is blamed for it"
WORDS: dict[Did, str] = {
    "fatal": "**fatal**",
    "differs": "installs it",
    "healed": "heals",
    "read": "reads",
    "not looked at": "-",
}
HEAD = """\
# What uv does with a damaged cache entry

Every cell below was seen: a healthy cache was made by that release of uv, one entry of it was damaged, and the
release was run on it. Before each run `uvreport.cache.examine` said what would happen. This page is written by

    python -m benchmarks.verdicts --write docs/cache-verdicts.md

from the runs themselves, on Linux; a part can be made again (`--known` takes the other rows from a file that `--save`
wrote). `tests/cache/test_verdicts.py` runs some of it every time. Sources are local: files, a Git repository by
`file://`, and an index on the loopback that is still there when the damaged cache is used. With `--offline`, or when
the index is gone, what is healed below by fetching again fails.

| word | what was seen |
| --- | --- |
| **fatal** | one of the commands failed |
| installs it | the commands succeeded, and what they installed is not what they install from the healthy cache |
| heals | the commands succeeded, and the entry (or what leads to it) was written anew |
| reads | the commands succeeded and read the entry, which is as it was |
| - | the commands succeeded, and the entry was neither read nor changed |

A cell with `†` is one where `examine` says otherwise; these are explained at the end. "as X writes it" is the entry
that release X made of the same source, put in the place of this release's own. With several commands the worst counts.
"""
# What cannot be told from the entry. By what is seen of it: entry, damage (globs), and why.
EXPLAINED = (
    (
        "*", "one bit flipped", "*Hash mismatch*",
        "The flipped bit is in a hash. The entry decodes; only the lockfile says that the hash is another one.",
    ),
    (
        "`revision.rev`*", "one bit flipped", "",
        ("The flipped bit is in what the pointer remembers of the source. It decodes; uv finds that the source is another "
        "one, and builds it again."),
    ),
    (
        "page of *", "*", "",
        "The body of the page is rkyv, which is not decoded here. uv reads or fetches again; it never fails on it.",
    ),
)  # fmt: skip


def cells(text: str) -> dict[tuple[str, str, str, str], str]:
    """Story, entry (both in lower case), damage and release to what the cell says, for every cell of the page."""
    read: dict[tuple[str, str, str, str], str] = {}
    story = entry = ""
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            story, columns = line[3:].lower(), []
        elif line.startswith("### "):
            entry = line[4:].lower()
        elif line.startswith("| damage |"):
            columns = [cell.strip() for cell in line.split("|")[2:-2]]
        elif line.startswith("| ") and columns and not line.startswith("| ---"):
            damage, *rest = [cell.strip() for cell in line.split("|")[1:-2]]
            read |= {
                (story, entry, damage, release): cell for release, cell in zip(columns, rest, strict=True)
            }
    return read


def document(found: list[Row]) -> str:
    """The page, from the rows of a whole run."""
    wanted = sorted({row.release for row in found}, key=version_key)
    bad = [row for row in found if row.agrees is False]
    unseen = [row for row in found if row.agrees is None]
    runs = sum(len(row.commands) for row in found)
    figures = (
        f"{len(found)} damaged caches, {runs} runs of {len(wanted)} releases of uv. `examine` says what was seen in "
        f"{len(found) - len(bad) - len(unseen)}; in {len(unseen)} it warns of an entry at which the commands did not "
        f"look, so that nothing was seen; in {len(bad)} it says otherwise.\n"
    )
    parts = [HEAD, figures]
    for story in STORIES:
        rows_of = [row for row in found if row.story == story.name]
        if not rows_of:
            continue
        said = ", ".join(command.said for command in story.commands)
        parts.append(
            f"## {story.name[0].upper()}{story.name[1:]}\n\nMade of {story.made}. Commands: {said}.\n"
        )
        for target in story.targets:
            table = _table([row for row in rows_of if row.entry == target.name], wanted)
            if table:
                parts.append(f"### {target.name[0].upper()}{target.name[1:]}\n\n{table}")
    parts.append(_differences(bad))
    return "\n".join(parts)


def _table(rows_of: list[Row], wanted: list[str]) -> str:
    if not rows_of:
        return ""
    seen = {(row.damage, row.release): row for row in rows_of}
    # A release may have no such entry: its column stays away.
    columns = [release for release in wanted if any(row.release == release for row in rows_of)]
    lines = [f"| damage | {' | '.join(columns)} | last cause |", "| --- |" + " --- |" * (len(columns) + 1)]
    names = sorted(dict.fromkeys(row.damage for row in rows_of), key=_rank)
    for name in names:
        cells = []
        for release in columns:
            row = seen.get((name, release))
            cells.append(" " if row is None else WORDS[row.did] + (" †" if row.agrees is False else ""))
        causes = [
            row.innermost for release in columns if (row := seen.get((name, release))) and row.did == "fatal"
        ]
        last = next((text for text in causes[-1] if text), "") if causes else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {_code(last)} |")
    return "\n".join(lines) + "\n"


def _rank(name: str) -> tuple[int, tuple[int, ...], str]:
    known = list(dict.fromkeys([UNTOUCHED, *(damage for group in DAMAGES.values() for damage in group)]))
    if name in known:
        return known.index(name), (), name
    return len(known), version_key(name.split()[1]), name


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39)).replace('|', '/')}`" if text else ""


def _differences(bad: list[Row]) -> str:
    parts = ["## Where `examine` says otherwise\n"]
    left = list(bad)
    for entry, damage, message, why in EXPLAINED:
        here = [
            row
            for row in left
            if fnmatch.fnmatchcase(row.entry, entry)
            and fnmatch.fnmatchcase(row.damage, damage)
            and fnmatch.fnmatchcase(row.last, message)
        ]
        if here:
            left = [row for row in left if row not in here]
            parts.append(f"* {why} ({len(here)} cells)")
    parts += [
        f"* {row.story}, {row.entry}, {row.damage}, uv {row.release}: `examine` says {row.said}; seen: {row.did}."
        for row in left
    ]
    return "\n".join(parts if bad else [*parts, "Nowhere."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--releases", nargs="+", default=list(RELEASES))
    parser.add_argument("--stories", nargs="+", default=["*"], help="globs")
    parser.add_argument("--entries", nargs="+", default=["*"], help="globs")
    parser.add_argument("--damages", nargs="+", default=["*"], help="globs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", default="", help="keep the rows in this file, as JSON")
    parser.add_argument(
        "--known", default="", help="rows that were saved before and are taken where this run makes none"
    )
    parser.add_argument("--write", default="", help="write the page with the tables to this file")
    given = parser.parse_args()
    wanted = Wanted(
        releases=tuple(given.releases), stories=tuple(given.stories), entries=tuple(given.entries),
        damages=tuple(given.damages),
    )  # fmt: skip
    found: dict[tuple[str, ...], Row] = {}
    if given.known:
        for row in msgspec.json.decode(Path(given.known).read_bytes(), type=list[Row]):
            found[row.story, row.entry, row.damage, row.release] = row
    with tempfile.TemporaryDirectory(prefix="uvreport-verdicts-") as folder:
        for row in rows(
            Path(folder).resolve(), wanted, given.workers, lambda release: releases.obtain(release).path
        ):
            found[row.story, row.entry, row.damage, row.release] = row
            if row.agrees is False:
                print(told(row), flush=True)
    every = list(found.values())
    bad = sum(row.agrees is False for row in every)
    unseen = sum(row.agrees is None for row in every)
    runs = sum(len(row.commands) for row in every)
    agreed = len(every) - bad - unseen
    print(f"{len(every)} rows, {runs} runs, {agreed} agreements, {unseen} not looked at, {bad} disagreements")
    if given.save:
        Path(given.save).write_bytes(msgspec.json.encode(every))
    if given.write:
        page = Path(given.write)
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        page.write_text(document(every) + kept(before), encoding="utf-8")


def kept(page: str) -> str:
    """The section at the end of the page that benchmarks/culprits.py writes, "" where there is none."""
    _, title, rest = page.partition(BLAMED)
    return f"\n{title}{rest}" if title else ""


def told(row: Row) -> str:
    """A row in one line."""
    commands = [did for _, did in row.commands]
    return (
        f"{row.story} / {row.entry} / {row.damage} / {row.release}: said {row.said} {row.innermost} {row.states[:3]}; "
        f"did {row.did} {commands} {row.last[-300:]!r}"
    )


if __name__ == "__main__":
    main()
