"""The smallest bundle that fails like another one, judged by replays; and a cache part no larger than it must be.

The search is `uvreport.minimize`, which knows nothing of uv. Here is its judge: the same signature by the same frames,
and the same state of what is at fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from uvreport import __version__, minimize
from uvreport.bundle import Gap, Member, Redaction
from uvreport.cache.examine import examine, shard_of
from uvreport.cache.layout import parse as place_of
from uvreport.errors import BadBundleError, UsageError, UvreportError
from uvreport.failures.chain import parse
from uvreport.isolate import trees
from uvreport.locate import named_packages
from uvreport.minimize import problem
from uvreport.replay import TIMEOUT_S, contained
from uvreport.sandbox import end_runs
from uvreport.steady import steady

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence

    from uvreport.bundle import Bundle, Culprit, Uv
    from uvreport.cache.examine import Finding
    from uvreport.minimize import Answer, Step
    from uvreport.replay import Replay

MINIMIZED = "facts/minimized.json"
# The facts that stay true of a smaller bundle: of the machine and of uv. The others describe what was cut.
_STAYING = frozenset({"cache", "cache-entries", "python", "settings", "system", "uv", "minimized"})

# `collect` looks for a smaller cache part from here on, for so long, and leaves small files alone.
LARGE_MEMBERS, LARGE_BYTES, LARGE_S = 200, 250_000, 3.0
SMALL_FILE_BYTES = 4_096


class State(Struct, frozen=True, kw_only=True):
    """What is wrong with an entry: must be the same in a smaller bundle, or it has another fault."""

    path: str
    kind: str
    verdict: str
    state: str
    innermost: str
    missing: tuple[str, ...]
    damaged: tuple[str, ...]


class Judge:
    """Answers whether a bundle fails like `original` does; what was `seen` is the replay. From any thread."""

    def __init__(
        self,
        original: Bundle,
        uv: Uv,
        *,
        timeout_s: float = TIMEOUT_S,
        trust: bool = False,
        allow_code: bool = False,
    ) -> None:
        self.timeout_s = timeout_s
        self._original = original
        self.release = uv.release
        self._uv, self._trust, self._allow_code = uv, trust, allow_code
        self._want = states(original, uv.release)

    def __call__(self, candidate: Bundle) -> Answer:
        # Looked at first: it costs a hundredth of a run.
        if states(candidate, self.release) != self._want:
            return minimize.Answer(same=False, reason="what is at fault is in another state")
        try:
            seen = contained(
                candidate,
                self._uv,
                trust=self._trust,
                allow_code=self._allow_code,
                timeout_s=self.timeout_s,
            )
        except (BadBundleError, UsageError) as error:
            if candidate is self._original:  # no cut did that: it is the bundle as it came
                raise
            return minimize.Answer(same=False, reason=error.message)
        verdict = seen.verdict
        # A reason beside REPRODUCED says that only the innermost cause is the same.
        same = verdict.verdict == "REPRODUCED" and not verdict.reason
        said = f"{verdict.verdict} ({verdict.reason})" if verdict.reason else verdict.verdict
        return minimize.Answer(
            same=same, reason=f"with uv {verdict.uv} it is {said}", reads=seen.reads, seen=seen
        )


class _Ahead:
    """A judge that has begun with what is likely to be asked next; what it answers is the same."""

    def __init__(self, judge: Callable[[Bundle], Answer], jobs: int) -> None:
        self._judge = judge
        self._jobs = jobs
        self._pool = ThreadPoolExecutor(jobs)
        self._begun: dict[int, tuple[Bundle, Future[Answer]]] = {}
        self._left: list[Future[Answer]] = []  # that nobody waits for any more

    def expect(self, candidates: Iterator[Bundle]) -> None:
        """Begins with the first of these, and with nothing that is not among them any more."""
        wanted = {id(candidate): candidate for candidate in itertools.islice(candidates, self._jobs)}
        self._left = [future for future in self._left if not future.done()]
        for name in self._begun.keys() - wanted.keys():
            future = self._begun.pop(name)[1]
            if not future.cancel():
                self._left.append(future)
        for name, candidate in wanted.items():
            if name not in self._begun:
                self._begun[name] = candidate, self._pool.submit(self._judge, candidate)

    def __call__(self, candidate: Bundle) -> Answer:
        return self._begun.pop(id(candidate))[1].result()

    def close(self) -> None:
        """Ends the runs that nobody waits for."""
        running = [future for _, future in self._begun.values() if not future.cancel()] + self._left
        while wait(running, timeout=0.02).not_done:
            end_runs()  # again: one may have been about to start
        self._pool.shutdown()


def search(bundle: Bundle, judge: Judge, *, jobs: int | None = None) -> Generator[Step[Bundle], None, None]:
    """Every run on the way to the smallest bundle. Raises FailureNotThereError when `bundle` does not fail.

    `jobs` are the runs at once (default: one for each core). The answer and its steps do not depend on it.
    """
    # What fails by taking too long must not be slowed down.
    ahead = _Ahead(judge, 1 if bundle.failure.class_ == "hang" else jobs or _cores())
    with contextlib.closing(ahead):
        yield from minimize.minimize(
            bundle,
            minimize.every_pass(),
            ahead,
            key=problem.key,
            size=problem.size,
            guess=_likely(bundle, judge.release),
            expect=ahead.expect,
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _likely(bundle: Bundle, release: str) -> Bundle:
    """The bundle with no more of its cache than the entries at fault and what they lead to."""
    put = _examined(bundle, _entries(bundle), release)[1]

    def wanted(member: Member) -> bool:
        top, _, rest = member.path.partition("/")
        return top != "cache" or any(_within(rest, one) for one in put)

    return problem.keeping(bundle, wanted)


def states(bundle: Bundle, release: str) -> tuple[State, ...]:
    """What is wrong with each entry at fault, judged from the bundle's own bytes."""
    found, _ = _examined(bundle, _entries(bundle), release)
    return tuple(
        State(
            path=one.path, kind=one.kind, verdict=one.verdict, state=one.state, innermost=one.innermost,
            missing=one.missing, damaged=one.damaged,
        )
        for one in found
    )  # fmt: skip


