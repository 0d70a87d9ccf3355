"""The data that flows through uvreport, as values.

Collecting makes a `Snapshot`; redacting is the only door from `Snapshot` to `Bundle`; everything after it
takes and returns `Bundle`s. All of it is frozen: a step that changes something returns a new value
(`msgspec.structs.replace`).
"""

from __future__ import annotations

import enum
from typing import Any, Literal

from msgspec import Struct, field

Outcome = Literal["REPRODUCED", "DIFFERENT", "CLEAN", "UNTESTED"]


class Places(Struct, frozen=True, kw_only=True):
    """Where things stand, as absolute paths of the machine that the failure is from.

    In a `Snapshot` these are the person's own; in a `Bundle` they are canonical (docs/bundle-format.md).
    `cwd` is where the command ran, `project` what `project/**` is relative to, `venv` the environment that
    uv used or would create ("" when there is none).
    """

    home: str
    project: str
    cache: str
    cwd: str
    venv: str = ""


class Uv(Struct, frozen=True, kw_only=True):
    """A uv executable and the release that it says it is (`"0.6.6"`; "" when it could not be asked)."""

    path: str
    release: str
    version_text: str = ""


class Run(Struct, frozen=True, kw_only=True):
    """One run of uv.

    `argv` is what the person typed, program and all; `examined` is what was really run: the program of
    `uv run` replaced by one that does nothing, verbosity raised. `env` holds the variables that matter to uv.
    `exit_code` is negative for a signal, None when the run never ended (`timed_out`) or nothing was run (a
    saved log). Output is decoded as UTF-8 with replacement.
    """

    argv: tuple[str, ...]
    examined: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    exit_code: int | None
    stdout: str
    stderr: str
    duration_s: float
    uv: Uv
    timed_out: bool = False
    how: str = ""  # "overlay", "copy", "log", "sandbox": what was run on


class Failure(Struct, frozen=True, kw_only=True):
    """What went wrong, in terms that can be compared.

    `frames` is the error chain, outermost first, unwrapped, without markers; `chain` is the same block of
    text as uv printed it. `packages` and `sources` are what the chain names: normalised package names, and
    URLs or paths as written. `signature` decides whether two failures are the same.
    """

    class_: str = field(name="class")
    signature: str
    frames: tuple[str, ...]
    chain: str
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Member(Struct, frozen=True, kw_only=True):
    """One thing in the bundle: a file, an empty directory or a symbolic link.

    `path` is the restore rule: `project/**`, `cache/**` and `home/**` are put back, `facts/**` and `run/**` are
    for reading. Always `/`-separated, relative, without `.` or `..`. `mode` is the permission bits. `target`
    is the link's text. `mtime_ns` is 0 where the time means nothing.
    """

    path: str
    data: bytes = b""
    kind: Literal["file", "dir", "link"] = "file"
    mode: int = 0o644
    target: str = ""
    mtime_ns: int = 0
    collector: str = ""


class Gap(Struct, frozen=True, kw_only=True, order=True):
    """What could not be had, and why, each as a short phrase."""

    what: str
    why: str


class Culprit(Struct, frozen=True, kw_only=True):
    """A cache entry at fault.

    `path` is relative to the cache root. `kind` is the kind of entry (cache/entries), `state` what is wrong in
    one word, `reason` in one sentence. `writers` is the range of releases that can have written it, as
    `"0.6.7"` or `"0.6.8..0.11.8"`, "" where nothing can be said. `confirmed` says how it is known:
    "removed: the command passes", or why it is only suspected. `decoded` is JSON-able.
    """

    path: str
    kind: str
    state: str
    reason: str
    writers: str = ""
    confirmed: str = ""
    size_bytes: int = 0
    sha256: str = ""
    decoded: Any = None


class Relation(Struct, frozen=True, kw_only=True):
    """A cache entry that uv believes only while its recorded time agrees with its source's.

    `entry` is relative to the cache root; `source` is the path that the time is of, relative to the project
    (or absolute and canonical); `relation` compares the recorded time with the real one.
    """

    entry: str
    source: str
    relation: Literal["equal", "older", "newer", "missing"]


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything that was gathered, as it was found: private. Only `redact` takes it on from here.

    `platform` is `sys.platform` of the machine, `missing` are cache paths whose absence is at fault, `cure` the
    smallest set of cache paths whose removal makes the command pass.
    """

    created: str  # UTC, RFC 3339, seconds
    tool: str  # uvreport's own version
    platform: str
    places: Places
    run: Run
    failure: Failure
    culprits: tuple[Culprit, ...] = ()
    missing: tuple[str, ...] = ()
    cure: tuple[str, ...] = ()
    triage: str = ""  # what the same command did with --no-cache
    members: tuple[Member, ...] = ()
    gaps: tuple[Gap, ...] = ()
    relations: tuple[Relation, ...] = ()


class Verdict(Struct, frozen=True, kw_only=True):
    """What a replay came to.

    REPRODUCED: the same failure. DIFFERENT: another failure. CLEAN: it passed, *and read the entry*.
    UNTESTED: nothing can be said, and `reason` says why (entry not read, needs code, needs network, no such
    release). `code_executed` is whether a line of the bundle's own code ran, `healed` whether a release that passed
    put another entry in the place of the one at fault, or took it away, `past` whether it read the entry without this
    failure, whatever came after.
    """

    verdict: Outcome
    uv: str
    signature: str = ""
    reason: str = ""
    code_executed: bool = False
    duration_s: float = 0.0
    healed: bool = False
    past: bool = False


class Proof(Struct, frozen=True, kw_only=True):
    """The replay of the redacted bundle that was made before it was written; `uv` is the release."""

    verdict: Outcome
    uv: str
    reason: str = ""
    signature: str = ""
    isolation: str = ""


class Redaction(Struct, frozen=True, kw_only=True, order=True):
    """One replacement: where (member path, byte offset or -1 for a name) and by which rule, never the value."""

    member: str
    offset: int
    rule: str
    placeholder: str


class Bundle(Snapshot, frozen=True, kw_only=True):
    """A snapshot that redaction has been through: canonical places, placeholders, recomputed keys."""

    redactions: tuple[Redaction, ...] = ()
    proof: Proof | None = None


class Stage(enum.Enum):
    """The steps of the reporter's story, in order; the command line draws them."""

    OBSERVE = "running the command again, on a copy"
    LOCATE = "looking for the cache entry at fault"
    COLLECT = "gathering the facts"
    REDACT = "removing what is private"
    PROVE = "replaying the redacted bundle"
    PACK = "writing the bundle and searching its bytes"
