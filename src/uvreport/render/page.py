"""Bundle -> one HTML page that needs nothing but itself. Pure."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any

from uvreport.failures import named
from uvreport.render.factual import as_json, fact, fact_lines, member_at, platform_line, python_line
from uvreport.render.issue import PLACEHOLDER_NAME
from uvreport.render.script import SMALL_ENTRY_BYTES
from uvreport.render.templating import rendered
from uvreport.render.text import clean, cut_middle, hexdump, shorten, size
from uvreport.render.wording import command, counted, ended, kind_of, proven, span, state_of, title, triaged

if TYPE_CHECKING:
    from uvreport.bundle import Bundle

REPORT_LOG_LIMIT = 400_000


def report_html(bundle: Bundle, *, file_name: str = PLACEHOLDER_NAME) -> str:
    """One page that needs nothing but itself: no script, nothing from elsewhere; for phone and paper too."""
    topics = sorted(
        member.path.removeprefix("facts/").removesuffix(".json")
        for member in bundle.members
        if member.path.startswith("facts/") and member.path.endswith(".json")
    )
    log, left_out = cut_middle(clean(bundle.run.stderr or bundle.run.stdout), REPORT_LOG_LIMIT)
    return rendered(
        "report.html.j2",
        {
            "title": title(bundle),
            "bundle": bundle,
            "file_name": os.path.basename(file_name),
            "command": clean(command(bundle)),
            "ended": _ended(bundle),
            "triaged": triaged(bundle),
            "what": known.what if (known := named(bundle.failure.class_)) else "",
            "verdict": bundle.proof.verdict if bundle.proof else "NOT REPLAYED",
            "proven": proven(bundle),
            "platform": clean(platform_line(bundle)),
            "python": clean(python_line(bundle)),
            "chain": clean(bundle.failure.chain or "\n".join(bundle.failure.frames)),
            "steps": _steps(bundle),
            "topics": [(topic, fact_lines(_cleaned(fact(bundle, topic)))) for topic in topics],
            "entries": [(culprit, clean(as_json(culprit.decoded))) for culprit in bundle.culprits],
            "hexdump": {
                culprit.path: hexdump(member.data)
                for culprit in bundle.culprits
                if (member := member_at(bundle, f"cache/{culprit.path}"))
                and 0 < len(member.data) <= SMALL_ENTRY_BYTES
            },
            "redactions": counted(redaction.rule for redaction in bundle.redactions),
            "members": [
                (
                    clean(member.path),
                    member,
                    hashlib.sha256(member.data).hexdigest() if member.kind == "file" else "",
                )
                for member in sorted(bundle.members, key=lambda member: member.path)[:2_000]
            ],
            "members_left": max(0, len(bundle.members) - 2_000),
            "log": [(line, _log_mark(line)) for line in log.split("\n")],
            "log_left_out": left_out,
            "size": size,
            "kind_of": kind_of,
            "state_of": state_of,
            "span": span,
        },
    )


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


_LOG_MARKS = (
    (
        re.compile(r"^\s*(?:error\b|\u00d7|├─▶|╰─▶|caused by:|cause:|thread '.*' panicked)", re.IGNORECASE),
        "error",
    ),
    (re.compile(r"^\s*(?:warning\b|WARN\b|Broken |hint:|help:)|\bWARN\b", re.IGNORECASE), "warning"),
    (re.compile(r"^\s*TRACE\b"), "trace"),
    (re.compile(r"^\s*DEBUG\b"), "debug"),
)

_MILESTONES = (
    (re.compile(r"^DEBUG uv (\d\S*)"), "uv {0} starts"),
    (re.compile(r"Discovered project `([^`]+)`"), "finds the project {0}"),
    (re.compile(r"^Using (\w+ \d\S*) interpreter"), "takes {0}"),
    (re.compile(r"^Creating virtual environment at: (\S+)"), "creates {0}"),
    (re.compile(r"Acquired (?:\w+ )?lock for `[^`]*?/((?:sdists|wheels|git)-v\d+/[^`]+)`"), "opens {0}"),
    (re.compile(r"^Resolved (\d+ packages? in \S+)"), "resolves {0}"),
    (re.compile(r"^\s+Building (\S.*)"), "builds {0}"),
    (re.compile(r"^(?:error: |\s*\u00d7 )(.*)"), "fails: {0}"),
)  # fmt: skip


def _log_mark(line: str) -> str:
    return next((mark for pattern, mark in _LOG_MARKS if pattern.search(line)), "")


def _ended(bundle: Bundle) -> str:
    return "reports success" if bundle.run.exit_code == 0 else ended(bundle)


def _steps(bundle: Bundle) -> list[tuple[str, str]]:
    """The run as uv's log tells it, in order, with the line of the log; then what was done with it."""
    steps: list[tuple[str, str]] = []
    for number, line in enumerate(clean(bundle.run.stderr).split("\n")[:200_000], 1):
        for pattern, said in _MILESTONES:
            found = pattern.search(line)
            if found and len(steps) < 40:
                steps.append((f"log, line {number}", said.format(shorten(found[1], 160))))
                break
    how = "is stopped, out of time" if bundle.run.timed_out else _ended(bundle)
    steps.append((f"after {bundle.run.duration_s:g} s", f"the command {how}"))
    if bundle.triage:
        steps.append(("with --no-cache", triaged(bundle)))
    steps += [
        (clean(culprit.path.rsplit("/", 1)[-1]), clean(culprit.confirmed))
        for culprit in bundle.culprits[:10]
        if culprit.confirmed
    ]
    if bundle.redactions:
        steps.append(("redaction", f"{len(bundle.redactions)} replacements"))
    steps.append(("proof", proven(bundle)))
    return steps
