"""The reporter's story, start to finish."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
import tempfile
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import astuple, replace

from uvreport import __version__, invocation, pack, render
from uvreport.bundle import Bundle, Failure, Gap, Proof, Run, Snapshot, Stage, Uv
from uvreport.collectors import Scene, gather
from uvreport.collectors.cache import relations
from uvreport.errors import CannotWriteError, SecretFoundError, UnsafeSandboxError, UsageError, UvreportError
from uvreport.failures.chain import parse
from uvreport.locate import Located, locate, locate_from_log
from uvreport.observe import observe
from uvreport.redact import keepmap, packages
from uvreport.redact.funnel import counts, redacted
from uvreport.redact.known import Known, discover
from uvreport.redact.lastlook import search
from uvreport.redact.places import canonical
from uvreport.redact.rule import Rule
from uvreport.registry import exports
from uvreport.replay import prove
from uvreport.sandbox import prepare
from uvreport.scene import Whereabouts, find_uv, in_its_directory, whereabouts
from uvreport.shadow import open_shadow
from uvreport.smallest import lean
from uvreport.steady import steady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from uvreport.invocation import Invocation
    from uvreport.redact.ledger import Ledger
    from uvreport.shadow import Shadow


BLAME_S = 5.0  # how long is spent on finding the rule that cost the reproduction


class Request(Struct, frozen=True, kw_only=True):
    """What `uvreport collect` was asked: see its options. `log` is a saved output, instead of a run."""

    argv: tuple[str, ...]
    environ: dict[str, str]
    cwd: str
    output: str = "."
    project: str | None = None
    cache_dir: str | None = None
    uv_path: str | None = None
    log: str | None = None
    run_program: bool = False
    without: tuple[str, ...] = ()
    timeout_s: float = 120.0
    drop_unreadable: bool = False
    private: tuple[str, ...] = ()  # patterns of package names
    keep_map: str | None = None  # a file, never part of the bundle


class Report(Struct, frozen=True, kw_only=True):
    """The answer: the private snapshot, the bundle made of it, and where that was written. Durations in seconds.

    `renamed` are the private package names with their new ones, `unmatched` the patterns that no package has.
    """

    snapshot: Snapshot
    bundle: Bundle
    path: str
    issue_path: str
    counts: dict[str, int]
    size_bytes: int
    duration_s: float
    renamed: tuple[tuple[str, str], ...] = ()
    unmatched: tuple[str, ...] = ()


def collect(request: Request, tell: Callable[[Stage], None]) -> Report:
    """One redacted, proven bundle for the failing command of `request`, written to its output directory."""
    begin = time.monotonic()
    _can_write(request.output)
    if request.keep_map is not None:
        keepmap.can_write(request.keep_map)
    with ThreadPoolExecutor(max_workers=2) as meanwhile:
        snapshot = _snapshot(request, tell, meanwhile)
        tell(Stage.REDACT)
        known = discover(snapshot, request.environ)
        bundle, ledger = redacted(
            snapshot, known, private=request.private, drop_unreadable=request.drop_unreadable
        )
        bundle = lean(pack.fit(bundle), snapshot.run.uv)
    tell(Stage.PROVE)
    bundle = _proven(bundle, snapshot.run.uv)
    if bundle.proof is not None and bundle.proof.verdict != "REPRODUCED" and not _needs_more(bundle.proof):
        bundle = _blamed(bundle, snapshot, known, request.private)
    tell(Stage.PACK)
    path, issue_path = _names(request.output, snapshot)
    name = os.path.basename(path)
    issue = render.issue(bundle, file_name=name)
    data = pack.write(bundle, issue, render.report_html(bundle, file_name=name))
    _last_look(data, known, snapshot, ledger)
    with contextlib.ExitStack() as undo:  # an interrupt too: all files, or none
        pack.save(data, path)
        undo.callback(os.unlink, path)
        pack.save(issue.encode(), issue_path)
        undo.callback(os.unlink, issue_path)
        if request.keep_map is not None:
            keepmap.write(request.keep_map, ledger, bundle=name)
        undo.pop_all()
    renamed = ledger.pairs("package")
    return Report(
        snapshot=snapshot,
        bundle=bundle,
        path=path,
        issue_path=issue_path,
        counts=counts(bundle),
        size_bytes=len(data),
        duration_s=round(time.monotonic() - begin, 3),
        renamed=renamed,
        unmatched=tuple(
            pattern
            for pattern in request.private
            if not any(packages.is_meant(name, pattern) for name, _ in renamed)
        ),
    )


def _last_look(data: bytes, known: Known, snapshot: Snapshot, ledger: Ledger) -> None:
    """Raises SecretFoundError when anything private is in the finished bytes, private package names among it."""
    spelled = [old for old, _ in packages.spellings(ledger.pairs("package"))]
    # A name of its own kind: sought as a word, in every encoding.
    wanted = replace(known, orgs=(*known.orgs, *spelled))
    hits = search(data, wanted, snapshot, values=ledger.values("secret"))
    if hits:
        raise SecretFoundError(
            f"Something private is left in the finished bytes ({hits[0].what} in {hits[0].member}). Nothing was written.",
            hint="Please report this as a bug of uvreport; until then --without or --log may leave the member out.",
        )


def _snapshot(request: Request, tell: Callable[[Stage], None], meanwhile: Executor) -> Snapshot:
    if request.log is not None:
        return _from_log(request, request.log, tell, meanwhile)
    command = invocation.parse(request.argv)
    uv = find_uv(request.uv_path, command.uv, request.environ)
    where = whereabouts(
        command, uv, request.environ, request.cwd, project=request.project, cache_dir=request.cache_dir
    )
    if os.path.isdir(where.places.cwd):
        command = invocation.in_its_directory(command)
        request = replace(request, environ=in_its_directory(request.environ))
    if command.subcommand == ("publish",):
        raise UsageError("`uv publish` is not run again: it would upload.", hint=_SAVED)
    tell(Stage.OBSERVE)
    _begin(meanwhile, uv, where)
    return _on_shadow(request, command, uv, where, tell)


_SAVED = "Give the output that you saved: uvreport collect --log FILE"
_MOST_WIDENED = 4


def _on_shadow(
    request: Request,
    command: Invocation,
    uv: Uv,
    where: Whereabouts,
    tell: Callable[[Stage], None],
    widened: tuple[str, ...] = (),
) -> Snapshot:
    """What a run on a copy shows. `widened` are directories that earlier ones tried to write to and could not."""
    env = {**request.environ, "UV_CACHE_DIR": where.places.cache}
    covered = (*where.covered, *widened, *([where.installation] if where.installation else []))
    with open_shadow(where.places, also=where.also, covered=covered) as shadow:
        beyond = where.installation or (uv.path if command.subcommand[:1] == ("self",) else "")
        if beyond and shadow.how == "copy":
            raise UsageError(
                f"The command changes {beyond}, which cannot be copied here: it is not run again.",
                hint=_SAVED,
            )
        seen = observe(
            shadow,
            uv,
            command,
            places=where.places,
            env=env,
            timeout_s=request.timeout_s,
            run_program=request.run_program,
        )
        if not seen.trial.refused or len(widened) >= _MOST_WIDENED:
            tell(Stage.LOCATE)
            located = locate(shadow, uv, seen, places=where.places, env=env, timeout_s=request.timeout_s)
            tell(Stage.COLLECT)
            return _gathered(request, where, uv, seen.run, located, shadow)
    return _on_shadow(request, command, uv, where, tell, (*widened, seen.trial.refused))


def _begin(meanwhile: Executor, uv: Uv, where: Whereabouts) -> None:
    """Starts what takes time and needs nothing that is found out first.

    What this uv makes of the Python here, for the replay; rules and templates, longer to compile than to use.
    """
    if uv.path:
        meanwhile.submit(prepare, uv, canonical(where.places, sys.platform).places)
    meanwhile.submit(_compile)


def _compile() -> None:
    exports("uvreport.redact.rules", "RULE", Rule)
    render.prepare()


def _gathered(
    request: Request, where: Whereabouts, uv: Uv, run: Run, located: Located, shadow: Shadow | None
) -> Snapshot:
    from uvreport.uv import Outcome
    from uvreport.uv import run as start

    def ask(words: Sequence[str]) -> Outcome:
        argv = (uv.path, *words)
        if shadow is None:
            # Even a question lets uv write interpreter entries: not into the person's cache.
            with tempfile.TemporaryDirectory() as empty:
                env = {**request.environ, "UV_CACHE_DIR": empty}
                return start(argv, cwd=where.places.cwd, env=env, timeout_s=5)
        return shadow.run(argv, cwd=where.places.cwd, env=request.environ, timeout_s=5).outcome

    scene = Scene(
        places=where.places,
        environ=request.environ,
        platform=sys.platform,
        uv=uv,
        run=run,
        failure=located.failure,
        packages=located.failure.packages,
        culprits=located.culprits,
        missing=located.missing,
        around=located.around,
        ask=ask,
    )
    findings = gather(scene, without=request.without)
    related, unsaid = relations(scene, findings.members)
    gaps = [*findings.gaps, *located.gaps, *unsaid]
    if run.timed_out:
        gaps.append(Gap(what="the end of the run", why=f"uv did not end within {request.timeout_s:.0f} s"))
    return Snapshot(
        created=dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tool=__version__,
        platform=sys.platform,
        places=where.places,
        run=run,
        failure=located.failure,
        culprits=located.culprits,
        missing=located.missing,
        cure=located.cure,
        triage=located.triage,
        members=findings.members,
        gaps=tuple(sorted(set(gaps))),
        relations=related,
    )


def _from_log(request: Request, log: str, tell: Callable[[Stage], None], meanwhile: Executor) -> Snapshot:
    tell(Stage.OBSERVE)
    chain = parse(log)
    if chain is None:
        raise UsageError(
            "There is no uv error in this output.",
            hint="Save everything that uv printed, standard error too: uv sync 2> saved.txt",
        )
    command: Invocation = invocation.parse(request.argv or ("uv",))
    try:
        uv = find_uv(request.uv_path, command.uv, request.environ)
    except UsageError:
        uv = Uv(path="", release="")
    where = whereabouts(
        command, uv, request.environ, request.cwd, project=request.project, cache_dir=request.cache_dir
    )
    run = Run(
        argv=request.argv,
        examined=request.argv,
        cwd=where.places.cwd,
        env={},
        exit_code=None,
        stdout="",
        stderr=steady(log, (*astuple(where.places), *request.argv)),
        duration_s=0.0,
        uv=uv,
        how="log",
    )
    if request.argv:  # without a command there is nothing to replay
        _begin(meanwhile, uv, where)
    tell(Stage.LOCATE)
    located = locate_from_log(chain, run, places=where.places)
    tell(Stage.COLLECT)
    return _gathered(request, where, uv, run, located, None)


def _proven(bundle: Bundle, uv: Uv) -> Bundle:
    """The bundle with the verdict of its own replay, made from its own bytes."""
    try:
        again = pack.open_bundle(pack.write(bundle, "", ""))
        try:
            proof = prove(again, uv)
        except UnsafeSandboxError:
            # Trusted: it is the person's own, and uv has just done the same on the copy.
            proof = prove(again, uv, trust=True)
    except UvreportError as error:
        proof = Proof(verdict="UNTESTED", uv=uv.release, reason=error.message)
    return replace(bundle, proof=proof)


def _needs_more(proof: Proof) -> bool:
    """Whether what a replay lacks is told already, and is none of redaction's doing."""
    return proof.reason.startswith(("needs ", "it read the entry", "the command is not known"))


