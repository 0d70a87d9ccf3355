"""What is said about a failure, in plain words: its title, its command, its culprit, its proof. Pure."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from uvreport.errors import UsageError
from uvreport.failures import named
from uvreport.failures.chain import parse as parse_chain
from uvreport.failures.signature import last_exception
from uvreport.invocation import parse
from uvreport.render.factual import at, dicts_at, fact
from uvreport.render.text import clean, code, listed, quiet, said, sentence, shorten, size, units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvreport.bundle import Bundle, Culprit

TITLE_LIMIT = 120


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
    tail = _title_tail(bundle)
    if bundle.run.exit_code == 0:
        what = f"`{short_command(bundle)}` succeeds, but what it installed is not whole"
        return what + tail if units(what + tail) <= TITLE_LIMIT else shorten(what, TITLE_LIMIT)
    what = f"`{short_command(bundle)}` {'does not end' if bundle.run.timed_out else 'fails'}"
    frame = _telling_frame(bundle)
    room = TITLE_LIMIT - units(what + tail) - len(" with ``")
    if frame and room >= 16:
        what += f" with `{shorten(frame, room)}`"
    return what + tail if units(what + tail) <= TITLE_LIMIT else shorten(what, TITLE_LIMIT)


def _title_tail(bundle: Bundle) -> str:
    running = release(bundle)
    culprit = bundle.culprits[0] if bundle.culprits else None
    if culprit is None:
        gone = _called(bundle.missing[0]) if bundle.missing else ""
        gone = f"`{gone}`" if gone else "an unpacked wheel"
        return (f": the cache lost {gone}" if bundle.missing else "") + (
            f" (uv {running})" if running else ""
        )
    name = _called(culprit.path) or f"the {kind_of(culprit)}"[:40]
    name = f"`{name}`" if "_" in name else name  # else Markdown might make it bold
    if culprit.writers and culprit.state == "foreign":
        return f": {name} written by {span(culprit.writers)}, read by {running or 'another'}"
    state = _STATES.get(culprit.state, "at fault")
    return f": {name} is {state}" + (f" (uv {running})" if running else "")


def _called(path: str) -> str:
    """The last name of a path in the cache; "" for a digest or an id, which say nothing to a reader."""
    name = re.sub(r"[^\w.+-]", "?", path.rsplit("/", 1)[-1], flags=re.ASCII)[:40]
    return "" if re.match(r"[0-9a-f]{16}|[A-Za-z0-9_-]{16}(?:[A-Za-z0-9_-]{5})?$", name) else name


def release(bundle: Bundle) -> str:
    """The release of uv that failed; "" when it is not known, or is not one."""
    return bundle.run.uv.release if numbers(bundle.run.uv.release) else ""


def numbers(text: str) -> tuple[int, ...]:
    """A release as numbers that compare; () for what is none."""
    return (
        tuple(map(int, text.split("."))) if re.fullmatch(r"\d{1,4}\.\d{1,4}\.\d{1,4}", text, re.ASCII) else ()
    )


# Frames that say no more than that something was asked for over the network.
_GENERIC = re.compile(
    r"client error \(|tcp connect error|error sending request|Request failed after|tunnel error$"
    r"|[A-Z][\w ]+ \(os error \d+\)$"
)


def _telling_frame(bundle: Bundle) -> str:
    """The outermost frame of the chain that names no package, path or URL; else the innermost's start."""
    # Cut first: a title shows 70 characters, and the patterns below are not linear on hostile text.
    frames = [" ".join(clean(frame[:1000]).split()) for frame in bundle.failure.frames]
    if toml := next((frame for frame in frames if frame.startswith("TOML parse error")), ""):
        return shorten(_about_toml(frames[0], toml), 70)
    telling = [frame for frame in frames if not _GENERIC.match(frame)] or frames
    if bundle.failure.class_ in ("network", "index"):  # what happened is at the end of the chain
        last = frames[-1] if frames else ""
        if re.match(
            r"[A-Z][a-z]+ (?:refused|reset)|HTTP status|failed to lookup|invalid peer|operation timed", last
        ):
            return shorten(re.sub(r" \(os error \d+\)$| for url \(.*$", "", last).rstrip(" :"), 70)
    if bundle.failure.class_ == "build" and any("build backend" in frame.lower() for frame in frames):
        chain = parse_chain(bundle.failure.chain[-20_000:])
        if raised := last_exception(chain.detail[-4_000:]) if chain else "":
            return shorten(" ".join(clean(raised[:1000]).split()), 70)
    if bundle.failure.class_ == "git":
        wanted = (
            r"failed to (?:fetch|find|check ?out|resolve|update) (?!into\b)|Git executable not found|.*LFS"
        )
        if ref := next((frame for frame in reversed(frames) if re.match(wanted, frame)), ""):
            return shorten(ref.replace("`", "").rstrip(" :"), 70)
    plain = [frame for frame in telling if not re.search(r"[`'/\\@|]|[\d=]\.\d|os error", frame)]
    if plain:
        return shorten(plain[0].rstrip(" :"), 70)
    for frame in telling if bundle.failure.class_ == "command" else reversed(telling):
        masked = frame.split(" | ")[0].partition(" Expected: ")[0]
        masked = re.sub(r"`([\w.-]{1,40})`", r"\1", masked)
        masked = re.sub(
            r"`[^`]{0,300}[/\\]([\w-]{1,30}\.(?:toml|txt|in|lock|cfg|py)|RECORD|METADATA|WHEEL)`",
            r"\1",
            masked,
        )
        masked = re.sub(r"`[^`]*`", "…", masked)
        masked = re.sub(r"\S*(?:[/\\@`'|]|[=-]\d)\S*", "…", masked)
        masked = re.sub(r"…(?:[\s,()]*…)+", "…", masked)
        masked = re.sub(r"(?<=\w): \S.*\(os error \d+\)", lambda hit: hit[0].partition(" (")[0], masked)
        if sum(char.isalpha() for char in masked) >= 8:
            return shorten(masked.rstrip(" :"), 70)
    return ""


