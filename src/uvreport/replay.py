"""Replays a bundle: restore it in a sandbox, run uv, judge what happened.

Knows nothing of the machine that the bundle is from, and nothing of collecting.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from uvreport import invocation as uv_command
from uvreport.bundle import Bundle, Proof, Uv, Verdict
from uvreport.cache.buckets import bucket, kind_of
from uvreport.environment import flaws
from uvreport.failures import Evidence, named, recognise
from uvreport.failures.chain import Chain, parse
from uvreport.failures.signature import core, likeness, signature
from uvreport.isolate.refusal import EXIT_CODE
from uvreport.sandbox import open_sandbox

if TYPE_CHECKING:
    from collections.abc import Collection

    from uvreport.uv import Outcome

TIMEOUT_S = 60.0

# Classes of failures that are not in the bundle but around it: never called reproduced.
_ENVIRONMENT = frozenset({"network", "environment", "usage"})
# Variables of the failing run that would name places or programs of the other machine.
_NOT_OURS = re.compile(
    r"^UV_(?:CACHE_DIR|PYTHON\w*|TOOL_\w+|INSTALL\w*|CREDENTIALS_DIR|ENV_FILE|OFFLINE|NO_CACHE|PROJECT|WORKING_DIR\w*|"
    r"CONFIG_FILE|LOG\w*|SYSTEM_\w+|MANAGED_PYTHON|NO_MANAGED_PYTHON)$"
)


def replay(
    bundle: Bundle,
    uv: Uv,
    *,
    trust: bool = False,
    allow_code: bool = False,
    keep: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Verdict:
    """What `uv` does with the bundle, offline and contained. Raises UnsafeSandboxError where it cannot be contained."""
    return contained(bundle, uv, trust=trust, allow_code=allow_code, keep=keep, timeout_s=timeout_s).verdict


class Replay(Struct, frozen=True, kw_only=True):
    """A verdict, what contained the run, and the command line that leads into the place (when it is kept)."""

    verdict: Verdict
    isolation: str = ""
    enter: str = ""


def contained(
    bundle: Bundle,
    uv: Uv,
    *,
    trust: bool = False,
    allow_code: bool = False,
    keep: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Replay:
    """The same, with how it was contained."""
    begin = time.monotonic()
    if not bundle.run.argv:
        why = "the command is not known: the bundle is from a saved log"
        return Replay(verdict=Verdict(verdict="UNTESTED", uv=uv.release, reason=why))
    command = uv_command.parse(bundle.run.examined or bundle.run.argv)
    loud = uv_command.offline(uv_command.verbose(command))
    env = {
        name: value
        for name, value in bundle.run.env.items()
        if name.startswith("UV_") and not _NOT_OURS.match(name)
    }
    with open_sandbox(bundle, trust=trust, keep=keep, allow_code=allow_code) as box:
        outcome = box.run(uv, loud.argv(), env=env, timeout_s=timeout_s)
        if outcome.exit_code == EXIT_CODE and parse(outcome.stderr) is None and command.program:
            # uv did its part and started the program, which may not run here.
            outcome = replace(outcome, exit_code=0)
        whole = True
        if outcome.exit_code == 0 and bundle.places.venv:
            # The same flaws: files that went into the bundle by name only show as changed.
            whole = not {flaw.sentence for flaw in flaws(bundle.places.venv, box.look)} & set(
                bundle.failure.frames
            )
        verdict = judge(
            bundle,
            uv.release,
            outcome,
            reads=box.reads,
            whole=whole,
            needed_code=box.needed_code,
            code_executed=box.code_executed,
            duration_s=round(time.monotonic() - begin, 3),
        )
        return Replay(verdict=verdict, isolation=box.isolation, enter=box.enter)


def judge(
    bundle: Bundle,
    release: str,
    outcome: Outcome,
    *,
    reads: Collection[str] | None,
    whole: bool = True,
    needed_code: bool = False,
    code_executed: bool = False,
    duration_s: float = 0.0,
) -> Verdict:
    """The verdict on one run. `reads` are the cache paths that it read, None when that could not be seen.

    `whole` is whether the environment that it left is complete.
    """

    def verdict(what: str, reason: str = "", sign: str = "") -> Verdict:
        return Verdict(
            verdict=what,  # type: ignore[arg-type]  # the four words are spelled out below
            uv=release,
            signature=sign,
            reason=reason,
            code_executed=code_executed,
            duration_s=duration_s,
        )

    chain = parse(outcome.stderr) or parse(outcome.stdout)
    if outcome.exit_code == 0:
        if bundle.run.exit_code == 0 and not whole:
            return verdict("REPRODUCED", sign=bundle.failure.signature)
        return verdict(*_clean(bundle, release, reads))
    if bundle.failure.class_ == "hang" and outcome.timed_out:
        return verdict("REPRODUCED", sign=bundle.failure.signature)
    if outcome.timed_out:
        return verdict("UNTESTED", f"uv did not end within {outcome.duration_s:.0f} s")
    have = core(chain.frames, chain.detail) if chain else ()
    want = core(bundle.failure.frames, _detail(bundle))
    alike = likeness(want, have)
    unread = _unread(bundle, release)
    if alike != "different" and want:
        told = have_class(chain, outcome)
        if told in {"network", "index", "git"} and not bundle.culprits and not bundle.missing:
            # The network is missing here by construction: seeing its absence proves nothing.
            return verdict("UNTESTED", "needs the network, and a replay has none")
        if unread:
            return verdict("DIFFERENT", f"fails alike, but {unread}")
        reason = "" if alike == "exact" else "the same innermost cause; the frames around it differ"
        return verdict("REPRODUCED", reason, bundle.failure.signature)
    class_ = have_class(chain, outcome)
    if class_ == "usage":
        return verdict("UNTESTED", f"uv {release} does not know this command line: {_said(chain)}")
    if unread:
        return verdict("UNTESTED", f"entry not read: {unread}")
    entries = [culprit.path for culprit in bundle.culprits]
    past = bool(entries) and reads is not None and all(_touched(path, reads) for path in entries)
    so_far = "it read the entry without this failure, and then " if past else ""
    if needed_code and class_ not in {"network", "index", "git"}:
        return verdict("UNTESTED", f"{so_far}needs code: of the bundle, or of a build backend")
    if _around(class_) or bundle.failure.class_ in {"network", "index", "git"}:
        offline = "needs the network, and a replay has none"
        why = "the sandbox stood in the way" if class_ == "environment" else offline
        return verdict("UNTESTED", f"{so_far}{why} (uv said: {_said(chain)})")
    return verdict("DIFFERENT", f"uv said: {_said(chain)}", signature(class_, have) if have else "")


def prove(bundle: Bundle, uv: Uv, *, trust: bool = False, timeout_s: float = TIMEOUT_S) -> Proof:
    """The verdict of the replay that a bundle goes through before it is written."""
    seen = contained(bundle, uv, trust=trust, timeout_s=timeout_s)
    v = seen.verdict
    return Proof(verdict=v.verdict, uv=v.uv, reason=v.reason, signature=v.signature, isolation=seen.isolation)


def have_class(chain: Chain | None, outcome: Outcome) -> str:
    """The class that this output alone tells; causes in the cache are not asked for."""
    return recognise(Evidence(chain=chain, exit_code=outcome.exit_code, blamed=False)).name


def _said(chain: Chain | None) -> str:
    return chain.frames[-1][:200] if chain else "nothing that can be read"


def _around(class_: str) -> bool:
    return class_ in _ENVIRONMENT


def _detail(bundle: Bundle) -> str:
    again = parse(bundle.failure.chain)
    return again.detail if again else ""


def _unread(bundle: Bundle, release: str) -> str:
    """Why this release did not read the culprits, "" when it did or when there are none."""
    # An archive is the same bucket in every release; the pointer that leads to it, part of the cure, is not.
    for path in (*(culprit.path for culprit in bundle.culprits), *bundle.missing, *bundle.cure):
        top = path.split("/")[0]
        kind = kind_of(top)
        uses = bucket(kind, release) if kind else None
        if kind and uses != top:
            return f"the entry is in {top}, and uv {release} uses {uses or 'no such bucket'}"
    return ""


def _clean(bundle: Bundle, release: str, reads: Collection[str] | None) -> tuple[str, str]:
    unread = _unread(bundle, release)
    if unread:
        return "UNTESTED", f"entry not read: {unread}"
    entries = [culprit.path for culprit in bundle.culprits] or (list(bundle.cure) if bundle.missing else [])
    if entries and reads is not None and not any(_touched(path, reads) for path in entries):
        return "UNTESTED", "entry not read: uv passed without looking at it"
    if entries and reads is None:
        return "UNTESTED", "uv passed; whether it read the entry could not be seen here"
    needs = named(bundle.failure.class_)
    if not entries and not bundle.missing and needs is not None and needs.name in {"index", "network", "git"}:
        return "UNTESTED", "needs the network, and a replay has none"
    return "CLEAN", ""


def _touched(path: str, reads: Collection[str]) -> bool:
    return any(read == path or read.startswith(path + "/") or path.startswith(read + "/") for read in reads)