def _blamed(bundle: Bundle, snapshot: Snapshot, known: Known, private: tuple[str, ...]) -> Bundle:
    """The bundle with the rule named whose replacements cost the reproduction, if it is one rule's doing.

    Each rule in turn is passed over and the outcome replayed here, in memory; nothing of that is kept.
    """
    proof = bundle.proof
    begin = time.monotonic()
    for rule in counts(bundle):
        if proof is None or time.monotonic() - begin > BLAME_S:
            break
        passed, _ = redacted(snapshot, known, private=private, drop_unreadable=True, passed_over=rule)
        again = _proven(passed, snapshot.run.uv).proof
        if again is not None and again.verdict == "REPRODUCED":
            why = f"redaction cost the reproduction: without the rule {rule} it fails the same way"
            reason = f"{proof.reason}; {why}" if proof.reason else why
            return replace(bundle, proof=replace(proof, reason=reason))
    return bundle


def _can_write(folder: str) -> None:
    if not os.path.isdir(folder):
        raise CannotWriteError(
            f"{folder} is not a directory.", hint="Name one that exists with --output DIR."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CannotWriteError(
            f"{folder} may not be written to.", hint="Name another place with --output DIR."
        )


def _names(folder: str, snapshot: Snapshot) -> tuple[str, str]:
    stamp = snapshot.created.translate(str.maketrans("", "", "-:")).replace("T", "-").rstrip("Z")
    stem = f"uv-{snapshot.failure.class_}-{stamp}"
    for n in range(1000):
        name = stem if n == 0 else f"{stem}-{n + 1}"
        path = os.path.join(folder, f"{name}.uvreport.zip")
        if not os.path.lexists(path):
            return path, os.path.join(folder, f"{name}.issue.md")
    raise CannotWriteError(
        f"{folder} is full of reports of this minute.", hint="Name another place with --output DIR."
    )


__all__ = ["Failure", "Known", "Report", "Request", "collect"]
