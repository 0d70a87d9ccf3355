"""From a failure to the cache entries at fault: suspects, then culprits, each confirmed by taking it away on the copy.

First whether the cache is to blame at all: the same command with `--no-cache`. Then the suspects, best first: paths
that the error chain names, entries of the packages that it names, shards that the log names last, everything that
the failing run read, whole buckets. An entry is a culprit when it is bad by its own content (cache/examine) *and* the
failure is gone without it.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, to_builtins

from uvreport import invocation as uv_command
from uvreport.bundle import Culprit, Failure, Gap
from uvreport.cache import buckets, examine, keys
from uvreport.cache.entry import look_at
from uvreport.failures import Evidence, FailureClass, recognise
from uvreport.failures.chain import parse
from uvreport.failures.signature import core, likeness, signature
from uvreport.scene import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from uvreport.bundle import Places, Run, Uv
    from uvreport.cache.examine import Finding
    from uvreport.failures.chain import Chain
    from uvreport.invocation import Invocation
    from uvreport.observe import Observation
    from uvreport.shadow import Shadow
    from uvreport.uv import Outcome

Answer = Literal["passes", "past", "same", "network", "other"]
GONE = frozenset({"passes", "past", "network"})  # answers after which this failure is not there

MOST_SUSPECTS = 400
MOST_RUNS = 24

# How bad an examined entry looks, worst first. What only may be wrong comes last.
_BADNESS = {"fatal": 0, "healed": 1, "ignored": 2, "suspicious": 3, "unknown": 4}


# A run without the cache asks the network. Where that does not answer uv waits 7 s over three more tries: one tells.
_IMPATIENT = {"UV_HTTP_RETRIES": "1"}


class Located(Struct, frozen=True, kw_only=True):
    """The failure with its class, and what in the cache is at fault (all paths relative to the cache root).

    `missing` are paths that ought to be there; `cure` is the smallest set found whose removal makes the
    command pass; `around` is what the failing run read together with the culprits; `triage` says in words
    what happened without the cache.
    """

    failure: Failure
    culprits: tuple[Culprit, ...] = ()
    missing: tuple[str, ...] = ()
    cure: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    triage: str = ""
    gaps: tuple[Gap, ...] = ()


class _Case:
    """One failure under examination: knows how to run the command again in a changed copy, and counts the runs."""

    def __init__(
        self,
        shadow: Shadow,
        uv: Uv,
        seen: Observation,
        places: Places,
        env: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self.shadow = shadow
        self.uv = uv
        self.seen = seen
        self.places = places
        self.env = env
        self.timeout_s = timeout_s
        self.runs = 0
        self.want = core(seen.chain.frames, seen.chain.detail)
        self.until = _past(seen)
        self._known: dict[tuple[bool, tuple[str, ...]], Answer] = {}

    def without(self, paths: Iterable[str], *, to_its_end: bool = False) -> Answer:
        """What the command does when these cache paths are gone. `to_its_end`: never "past"."""
        gone = tuple(sorted(set(paths)))
        key = to_its_end, gone
        if key not in self._known:
            self.runs += 1
            self._known[key] = self._run(self.seen.examined, gone, None if to_its_end else self.until)
        return self._known[key]

    def uncached(self) -> Answer:
        return self._run(uv_command.uncached(self.seen.examined), (), self.until)

    def _run(self, command: Invocation, without: tuple[str, ...], until: re.Pattern[bytes] | None) -> Answer:
        from uvreport.environment import flaws

        loud = uv_command.verbose(command)
        trial = self.shadow.run(
            (self.uv.path, *loud.words),
            cwd=self.places.cwd,
            env={**_IMPATIENT, **self.env},
            timeout_s=self.timeout_s,
            without=without,
            replace=self.seen.replaced,
            until=until,
        )
        broken = (
            bool(flaws(self.places.venv, trial.look))
            if self.seen.flaws and trial.outcome.exit_code == 0
            else False
        )
        return answer(trial.outcome, self.want, self.seen.run, broken=broken)


def _past(seen: Observation) -> re.Pattern[bytes] | None:
    """The log line by which a run shows that it is past a failure of reading: it goes on to build that package.

    A build takes seconds and adds nothing. None where the failing run got that far itself.
    """
    packages, _ = named_packages(seen.chain)
    names = "|".join(re.escape(name).replace(r"\-", "[-_.]") for name in packages)
    if not names:
        return None
    line = rf"^.{{0,60}}\b(?:DEBUG|INFO) .{{0,60}}\b(?:Preparing metadata for|Building):? `?(?:{names})(?![\w.-])"
    found = re.compile(line.encode(), re.MULTILINE | re.IGNORECASE)
    return None if found.search(seen.run.stderr.encode()) else found


def answer(outcome: Outcome, want: Sequence[str], failed: Run, *, broken: bool = False) -> Answer:
    """What a changed run came to, beside the failure that is looked for."""
    if outcome.stopped:
        return "past"
    if outcome.exit_code in {0, uv_command.NOT_FOUND_EXIT}:
        return "same" if broken else "passes"
    if outcome.timed_out:
        return "same" if failed.timed_out else "other"
    chain = parse(outcome.stderr) or parse(outcome.stdout)
    if chain is None:
        return "other"
    if likeness(want, core(chain.frames, chain.detail)) != "different":
        return "same"
    told = recognise(Evidence(chain=chain, exit_code=outcome.exit_code, blamed=False)).name
    return "network" if told in {"network", "index", "git"} else "other"


def locate(
    shadow: Shadow, uv: Uv, seen: Observation, *, places: Places, env: Mapping[str, str], timeout_s: float
) -> Located:
    """Who is at fault. Every culprit was confirmed by a run without it, or says why it could not be."""
    case = _Case(shadow, uv, seen, places, env, timeout_s)
    if seen.run.timed_out:
        return _located(
            case.seen.chain, seen.run, places, (), triage="not asked: the command did not end", blamed=None
        )
    with ThreadPoolExecutor(max_workers=1) as pool:
        without_cache = pool.submit(case.uncached)
        ranked = _suspects(seen.chain, seen.run, places, uv.release, reads=seen.trial.reads)
        guilty, cure, how = _confirmed(case, ranked)
        triage = without_cache.result()
    blamed: bool | None = {"passes": True, "past": True, "same": False}.get(triage)
    if guilty and triage == "same":
        # What the damage left behind elsewhere fails without the cache too; the removal that cures is the better witness.
        blamed = True if how in {"passes", "past"} else None
    if not guilty and blamed:
        guilty, cure, how = _by_elimination(case, seen, uv.release)
    if guilty:
        blamed = True if blamed is None else blamed
    told = {
        "passes": "With `--no-cache` the command passes: the cache is to blame.",
        "past": "With `--no-cache` uv gets past this failure and goes on to build: the cache is to blame.",
        "same": "With `--no-cache` the command fails the same way: the cache is not to blame.",
        "network": "With `--no-cache` the command could not be tried: it then needs what the network did not give.",
        "other": "With `--no-cache` the command fails, but otherwise.",
    }[triage]
    if guilty and triage == "same":
        told = "With `--no-cache` the command fails the same way, but without the culprit it passes."
    return _located(
        seen.chain, seen.run, places, guilty, triage=told, blamed=blamed, cure=cure, how=how, seen=seen
    )


_OF_OTHER_FILES = frozenset({"lockfile", "config", "usage"})


def locate_from_log(chain: Chain, run: Run, *, places: Places) -> Located:
    """The suspects by what a saved output and the cache say; nothing is run, so nothing is confirmed."""
    ranked = _suspects(chain, run, places, run.uv.release, reads=None)
    told = recognise(Evidence(chain=chain, exit_code=run.exit_code, blamed=False)).name
    # What uv says of a file of the project is true of that file, whatever else is wrong in the cache.
    bad = () if told in _OF_OTHER_FILES else tuple(f for f in ranked if f.verdict == "fatal")[:1]
    return _located(
        chain, run, places, bad, triage="not asked: this is a saved log, nothing was run", blamed=True if bad else None,
        how="not confirmed: this is a saved log, nothing was run",
    )  # fmt: skip


# -- suspects ---------------------------------------------------------------------------------------------


def _suspects(
    chain: Chain, run: Run, places: Places, release: str, *, reads: Iterable[str] | None
) -> list[Finding]:
    """Every entry that may be at fault, examined; the most likely first; those that are plainly good left out."""
    order: dict[str, int] = {}

    def add(paths: Iterable[str], nearness: int) -> None:
        for path in paths:
            if len(order) < MOST_SUSPECTS:
                order.setdefault(path, nearness)

    root = places.cache
    named = _cache_paths(" ".join((*chain.frames, chain.detail)), root)
    for path in named:
        add((_standing(root, path),), 0)
        add(examine.neighbours(root, path), 1)
    packages, digests = _sources(chain, places)
    if packages or digests:
        add(examine.find(root, digests=digests, packages=packages), 1)
    for path in _cache_paths(run.stderr, root)[::-1][:60]:
        add((path,), 2)
        add(examine.neighbours(root, path), 2)
    add(sorted(reads or ()), 2)
    findings = [(near, examine.examine(root, path, release)) for path, near in order.items()]
    findings += [
        (near, examine.examine(root, other, release))
        for near, finding in list(findings)
        for other in finding.links_to
        if other not in order
    ]
    # The log names whole shards, too, when it locks them: what is in a directory of unknown kind is looked at for itself.
    bad = [
        (near, finding)
        for near, finding in findings
        if finding.verdict in _BADNESS
        and not (finding.verdict == "unknown" and os.path.isdir(os.path.join(root, *finding.path.split("/"))))
    ]
    last = chain.frames[-1] if chain.frames else ""
    bad.sort(
        key=lambda pair: (
            pair[1].state == "missing",
            not _says(pair[1], last),
            _BADNESS[pair[1].verdict],
            pair[0],
            pair[1].path,
        )
    )
    unique: dict[str, Finding] = {}
    for _, finding in bad:
        unique.setdefault(finding.path, finding)
    return list(unique.values())


def _standing(root: str, path: str) -> str:
    """The path, or what stands in the way to it: a file for a directory, a directory that may not be entered."""
    parts = path.split("/")
    for i in range(1, len(parts)):
        above = "/".join(parts[:i])
        look = look_at(root, above, "")
        if look.what not in {"dir", "missing"} or look.denied:
            return above
    return path


def _says(finding: Finding, message: str) -> bool:
    """Whether this entry makes the release print that innermost message."""
    return bool(finding.innermost) and finding.innermost in message


def _cache_paths(text: str, root: str) -> list[str]:
    """Every path below the cache root that `text` names, in order, relative, each once."""
    pattern = re.compile(re.escape(root.rstrip("/\\")) + r"[/\\]([^\s`'\"<>|:*?]+)")
    found = (match[1].replace("\\", "/").rstrip("/.,;)") for match in pattern.finditer(text))
    return list(
        dict.fromkeys(path for path in found if buckets.kind_of(path.split("/")[0]) or path in _AT_THE_TOP)
    )


_AT_THE_TOP = frozenset({"CACHEDIR.TAG", ".gitignore", ".lock"})  # files that uv keeps in the cache itself


_LOCK_ID = re.compile(
    r"`?(?P<name>[a-z0-9][a-z0-9._-]*)(?:==(?P<version>[^\s@`]+))? @ (?P<kind>\w+)\+(?P<where>[^`]*)`?"
)
_DISPLAY = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*) @ (?P<url>(?:git\+)?[a-z]+://[^`\s]+)")
_PINNED = re.compile(r"`?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s`),]+)")


def named_packages(chain: Chain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages (normalised) and the sources (URLs, or `kind+path` of a lockfile id) that the chain names."""
    packages: dict[str, None] = {}
    sources: dict[str, None] = {}
    for frame in (*chain.frames, *chain.hints[:0]):
        for match in _LOCK_ID.finditer(frame):
            packages[_normal(match["name"])] = None
            sources[f"{match['kind']}+{match['where']}"] = None
        for match in _DISPLAY.finditer(frame):
            packages[_normal(match["name"])] = None
            sources[match["url"]] = None
        for match in _PINNED.finditer(frame):
            packages[_normal(match["name"])] = None
        for match in re.finditer(
            r"`?(?P<name>[A-Za-z0-9_.]+)-(?P<version>\d[^-\s]*)-[\w.]+-[\w.]+-[\w.]+\.whl", frame
        ):
            packages[_normal(match["name"])] = None
    return tuple(packages), tuple(sources)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sources(chain: Chain, places: Places) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages in question and the digests under which any release files their sources."""
    packages, sources = named_packages(chain)
    texts: list[str] = []
    for source in sources:
        kind, plus, where = source.partition("+")
        if plus and kind in {"directory", "editable", "path", "virtual"}:
            texts.append(os.path.normpath(os.path.join(places.project, where)))
        elif plus and kind in {"direct", "registry"}:
            texts.append(where)
        else:
            texts.append(source)
    texts += _locked_sources(places, packages)
    digests: dict[str, None] = {}
    for text in texts:
        digests.update(dict.fromkeys(keys.candidates(text)))
    return packages, tuple(digests)


def _locked_sources(places: Places, packages: Sequence[str]) -> list[str]:
    """The sources of these packages as the project and its lockfile name them, local ones absolute.

    With no package named (`Failed to determine installation plan`) all local sources are in question.
    """
    found: list[str] = []
    lock = read_toml(os.path.join(places.project, "uv.lock"))
    for package in lock.get("package", []) if isinstance(lock.get("package"), list) else []:
        source = package.get("source") if isinstance(package, dict) else None
        if not isinstance(source, dict) or (packages and package.get("name") not in packages):
            continue
        for kind, where in source.items():
            if not isinstance(where, str):
                continue
            if kind in {"directory", "editable", "path"}:
                found.append(os.path.normpath(os.path.join(places.project, where)))
            elif kind in {"url", "registry", "git"} and (packages or kind != "registry"):
                local = not re.match(r"[a-z+]+://", where)
                found.append(os.path.normpath(os.path.join(places.project, where)) if local else where)
    return found


# -- confirmation -----------------------------------------------------------------------------------------


def _confirmed(case: _Case, ranked: list[Finding]) -> tuple[tuple[Finding, ...], tuple[str, ...], str]:
    """The findings that are at fault, what has to go for the command to pass, and how that is known."""
    root = case.places.cache
    tried: list[tuple[Finding, tuple[str, ...]]] = []
    wide: list[tuple[Finding, tuple[str, ...]]] = []
    for finding in ranked[:12]:
        steps = cures(root, finding)
        narrow = steps[:-1] if "/" in finding.path and len(steps) > 1 else steps
        for cure in narrow:
            if case.runs >= MOST_RUNS:
                break
            said = case.without(cure)
            if said == "past":
                return _to_the_end(case, finding, cure, ranked)
            if said in GONE:
                return (finding,), cure, said
        tried.append((finding, narrow[0]))
        wide.append((finding, steps[-1]))
    # Each alone may be held up by another: all of them together, then as few as possible.
    together = [*tried, *((f, cures(root, f)[0]) for f in ranked[12:] if f.verdict == "fatal")]
    if len(together) > 1 and case.without(_paths(cure for _, cure in together)) in GONE:
        return _of_several(case, together)
    for finding, cure in wide:
        if case.runs < MOST_RUNS and (said := case.without(cure)) in GONE:
            return (finding,), cure, said
    return (), (), ""


def _to_the_end(
    case: _Case, first: Finding, cure: tuple[str, ...], ranked: list[Finding]
) -> tuple[tuple[Finding, ...], tuple[str, ...], str]:
    """The culprit without which uv goes on to build, and those that fail once the build is done.

    Only where some other entry is one that the release fails on is the build waited for.
    """
    root = case.places.cache
    more = {f.path: f for f in (*ranked, *_locked(case)) if f.verdict == "fatal" and f.path not in cure}
    if not more or case.without(cure, to_its_end=True) in GONE:
        return (first,), cure, "past"
    several = [(first, cure), *((f, cures(root, f)[0]) for f in more.values())]
    if case.without(_paths(c for _, c in several), to_its_end=True) not in GONE:
        return (first,), cure, "past"
    return _of_several(case, several, to_its_end=True)


def _locked(case: _Case) -> list[Finding]:
    """The entries of every local source in the lockfile, examined."""
    digests = {d for source in _locked_sources(case.places, ()) for d in keys.candidates(source)}
    found = examine.find(case.places.cache, digests=digests) if digests else ()
    return [examine.examine(case.places.cache, path, case.uv.release) for path in found[:MOST_SUSPECTS]]


def _of_several(
    case: _Case, several: list[tuple[Finding, tuple[str, ...]]], *, to_its_end: bool = False
) -> tuple[tuple[Finding, ...], tuple[str, ...], str]:
    kept = _fewest([cure for _, cure in several], case, to_its_end=to_its_end)
    cure = _paths(kept)
    guilty = {finding.path: finding for finding, own in several if own in kept}
    return tuple(guilty.values()), cure, case.without(cure, to_its_end=to_its_end)


def _paths(cures_: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({path for cure in cures_ for path in cure}))


def _fewest(cures_: list[tuple[str, ...]], case: _Case, *, to_its_end: bool = False) -> list[tuple[str, ...]]:
    kept = list(dict.fromkeys(cures_))
    for cure in list(kept):
        rest = [other for other in kept if other != cure]
        if rest and case.runs < MOST_RUNS and case.without(_paths(rest), to_its_end=to_its_end) in GONE:
            kept = rest
    return kept


def cures(root: str, finding: Finding) -> list[tuple[str, ...]]:
    """What to take away so that uv makes this entry anew: smallest first.

    An entry alone; what leads to it (an archive is believed because a pointer names it); its shard; its bucket.
    """
    path = finding.path
    top = path.split("/")[0]
    steps: list[tuple[str, ...]] = []
    if path == top:
        steps.append((top,))
        if buckets.kind_of(top) == "archive":  # older releases believe what points into it
            steps.append((top, *_pointers_to(root, top, "")))
        return steps
    if buckets.kind_of(top) == "archive":
        archive = "/".join(path.split("/")[:2])
        leading = _pointers_to(root, archive, finding.package)
        steps.append(tuple(sorted({*leading, archive})))
        # Of what was built, uv may need all to be built anew: then the pointer to the build has to go.
        shards = dict.fromkeys(examine.shard_of(other) for other in leading if other.startswith(_BUILDS))
        revisions = [f"{shard}/{name}" for shard in shards for name in ("revision.rev", "revision.http")]
        if there := tuple(p for p in revisions if os.path.lexists(os.path.join(root, *p.split("/")))):
            steps.append(there)
    else:
        steps.append((path,))
        pointer = [other for other in examine.neighbours(root, path) if other.endswith((".rev", ".http"))]
        if pointer and pointer[0] != path:
            steps.append((pointer[0],))
        shard = examine.shard_of(path)
        if shard and shard not in {path, top}:
            steps.append((shard,))
    if (top,) not in steps:
        steps.append((top,))
    return steps


_BUILDS = ("sdists-", "built-wheels-")


def _pointers_to(root: str, archive: str, package: str) -> list[str]:
    """The entries outside the archive bucket that lead to this archive."""
    near = examine.find(root, packages=[package]) if package else ()
    for paths in (near, examine.walk(root)):
        found = [
            path
            for path in paths
            if not path.startswith("archive-")
            and any(
                target == archive or target.startswith(archive + "/")
                for target in examine.examine(root, path, "").links_to
            )
        ]
        if found:
            return found
    return []


def _by_elimination(
    case: _Case, seen: Observation, release: str
) -> tuple[tuple[Finding, ...], tuple[str, ...], str]:
    """No suspect looked bad, yet the command passes without the cache: which bucket, then which entry cures it."""
    root = case.places.cache
    kind_first = _class_of(seen.chain, seen.run.exit_code).buckets
    try:
        tops = [name for name in sorted(os.listdir(root)) if buckets.kind_of(name)]
    except OSError:  # the cache itself is at fault: a file, or closed to this account
        return (), (), ""
    used = [name for name in tops if buckets.bucket(buckets.kind_of(name) or "", release) == name]

    def likely(name: str) -> tuple[int, bool]:
        kind = buckets.kind_of(name)
        # Without the archives uv makes anew what names them, too: that an entry elsewhere cures says more.
        return kind_first.index(kind) if kind in kind_first else 99, kind == "archive"

    used.sort(key=likely)
    for top in used:
        if case.runs >= MOST_RUNS or case.without((top,)) not in GONE:
            continue
        read = [path for path in sorted(seen.trial.reads or ()) if path.startswith(top + "/")]
        # What is in a checkout is no entry of its own: uv makes all of it anew or nothing.
        depth = 4 if buckets.kind_of(top) == "git" else 99
        read = list(dict.fromkeys("/".join(path.split("/")[:depth]) for path in read))
        for path in read[:8]:
            if case.without((path,)) in GONE:
                return (examine.examine(root, path, release),), (path,), case.without((path,))
        return (examine.examine(root, top, release),), (top,), case.without((top,))
    return (), (), ""


# -- the answer -------------------------------------------------------------------------------------------


def _class_of(chain: Chain, exit_code: int | None) -> FailureClass:
    return recognise(Evidence(chain=chain, exit_code=exit_code, blamed=None))


def _located(
    chain: Chain,
    run: Run,
    places: Places,
    guilty: Sequence[Finding],
    *,
    triage: str,
    blamed: bool | None,
    cure: tuple[str, ...] = (),
    how: str = "",
    seen: Observation | None = None,
) -> Located:
    missing = tuple(
        sorted(
            {
                path
                for finding in guilty
                for path in (finding.missing or ((finding.path,) if finding.state == "missing" else ()))
            }
        )
    )
    at_fault: list[Finding] = []
    for finding in guilty:
        if finding.damaged:  # an archive is at fault by the files in it
            at_fault += [examine.examine(places.cache, path, run.uv.release) for path in finding.damaged[:20]]
        elif not finding.missing and finding.state != "missing":
            at_fault.append(finding)
    kind = recognise(
        Evidence(
            chain=chain if chain.frames else None,
            exit_code=run.exit_code,
            blamed=blamed,
            states=tuple(finding.state for finding in guilty),
            missing=missing,
            in_cache=places.cache in " ".join(chain.frames),
            incomplete_environment=bool(seen and seen.flaws),
        )
    )
    confirmed = {
        "passes": f"without {_listed(cure)} the command passes",
        "past": f"without {_listed(cure)} uv gets past this failure and goes on to build",
        "network": f"without {_listed(cure)} this failure is gone; the command then needs the network",
        "": "not confirmed",
    }.get(how, how)
    packages, sources = named_packages(chain)
    if seen and seen.flaws:
        packages = tuple(dict.fromkeys(flaw.package for flaw in seen.flaws))
    packages = tuple(dict.fromkeys((*packages, *(f.package for f in guilty if f.package))))
    at_fault = list({finding.path: finding for finding in at_fault}.values())
    kinds = [finding.kind for finding in guilty]
    failure = Failure(
        class_=kind.name,
        signature=signature(kind.name, core(chain.frames, chain.detail), kinds),
        frames=chain.frames,
        chain=chain.text,
        packages=packages,
        sources=sources,
    )
    around: dict[str, None] = {}
    for finding in guilty:
        near = (p for p in examine.neighbours(places.cache, finding.path) if not p.endswith(".whl"))
        around |= dict.fromkeys((*near, *cure))
    if guilty and seen:
        # What the failing run read leads to the entry. Interpreter entries hold for this machine alone.
        around |= dict.fromkeys(
            p for p in seen.trial.reads or () if not p.startswith(("archive-", "interpreter-"))
        )
        if any(frame.startswith("Failed to install") for frame in chain.frames):
            around |= dict.fromkeys(_installed_beside(places.cache, (*(seen.trial.reads or ()), *around)))
    return Located(
        failure=failure,
        culprits=tuple(_culprit(places.cache, finding, confirmed) for finding in at_fault),
        missing=missing,
        cure=cure,
        gaps=_closed(places.cache),
        around=tuple(sorted(set(around) - {finding.path for finding in at_fault})),
        triage=triage,
    )


_MOST_BESIDE = 60


def _installed_beside(root: str, read: Iterable[str]) -> list[str]:
    """What uv needs of the other unpacked wheels that the run came to: their metadata, none of their code.

    uv installs wheels side by side, and one that its pointer leads to in vain would be another failure.
    """
    archives: dict[str, None] = {}
    for path in sorted(set(read)):
        if buckets.kind_of(path.split("/")[0]) in {"wheels", "sdists"}:
            links = examine.examine(root, path, "").links_to
            archives |= dict.fromkeys(link for link in links if link.startswith("archive-"))
    found: list[str] = []
    for archive in list(archives)[:_MOST_BESIDE]:
        full = os.path.join(root, *archive.split("/"))
        try:
            infos = [name for name in os.listdir(full) if name.endswith(".dist-info")]
        except OSError:
            continue
        found += [
            f"{archive}/{info}/{name}"
            for info in infos
            for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
            if os.path.isfile(os.path.join(full, info, name))
        ]
    return found


def _closed(root: str) -> tuple[Gap, ...]:
    """The gap that a cache leaves which this account may not look into."""
    if not os.path.exists(root) or os.access(root, os.R_OK | os.X_OK):
        return ()
    mode = os.stat(root).st_mode & 0o7777
    return (
        Gap(
            what="what the cache holds", why=f"permission denied: the mode of the cache itself is {mode:04o}"
        ),
    )


def _listed(paths: Sequence[str]) -> str:
    return " and ".join(f"`{path}`" for path in paths[:3]) + (
        f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    )


def _culprit(root: str, finding: Finding, confirmed: str) -> Culprit:
    path = os.path.join(root, *finding.path.split("/"))
    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        digest = ""
    return Culprit(
        path=finding.path,
        kind=finding.kind,
        state=finding.state,
        reason=finding.reason,
        writers=str(finding.writers) if finding.writers else "",
        confirmed=confirmed,
        size_bytes=finding.size_bytes,
        sha256=digest,
        decoded=to_builtins(finding.decoded),
    )
