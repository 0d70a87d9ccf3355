"""Bundle -> text: the issue's title and body, the report page, the lines for the terminal. Pure.

What stands in a bundle is a stranger's text, and so is what a tool printed. In Markdown it only ever stands
in a code span or in a fence, where it can neither ping nor close nor open anything; in HTML it is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from uvreport.errors import UsageError
from uvreport.failures import named
from uvreport.invocation import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jinja2 import Environment

    from uvreport.bundle import Bundle, Culprit, Member

ISSUE_LIMIT = 60_000  # UTF-16 units; GitHub counts them so and refuses more than 65,536
TITLE_LIMIT = 120
REPORT_LOG_LIMIT = 400_000
SMALL_ENTRY_BYTES = 2_000

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
    r"|[\ud800-\udfff]"
)
_PLACEHOLDER_NAME = "BUNDLE.uvreport.zip"

# The facts that decide, by class of failure (columns of the table of what maintainers ask for).
_DECIDES: dict[str, tuple[str, ...]] = {
    "cache": ("uv", "cache", "cache-entries"),
    "resolve": ("settings", "sources", "lockfile"),
    "network": ("settings", "system"),
    "build": ("settings", "sources", "python", "build"),
    "python": ("uv", "python", "system"),
    "git": ("settings", "sources", "git", "cache-entries"),
    "hang": ("uv", "cache", "system"),
    "other": ("uv", "settings", "python"),
}
_COLUMN = {
    "lockfile": "resolve", "resolution": "resolve", "project": "resolve", "config": "resolve",
    "index": "resolve", "network": "network", "build": "build", "interpreter": "python",
    "environment": "python", "command": "python", "git": "git", "hang": "hang", "panic": "hang",
}  # fmt: skip


# --- text that is safe where it is put ---


def units(text: str) -> int:
    """The length of `text` as GitHub counts it: in UTF-16 units."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def clean(text: str) -> str:
    """`text` without colors, and with every character that cannot be seen (control, bidi) written out."""
    text = _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


def shorten(text: str, limit: int) -> str:
    """`text`, cut at its end to `limit` UTF-16 units, and marked so."""
    if units(text) <= limit:
        return text
    kept = text[:limit]
    while units(kept) > limit - 1:
        kept = kept[:-1]
    return kept + "…"


def code(text: object, limit: int = 200) -> str:
    """`text` as one code span in one line; nothing in it is Markdown."""
    line = shorten(" ".join(clean(str(text)).split()), limit)
    if not line:
        return "(empty)"
    runs = {len(run) for run in re.findall(r"`+", line)}
    ticks = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


# Words, numbers and quiet punctuation: nothing that Markdown or GitHub makes anything of.
_QUIET = re.compile(r"(?!.*(?:\bGH-\d|www\.))[A-Za-z0-9 ,.:;()/'-]*")


def said(text: str, limit: int = 300) -> str:
    """A sentence of uvreport's own, as prose with its quoted parts as code; one code span if it is anything else."""
    line = shorten(" ".join(clean(text).split()), limit).rstrip(".")
    pieces = line.split("`")
    if not line or len(pieces) % 2 == 0 or not all(_QUIET.fullmatch(piece) for piece in pieces[::2]):
        return code(line, limit)
    return "".join(code(piece, limit) if n % 2 else piece for n, piece in enumerate(pieces))


def cut_middle(text: str, limit: int) -> tuple[str, int]:
    """`text` in at most `limit` UTF-16 units, and how many lines in its middle were left out for that.

    A quarter is its beginning, which introduces; the rest is its end, which decides.
    """
    if units(text) <= limit:
        return text, 0
    lines = text.split("\n")
    room = limit - 80  # for the line that says so
    head: list[str] = []
    tail: list[str] = []
    used = 0
    for line in lines:
        if used + units(line) + 1 > room // 4:
            break
        head.append(line)
        used += units(line) + 1
    for line in reversed(lines[len(head) :]):
        if used + units(line) + 1 > room:
            break
        tail.append(line)
        used += units(line) + 1
    left_out = len(lines) - len(head) - len(tail)
    return "\n".join([*head, f"[... {left_out} lines left out here ...]", *reversed(tail)]), left_out


