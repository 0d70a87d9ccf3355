"""What was run and what it printed: the command, both outputs as they are, and what stands out in them."""

from __future__ import annotations

import re
import shlex
from typing import Any

from uvreport.bundle import Member
from uvreport.collectors import Collector, Findings, Scene, facts, without_userinfo

MAX_LINES = 200

# uv puts a URL of a failed response in brackets, since 0.5 or so; before, bare.
_STATUS = re.compile(
    r"(?:\((?P<code>\d{3}) [A-Za-z' -]+\) for url|status code (?P<other>\d{3}))\s*"
    r"(?:\((?P<url>[^)\s]+)\))?"
)
_WARNING = re.compile(r"^(?:\s*[\d.]+m?s\s+)?(?:WARN|warning:) ?(?P<said>.*)$")


def collect(scene: Scene) -> Findings:
    run = scene.run
    printed = run.stderr + "\n" + run.stdout
    value: dict[str, Any] = {
        "exit_code": run.exit_code,
        "timed_out": run.timed_out,
        "how": run.how,
        "lines": {"stdout": run.stdout.count("\n"), "stderr": run.stderr.count("\n")},
        "verbose": bool(re.search(r"(?m)^(?:\s*[\d.]+m?s\s+)?(?:TRACE|DEBUG) ", run.stderr)),
        "status_codes": _status_codes(printed),
        "warnings": [
            without_userinfo(m["said"]) for line in printed.splitlines() if (m := _WARNING.match(line))
        ][:MAX_LINES],
    }
    members = (
        facts("log", value),
        Member(path="run/command.txt", data=_command(scene).encode("utf-8", "replace")),
        Member(path="run/stdout.txt", data=run.stdout.encode("utf-8", "replace")),
        Member(path="run/stderr.txt", data=run.stderr.encode("utf-8", "replace")),
    )
    return Findings(members=members)


def _command(scene: Scene) -> str:
    run = scene.run
    lines = [f"typed:    {shlex.join(run.argv)}"]
    if run.examined != run.argv:
        lines.append(f"examined: {shlex.join(run.examined)}")
    lines.append(f"in:       {run.cwd}")
    lines.append(f"uv:       {run.uv.version_text or run.uv.release} ({run.uv.path})")
    lines.append(f"ended:    {ending(run.exit_code, timed_out=run.timed_out, how=run.how)}")
    return "\n".join(lines) + "\n"


def ending(exit_code: int | None, *, timed_out: bool, how: str) -> str:
    """How the run ended, in words."""
    if timed_out:
        return "it did not end in the time that it was given"
    if exit_code is None:
        return "not run; a saved output was given" if how == "log" else "not known"
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _status_codes(printed: str) -> list[dict[str, Any]]:
    # Boxed output wraps at the terminal's width, in the middle of this too.
    unwrapped = re.sub(r"\n[ │├╰─▶]*", " ", printed)
    counts: dict[tuple[int, str], int] = {}
    for match in _STATUS.finditer(unwrapped):
        key = (int(match["code"] or match["other"]), without_userinfo(match["url"] or ""))
        counts[key] = counts.get(key, 0) + 1
    return [{"code": code, "url": url, "count": counts[code, url]} for code, url in sorted(counts)][
        :MAX_LINES
    ]


COLLECTOR = Collector(name="log", what="the command, and its output as it was printed", collect=collect)