def _about_toml(outermost: str, frame: str) -> str:
    """What a TOML file has wrong: `Failed to parse uv.lock: missing field version`, not the line where it is."""
    which = re.match(r"Failed to parse:? `?([\w.-]{1,40})`?$", outermost)
    wrong = frame.rpartition("^ ")[2].replace("`", "").strip() if "^ " in frame else ""
    what = f"Failed to parse {which[1]}" if which else "TOML parse error"
    return f"{what}: {wrong}" if wrong else what


def span(writers: str) -> str:
    """A range of releases as it is said: `0.6.8 to 0.11.8`."""
    first, _, last = clean(writers).partition("..")
    first, last = (re.sub(r"[^0-9.]", "", part)[:20] for part in (first, last))
    return f"{first} to {last}" if last else first


# What an entry is, to somebody who does not know uv's cache by heart.
_KINDS = {
    "archive": "unpacked wheel",
    "archive pointer, http": "pointer to an unpacked wheel",
    "archive pointer, local": "pointer to an unpacked wheel",
    "distribution metadata": "package's built metadata",
    "file of an archive": "file of an unpacked wheel",
    "flat index": "cached find-links page",
    "furniture": "file that uv keeps in every bucket",
    "git checkout": "Git checkout",
    "git database": "Git repository",
    "interpreter": "description of an interpreter",
    "link to an archive": "link to an unpacked wheel",
    "revision pointer, http": "revision pointer",
    "revision pointer, local": "revision pointer",
    "simple index": "cached index page",
    "wheel metadata": "wheel's metadata",
    "vulnerability": "vulnerability record",
}
_STATES = {
    "truncated": "cut off",
    "zeroed": "all zeros",
    "empty": "empty",
    "garbage": "garbled",
    "foreign": "in another release's format",
    "wrong-kind": "not the kind of file that belongs there",
    "dangling": "dangling",
    "unreadable": "unreadable",
    "incomplete": "incomplete",
    "stale": "stale",
    "missing": "missing",
}


def kind_of(culprit: Culprit) -> str:
    """What the entry is, in words that may stand in prose."""
    known = _KINDS.get(culprit.kind, culprit.kind)
    return known if quiet(known) and len(known) < 60 and known else "cache entry"


def state_of(culprit: Culprit) -> str:
    """What is wrong with the entry, in words that may stand in prose; "" when nobody knows."""
    return _STATES.get(culprit.state, "")