def _entries(bundle: Bundle) -> tuple[str, ...]:
    """The cache paths of the entries at fault."""
    paths = [culprit.path for culprit in bundle.culprits]
    for path in bundle.missing:  # what ought to hold it
        holder = shard_of(path) if place_of(path).kind == "archive" else path
        paths.append(holder or path)
    return tuple(dict.fromkeys(paths))


def _examined(bundle: Bundle, paths: Sequence[str], release: str) -> tuple[list[Finding], set[str]]:
    """What there is to say of these entries, with what they lead to, put on disk for a moment; and all that was put.

    That are cache paths, each of them with everything below.
    """
    if not paths:
        return [], set()
    root = trees.throwaway(os.path.realpath(tempfile.gettempdir()))
    try:
        put: set[str] = set()
        wanted = {shard_of(path) or path for path in paths}
        found: list[Finding] = []
        while wanted - put:
            for member in bundle.members:
                rest = member.path.removeprefix("cache/")
                if rest != member.path and any(_within(rest, one) for one in wanted - put):
                    _put(root, rest, member, bundle.places.cache)
            put |= wanted
            found = [examine(root, path, release) for path in paths]
            wanted = {target for one in found for target in one.links_to}
        return found, put
    finally:
        trees.remove(root)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _put(root: str, rest: str, member: Member, cache: str) -> None:
    path = os.path.join(root, *rest.split("/"))
    if os.path.lexists(path):
        return
    with contextlib.suppress(OSError):
        os.makedirs(path if member.kind == "dir" else os.path.dirname(path), exist_ok=True)
        if member.kind == "link":
            inside = member.target.removeprefix(cache + "/")
            os.symlink(member.target if inside == member.target else os.path.join(root, inside), path)
        elif member.kind == "file":
            with open(path, "xb") as file:
                file.write(member.data)


# --- the smaller bundle as a bundle of its own ---


