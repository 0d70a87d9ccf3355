"""Gathers the facts that a maintainer would ask for, one file per topic.

A topic takes the `Scene` and gives `Findings`: members and gaps. It starts no uv except through `Scene.ask`,
writes nothing, and knows nothing of redaction: what it gives is private until redaction has been through it.
One rule is its own all the same: the value of a variable that holds a secret is never taken, only its shape.
"""

from __future__ import annotations

import contextlib
import errno
import ntpath
import os
import posixpath
import queue
import re
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from uvreport import registry
from uvreport.bundle import Culprit, Failure, Gap, Member, Places, Run, Uv
from uvreport.errors import UsageError, UvreportError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from types import ModuleType

    from uvreport.uv import Outcome

LIMIT_S = 5.0
"""How long one topic may take."""

# A hung uv must cost what uv was asked for and not everything else that the topic knows, so it gets less than
# the topic.
ASK_LIMIT_S = 4.0

FILE_LIMIT_BYTES = 2_000_000

_USERINFO = re.compile(r"(?<=://)([^/\s?#@]*)@")
_QUERY_VALUE = re.compile(r"([?&][\w.~%-]+=)([^&#\s\"']+)")


class Scene(Struct, frozen=True, kw_only=True):
    """What the topics look at.

    `places` are the person's own paths, `environ` is the whole environment, `run` is the failing run on the
    shadow, `packages` are normalised names, `around` are the cache-relative paths that the failing run read
    around the culprits, `missing` those whose absence is at fault. `ask` runs `uv <args>` on the shadow, bounded.
    `root` is put before every path that is read, so that the files of another system can be laid out in a folder.
    `with_archives` lets small local wheels and sdists in.
    """

    places: Places
    environ: dict[str, str]
    platform: str
    uv: Uv
    run: Run
    failure: Failure
    ask: Callable[[Sequence[str]], Outcome]
    packages: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    around: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    root: str = ""
    with_archives: bool = False