def blame(bundle: Bundle, culprit: Culprit) -> str:
    """What is wrong with one cache entry and who can have written it, in one sentence of Markdown."""
    kind = kind_of(culprit)
    article = "an" if kind[0] in "aeiou" else "a"
    reason = re.sub(r" \(this is how uv .*? writes it\)", "", culprit.reason)
    subject, _, rest = reason.partition(" ")
    if rest and culprit.path.endswith(subject):
        reason = f"it {rest}"
    writers = f"uv {span(culprit.writers)}" if culprit.writers else ""
    only = after = ""
    if writers and culprit.state == "foreign":
        only = f" that only {writers} {'write' if '..' in culprit.writers else 'writes'} like this"
    elif (
        writers and culprit.kind != "furniture" and culprit.state != "wrong-kind"
    ):  # there it is of the place
        after = (
            f" Any uv from {writers.removeprefix('uv ')} can have written it."
            if ".." in culprit.writers
            else ""
        )
        after = after or f" Only {writers} can have written it."
    reason = re.sub(r"\b1 bytes\b", "1 byte", reason)
    measured = bool(culprit.size_bytes) and "a directory stands" not in reason
    how_large = (
        f" ({size(culprit.size_bytes)})" if measured and size(culprit.size_bytes) not in reason else ""
    )
    wrong = said(reason) if reason else state_of(culprit) or "at fault"
    sure = _sure(bundle, culprit)
    return f"{code(culprit.path, 300)}{how_large}, {article} {kind}{only}: {wrong}.{after}{f' {sure}' if sure else ''}"


def _sure(bundle: Bundle, culprit: Culprit) -> str:
    """How it is known, unless the cure says so."""
    confirmed = culprit.confirmed
    if not confirmed or (bundle.cure and confirmed.startswith("without ")):
        return ""
    return sentence(said(confirmed))


def cured(bundle: Bundle) -> str:
    """What makes the failure go away, in one sentence of Markdown; "" when nothing is known to."""
    cure = bundle.cure
    if not cure:
        return ""
    if len(bundle.culprits) == 1 and cure == (bundle.culprits[0].path,):
        confirmed = bundle.culprits[0].confirmed
        if confirmed.endswith("goes on to build"):
            return "Without it uv gets past this failure and goes on to build."
        if confirmed.endswith("needs the network"):
            return "Without it this failure is gone; the command then needs the network."
        return "Without it the command passes."
    paths = listed([code(path, 200) for path in cure[:8]])
    more = f" and {len(cure) - 8} more" if len(cure) > 8 else ""
    together = " together" if len(cure) > 1 else ""
    return f"This failure is gone once {paths}{more} {'are' if len(cure) > 1 else 'is'} removed{together}."


def lost(bundle: Bundle) -> str:
    """What the cache lacks, and what still points at it, in Markdown; "" when it lacks nothing."""
    if not bundle.missing:
        return ""
    paths = listed([code(path, 200) for path in bundle.missing[:8]])
    more = f" and {len(bundle.missing) - 8} more" if len(bundle.missing) > 8 else ""
    entries = fact(bundle, "cache-entries")
    told = ""
    for entry in dicts_at({"entries": entries}, "entries"):
        lacks = at(entry, "missing")
        path, reason = entry.get("path"), entry.get("reason")
        if not isinstance(lacks, list) or not isinstance(path, str) or not isinstance(reason, str):
            continue
        if reason and set(lacks) & set(bundle.missing):
            told = f" {code(path, 200)} still points there: {said(reason)}."
            break
    return f"{paths}{more} {'are' if len(bundle.missing) > 1 else 'is'} gone from the cache.{told}"


