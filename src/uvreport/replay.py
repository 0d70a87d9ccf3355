"""Replays a bundle: restore it in a sandbox, run uv, judge what happened.

Knows nothing of the machine that the bundle is from, and nothing of collecting.
"""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from uvreport import invocation as uv_command
from uvreport import isolate, pythons
from uvreport.bundle import Bundle, Proof, Uv, Verdict
from uvreport.cache.buckets import bucket, kind_of
from uvreport.environment import flaws
from uvreport.failures import Evidence, named, recognise
from uvreport.failures.chain import Chain, last_words, parse
from uvreport.failures.signature import core, likeness, signature
from uvreport.isolate.refusal import EXIT_CODE
from uvreport.sandbox import open_sandbox
from uvreport.steady import steady
from uvreport.transplant import at_fault
from uvreport.uv import Outcome  # noqa: TC001 a field of a Struct: its type is looked at when it is decoded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from uvreport.pythons import Python

TIMEOUT_S = 60.0
_NO_COMMAND = "the command is not known: the bundle is from a saved log"

_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|Too many open files|Cannot allocate memory|Read-only file system"
)

# Classes of failures that are not in the bundle but around it: never called reproduced.
_ENVIRONMENT = frozenset({"network", "environment", "usage"})
# Variables of the failing run that would name places or programs of the other machine.
_NOT_OURS = re.compile(
    r"^UV_(?:CACHE_DIR|PYTHON\w*|TOOL_\w+|INSTALL\w*|CREDENTIALS_DIR|ENV_FILE|OFFLINE|NO_CACHE|PROJECT|WORKING_DIR\w*|"
    r"CONFIG_FILE|LOG\w*|SYSTEM_\w+|MANAGED_PYTHON|NO_MANAGED_PYTHON)$"
)
# Of those the ones that change nothing outside the place; taken when the failure is about them.
_IF_REFUSED = frozenset({"UV_OFFLINE", "UV_NO_CACHE", "UV_CONFIG_FILE", "UV_ENV_FILE", "UV_PYTHON"})


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
    """A verdict, what contained the run, and the command line that leads into the place (when it is kept).

    `outcome` is how uv ended, None when it was not started. `reads` are the paths of the members that it read, None
    when that could not be seen.
    """

    verdict: Verdict
    isolation: str = ""
    enter: str = ""
    outcome: Outcome | None = None
    reads: frozenset[str] | None = None


def contained(
    bundle: Bundle,
    uv: Uv,
    *,
    trust: bool = False,
    allow_code: bool = False,
    keep: str | None = None,
    timeout_s: float = TIMEOUT_S,
    python: Python | None = None,
) -> Replay:
    """The same, with how it was contained. `python` is the one that uv finds (default: the one that this runs on)."""
    begin = time.monotonic()
    if not bundle.run.argv:
        return Replay(verdict=Verdict(verdict="UNTESTED", uv=uv.release, reason=_NO_COMMAND))
    command = uv_command.parse(bundle.run.examined or bundle.run.argv)
    loud = uv_command.offline(uv_command.verbose(command))
    env = _variables(bundle)
    with open_sandbox(bundle, trust=trust, keep=keep, allow_code=allow_code, python=python) as box:
        outcome = box.run(uv, loud.argv(), env=env, timeout_s=timeout_s)
        if outcome.exit_code == EXIT_CODE and parse(outcome.stderr) is None and command.program:
            # uv did its part and started the program, which may not run here.
            outcome = replace(outcome, exit_code=0)
        whole = True
        if outcome.exit_code == 0 and bundle.places.venv:
            # The same flaws: files that went into the bundle by name only show as changed.
            whole = not {flaw.sentence for flaw in flaws(bundle.places.venv, box.plain)} & set(
                bundle.failure.frames
            )
        verdict = judge(
            bundle,
            uv.release,
            outcome,
            reads=box.reads,
            changed=box.changed,
            whole=whole,
            needed_code=box.needed_code,
            code_executed=box.code_executed,
            duration_s=round(time.monotonic() - begin, 3),
        )
        return Replay(
            verdict=verdict,
            isolation=box.isolation,
            enter=box.enter,
            outcome=outcome,
            reads=box.members_read,
        )