def fenced(text: str, language: str, limit: int) -> str:
    """`text` as a fenced block of at most `limit` UTF-16 units, fences and all: cut in the middle."""
    longest_line = max(80, limit // 12)
    body = "\n".join(shorten(line, longest_line) for line in clean(text).strip("\n").split("\n"))
    fence = _fence(body)
    body, _ = cut_middle(body, limit - 2 * len(fence) - len(language) - 2)
    return f"{fence}{language}\n{body}\n{fence}"


def exact(text: str, language: str) -> str:
    """`text` as a fenced block, to be copied: not a character of it is changed."""
    fence = _fence(text)
    return f"{fence}{language}\n{text.rstrip(chr(10))}\n{fence}"


def _fence(text: str) -> str:
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


# --- what is said ---


def command(bundle: Bundle) -> str:
    """The failing command, as it would be typed; "" when it is not known."""
    argv = bundle.run.argv
    if not argv:
        return ""
    name = os.path.basename(argv[0].replace("\\", "/")).removesuffix(".exe")
    return " ".join([name, *(shlex.quote(word) for word in argv[1:])])


def short_command(bundle: Bundle) -> str:
    """The words of the command that name it, as `uv pip install`: nothing of the person's own."""
    try:
        words = parse(bundle.run.argv).subcommand
    except UsageError:
        return "uv"
    return " ".join(["uv", *(word for word in words if re.fullmatch(r"[a-z][a-z-]{0,20}", word))])


def title(bundle: Bundle) -> str:
    """The issue's title: what fails, how, and what is wrong; at most 120 UTF-16 units, one line."""
    what = f"`{short_command(bundle)}` fails"
    frame = _telling_frame(bundle)
    if frame:
        what += f" with `{frame}`"
    tail = ""
    culprit = bundle.culprits[0] if bundle.culprits else None
    if culprit is not None:
        name = re.sub(r"[^\w.+-]", "?", culprit.path.rsplit("/", 1)[-1])[:40]
        if culprit.writers and bundle.failure.class_ == "cache-format-skew":
            tail = f": {name} written by {_range(culprit.writers)}, read by {_release(bundle) or 'another'}"
        else:
            tail = f": {name} is {re.sub(r'[^a-z -]', '', culprit.state.lower())[:30] or 'at fault'}"
    elif bundle.failure.class_ == "cache-prune" and bundle.missing:
        tail = ": the cache lost what an entry points at"
    release = _release(bundle)
    if release and release not in tail:
        tail += f" (uv {release})"
    if units(what + tail) > TITLE_LIMIT:
        what = f"`{short_command(bundle)}` fails"
        room = TITLE_LIMIT - units(what + tail) - len(" with ``")
        if frame and room >= 16:
            what += f" with `{shorten(frame, room)}`"
    return shorten(what + tail, TITLE_LIMIT)


def _release(bundle: Bundle) -> str:
    """The release of uv that failed; "" when it is not known, or is not one."""
    return bundle.run.uv.release if _numbers(bundle.run.uv.release) else ""


def _telling_frame(bundle: Bundle) -> str:
    """The outermost frame of the chain that names no package, path or URL; else the innermost's start."""
    frames = [" ".join(clean(frame).replace("`", "'").split()) for frame in bundle.failure.frames]
    plain = [frame for frame in frames if not re.search(r"['/\\@]|\d+\.\d+", frame)]
    if plain:
        return shorten(plain[0], 70)
    for frame in reversed(frames):
        start = re.split(r"['/\\@]|\s\S*\d+\.\d+", frame)[0].strip(" :(")
        if len(start) >= 8:
            return shorten(start, 70)
    return ""


def _range(writers: str) -> str:
    first, _, last = clean(writers).partition("..")
    first, last = (re.sub(r"[^\w.+-]", "", part)[:20] for part in (first, last))
    return f"{first} to {last}" if last else first


def proven(bundle: Bundle) -> str:
    """What the replay of the redacted bundle came to, in one sentence that claims no more than was seen."""
    proof = bundle.proof
    if proof is None:
        return "Not replayed: nobody has tried whether this bundle fails elsewhere."
    release = f"uv {proof.uv}" if _numbers(proof.uv) else "uv"
    where = f"Replayed from this bundle, redacted, offline, in an empty place under {release}"
    why = said(proof.reason) if proof.reason else ""
    if proof.verdict == "REPRODUCED":
        return f"{where}: fails the same way."
    if proof.verdict == "DIFFERENT":
        tail = f" What it did: {why}." if why else ""
        return f"{where}: fails in another way, so the bundle does not show this failure.{tail}"
    if proof.verdict == "CLEAN":
        tail = f" ({why})" if why else ""
        return f"{where}: passes, although the entry was read{tail}. The bundle does not show this failure."
    return f"Whether this bundle fails elsewhere is not known{f': {why}' if why else ''}."


def triaged(bundle: Bundle) -> str:
    """What the same command did with `--no-cache`; "" when nothing is known about that."""
    if not bundle.triage:
        return ""
    return f"{said(bundle.triage)}."


def summary(bundle: Bundle) -> list[str]:
    """What was found, for the terminal: plain lines, without color, none with a control character."""
    run, failure = bundle.run, bundle.failure
    ended = "did not end in time" if run.timed_out else _ended(bundle)
    lines = [
        f"{command(bundle) or 'a saved log'} {ended} under uv {_release(bundle) or '(release unknown)'}."
    ]
    frames = [line for line in failure.frames if line.strip()]
    lines += [f"  {frame}" for frame in frames[:8]]
    lines.append(
        f"Class: {failure.class_}" + (f", {known.what}" if (known := named(failure.class_)) else "") + "."
    )
    for culprit in bundle.culprits:
        written = f" Written by uv {_range(culprit.writers)}." if culprit.writers else ""
        lines.append(f"At fault: {culprit.path}: {culprit.reason}{written}")
    lines += [f"Missing: {path}" for path in bundle.missing]
    if bundle.cure:
        lines.append(f"Cure: without {', '.join(bundle.cure)} the command passes.")
    lines.append(proven(bundle))
    counted = _counted(redaction.rule for redaction in bundle.redactions)
    if counted:
        lines.append("Removed: " + ", ".join(f"{rule} {count}x" for rule, count in counted) + ".")
    if bundle.gaps:
        lines.append(f"{len(bundle.gaps)} things could not be had.")
    return [shorten(" ".join(clean(line).split(" ")).replace("\n", " "), 500) for line in lines]


def _ended(bundle: Bundle) -> str:
    code_ = bundle.run.exit_code
    if code_ is None:
        return "fails"
    return f"ended by signal {-code_}" if code_ < 0 else f"exits with code {code_}"


def _counted(items: Iterable[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


# --- facts ---


def fact(bundle: Bundle, topic: str) -> Any:
    """What `facts/<topic>.json` says; None when it is not there or is not JSON."""
    data = next((member.data for member in bundle.members if member.path == f"facts/{topic}.json"), None)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class Line(Struct, frozen=True, kw_only=True):
    """One fact: `depth` is how far it is nested, `value` is "" for a heading of what follows."""

    name: str
    value: str
    depth: int


def fact_lines(value: Any, *, depth: int = 0, most: int = 400) -> list[Line]:
    """A JSON value as lines, in its own order; what says nothing (null, "", [], {}) is left out."""
    lines: list[Line] = []
    if isinstance(value, dict):
        pairs = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [(str(number), inner) for number, inner in enumerate(value, 1)]
    else:
        pairs = [("", value)]
    for name, inner in pairs:
        if len(lines) >= most:
            break
        if inner is None or inner in ("", [], {}):
            continue
        if isinstance(inner, list) and all(not isinstance(item, dict | list) for item in inner):
            lines.append(Line(name=name, value=", ".join(map(_scalar, inner)), depth=depth))
        elif isinstance(inner, dict | list) and depth < 6:
            nested = fact_lines(inner, depth=depth + 1, most=most - len(lines))
            if nested:
                lines += [Line(name=name, value="", depth=depth), *nested]
        elif isinstance(inner, dict | list):
            lines.append(Line(name=name, value=shorten(_json(inner), 300), depth=depth))
        else:
            lines.append(Line(name=name, value=_scalar(inner), depth=depth))
    return lines


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _listed(lines: Sequence[Line], limit: int) -> str:
    """Facts as a Markdown list of at most `limit` UTF-16 units."""
    out: list[str] = []
    used = 0
    for line in lines:
        name = re.sub(r"[^A-Za-z0-9 .-]", " ", line.name.replace("_", " ")).strip() if line.name else ""
        plain = name if re.fullmatch(r"[A-Za-z][A-Za-z0-9 .-]{0,40}|\d{1,4}", name) else code(line.name, 80)
        text = f"{'  ' * min(line.depth, 3)}- {plain}"
        text += f": {code(line.value, 240)}" if line.value else ""
        if used + units(text) + 1 > limit - 60:
            out.append("- (cut here; the rest is in the bundle)")
            break
        out.append(text)
        used += units(text) + 1
    return "\n".join(out)


def platform_line(bundle: Bundle) -> str:
    system = fact(bundle, "system")
    if isinstance(system, dict):
        found = [str(system[key]) for key in ("platform_line",) if system.get(key)]
        distribution = system.get("distribution")
        if isinstance(distribution, dict) and distribution.get("pretty_name"):
            found.append(str(distribution["pretty_name"]))
        container = system.get("container")
        if isinstance(container, dict) and container.get("kinds"):
            found.append("in " + ", ".join(map(str, container["kinds"])))
        if found:
            return ", ".join(found)
    return {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(
        bundle.platform, bundle.platform or "not known"
    )


def python_line(bundle: Bundle) -> str:
    facts = fact(bundle, "python")
    for keys in (
        ("chosen", "version"),
        ("chosen", "release"),
        ("venv", "version"),
        ("venv", "version_info"),
        ("version",),
    ):
        value = facts
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return f"Python {value}"
    found = re.search(
        r"Using (\w+ \d+\.\d+\.\d+\S*)|Found `(cpython-\d[^`\s]*|pypy-\d[^`\s]*)`", bundle.run.stderr
    )
    return (found[1] or found[2]) if found else "not known"


# --- the issue ---


class _Entry(Struct, frozen=True, kw_only=True):
    """A culprit, ready for the template."""

    path: str
    what: str
    decoded: str
    base64: str
    size_bytes: int


def issue(bundle: Bundle, *, file_name: str = _PLACEHOLDER_NAME) -> str:
    """The body for uv's tracker: at most 60,000 UTF-16 units of Markdown that reproduce without the bundle.

    `file_name` is what the bundle is called, for the footer.
    """
    text = ""
    for scale in (1.0, 0.5, 0.2):
        parts = _parts(bundle, file_name, scale)
        text = _rendered("issue.md.j2", {**parts, "log": ""})
        room = ISSUE_LIMIT - units(text) - 300
        if room >= 2_000:
            log = _log(bundle, room)
            return _rendered("issue.md.j2", {**parts, "log": log}) if log else text
    return text


def _parts(bundle: Bundle, file_name: str, scale: float) -> dict[str, Any]:
    def room(limit: int) -> int:
        return int(limit * scale)

    run = bundle.run
    culprits = [
        _entry(bundle, culprit, room(6_000) if not n else 0) for n, culprit in enumerate(bundle.culprits[:6])
    ]
    recipe = script(bundle, room(14_000))
    column = _column(bundle.failure.class_)
    return {
        "failed": _failed(bundle),
        "console": fenced(_console(bundle), "console", room(7_000)),
        "proven": proven(bundle),
        "triaged": triaged(bundle),
        "culprits": culprits,
        "culprits_left": max(0, len(bundle.culprits) - 6),
        "missing": [code(path, 200) for path in bundle.missing[:8]],
        "cure": [code(path, 200) for path in bundle.cure[:8]],
        "script": exact(recipe.text, "sh") if recipe.text else "",
        "script_notes": recipe.notes,
        "facts": _decisive(bundle, column, room(7_000)),
        "settings": "" if "settings" in _DECIDES[column] else _topic(bundle, "settings", room(2_500)),
        "lock": _lock_excerpt(bundle, room(4_000)),
        "gaps": _gap_lines(bundle, room(2_500)),
        "gap_count": len(bundle.gaps),
        "platform": code(platform_line(bundle), 300),
        "version": code(
            run.uv.version_text or (f"uv {run.uv.release}" if run.uv.release else "not known"), 120
        ),
        "python": code(python_line(bundle), 120),
        "tool": code(f"uvreport {bundle.tool}", 40),
        "file_name": code(os.path.basename(file_name), 120),
        "replay": exact(f"uvx uvreport replay {shlex.quote(_plain_name(file_name))}", "console"),
        "removed": [
            f"{code(rule, 60)} {n} times" for rule, n in _counted(r.rule for r in bundle.redactions)[:20]
        ],
    }


def _plain_name(file_name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", os.path.basename(file_name))[:120]


def _column(class_: str) -> str:
    return "cache" if class_.startswith("cache-") else _COLUMN.get(class_, "other")


def _failed(bundle: Bundle) -> str:
    under = f" under uv {release}" if (release := _release(bundle)) else ""
    if not bundle.run.argv:
        return f"A uv command fails{under}; its output was saved, the command itself is not known."
    if bundle.run.timed_out:
        stopped = f"it was stopped after {bundle.run.duration_s:.0f} s"
        return f"`{short_command(bundle)}` does not end{under}: {stopped}."
    known = named(bundle.failure.class_)
    return f"`{short_command(bundle)}` {_ended(bundle)}{under}" + (f": {known.what}." if known else ".")


def _console(bundle: Bundle) -> str:
    shown = command(bundle)
    chain = bundle.failure.chain.strip("\n") or "\n".join(bundle.failure.frames)
    if not chain.strip():
        chain = (bundle.run.stderr or bundle.run.stdout).strip("\n")
    return (f"$ {shown}\n" if shown else "") + chain


def _entry(bundle: Bundle, culprit: Culprit, room: int) -> _Entry:
    member = _member(bundle, f"cache/{culprit.path}")
    written = culprit.writers and (
        f" Releases that can have written it: {code(_range(culprit.writers), 60)}."
    )
    known = f" How this is known: {said(culprit.confirmed)}." if culprit.confirmed else ""
    raw = ""
    if room and member is not None and member.kind == "file" and 0 < len(member.data) <= SMALL_ENTRY_BYTES:
        raw = exact(base64_lines(member.data), "text")
    decoded = ""
    if room and culprit.decoded is not None:
        decoded = fenced(_json(culprit.decoded), "json", room // 2)
    what = f"{code(culprit.kind, 60)}, {said(culprit.state, 60)}: {said(culprit.reason)}.{written}{known}"
    return _Entry(
        path=code(culprit.path, 300), what=what, decoded=decoded, base64=raw, size_bytes=culprit.size_bytes
    )


def _member(bundle: Bundle, path: str) -> Member | None:
    return next((member for member in bundle.members if member.path == path), None)


def _decisive(bundle: Bundle, column: str, limit: int) -> list[tuple[str, str]]:
    """The topics that decide for this class, each as a list or as a note that it is missing."""
    topics = _DECIDES[column]
    found: list[tuple[str, str]] = []
    for topic in topics:
        if topic == "lockfile":
            continue  # has a place of its own
        found.append((topic, _topic(bundle, topic, limit // len(topics)) or "- not gathered (see the gaps)"))
    return found


def _topic(bundle: Bundle, topic: str, limit: int) -> str:
    value = fact(bundle, topic)
    return "" if value is None else _listed(fact_lines(value, most=60), limit)


def _lock_excerpt(bundle: Bundle, limit: int) -> str:
    value = fact(bundle, "lockfile")
    if value is None:
        return ""
    excerpt = value.get("excerpt") if isinstance(value, dict) else None
    if isinstance(excerpt, str) and excerpt.strip():
        return fenced(excerpt, "toml", limit)
    return _listed(fact_lines(value, most=60), limit)


def _gap_lines(bundle: Bundle, limit: int) -> str:
    out: list[str] = []
    used = 0
    for number, gap in enumerate(bundle.gaps):
        line = f"- {code(gap.what, 120)}: {code(gap.why, 160)}"
        if used + units(line) > limit - 60:
            out.append(f"- and {len(bundle.gaps) - number} more")
            break
        out.append(line)
        used += units(line) + 1
    return "\n".join(out)


def _log(bundle: Bundle, limit: int) -> str:
    text = bundle.run.stderr if bundle.run.stderr.strip() else bundle.run.stdout
    return fenced(text, "text", limit) if text.strip() else ""


# --- a script that reproduces from the text alone ---


class Script(Struct, frozen=True, kw_only=True):
    """A POSIX shell script ("" when none can be written), and what is to be known before running it."""

    text: str = ""
    notes: tuple[str, ...] = ()


# What a reader needs first; the rest of the project follows by name.
_FIRST_FILES = ("pyproject.toml", "uv.toml", ".python-version", "setup.py", "setup.cfg", "uv.lock")
_NOT_NEEDED = re.compile(r"(?:^|/)(?:\.venv|\.git|__pycache__|[^/]+\.egg-info)(?:/|$)")
_OWN_VARIABLES = re.compile(
    r"UV_(?:CACHE_DIR|NO_CACHE|NO_PROGRESS|PYTHON_DOWNLOADS|LOG\w*|TOOL_\w+|INSTALL\w*|PROJECT|PYTHON)$"
)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9.,_:+=-]{1,80}")
_DIGEST_PART = re.compile(r"[0-9a-f]{16}")
_ID_PART = re.compile(r"[A-Za-z0-9_-]{21}|(?=.*[A-Z0-9_])[A-Za-z0-9_-]{16}")
_SCRIPT_FILE_LIMIT = 6_000


def script(bundle: Bundle, limit: int) -> Script:
    """What builds the failing state from nothing, in at most `limit` UTF-16 units.

    The project's files; then, for an entry that another release wrote, that release's run before the failing
    one's; for a damaged entry, a good run and then the damage. Put together, not run: the text says so.
    """
    run = bundle.run
    if not run.argv or short_command(bundle) == "uv":
        return Script()
    home = bundle.places.home.replace("\\", "/").rstrip("/")
    files = _script_files(bundle)
    absolute = bool(home) and (
        any(home in member.data.decode("utf-8", "replace") for _, member in files if member.kind == "file")
        or any(home in word.replace("\\", "/") for word in run.argv)
    )
    notes: list[str] = []
    place = f'W={shlex.quote(home)}; mkdir -p "$W"' if absolute else "W=$(mktemp -d)"
    if absolute:
        notes.append(f"Its files name {code(home, 60)}: run it in a container.")
    head = ["set -u", place, *_variables(bundle)]
    if any(path.startswith(".config/uv/") for path, _ in files):
        head.append('export XDG_CONFIG_HOME="$W/.config"')
    commands = _script_commands(bundle)
    notes += commands.notes
    used = sum(units(line) + 1 for line in head) + units(commands.text) + 200
    if used > limit:
        return Script(notes=("No script is given: the command is too long for this text.",))
    pieces: list[str] = []
    folders: set[str] = set()
    left_out: list[str] = []
    for path, member in files:
        piece = _placed(path, member)
        folder = f'"$W"/{shlex.quote(path)}' if member.kind == "dir" else _parent(path)
        if not piece and member.kind != "dir":
            left_out.append(path)
            continue
        if used + units(piece) + units(folder) + 2 > limit:
            left_out.append(path)
            continue
        used += units(piece) + 1 + (units(folder) + 1 if folder not in folders else 0)
        folders.add(folder)
        pieces += [piece] if piece else []
    folders.add(_parent(_in_home(bundle, bundle.places.cwd) + "/x"))
    if left_out:
        notes.append(
            f"{len(left_out)} files of the project are too large for this text and only in the bundle: "
            + ", ".join(code(path, 80) for path in left_out[:4])
            + ("." if len(left_out) <= 4 else ", ...")
        )
    enter = f'cd "$W"/{shlex.quote(_in_home(bundle, bundle.places.cwd))}'
    text = "\n".join([*head, f"mkdir -p {' '.join(sorted(folders))}", *pieces, enter, commands.text])
    if clean(text) != text:
        return Script(notes=("No script is given: the command has characters that cannot be seen.",))
    return Script(text=text, notes=tuple(notes))


def _script_files(bundle: Bundle) -> list[tuple[str, Member]]:
    """The members to be put back, with their path below the made-up home, what is needed first."""
    found: list[tuple[str, Member]] = []
    for member in bundle.members:
        top, _, inner = member.path.partition("/")
        if top not in ("project", "home") or not inner or _NOT_NEEDED.search(inner):
            continue
        base = _in_home(bundle, bundle.places.project) + "/" if top == "project" else ""
        found.append((base + inner, member))

    def order(item: tuple[str, Member]) -> tuple[int, int, str]:
        name = item[0].rsplit("/", 1)[-1]
        return (_FIRST_FILES.index(name) if name in _FIRST_FILES else 9, item[0].count("/"), item[0])

    return sorted(found, key=order)


def _in_home(bundle: Bundle, path: str) -> str:
    """`path` of the bundle, relative to the home that the script makes up."""
    home, path = bundle.places.home.replace("\\", "/").rstrip("/"), path.replace("\\", "/").rstrip("/")
    if home and path.startswith(home + "/"):
        return path[len(home) + 1 :]
    project = bundle.places.project.replace("\\", "/").rstrip("/")
    if project and path.startswith(project + "/") and project != home:
        return f"{_in_home(bundle, project)}/{path[len(project) + 1 :]}"
    return "project"


def _parent(path: str) -> str:
    folder = path.rpartition("/")[0]
    return f'"$W"/{shlex.quote(folder)}' if folder else '"$W"'


def _placed(path: str, member: Member) -> str:
    """The commands that put one member where it belongs; "" for a directory, and for what is too large."""
    where = f'"$W"/{shlex.quote(path)}'
    if clean(path) != path or "\n" in path:
        return ""
    if member.kind == "dir":
        return ""
    if member.kind == "link":
        return "" if clean(member.target) != member.target else f"ln -s {shlex.quote(member.target)} {where}"
    if not member.data:
        return f": > {where}"
    text = _as_text(member.data)
    if text is not None:
        piece = f"cat > {where} <<'{_delimiter(text)}'\n{text}{_delimiter(text)}"
    else:
        piece = f"base64 -d > {where} <<'EOF'\n{base64_lines(member.data)}\nEOF"
    return piece if units(piece) <= _SCRIPT_FILE_LIMIT else ""


def _as_text(data: bytes) -> str | None:
    """`data` as text that survives being shown and copied, None when it would not."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not text.endswith("\n") or clean(text) != text or "`" * 40 in text:
        return None
    # A tab or a blank at the end of a line is lost by some editors, but not by a copy from a code block.
    return text if max(map(len, text.split("\n"))) <= 2_000 else None


def _delimiter(text: str) -> str:
    lines = set(text.split("\n"))
    return next(name for name in ("EOF", *(f"EOF_{n}" for n in range(len(lines) + 1))) if name not in lines)


def _variables(bundle: Bundle) -> list[str]:
    out = []
    for name, value in sorted(bundle.run.env.items()):
        if not re.fullmatch(r"UV_[A-Z0-9_]{1,60}", name) or _OWN_VARIABLES.fullmatch(name):
            continue
        if _PLAIN_VALUE.fullmatch(value):
            out.append(f"export {name}={value}")
        else:
            out.append(f"# {name} was set too; its value is among the settings, where it could be shown")
    return out[:20]


def _script_commands(bundle: Bundle) -> Script:
    """The commands after the files are there: make the state, break it, fail."""
    release = bundle.run.uv.release
    fails = _with_release(bundle, release)
    tail = f"{fails}   # should end with exit code {bundle.run.exit_code}" if bundle.run.exit_code else fails
    writer = _writer(bundle)
    fresh = _fresh_venv(bundle, release)
    if bundle.culprits and writer:
        before = [
            *_fresh_venv(bundle, writer),
            _with_release(bundle, writer) + f"   # uv {writer} writes the entry",
        ]
        return Script(text="\n".join([*before, *_without_venv(bundle), *fresh, tail]))
    damages = [_damage(bundle, culprit) for culprit in bundle.culprits]
    damages += [f'rm -rf "$W"/cache/{_glob(path)}' for path in bundle.missing]
    if not damages:
        return Script(text="\n".join([*fresh, tail]))
    notes = []
    if not all(damages):
        notes.append(
            "An entry is too large to be given here; the bundle has it, and the script lacks that step."
        )
    good = _with_release(bundle, release) + "   # fills the cache"
    lines = [*fresh, good, *filter(None, damages), *_without_venv(bundle), *fresh, tail]
    return Script(text="\n".join(lines), notes=tuple(notes))


def _writer(bundle: Bundle) -> str:
    """A release that can have written a culprit and is not the one that fails; "" when there is none."""
    for culprit in bundle.culprits:
        first, _, last = culprit.writers.partition("..")
        ends = [_numbers(first), _numbers(last or first)]
        failing = _numbers(bundle.run.uv.release)
        if not all(ends) or not failing:
            continue
        if not ends[0] <= failing <= ends[1]:
            # The end of the range that is nearer to the failing release: likely what was in use beside it.
            return first if failing < ends[0] else last or first
    return ""


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split("."))) if re.fullmatch(r"\d{1,4}\.\d{1,4}\.\d{1,4}", release) else ()


def _with_release(bundle: Bundle, release: str) -> str:
    """The person's command under `release`, with the script's own cache."""
    invocation = parse(bundle.run.argv)
    words = list(bundle.run.argv[1:])
    if invocation.kind == "tool-run" and words[:1] != ["tool"]:
        words = ["tool", "run", *words]
    end = words.index(invocation.subcommand[-1]) + 1
    own, rest = words[:end], words[end:]
    start = len(rest) - len(invocation.program)
    kept: list[str] = []
    skip = False
    for number, word in enumerate(rest):
        if skip:
            skip = False
        elif number < start and word == "--cache-dir":
            skip = True
        elif not (number < start and word.startswith("--cache-dir=")):
            kept.append(word)
    runner = f"uvx uv@{release}" if _numbers(release) else "uv"
    quoted = [shlex.quote(word) for word in (*own, *kept)]
    return " ".join([runner, *quoted[:end], '--cache-dir "$W/cache"', *quoted[end:]])


def _fresh_venv(bundle: Bundle, release: str) -> list[str]:
    """`uv pip` needs an environment to be there."""
    if parse(bundle.run.argv).subcommand[:1] != ("pip",) or not _numbers(release):
        return []
    return [f'uvx uv@{release} venv --cache-dir "$W/cache"']


def _without_venv(bundle: Bundle) -> list[str]:
    return [] if parse(bundle.run.argv).kind == "tool-run" else ["rm -rf .venv"]


def _glob(path: str) -> str:
    """`path` in a cache for the shell, with `*` for what another machine calls otherwise: digests and ids."""
    parts = path.split("/")
    return "/".join(
        "*" if n and (_DIGEST_PART.fullmatch(part) or _ID_PART.fullmatch(part)) else shlex.quote(part)
        for n, part in enumerate(parts)
    )


def _damage(bundle: Bundle, culprit: Culprit) -> str:
    """The command that puts the culprit's exact state in place of a good entry; "" when it is too large."""
    member = _member(bundle, f"cache/{culprit.path}")
    if member is None or clean(culprit.path) != culprit.path or clean(member.target) != member.target:
        return ""
    if member.kind == "dir":
        deed = 'rm -rf "$entry"; mkdir "$entry"'
    elif member.kind == "link":
        deed = f'rm -rf "$entry"; ln -s {shlex.quote(member.target)} "$entry"'
    elif not member.data:
        deed = 'rm -rf "$entry"; : > "$entry"'
    elif not any(member.data):
        deed = f'rm -rf "$entry"; head -c {len(member.data)} /dev/zero > "$entry"'
    elif len(member.data) <= SMALL_ENTRY_BYTES:
        encoded = base64.b64encode(member.data).decode()
        deed = f'rm -rf "$entry"; printf %s \'{encoded}\' | base64 -d > "$entry"'
    else:
        return ""
    if not member.mode & 0o400:
        deed += f'; chmod {member.mode:o} "$entry"'
    return f'for entry in "$W"/cache/{_glob(culprit.path)}; do {deed}; done'


def base64_lines(data: bytes) -> str:
    """`data` in base64, in lines of 76 characters."""
    encoded = base64.b64encode(data).decode()
    return "\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))


def hexdump(data: bytes) -> str:
    """`data` as offset, sixteen bytes, text."""
    lines = []
    for start in range(0, len(data), 16):
        part = data[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {text}")
    return "\n".join(lines)


# --- the report page ---


def report_html(bundle: Bundle, *, file_name: str = _PLACEHOLDER_NAME) -> str:
    """One page that needs nothing but itself: no script, nothing from elsewhere; for phone and paper too."""
    topics = sorted(
        member.path.removeprefix("facts/").removesuffix(".json")
        for member in bundle.members
        if member.path.startswith("facts/") and member.path.endswith(".json")
    )
    log, left_out = cut_middle(clean(bundle.run.stderr or bundle.run.stdout), REPORT_LOG_LIMIT)
    return _rendered(
        "report.html.j2",
        {
            "title": title(bundle),
            "bundle": bundle,
            "file_name": os.path.basename(file_name),
            "command": clean(command(bundle)),
            "ended": _ended(bundle),
            "what": known.what if (known := named(bundle.failure.class_)) else "",
            "verdict": bundle.proof.verdict if bundle.proof else "NOT REPLAYED",
            "proven": proven(bundle).replace("`", ""),
            "platform": clean(platform_line(bundle)),
            "python": clean(python_line(bundle)),
            "chain": clean(bundle.failure.chain or "\n".join(bundle.failure.frames)),
            "steps": _steps(bundle),
            "topics": [(topic, fact_lines(_cleaned(fact(bundle, topic)))) for topic in topics],
            "entries": [(culprit, clean(_json(culprit.decoded))) for culprit in bundle.culprits],
            "hexdump": {
                culprit.path: hexdump(member.data)
                for culprit in bundle.culprits
                if (member := _member(bundle, f"cache/{culprit.path}"))
                and 0 < len(member.data) <= SMALL_ENTRY_BYTES
            },
            "redactions": _counted(redaction.rule for redaction in bundle.redactions),
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
        },
    )


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def size(size_bytes: int) -> str:
    """A size for people."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    return f"{size_bytes / 1e3:.1f} kB" if size_bytes < 1_000_000 else f"{size_bytes / 1e6:.1f} MB"


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


def _steps(bundle: Bundle) -> list[tuple[str, str]]:
    """The run as uv's log tells it, in order, with the line of the log; then what was done with it."""
    steps: list[tuple[str, str]] = []
    for number, line in enumerate(clean(bundle.run.stderr).split("\n")[:200_000], 1):
        for pattern, said in _MILESTONES:
            found = pattern.search(line)
            if found and len(steps) < 40:
                steps.append((f"log, line {number}", said.format(shorten(found[1], 160))))
                break
    ended = "is stopped, out of time" if bundle.run.timed_out else _ended(bundle)
    steps.append((f"after {bundle.run.duration_s:g} s", f"the command {ended}"))
    if bundle.triage:
        steps.append(("with --no-cache", clean(bundle.triage)))
    steps += [
        (clean(culprit.path.rsplit("/", 1)[-1]), clean(culprit.confirmed))
        for culprit in bundle.culprits[:10]
        if culprit.confirmed
    ]
    if bundle.redactions:
        steps.append(("redaction", f"{len(bundle.redactions)} replacements"))
    steps.append(("proof", proven(bundle).replace("`", "")))
    return steps


# --- templates ---


@cache
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

    here = os.path.dirname(os.path.abspath(__file__))
    # In an installed wheel they lie beside this file; in a checkout at the top, two levels up.
    folders = (os.path.join(here, "templates"), os.path.join(here, "..", "..", "templates"))
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        # Markdown is not HTML: there, `code` and `fenced` are what keeps a stranger's text in.
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),  # noqa: S701
        undefined=StrictUndefined,
        # Whatever a template puts in, no control character comes out.
        finalize=lambda value: clean(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _rendered(name: str, context: dict[str, Any]) -> str:
    text: str = _environment().get_template(name).render(context)
    # Blocks that are not there leave blank lines. Inside a fence blank lines are part of the text.
    return text if name.endswith(".html.j2") else _without_blank_runs(text)


def _without_blank_runs(text: str) -> str:
    out: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if not fence and not line.strip() and (not out or not out[-1].strip()):
            continue
        out.append(line)
        opened = re.match(r"(`{3,})", line)
        if opened and not fence:
            fence = opened[1]
        elif fence and line == fence:
            fence = ""
    return "\n".join(out).strip("\n") + "\n"