def proven(bundle: Bundle) -> str:
    """What the replay of the redacted bundle came to, in one sentence that claims no more than was seen."""
    proof = bundle.proof
    if proof is None:
        return "Not replayed: nobody has tried whether this bundle fails elsewhere."
    replayed = f"uv {proof.uv}" if numbers(proof.uv) else "uv"
    where = f"Replayed from the redacted bundle, offline, in an empty place under {replayed}"
    why, _, words = proof.reason.rstrip(" )").partition("uv said: ")
    why = said(why.rstrip(" (")) if why.rstrip(" (") else ""
    if why.startswith("needs code"):
        why = "it takes a build, and a replay runs no code of a bundle unless it is told to (`--allow-code`)"
    why = f"the run {why}" if why.startswith("needs ") else why
    quoted = code(words, 240) if words else ""
    if proof.verdict == "REPRODUCED":
        return f"{where}: {'goes wrong' if bundle.run.exit_code == 0 else 'fails'} the same way."
    if proof.verdict == "DIFFERENT":
        tail = f" ({why})" if why else ""
        there = f" There uv says {quoted}." if quoted else ""
        return f"{where}: fails in another way{tail}, so the bundle alone does not show this failure.{there}"
    if proof.verdict == "CLEAN":
        tail = f" ({why})" if why else ""
        return f"{where}: passes, although the entry was read{tail}. The bundle does not show this failure."
    return f"Whether the bundle alone fails elsewhere is not known{f': {why}' if why else ''}."


def triaged(bundle: Bundle) -> str:
    """What the same command did with `--no-cache`; "" when nothing is known about that."""
    if not bundle.triage:
        return ""
    if bundle.triage.startswith("not asked"):
        return f"Whether the cache is to blame was {said(bundle.triage)}."
    triage = bundle.triage
    if bundle.run.exit_code == 0:
        triage = triage.replace("the command passes", "what it installs is whole")
    return f"{said(triage)}."


def failed(bundle: Bundle) -> str:
    """What the command did, in one sentence of Markdown."""
    under = f" under uv {running}" if (running := release(bundle)) else ""
    if not bundle.run.argv:
        return f"A uv command fails{under}; its output was saved, the command itself is not known."
    subject = f"`{short_command(bundle)}`"
    if bundle.run.timed_out:
        stopped = f"it was stopped after {bundle.run.duration_s:.0f} s"
        return f"{subject} does not end{under}: {stopped}."
    known = named(bundle.failure.class_)
    what = f": {known.what}." if known and known.name != "unknown" else "."
    if bundle.run.exit_code == 0:
        return f"{subject} reports success{under}, but what it installed is not whole{what}"
    return f"{subject} {ended(bundle)}{under}{what}"


def ended(bundle: Bundle) -> str:
    """How the command ended, as the rest of a sentence."""
    exit_code = bundle.run.exit_code
    if exit_code is None:
        return "fails"
    return f"ends by signal {-exit_code}" if exit_code < 0 else f"exits with code {exit_code}"


def summary(bundle: Bundle) -> list[str]:
    """What was found, for the terminal: at most a dozen plain lines, without color or control characters."""
    under = f" under uv {running}" if (running := release(bundle)) else ""
    shown = shorten(command(bundle), 160) or "A saved command"
    if bundle.run.timed_out:
        lines = [f"{shown} does not end{under}."]
    elif bundle.run.exit_code == 0:
        lines = [f"{shown} reports success{under}, but what it installed is not whole."]
    else:
        lines = [f"{shown} {ended(bundle)}{under}."]
    frames = [" ".join(line.split()) for line in bundle.failure.frames if line.strip()]
    if len(frames) > 4:
        frames = [*frames[:2], f"... {len(frames) - 3} more causes", frames[-1]]
    lines += [f"  {shorten(frame, 240)}" for frame in frames]
    known = named(bundle.failure.class_)
    lines.append(f"This is: {known.what if known else bundle.failure.class_}.")
    for culprit in bundle.culprits[:2]:
        lines.append(f"At fault: {culprit.path}: {culprit.reason}")
    if len(bundle.culprits) > 2:
        lines.append(f"  and {len(bundle.culprits) - 2} more entries")
    if bundle.missing:
        more = f" and {len(bundle.missing) - 1} more" if len(bundle.missing) > 1 else ""
        lines.append(f"Gone from the cache: {bundle.missing[0]}{more}")
    if not bundle.culprits and not bundle.missing and bundle.triage:
        lines.append(bundle.triage)
    lines.append(proven(bundle))
    return [
        shorten(" ".join(clean(line).replace("`", "").split(" ")).replace("\n", " "), 400) for line in lines
    ]


def counted(items: Iterable[str]) -> list[tuple[str, int]]:
    """Each item with how often it occurs, the most frequent first."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