def _variables(bundle: Bundle) -> dict[str, str]:
    """Of the reporter's variables those that count here; what uv refuses is among them."""
    said = " ".join(bundle.failure.frames)
    refused = {
        name
        for name, value in bundle.run.env.items()
        if name in _IF_REFUSED and (name in said or (len(value) > 2 and value in said))
    }
    return {
        name: value
        for name, value in bundle.run.env.items()
        if name.startswith("UV_") and (name in refused or not _NOT_OURS.match(name))
    }


class Tried(Struct, frozen=True, kw_only=True):
    """A way to contain a run: taken, or `why` not."""

    name: str
    taken: bool
    why: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """What a replay would do, in words: every way to contain it in order, what is put back, what is run.

    `layers` are what stands around the run besides, as far as this machine has it; none where nothing contains it.
    `variables` are those of the reporter's that are set, `left_out` those that are not.
    """

    uv: str
    python: str
    isolation: tuple[Tried, ...]
    layers: tuple[isolate.Layer, ...]
    command: str
    restored: tuple[str, ...]
    variables: tuple[str, ...]
    left_out: tuple[str, ...]
    code: str


def explain(
    bundle: Bundle, uv: Uv, *, trust: bool = False, allow_code: bool = False, python: Python | None = None
) -> Explanation:
    """What `contained` would do with the same arguments. Nothing of the bundle is put anywhere, and no uv is run."""
    ways = _ways(trust=trust, allow_code=allow_code)
    name = next((way.name for way in ways if way.taken), "")
    if not name:
        code = "nothing is run"
    elif not bundle.run.argv:
        code = f"nothing is run: {_NO_COMMAND}"
    elif allow_code:
        code = f"code of the bundle may run, {'not contained' if name == 'none' else f'contained by {name}'}"
    else:
        code = "none is run: Python is a program that refuses, and nothing that is written can be executed"
        if name == "none":
            code = "Python is a program that refuses; but nothing contains the run (--trust)"
    command = ""
    if bundle.run.argv:
        parsed = uv_command.parse(bundle.run.examined or bundle.run.argv)
        command = shlex.join(uv_command.offline(uv_command.verbose(parsed)).argv())
    ours = _variables(bundle)
    return Explanation(
        uv=uv.path,
        python=str(python or pythons.ours()),
        isolation=ways,
        # The first two are the ways themselves.
        layers=isolate.layers(isolate.method(name))[2:] if name not in {"", "none"} else (),
        command=command,
        restored=_restored(bundle, uv.release),
        variables=tuple(sorted(ours)),
        left_out=tuple(sorted(set(bundle.run.env) - set(ours))),
        code=code,
    )


def _ways(*, trust: bool, allow_code: bool) -> tuple[Tried, ...]:
    """Every way to contain a run, in the order in which they are tried."""
    best = isolate.method()
    forced = isolate.forced()
    out: list[Tried] = []
    for name in ("bubblewrap", "namespaces", "none"):
        way = isolate.method(name)
        if name == "none":
            refused = "" if trust else "re-keyed in place, nothing contains it: needs --trust"
        elif way.name != name:
            refused = way.why
        else:
            refused = (
                "" if way.noexec or allow_code else "it cannot keep code from running: needs --allow-code"
            )
        taken = not refused and name == best.name and not any(one.taken for one in out)
        if not taken and not refused:
            before = f"{isolate.VARIABLE}={forced}" if forced else f"{best.name} is better"
            refused = f"not needed: {before}"
        out.append(Tried(name=name, taken=taken, why=refused))
    return tuple(out)


