"""Any text, file or directory through the same funnel: what `uvreport redact` does."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from uvreport.errors import CannotWriteError, RedactionError, UsageError
from uvreport.redact import archives, contents
from uvreport.redact.engine import Engine
from uvreport.redact.known import Known, is_telling, is_worth
from uvreport.redact.ledger import Ledger, is_placeholder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHUNK = 1 << 21
# What stays in sight before a chunk: a private key, or the `machine` of a netrc entry, may begin there.
CONTEXT = 32_768
LINE_MOST = 1 << 18  # a line is cut where nothing private is, once it is longer
MARGIN = 16_384  # more than any rule looks ahead
LEARN_MOST = 64_000_000  # bytes; larger inputs are read once, from front to back


def redact_stream(
    source: BinaryIO, out: BinaryIO, known: Known, *, ledger: Ledger | None = None
) -> dict[str, int]:
    """Copies text from `source` to `out` without what is private, in constant memory; how often by rule.

    Lines stay lines. What only a later line gives away as secret stays in earlier ones: see `redact_tree`. What was
    replaced by what is then in `ledger`.
    """
    return dict(_stream(source, out, Engine(known, Ledger() if ledger is None else ledger)).most_common())


def _stream(source: BinaryIO, out: BinaryIO, engine: Engine) -> Counter[str]:
    counted: Counter[str] = Counter()
    context = buffer = b""
    ended = False
    while not ended:
        piece = source.read(CHUNK)
        ended = not piece
        buffer += piece
        if not ended and b"\n" not in piece and len(buffer) < LINE_MOST + MARGIN:
            continue
        text = context + buffer
        begin = len(context)
        found = [span for span in engine.spans(text) if span.end > begin]
        cut = len(text) if ended else _cut(text, begin)
        for span in found:
            if span.start < cut < span.end:
                # Not through the middle of what goes: before it, or, where it fills the chunk, after it.
                cut = span.start if span.start > begin else span.end
        found = [span._replace(start=max(span.start, begin)) for span in found if span.end <= cut]
        new, log = engine.replaced(
            text[begin:cut], [span._replace(start=span.start - begin, end=span.end - begin) for span in found]
        )
        out.write(new)
        counted.update(rule for _, rule, _ in log)
        context = text[max(0, cut - CONTEXT) : cut]
        buffer = text[cut:]
    return counted


def _cut(text: bytes, begin: int) -> int:
    """Where a chunk may end: after its last line, or in a line too long to wait for, at a space if there is one."""
    cut = text.rfind(b"\n", begin) + 1
    if cut > begin:
        return cut
    most = max(begin, len(text) - MARGIN)
    return max(text.rfind(b" ", max(begin, most - MARGIN), most) + 1, 0) or most


def redact_tree(
    source: str,
    out: str,
    known: Known,
    *,
    leave_out: Callable[[str], None] | None = None,
    ledger: Ledger | None = None,
) -> dict[str, int]:
    """Copies a file or a directory without what is private, names and link targets too; how often by rule.

    Everything is read before anything is written, so that a secret known in one file is gone from all. `out`
    must not exist yet, or be an empty directory; a file may be replaced. Raises RedactionError, and leaves
    nothing behind, when something cannot be looked into, unless `leave_out` is given: then it is told the path, and the
    file is left out. What was replaced by what is then in `ledger`.
    """
    if not os.path.lexists(source):
        raise UsageError(f"There is no {source}.", hint="Name a file, a directory, or - for standard input.")
    engine = Engine(known, Ledger() if ledger is None else ledger)
    counted: Counter[str] = Counter()
    if not os.path.isdir(source):
        _file(source, out, _learned(engine, [source]), counted)
        return dict(counted.most_common())
    if os.path.exists(out) and (not os.path.isdir(out) or os.listdir(out)):
        raise CannotWriteError(f"{out} is there already.", hint="Name a directory that does not exist yet.")
    if (os.path.realpath(out) + os.sep).startswith(os.path.realpath(source) + os.sep):
        raise CannotWriteError(f"{out} is inside of {source}.", hint="Name a directory beside it.")
    listed = list(_listed(source))
    engine = _learned(engine, [path for path, kind in listed if kind == "file"])
    made = not os.path.exists(out)
    try:
        os.makedirs(out, exist_ok=True)
        taken: set[str] = set()
        for path, kind in listed:
            above, name = os.path.split(os.path.relpath(path, source))
            parts = [_told(engine, part, Counter()) for part in above.split(os.sep) if part]
            told = "/".join([*parts, _told(engine, name, counted)])
            if kind != "dir":
                _once(told, taken)
            taken.add(told.casefold())
            target = os.path.join(out, *told.split("/"))
            if kind == "dir":
                os.makedirs(target, exist_ok=True)
            elif kind == "link":
                os.symlink(_told(engine, os.readlink(path), counted), target)
            else:
                try:
                    _file(path, target, engine, counted)
                except RedactionError:
                    if leave_out is None:
                        raise
                    leave_out(path)
    except BaseException:
        if made:
            shutil.rmtree(out, ignore_errors=True)
        raise
    return dict(counted.most_common())


def _once(told: str, taken: set[str]) -> None:
    if told.casefold() in taken:
        raise RedactionError(
            f"Two files would both be called {told} once redacted. Nothing was written.",
            hint="Rename one of them: their names differ only in what is private.",
        )


def _listed(source: str) -> Iterable[tuple[str, str]]:
    """Every path below, directories first, in order, links not followed; sockets and devices are passed over."""
    for folder, folders, files in os.walk(source):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                yield path, "link"
            elif os.path.isdir(path):
                yield path, "dir"
            elif os.path.isfile(path):
                yield path, "file"


def _told(engine: Engine, name: str, counted: Counter[str]) -> str:
    new, log = engine.redact(os.fsencode(name))
    counted.update(rule for _, rule, _ in log)
    return os.fsdecode(new)


def _learned(engine: Engine, paths: list[str]) -> Engine:
    """An engine that also knows the credentials which stand in these files in their full context."""
    found: dict[str, None] = dict.fromkeys(engine.known.secrets)
    accounts: dict[str, None] = dict.fromkeys(engine.known.accounts)
    left = LEARN_MOST
    for path in paths:
        with contextlib.suppress(OSError, archives.CannotLookInsideError):
            left -= os.path.getsize(path)
            if left < 0:
                break
            with open(path, "rb") as file:
                data = file.read()
            for name, text in contents.texts(path, data):
                for span in contents.spans(engine, name, text):
                    value = span.value.decode("utf-8", "replace")
                    if is_placeholder(span.value):
                        continue
                    if span.kind == "account" and is_telling(value):
                        accounts.setdefault(value)
                    elif span.kind == "secret" and is_worth(value):
                        found.setdefault(value)
    return engine.learn(replace(engine.known, secrets=tuple(found), accounts=tuple(accounts)))


def _file(path: str, target: str, engine: Engine, counted: Counter[str]) -> None:
    """One file, written beside its target and moved there when it is whole."""
    partial = f"{target}.partial"
    try:
        with open(path, "rb") as source:
            head = source.read(65_536)
            source.seek(0)
            with open(partial, "wb") as out:
                if os.fstat(source.fileno()).st_size > LEARN_MOST and contents.is_text(
                    head[: head.rfind(b"\n") + 1] or head
                ):
                    counted.update(_stream(source, out, engine))
                else:
                    out.write(
                        contents.redacted(
                            engine,
                            path,
                            path,
                            source.read(),
                            lambda _, log: counted.update(rule for _, rule, _ in log),
                        )
                    )
        with contextlib.suppress(OSError):
            shutil.copymode(path, partial)
        os.replace(partial, target)
    except archives.CannotLookInsideError as problem:
        _gone(partial)
        raise RedactionError(
            f"{os.path.basename(path)} cannot be looked into: it is {problem}. Nothing was written.",
            hint="Leave such files out with --drop-unreadable.",
        ) from None
    except OSError as problem:
        _gone(partial)
        raise CannotWriteError(f"{problem.strerror}: {problem.filename or target}") from None
    except BaseException:
        _gone(partial)
        raise


def _gone(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