class Findings(Struct, frozen=True, kw_only=True):
    """What a topic came back with; a gap is as good an answer as a member."""

    members: tuple[Member, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Collector(Struct, frozen=True, kw_only=True):
    """A topic: `name` is what `--without` takes, `what` the line of help beside it."""

    name: str
    what: str
    collect: Callable[[Scene], Findings]


def collectors() -> tuple[Collector, ...]:
    """Every topic, ordered by name."""
    return registry.exports(__name__, "COLLECTOR", Collector)


def gather(
    scene: Scene, *, without: Collection[str] = (), progress: Callable[[str], None] | None = None
) -> Findings:
    """What all topics found, members ordered by path; `progress` is told the name of each topic that is done.

    They run side by side. One that does not answer within `LIMIT_S`, or that raises OSError or UvreportError,
    becomes a gap. Any other exception is a bug and is raised. Raises UsageError for an unknown name in
    `without`.
    """
    topics = collectors()
    unknown = sorted(set(without) - {topic.name for topic in topics})
    if unknown:
        raise UsageError(
            f"There is no collector called {unknown[0]!r}.",
            hint="These can be left out: " + ", ".join(topic.name for topic in topics) + ".",
        )
    wanted = [topic for topic in topics if topic.name not in without]
    scene = msgspec.structs.replace(scene, ask=_each_once(scene.ask))
    found = {topic.name: _left_out(topic.name) for topic in topics if topic.name in without}
    for name, answer in _side_by_side(wanted, scene):
        if isinstance(answer, Findings):
            found[name] = answer
        elif isinstance(answer, (OSError, UvreportError)):
            found[name] = Findings(gaps=(Gap(what=name, why=reason(answer)),))
        else:
            raise answer
        if progress is not None:
            progress(name)
    for topic in wanted:
        found.setdefault(topic.name, _silent(topic.name))
    return _together(found)


def _each_once(ask: Callable[[Sequence[str]], Outcome]) -> Callable[[Sequence[str]], Outcome]:
    """`ask`, but a question that two topics have is put to uv only once; the second one waits for the answer."""
    answers: dict[tuple[str, ...], Outcome] = {}
    locks: dict[tuple[str, ...], threading.Lock] = {}

    def once(args: Sequence[str]) -> Outcome:
        key = tuple(args)
        with locks.setdefault(key, threading.Lock()):
            if key not in answers:
                answers[key] = ask(args)
            return answers[key]

    return once


def _left_out(name: str) -> Findings:
    return Findings(gaps=(Gap(what=name, why="left out by --without"),))


def _silent(name: str) -> Findings:
    return Findings(gaps=(Gap(what=name, why=f"did not answer within {LIMIT_S:g} s"),))


def _side_by_side(
    topics: Sequence[Collector], scene: Scene
) -> Iterator[tuple[str, Findings | BaseException]]:
    done: queue.SimpleQueue[tuple[str, Findings | BaseException]] = queue.SimpleQueue()

    def work(topic: Collector) -> None:
        try:
            done.put((topic.name, topic.collect(scene)))
        except (
            BaseException
        ) as error:  # every exception goes to the thread that asked, which tells bugs apart
            done.put((topic.name, error))

    # Daemons, and not a pool: a pool waits at the end of the process for a thread that hangs on a dead
    # network drive.
    for topic in topics:
        threading.Thread(target=work, args=(topic,), daemon=True, name=f"collect-{topic.name}").start()
    until = time.monotonic() + LIMIT_S
    with contextlib.suppress(queue.Empty):
        for _ in topics:
            yield done.get(timeout=max(0.0, until - time.monotonic()))


def _together(found: dict[str, Findings]) -> Findings:
    members: dict[str, Member] = {}
    gaps: set[Gap] = set()
    for name in sorted(found):
        for member in found[name].members:
            # Two topics may name the same thing (a settings file is also the project's). The first one has
            # it.
            members.setdefault(member.path, msgspec.structs.replace(member, collector=name))
        gaps.update(found[name].gaps)
    return Findings(members=tuple(members[path] for path in sorted(members)), gaps=tuple(sorted(gaps)))


# What the topics share: reading within bounds, and writing down facts.


def paths_of(scene: Scene) -> ModuleType:
    """`ntpath` or `posixpath`, by the system that the scene is of."""
    return ntpath if scene.platform == "win32" else posixpath


def at(scene: Scene, path: str) -> str:
    """Where `path` of the scene is to be read on this machine."""
    return scene.root + "/" + path.replace("\\", "/").lstrip("/") if scene.root else path


def state(scene: Scene, path: str, *, follow: bool = True) -> os.stat_result | None:
    """What stands at `path`, or None when nothing does or it cannot be asked."""
    try:
        return os.stat(at(scene, path), follow_symlinks=follow)
    except (OSError, ValueError):
        return None


def is_file(scene: Scene, path: str) -> bool:
    found = state(scene, path)
    return found is not None and stat.S_ISREG(found.st_mode)


def is_dir(scene: Scene, path: str) -> bool:
    found = state(scene, path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def names_in(scene: Scene, path: str) -> tuple[str, ...]:
    """The names in a folder, sorted; none when it cannot be listed."""
    try:
        return tuple(sorted(os.listdir(at(scene, path))))
    except (OSError, ValueError):
        return ()


def read(scene: Scene, path: str, *, limit_bytes: int = FILE_LIMIT_BYTES) -> bytes:
    """The bytes of a plain file of at most `limit_bytes`. Raises OSError, also if it is none."""
    # Without O_NONBLOCK, opening a pipe that somebody left in a project waits for a writer for ever.
    handle = os.open(at(scene, path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        what = os.fstat(handle)
        if not stat.S_ISREG(what.st_mode):
            raise OSError(errno.EINVAL, "not a plain file", path)
        if what.st_size > limit_bytes:
            raise OSError(errno.EFBIG, f"larger than {limit_bytes // 1000} kB", path)
        # /proc and its like say 0 bytes; the bound holds for them too.
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"larger than {limit_bytes // 1000} kB", path)
    return data


def text(scene: Scene, path: str) -> str:
    """The text of a small file, "" when it cannot be read."""
    try:
        return read(scene, path).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def toml(data: bytes | str) -> dict[str, Any]:
    """A TOML document. Raises ValueError, with what is wrong and where."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    document: dict[str, Any] = tomllib.loads(data.decode("utf-8") if isinstance(data, bytes) else data)
    return document


def table(scene: Scene, path: str) -> dict[str, Any]:
    """The TOML document at `path`, empty when there is none that can be read."""
    try:
        return toml(read(scene, path))
    except (OSError, ValueError):
        return {}


def within(value: Any, *keys: str) -> Any:
    """What stands under `keys`, or None; a document of the wrong shape is like one without."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def dicts(value: Any) -> list[dict[str, Any]]:
    """`value` as a list of tables: one table stands for a list of one, anything else is left out."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def tables(value: Any) -> dict[str, Any]:
    """`value` as a table, empty when it is something else."""
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> list[str]:
    """`value` as a list of strings: one string stands for a list of one, anything else is left out."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def reason(error: BaseException) -> str:
    """Why something could not be had, as a short phrase."""
    if isinstance(error, UvreportError):
        return error.message
    said = error.strerror if isinstance(error, OSError) else str(error)
    said = said or type(error).__name__
    return said[0].lower() + said[1:]


def facts(topic: str, value: Any) -> Member:
    """The member `facts/<topic>.json`: sorted, indented, the same bytes for the same facts."""
    try:
        packed = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        # Names and variables on Linux are bytes; what is not UTF-8 in them arrives as lone surrogates.
        packed = msgspec.json.encode(_readable(msgspec.to_builtins(value)), order="sorted")
    return Member(path=f"facts/{topic}.json", data=msgspec.json.format(packed, indent=2) + b"\n")


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(item) for item in value]
    return value


def shape(value: str) -> dict[str, Any]:
    """What a secret looks like: its length and the classes of its characters."""
    classes = {
        "lower": any(c.islower() for c in value),
        "upper": any(c.isupper() for c in value),
        "digits": any(c.isdigit() for c in value),
        "punctuation": any(c.isascii() and c.isprintable() and not c.isalnum() and c != " " for c in value),
        "spaces": any(c.isspace() for c in value),
        "non-ascii": not value.isascii(),
    }
    return {"length": len(value), "characters": [name for name, there in classes.items() if there]}


def in_words(value: str) -> str:
    """The shape of a secret for the middle of a text, as `<20 characters: lower, digits>`."""
    seen = shape(value)
    return f"<{seen['length']} characters: {', '.join(seen['characters'])}>" if value else "<empty>"


def without_userinfo(value: str) -> str:
    """`value` with user names, passwords and query values in URLs replaced by their shape."""

    def userinfo(match: re.Match[str]) -> str:
        user, colon, password = match[1].partition(":")
        return in_words(user) + (":" + in_words(password) if colon else "") + "@"

    if "://" not in value:
        return value
    return _QUERY_VALUE.sub(lambda m: m[1] + in_words(m[2]), _USERINFO.sub(userinfo, value))


def deep_without_userinfo(value: Any) -> Any:
    """A JSON-able copy of `value` with every URL in it shown by `without_userinfo`."""
    if isinstance(value, str):
        return without_userinfo(value)
    if isinstance(value, dict):
        return {str(key): deep_without_userinfo(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [deep_without_userinfo(item) for item in value]
    return value if isinstance(value, (int, float, bool)) or value is None else str(value)


def ask(scene: Scene, args: Sequence[str]) -> Outcome | None:
    """What uv answered to `args` on the shadow; None when it did not within `ASK_LIMIT_S`."""
    box: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            box.put(scene.ask(args))
        except BaseException as error:  # handed to the thread that waits
            box.put(error)

    threading.Thread(target=work, daemon=True, name="ask-uv").start()
    with contextlib.suppress(queue.Empty):
        answer = box.get(timeout=ASK_LIMIT_S)
        if isinstance(answer, BaseException):
            raise answer
        return None if answer.timed_out else answer
    return None


def release_of(version: str) -> tuple[int, ...]:
    """A release as numbers that compare; empty when it is not one."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return tuple(int(part) for part in match.groups()) if match else ()


def link_chain(scene: Scene, path: str) -> tuple[str, ...]:
    """`path` and every link that it leads through, to the end, which may not exist; at most 20 steps."""
    paths = paths_of(scene)
    chain = [path]
    while len(chain) < 20:
        try:
            target = os.readlink(at(scene, chain[-1]))
        except (OSError, ValueError):
            break
        chain.append(paths.normpath(paths.join(paths.dirname(chain[-1]), target)))
        if chain[-1] in chain[:-1]:
            break
    return tuple(chain)


def under(scene: Scene, path: str, folder: str) -> str | None:
    """`path` relative to `folder` with `/`, "" for the folder itself, None when it is not in it."""
    paths = paths_of(scene)
    if not folder:
        return None
    path, folder = paths.normpath(path), paths.normpath(folder)
    if paths.normcase(path) == paths.normcase(folder):
        return ""
    start = folder if folder.endswith(paths.sep) else folder + paths.sep
    if not paths.normcase(path).startswith(paths.normcase(start)):
        return None
    relative: str = path[len(start) :]
    return relative.replace(paths.sep, "/")


def unique(items: Iterable[str]) -> list[str]:
    """The items, each once, in their order."""
    return list(dict.fromkeys(items))