def _restored(bundle: Bundle, release: str) -> tuple[str, ...]:
    places = bundle.places
    lines = []
    for top, at in (("project", places.project), ("cache", places.cache), ("home", places.home)):
        members = [member for member in bundle.members if member.path.startswith(top + "/")]
        files = [member for member in members if member.kind == "file"]
        if members:
            size = sum(len(member.data) for member in files)
            lines.append(f"{top} at {at}: {len(files)} files, {size} bytes")
    unread = unread_by(bundle, release)
    lines += [f"the entry at fault, {c.path}: {c.state}, {c.size_bytes} bytes" for c in bundle.culprits]
    lines += [f"the absence of {path}" for path in bundle.missing]
    equal = sum(1 for relation in bundle.relations if relation.relation == "equal")
    if equal:
        lines.append(f"the times of {equal} entries, so that they agree with their sources as they did")
    if unread:
        lines.append(f"but it will not be read: {unread}")
    return tuple(lines)


def judge(
    bundle: Bundle,
    release: str,
    outcome: Outcome,
    *,
    reads: Collection[str] | None,
    changed: Mapping[str, str] | None = None,
    whole: bool = True,
    needed_code: bool = False,
    code_executed: bool = False,
    duration_s: float = 0.0,
) -> Verdict:
    """The verdict on one run. `reads` are the cache paths that it read, None when that could not be seen.

    `changed` says of the cache paths at fault which it "rewrote", "removed" or "made". `whole` is whether the environment
    that it left is complete.
    """

    def verdict(
        what: str, reason: str = "", sign: str = "", *, healed: bool = False, past: bool = False
    ) -> Verdict:
        return Verdict(
            verdict=what,  # type: ignore[arg-type]  # the four words are spelled out below
            uv=release,
            signature=sign,
            reason=reason,
            code_executed=code_executed,
            duration_s=duration_s,
            healed=healed,
            past=past or what == "CLEAN",
        )

    chain = parse(outcome.stderr) or parse(outcome.stdout)
    if chain is None and outcome.exit_code and not outcome.timed_out:
        chain = last_words(outcome.stderr)
    if outcome.exit_code == 0:
        if bundle.run.exit_code == 0 and not whole:
            return verdict("REPRODUCED", sign=bundle.failure.signature)
        what, reason, healed = _clean(bundle, release, reads, changed or {})
        return verdict(what, reason, healed=healed)
    if bundle.failure.class_ == "hang" and outcome.timed_out:
        return verdict("REPRODUCED", sign=bundle.failure.signature)
    if outcome.timed_out:
        return verdict("UNTESTED", f"uv did not end within {outcome.duration_s:.0f} s")
    # What was recorded was made steady: names that look random are masked there, and must be here.
    have = core(tuple(map(steady, chain.frames)), steady(chain.detail)) if chain else ()
    want = core(tuple(map(steady, bundle.failure.frames)), steady(_detail(bundle)))
    alike = likeness(want, have)
    unread = unread_by(bundle, release)
    if alike != "different" and want:
        told = have_class(chain, outcome)
        if told in {"network", "index", "git"} and not bundle.culprits and not bundle.missing:
            # The network is missing here by construction: seeing its absence proves nothing.
            return verdict("UNTESTED", "needs the network, and a replay has none")
        ours = "" if unread else _of_this_machine(bundle, told, chain)
        if ours:
            return verdict("UNTESTED", ours)
        if unread:
            return verdict("DIFFERENT", f"fails alike, but {unread}")
        if reads is not None and not _was_read(bundle, reads):
            return verdict("DIFFERENT", "fails alike, but without reading the entry")
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
        return verdict("UNTESTED", f"{so_far}needs code: of the bundle, or of a build backend", past=past)
    if class_ == "git" and needed_code:
        return verdict("UNTESTED", f"{so_far}needs code: git, which is not run", past=past)
    if _around(class_) or bundle.failure.class_ in {"network", "index", "git"}:
        offline = "needs the network, and a replay has none"
        why = "the sandbox stood in the way" if class_ == "environment" else offline
        return verdict("UNTESTED", f"{so_far}{why} (uv said: {_said(chain)})", past=past)
    if class_ == "interpreter" and bundle.failure.class_ != class_:
        return verdict("UNTESTED", f"{so_far}the Python here does not suit (uv said: {_said(chain)})")
    return verdict("DIFFERENT", f"uv said: {_said(chain)}", signature(class_, have) if have else "")


