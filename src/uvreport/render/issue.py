"""Bundle -> the body of the issue, which reproduces without the bundle. Pure."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from uvreport.render.deciding import column, decisive
from uvreport.render.factual import as_json, fact, member_at, platform_line, python_line
from uvreport.render.script import SMALL_ENTRY_BYTES, script
from uvreport.render.templating import rendered
from uvreport.render.text import base64_lines, code, exact, fenced, said, units
from uvreport.render.wording import blame, command, counted, cured, failed, lost, proven, title, triaged

if TYPE_CHECKING:
    from uvreport.bundle import Bundle, Culprit

ISSUE_LIMIT = 60_000  # UTF-16 units; GitHub counts them so and refuses more than 65,536
PLACEHOLDER_NAME = "BUNDLE.uvreport.zip"


class _Content(Struct, frozen=True, kw_only=True):
    """What is in a culprit, ready for the template."""

    path: str
    decoded: str
    base64: str


def issue(bundle: Bundle, *, file_name: str = PLACEHOLDER_NAME) -> str:
    """The title as a heading, then the body for uv's tracker: at most 60,000 UTF-16 units of Markdown.

    `file_name` is what the bundle is called, for the footer.
    """
    text = ""
    for scale in (1.0, 0.5, 0.2):
        parts = _parts(bundle, file_name, scale)
        text = rendered("issue.md.j2", {**parts, "log": ""})
        room = ISSUE_LIMIT - units(text) - 300
        if room >= 2_000:
            log = _log(bundle, room)
            return rendered("issue.md.j2", {**parts, "log": log}) if log else text
    return text


def _parts(bundle: Bundle, file_name: str, scale: float) -> dict[str, Any]:
    def room(limit: int) -> int:
        return int(limit * scale)

    run = bundle.run
    recipe = script(bundle, room(14_000))
    return {
        "title": title(bundle),
        "failed": failed(bundle),
        "console": fenced(_console(bundle), "console", room(7_000)),
        "proven": proven(bundle),
        "triaged": triaged(bundle),
        "culprits": [blame(bundle, culprit) for culprit in bundle.culprits[:6]],
        "culprits_left": max(0, len(bundle.culprits) - 6),
        "lost": lost(bundle),
        "cured": cured(bundle),
        "content": _content(bundle, bundle.culprits[0], recipe.text, room(6_000))
        if bundle.culprits
        else None,
        "script": exact(recipe.text, "sh") if recipe.text else "",
        "script_notes": recipe.notes,
        "facts": decisive(bundle, room(4_000)),
        "lock": _lock_excerpt(bundle, room(4_000)),
        "gaps": _gap_lines(bundle, room(2_500)),
        "gap_count": len(bundle.gaps),
        "platform": code(platform_line(bundle), 300),
        "version": code(
            run.uv.version_text or (f"uv {run.uv.release}" if run.uv.release else "not known"), 120
        ),
        "python": code(python_line(bundle), 160),
        "tool": code(f"uvreport {bundle.tool}", 40),
        "file_name": code(os.path.basename(file_name), 120),
        "replay": exact(f"uvx uvreport replay {shlex.quote(_plain_name(file_name))}", "console"),
        "removed": [f"{said(rule, 60)} {n}x" for rule, n in counted(r.rule for r in bundle.redactions)[:20]],
    }


def _plain_name(file_name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", os.path.basename(file_name))[:120]


def _console(bundle: Bundle) -> str:
    shown = command(bundle)
    chain = bundle.failure.chain.strip("\n") or "\n".join(bundle.failure.frames)
    if bundle.run.exit_code == 0:  # uv printed no error: these are uvreport's words
        chain = "\n".join(f"# {line}" for line in chain.split("\n"))
    if not chain.strip():
        chain = (bundle.run.stderr or bundle.run.stdout).strip("\n")
    return (f"$ {shown}\n" if shown else "") + chain


def _content(bundle: Bundle, culprit: Culprit, script: str, room: int) -> _Content | None:
    """The culprit's bytes and what they say, when there are any that a reader can use and has not seen yet."""
    member = member_at(bundle, f"cache/{culprit.path}")
    raw = ""
    if (
        member is not None
        and member.kind == "file"
        and len(member.data) <= SMALL_ENTRY_BYTES
        and any(member.data)
    ):
        raw = base64_lines(member.data)
        raw = "" if raw in script or raw.replace("\n", "") in script else exact(raw, "text")
    decoded = "" if culprit.decoded is None else fenced(as_json(culprit.decoded), "json", room // 2)
    if not raw and not decoded:
        return None
    return _Content(path=code(culprit.path, 300), decoded=decoded, base64=raw)


def _lock_excerpt(bundle: Bundle, limit: int) -> str:
    value = fact(bundle, "lockfile")
    excerpt = value.get("excerpt") if isinstance(value, dict) else None
    if column(bundle) in ("python", "config", "hang") or not isinstance(excerpt, str) or not excerpt.strip():
        return ""
    return fenced(excerpt, "toml", limit)


def _gap_lines(bundle: Bundle, limit: int) -> str:
    out: list[str] = []
    used = 0
    for number, gap in enumerate(bundle.gaps):
        # What begins with a letter begins no list in this list.
        what = said(gap.what, 120) if gap.what[:1].isalpha() else code(gap.what, 120)
        line = f"- {what}: {said(gap.why, 160)}"
        if used + units(line) > limit - 60:
            out.append(f"- and {len(bundle.gaps) - number} more")
            break
        out.append(line)
        used += units(line) + 1
    return "\n".join(out)


def _log(bundle: Bundle, limit: int) -> str:
    text = bundle.run.stderr if bundle.run.stderr.strip() else bundle.run.stdout
    return fenced(text, "text", limit) if text.strip() else ""