def restated(
    original: Bundle, smaller: Bundle, seen: Replay, *, uv: Uv, digest: str, clean: Callable[[str], str]
) -> Bundle:
    """`smaller` with all that it says of itself made true of it; still to be proven.

    `seen` is its replay, `digest` the SHA-256 of the file that it was made from. `clean` takes out of a text what is
    private on this machine, where the output is from.
    """
    outcome = seen.outcome
    assert outcome is not None
    stdout, stderr = clean(steady(outcome.stdout)), clean(steady(outcome.stderr))
    chain = parse(stderr) or parse(stdout)
    failure = original.failure
    if chain is not None:
        packages, sources = named_packages(chain)
        failure = replace(
            failure,
            frames=chain.frames,
            chain=chain.text,
            packages=packages or failure.packages,
            sources=sources,
        )
    run = replace(
        smaller.run,
        exit_code=outcome.exit_code,
        stdout=stdout,
        stderr=stderr,
        duration_s=round(outcome.duration_s, 3),
        timed_out=outcome.timed_out,
        how="sandbox",
        uv=original.run.uv
        if uv.release == original.run.uv.release
        else replace(uv, path=original.run.uv.path),
    )
    there = {member.path for member in smaller.members if member.path.startswith(problem.RESTORED)}
    members = [member for member in smaller.members if member.path in there]
    members += _facts(original, there)
    members.append(_about(original, smaller, digest))
    cure = tuple(path for path in original.cure if any(_within(name, f"cache/{path}") for name in there))
    return replace(
        smaller,
        tool=__version__,
        run=run,
        failure=failure,
        culprits=_culprits(original, smaller, uv.release),
        cure=cure or original.cure,
        members=tuple(sorted(members, key=lambda member: member.path)),
        gaps=_gaps(original, there),
        redactions=_redactions(original, members),
        proof=None,
    )  # fmt: skip


def _culprits(original: Bundle, smaller: Bundle, release: str) -> tuple[Culprit, ...]:
    """The culprits as they are now: their bytes may have been cut."""
    before = {member.path: member.data for member in original.members}
    after = {member.path: member.data for member in smaller.members}
    changed = [
        culprit
        for culprit in original.culprits
        if before.get(path := f"cache/{culprit.path}") != after.get(path)
    ]
    decoded = {
        found.path: found
        for found in _examined(smaller, [culprit.path for culprit in changed], release)[0]
    }  # fmt: skip
    return tuple(
        replace(
            culprit,
            decoded=msgspec.to_builtins(decoded[culprit.path].decoded, str_keys=True),
            size_bytes=len(after[f"cache/{culprit.path}"]),
            sha256=hashlib.sha256(after[f"cache/{culprit.path}"]).hexdigest(),
            reason=decoded[culprit.path].reason,
        )
        if culprit in changed
        else culprit
        for culprit in original.culprits
    )


