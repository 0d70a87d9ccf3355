"""Watches the command fail again, on a copy, without running the person's program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import astuple

from uvreport import invocation as uv_command
from uvreport.bundle import Places, Run, Uv
from uvreport.environment import Flaw, flaws
from uvreport.errors import NothingToReportError
from uvreport.failures.chain import Chain, last_words, parse
from uvreport.steady import steady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvreport.invocation import Invocation
    from uvreport.shadow import Shadow, Trial

SILENT = "uv reported success, but what it installed is not whole"

# Variables that uv or what it starts read; the rest of the environment is nobody's business.
_MATTERS = (
    "UV_", "PIP_", "VIRTUAL_ENV", "CONDA_", "PYTHON", "XDG_", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "GIT_", "NETRC", "RUST_", "LC_", "LANG", "CI",
    "COLUMNS", "NO_COLOR", "FORCE_COLOR",
)  # fmt: skip


class Observation(Struct, frozen=True, kw_only=True):
    """The failing run: what was run, how it ended, and the trial, whose traces can be looked at."""

    run: Run
    chain: Chain
    trial: Trial
    examined: Invocation
    replaced: dict[str, bytes]
    flaws: tuple[Flaw, ...] = ()


def observe(
    shadow: Shadow,
    uv: Uv,
    command: Invocation,
    *,
    places: Places,
    env: Mapping[str, str],
    timeout_s: float,
    run_program: bool = False,
) -> Observation:
    """The command's failure on the copy. Raises NothingToReportError when uv does its part."""

    def read(path: str) -> bytes | None:
        try:
            with open(os.path.join(places.cwd, path), "rb") as file:
                return file.read(2_000_000)
        except OSError:
            return None

    bare, files = uv_command.programless(command, read)
    replaced = {os.path.join(places.cwd, path): content for path, content in files.items()}
    first = _attempt(shadow, uv, command, bare, replaced, places, env, timeout_s)
    code = first.run.exit_code
    if code == uv_command.NOT_FOUND_EXIT and bare is not command:
        # Nothing of that name can be started, so nothing is run by letting uv try: its message is what we want.
        return _failed(_attempt(shadow, uv, command, command, {}, places, env, timeout_s))
    if code != 0:
        return _failed(first)
    if not first.flaws and run_program and bare is not command:
        return _with_program(shadow, uv, command, places, env, timeout_s)
    if first.flaws:
        return first
    if bare is not command:
        raise NothingToReportError(
            f"uv did its part: everything before `{' '.join(command.program)[:80]}` succeeds, "
            "and what it installed is whole. If the command fails, that is your program's own failure, not uv's. "
            "(It was not run.)",
            hint="If you think that uv is at fault all the same, run again with --run-program.",
        )
    raise NothingToReportError(
        f"`{' '.join(command.argv())[:120]}` succeeds now, on a copy of your project and cache.",
        hint="If it failed before, give the output that you saved: uvreport collect --log FILE.",
    )


def _with_program(
    shadow: Shadow, uv: Uv, command: Invocation, places: Places, env: Mapping[str, str], timeout_s: float
) -> Observation:
    seen = _attempt(shadow, uv, command, command, {}, places, env, timeout_s)
    if seen.run.exit_code == 0:
        raise NothingToReportError(
            "The command succeeds, your program included, on a copy of your project and cache."
        )
    fresh = _attempt(shadow, uv, command, uv_command.uncached(command), {}, places, env, timeout_s)
    if fresh.run.exit_code != 0:
        raise NothingToReportError(
            f"uv did its part; your program then ended with exit code {seen.run.exit_code}, "
            "with uv's cache and without it. That failure is the program's, not uv's."
        )
    said = [line for line in seen.run.stderr.splitlines() if line.strip()][-1:]
    frames = ("the program fails with uv's cache and succeeds without it", *said)
    return Observation(
        run=seen.run,
        chain=Chain(style="cause", frames=frames, text="\n".join(frames)),
        trial=seen.trial,
        examined=seen.examined,
        replaced={},
    )


def _attempt(
    shadow: Shadow,
    uv: Uv,
    command: Invocation,
    examined: Invocation,
    replaced: dict[str, bytes],
    places: Places,
    env: Mapping[str, str],
    timeout_s: float,
) -> Observation:
    loud = uv_command.verbose(examined)
    trial = shadow.run(
        (uv.path, *loud.words),
        cwd=places.cwd,
        env=env,
        timeout_s=timeout_s,
        replace=replaced,
        trace=True,
    )
    outcome = trial.outcome
    keep = (*astuple(places), *command.words)
    run = Run(
        argv=command.argv(),
        examined=loud.argv(),
        cwd=places.cwd,
        env={name: value for name, value in sorted(env.items()) if name.startswith(_MATTERS)},
        exit_code=outcome.exit_code,
        stdout=steady(outcome.stdout, keep),
        stderr=steady(outcome.stderr, keep),
        duration_s=outcome.duration_s,
        uv=uv,
        timed_out=outcome.timed_out,
        how=shadow.how,
    )
    chain = parse(run.stderr) or parse(run.stdout)
    broken: tuple[Flaw, ...] = ()
    if outcome.exit_code == 0:
        chain = None
        broken = flaws(places.venv, trial.look) if places.venv else ()
    if broken:
        frames = (SILENT, *(flaw.sentence for flaw in broken[:20]))
        chain = Chain(style="cause", frames=frames, text="\n".join(frames))
    return Observation(
        run=run,
        chain=chain or Chain(style="cause", frames=(), text=""),
        trial=trial,
        examined=examined,
        replaced=replaced,
        flaws=broken,
    )


def _failed(seen: Observation) -> Observation:
    if seen.chain.frames or seen.run.timed_out:
        return seen
    return Observation(
        run=seen.run,
        chain=last_words(seen.run.stderr) or seen.chain,
        trial=seen.trial,
        examined=seen.examined,
        replaced=seen.replaced,
        flaws=seen.flaws,
    )