def prove(
    bundle: Bundle,
    uv: Uv,
    *,
    trust: bool = False,
    allow_code: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> Proof:
    """The verdict of the replay that a bundle goes through before it is written."""
    seen = contained(bundle, uv, trust=trust, allow_code=allow_code, timeout_s=timeout_s)
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


def unread_by(bundle: Bundle, release: str) -> str:
    """Why this release cannot have read the culprits, "" when it can or when there are none."""
    # An archive is the same bucket in every release; the pointer that leads to it, part of the cure, is not.
    for path in at_fault(bundle):
        top = path.split("/")[0]
        kind = kind_of(top)
        uses = bucket(kind, release) if kind else None
        if kind and uses != top:
            return f"the entry is in {top}, and uv {release} uses {uses or 'no such bucket'}"
    return ""


def _clean(
    bundle: Bundle, release: str, reads: Collection[str] | None, changed: Mapping[str, str]
) -> tuple[str, str, bool]:
    """Verdict, reason, and whether the release healed the entry, for a run that passed."""
    unread = unread_by(bundle, release)
    if unread:
        return "UNTESTED", f"entry not read: {unread}", False
    entries = [culprit.path for culprit in bundle.culprits] or (list(bundle.cure) if bundle.missing else [])
    healed = [changed[path] for path in (*entries, *bundle.missing) if path in changed]
    if "rewrote" in healed or "made" in healed:
        return "CLEAN", "healed: it rewrote the entry", True
    if healed:
        return "CLEAN", "healed: it removed the entry", True
    if entries and reads is not None and not any(_touched(path, reads) for path in entries):
        return "UNTESTED", "entry not read: uv passed without looking at it", False
    if entries and reads is None:
        return "UNTESTED", "uv passed; whether it read the entry could not be seen here", False
    needs = named(bundle.failure.class_)
    if not entries and not bundle.missing and needs is not None and needs.name in {"index", "network", "git"}:
        return "UNTESTED", "needs the network, and a replay has none", False
    return "CLEAN", "", False


def _was_read(bundle: Bundle, reads: Collection[str]) -> bool:
    """Whether the culprits were read, as far as that must show.

    Of a pointer or of metadata uv needs the content. Elsewhere that a file is there, or is none, can be the fault.
    """
    members = {member.path: member for member in bundle.members}
    visible = [
        culprit.path
        for culprit in bundle.culprits
        if (member := members.get(f"cache/{culprit.path}")) is not None
        and member.kind == "file"
        and culprit.path.endswith((".rev", ".http", ".msgpack", ".rkyv"))
        and member.data
        and member.mode & 0o400
    ]
    return not visible or any(_touched(path, reads) for path in visible)


def _of_this_machine(bundle: Bundle, class_: str, chain: Chain | None) -> str:
    """Why a failure that looks the same is the fault of where it was replayed; "" when it is the bundle's own."""
    if _FULL.search(" / ".join(chain.frames) if chain else ""):
        return f"the machine ran out of something (uv said: {_said(chain)})"
    if class_ == "environment" and not bundle.culprits and not bundle.missing:
        locked = any(member.kind != "link" and not member.mode & 0o200 for member in bundle.members)
        if "denied" in (chain.frames[-1] if chain else "") and not locked:
            return f"no permission, and nothing in the bundle forbids it (uv said: {_said(chain)})"
    return ""


def _touched(path: str, reads: Collection[str]) -> bool:
    return any(read == path or read.startswith(path + "/") or path.startswith(read + "/") for read in reads)