def _facts(original: Bundle, there: set[str]) -> list[Member]:
    """The facts that are still true, with the decoded entries cut to those that are there."""
    found = []
    for member in original.members:
        name = member.path.removeprefix("facts/").removesuffix(".json")
        if not member.path.startswith("facts/") or name not in _STAYING or member.path == MINIMIZED:
            continue
        data = member.data
        if name == "cache-entries":
            rows = json.loads(data)
            guilty = {culprit.path for culprit in original.culprits} | set(original.missing)
            rows = [row for row in rows if f"cache/{row['path']}" in there or row["path"] in guilty]
            data = (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode()
        found.append(replace(member, data=data))
    return found


def _about(original: Bundle, smaller: Bundle, digest: str) -> Member:
    """What was cut from what: `from_sha256` is the digest of the bundle file that this one was made from."""
    said = {
        "from_sha256": digest,
        "members_before": _restored(original),
        "members_after": _restored(smaller),
        "size_before_bytes": problem.size(original),
        "size_after_bytes": problem.size(smaller),
        "argv_before": list(original.run.argv),
        "variables_cut": sorted(set(original.run.env) - set(smaller.run.env)),
    }
    data = (json.dumps(said, indent=2, ensure_ascii=False) + "\n").encode()
    return Member(path=MINIMIZED, data=data, collector="minimize")


def _restored(bundle: Bundle) -> int:
    return sum(member.path.startswith(problem.RESTORED) for member in bundle.members)


def _gaps(original: Bundle, there: set[str]) -> tuple[Gap, ...]:
    told = Gap(
        what="what the failure does not need", why="cut by minimize; a build or another release may need it"
    )
    return tuple(sorted({told, *(gap for gap in original.gaps if not _of_cut(gap, there))}))


def _of_cut(gap: Gap, there: set[str]) -> bool:
    named = gap.what.removeprefix("the content of ")
    return named.startswith(problem.RESTORED) and named not in there


def _redactions(original: Bundle, members: Sequence[Member]) -> tuple[Redaction, ...]:
    """Where the placeholders are now: in a member that was cut they are looked for again."""
    before: Mapping[str, Member] = {member.path: member for member in original.members}
    after = {member.path: member for member in members}
    found: list[Redaction] = []
    again: dict[tuple[str, str, str], int] = {}
    for one in original.redactions:
        member = after.get(one.member)
        if member is None:
            continue
        if one.offset < 0 or member.data == before[one.member].data:
            found.append(one)
        else:
            row = (one.member, one.rule, one.placeholder)
            again[row] = again.get(row, 0) + 1
    for (path, rule, placeholder), most in again.items():
        data, at = after[path].data, 0
        for _ in range(most):
            at = data.find(placeholder.encode(), at)
            if at < 0:
                break
            found.append(Redaction(member=path, offset=at, rule=rule, placeholder=placeholder))
            at += len(placeholder.encode())
    return tuple(sorted(found))


# --- what `collect` does by itself ---


def is_large(bundle: Bundle) -> bool:
    """Whether the cache part is large enough for `lean` to be worth its time."""
    sizes = [len(member.data) for member in bundle.members if member.path.startswith("cache/")]
    return len(sizes) > LARGE_MEMBERS or sum(sizes) > LARGE_BYTES


def lean(bundle: Bundle, uv: Uv, *, within_s: float = LARGE_S) -> Bundle:
    """The bundle with a cache part no larger than the failure needs, as far as `within_s` allows; a gap says so.

    Entries at fault, what stands in one shard with them, and small files stay: they are evidence, too. A bundle that
    is small already, or that does not fail the same way in a replay, comes back as it is.
    """
    if not is_large(bundle) or not bundle.culprits or not uv.path:
        return bundle
    end = time.monotonic() + within_s
    shards = {shard_of(culprit.path) or culprit.path for culprit in bundle.culprits}
    in_cache = [member for member in bundle.members if member.path.startswith("cache/")]
    many = len(in_cache) > LARGE_MEMBERS
    subject = {
        member.path
        for member in in_cache
        if many or len(member.data) > SMALL_FILE_BYTES
        if not any(_within(member.path.removeprefix("cache/"), shard) for shard in shards)
    }
    # Trusted: it is the person's own, and uv has just done the same on the copy.
    judge = Judge(bundle, uv, trust=True)

    def judged(candidate: Bundle) -> Answer:
        judge.timeout_s = max(end - time.monotonic(), 0.1)
        return judge(_with(candidate, bundle, subject))

    start = problem.keeping(bundle, lambda member: member.path in subject)
    passes = [one for one in minimize.every_pass() if one.name in {"what was not read", "cache"}]
    best = bundle
    try:
        steps = minimize.minimize(
            start,
            passes,
            judged,
            key=problem.key,
            size=problem.size,
            guess=_with(_likely(bundle, uv.release), start, subject),
        )
        for step in steps:
            best = _with(step.best, bundle, subject)
            if time.monotonic() > end:
                break
    except UvreportError:
        return best
    return _told(bundle, best)


def _with(candidate: Bundle, bundle: Bundle, subject: Collection[str]) -> Bundle:
    """`bundle`, with of the members in question only those of `candidate`."""
    kept = {member.path for member in candidate.members}
    return problem.keeping(bundle, lambda member: member.path in kept or member.path not in subject)


def _told(bundle: Bundle, smaller: Bundle) -> Bundle:
    there = {member.path for member in smaller.members}
    cut = [member for member in bundle.members if member.path not in there]
    if not cut:
        return bundle
    size = sum(len(member.data) for member in cut)
    gap = Gap(
        what=f"{len(cut)} cache entries ({size / 1e6:.1f} MB)", why="it fails the same way without them"
    )
    gone = {member.path for member in cut}
    redactions = tuple(one for one in bundle.redactions if one.member not in gone)
    return replace(smaller, gaps=tuple(sorted({*bundle.gaps, gap})), redactions=redactions)


__all__ = ["Judge", "is_large", "lean", "restated", "search", "states"]
