"""What `uvreport bisect` found: in words, and as JSON."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from uvreport.bisect import Found, Stretch
    from uvreport.bundle import Bundle


def as_object(found: Found, moving: Found | None, changelog: str | None, bundle: Bundle) -> dict[str, Any]:
    """The answer as one JSON object, but for how long it took."""
    from uvreport.transplant import moves

    answer: dict[str, Any] = {
        **_as_object(found),
        "start": found.row.start,
        "runs": found.runs,
        "code_executed": any(v.code_executed for v in (moving or found).verdicts.values()),
        "flaky": list(found.flaky),
        "verdicts": {release: verdict.verdict for release, verdict in found.verdicts.items()},
        "transplant": None,
    }
    if moving is not None:
        names = {move for release in moving.verdicts for move in moves(bundle, release)}
        answer["transplant"] = {
            **_as_object(moving),
            "runs": moving.runs,
            "moved": [{"from": move.old, "to": move.new} for move in sorted(names)],
            "verdicts": {
                release: verdict.verdict
                for release, verdict in moving.verdicts.items()
                if release not in moving.row.seen
            },
        }
    if changelog is not None:
        answer["changes"] = [
            {"after": after, "through": through, "what": what, "titles": titles}
            for after, through, what, titles in _changes(found, changelog)
        ]
    return answer


def _as_object(found: Found) -> dict[str, Any]:
    return {
        "bad": [{"first": s.first, "last": s.last} for s in found.bad],
        "fixed_in": found.fixed_in or None,
        "healed": found.healed,
        "boundaries": [
            {
                "good_before": s.good_before or None,
                "unsure_before": list(s.unsure_before),
                "good_after": s.good_after or None,
                "unsure_after": list(s.unsure_after),
            }
            for s in found.bad
        ],
        "untested": [{"first": u.first, "last": u.last, "reason": u.reason} for u in found.untested],
    }


def tell(found: Found, changelog: str | None) -> Iterator[str]:
    """The answer in words."""
    yield from _stretches(found)
    unread = _runs_of(found.row.releases, found.row.unread)
    if unread:
        buckets = sorted({why.partition(",")[0] for why in found.row.unread.values()})
        yield f"Not read: {', '.join(map(_span, unread))} ({'; '.join(buckets)})"
    absent = [release for release in found.row.releases if release in found.row.absent]
    if absent:
        yield f"Not on this machine: {len(absent)} releases from {absent[0]} to {absent[-1]}"
    for one in found.untested:
        if one.first not in found.row.unread and one.first not in found.row.absent:
            yield f"Not told: {_span((one.first, one.last))} ({one.reason})"
    if found.flaky:
        yield f"Did not answer the same twice: {', '.join(found.flaky)}"
    for after, through, what, titles in _changes(found, changelog) if changelog is not None else ():
        yield f"{what}, after {after} up to {through}:"
        for release, lines in titles.items():
            yield f"  {release}"
            yield from (f"    - {line}" for line in lines)
        if not titles:
            yield "  the changelog has none of these releases"


def tell_moved(moving: Found | None, bundle: Bundle) -> Iterator[str]:
    """What came of moving the entry, in words that keep it apart from what was seen directly."""
    from uvreport.transplant import moves

    if moving is None:
        yield "Moved: there is no other release with another bucket to move the entry to."
        return
    yield "If each release had written these bytes (moved to its bucket, where the reporter never had them):"
    for line in _stretches(moving):
        yield f"  {line}"
    names = {move for release in moving.verdicts for move in moves(bundle, release)}
    for old in sorted({move.old for move in names}):
        yield f"  moved from {old} to {', '.join(sorted(move.new for move in names if move.old == old))}"
    spans: dict[str, list[str]] = {}
    for one in moving.untested:
        if one.first not in moving.row.absent:
            reason = one.reason.replace(f"uv {one.first}", "uv")
            spans.setdefault(textwrap.shorten(reason, 120, placeholder="..."), []).append(
                _span((one.first, one.last))
            )
    for reason, where in spans.items():
        yield f"  not told: {', '.join(where)} ({reason})"


def _stretches(found: Found) -> Iterator[str]:
    if not found.bad:
        yield "Fails in none of those that were run."
    for s in found.bad:
        yield f"Fails in {s.first if s.first == s.last else f'{s.first} to {s.last}'}"
        yield f"  first bad: {_first(found, s)}"
        yield f"  first good after it: {_last(found, s)}"


def _first(found: Found, s: Stretch) -> str:
    if s.unsure_before:
        return f"{s.first} or before; nothing can be said of {_span(s.unsure_before)}"
    if s.good_before:
        return f"{s.first}; {s.good_before} is good{_how(found, s.good_before)}"
    return f"{s.first}; {_beyond(found, s.first, -1)}"


def _last(found: Found, s: Stretch) -> str:
    if s.unsure_after:
        good = f"{s.good_after} at the latest" if s.good_after else "not known"
        return f"{good}; nothing can be said of {_span(s.unsure_after)}"
    if s.good_after:
        return f"{s.good_after}{_how(found, s.good_after)}"
    return f"none; {_beyond(found, s.last, 1)}"


def _how(found: Found, release: str) -> str:
    verdict = found.verdicts[release]
    return f" ({verdict.reason})" if verdict.reason else " (it read the entry and passed)"


def _beyond(found: Found, release: str, side: int) -> str:
    at = found.row.releases.index(release) + side
    if not 0 <= at < len(found.row.releases):
        return "no release beyond it was searched"
    beyond = found.row.releases[at]
    return f"{beyond} does not read it ({found.row.unread.get(beyond, 'not run')})"


def _span(wanted: tuple[str, ...]) -> str:
    return wanted[0] if wanted[0] == wanted[-1] else f"{wanted[0]} to {wanted[-1]}"


def _runs_of(row: tuple[str, ...], wanted: Collection[str]) -> list[tuple[str, ...]]:
    """What of a row is wanted, neighbours together."""
    groups = itertools.groupby(row, key=wanted.__contains__)
    return [tuple(group) for inside, group in groups if inside]


def _changes(found: Found, changelog: str) -> Iterator[tuple[str, str, str, dict[str, tuple[str, ...]]]]:
    from uvreport.bisect import changes

    order = list(found.row.releases)
    for s in found.bad:
        before = s.good_before or (order[order.index(s.first) - 1] if order.index(s.first) else "")
        if before:
            yield before, s.first, "What brought it", changes(changelog, before, s.first)
        after = s.good_after or next(iter(order[order.index(s.last) + 1 :]), "")
        if after:
            what = "What ended it" if s.good_after else "What came when it was no longer read"
            yield s.last, after, what, changes(changelog, s.last, after)
