"""Text in, text out without what is private: known values first, then the rules, both found by literals.

Why literals: a pattern that begins with a class or ignores case runs at 20-130 MB/s in `re`, and sixty of them one
after the other at 1 MB/s. `bytes.find` runs at 2,000 MB/s, and most literals are nowhere in a log: so a sieve
(redact/sieve.py) says which may be where, and only there they are looked for, with their pattern anchored at the hit.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from uvreport.errors import RedactionError
from uvreport.redact import encoded, names, sieve, views
from uvreport.redact.ledger import Ledger, is_placeholder
from uvreport.redact.rule import Probe, Rule, compiled
from uvreport.redact.spellings import Needle, needles
from uvreport.registry import exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from uvreport.redact.known import Known

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(range(0x80, 0x100))
_HOST_CHARS = b"abcdefghijklmnopqrstuvwxyz0123456789-_."
_HEX_CHARS = b"0123456789abcdef"
_BASE64_WORD = b"abcdefghijklmnopqrstuvwxyz0123456789+_"
_BASE64_RUN = b"abcdefghijklmnopqrstuvwxyz0123456789+/-_"
_RUN_MAX = 8192
_BASE64_NEAR = 16
_BETWEEN = b"\n\0\n"
_ENCODED_MOST = 2  # so often base64 or hex is undone, one inside of the other


class Span(NamedTuple):
    """A stretch of text that goes. `value` is what it says, `kind` what takes its place (redact/ledger.py)."""

    start: int
    end: int
    rule: str
    kind: str
    value: bytes
    placeholder: str = ""
    spelled: dict[bytes, bytes] | None = None


# What wins where two overlap: a secret swallows what is in it; a path knows better than the name inside it.
_RANK = {
    "secret": 0,
    "digest": 1,
    "email": 2,
    "path": 3,
    "path16": 3,
    "package": 4,
    "host": 4,
    "ipv4": 5,
    "ipv6": 5,
    "mac": 5,
    "name": 6,
}


class _Entry(NamedTuple):
    literal: bytes
    rules: tuple[Rule, ...]
    known: tuple[Needle, ...]


def _narrow(entry: _Entry) -> bytes:
    """What RE2 may ask for behind a literal: nothing where somebody wants it whatever follows."""
    asked = {rule.follows for rule in entry.rules}
    if entry.known or not all(asked) or any("(?<" in pattern for pattern in asked):
        return b""
    either = f"(?:{'|'.join(sorted(asked))})".encode()
    # RE2 needs no guard against stepping back, and has no other use for references.
    either = re.sub(rb"\(\?=\((\[[^\]]+\]\{0,\d+\})\)\)\\1", rb"\1", either)
    # A bounded repeat costs an automaton states; an unbounded one only names more places.
    return re.sub(rb"\{0,\d+\}", b"*", either)


class Engine:
    """Redacts texts with one set of known values, the rules, and one ledger that remembers the placeholders."""

    def __init__(
        self, known: Known, ledger: Ledger, rules: tuple[Rule, ...] | None = None, *, passed_over: str = ""
    ) -> None:
        self.known = known
        self.passed_over = passed_over  # the rule whose finds stay: only to learn what each rule costs
        self.ledger = ledger
        self.rules = exports("uvreport.redact.rules", "RULE", Rule) if rules is None else rules
        for user in known.users:
            if not names.is_generic_user(user):
                ledger.place("user", user.encode("utf-8", "surrogateescape"))
        self._entries = self._table(needles(known))
        self._probes = tuple((rule, probe) for rule in self.rules for probe in rule.probes)
        self._word_rules = tuple(rule for rule in self.rules if rule.words and not rule.probes)
        self._sieve = sieve.sieve(
            (
                *(sieve.Wanted(entry.literal, narrow=_narrow(entry)) for entry in self._entries),
                *(sieve.Wanted(b"", probe.sketch.encode()) for _, probe in self._probes),
            ),
            sieve.chosen(),
        )

    def _table(self, known: tuple[Needle, ...]) -> tuple[_Entry, ...]:
        rules: dict[bytes, list[Rule]] = {}
        by_literal: dict[bytes, list[Needle]] = {}
        for rule in self.rules:
            for literal in rule.literals:
                rules.setdefault(literal.encode(), []).append(rule)
        for needle in known:
            by_literal.setdefault(needle.literal, []).append(needle)
        return tuple(
            _Entry(literal, tuple(rules.get(literal, ())), tuple(by_literal.get(literal, ())))
            for literal in dict.fromkeys([*by_literal, *rules])
        )

    def learn(self, known: Known) -> Engine:
        """An engine that knows more, with the same ledger and rules."""
        return Engine(known, self.ledger, self.rules, passed_over=self.passed_over)

    # --- finding -------------------------------------------------------------------------------------------------

    def spans(self, text: bytes, also: Iterable[Span] = ()) -> list[Span]:
        """Everything in `text` that goes, in order, without overlaps; `also` is what somebody else found in it."""
        found = [*also, *self._search(text)]
        joined = views.unwrapped(text)
        if joined is not None:
            # Only what a wrap had torn: the rest was found as it stands.
            found += [span for span in self._through(joined, text) if b"\n" in text[span.start : span.end]]
        view = views.unescaped(text)
        if view is not None:
            found += self._through(view, text)
            again = views.unescaped(view.text)
            if again is not None:
                found += self._through(views.composed(view, again), text)
        if self.passed_over:
            found = [span for span in found if span.rule != self.passed_over]
        return _apart(found, text)

    def _through(self, view: views.View, text: bytes) -> Iterator[Span]:
        for span in self._search(view.text):
            start, end = view.raw(span.start, span.end)
            if start < end:
                yield span._replace(start=start, end=end, spelled=view.spelling(text, span.start, span.end))

    def _search(self, text: bytes, depth: int = 0) -> Iterator[Span]:
        low = text.lower()
        regions = self._sieve(low)
        wide = b"\0" in low
        entries = self._entries
        for number in sorted(regions):
            if number >= len(entries):
                rule, probe = self._probes[number - len(entries)]
                yield from _probed(text, low, probe, rule, regions[number])
                continue
            literal, rules, known = entries[number]
            if known and (wide or b"\0" not in literal):
                yield from _known_at(text, low, literal, known, regions[number])
            for rule in rules:
                yield from _rule_at(text, low, literal, rule, regions[number])
        for rule in self._word_rules:
            yield from _matched(text, rule, [(0, len(text))], _hits(compiled(rule.words, rule.fold), text))
        if depth < _ENCODED_MOST:
            yield from self._inside(text, depth + 1)

    def _inside(self, text: bytes, depth: int) -> Iterator[Span]:
        """Texts in base64 or hex in which something private is found once decoded: they go as a whole."""
        found = list(encoded.runs(text))
        if not found:
            return
        # All in one search: a line may hold thousands. Nothing that is private reaches over what is between them.
        starts: list[int] = []
        size = 0
        for run in found:
            starts.append(size)
            size += len(run.said) + len(_BETWEEN)
        joined = _BETWEEN.join(run.said for run in found)
        view = views.unescaped(joined)
        private = [(span, span.start) for span in self._search(joined, depth)]
        if view is not None:
            private += [(span, view.raw(span.start, span.end)[0]) for span in self._search(view.text, depth)]
        said = {
            bisect.bisect_right(starts, at) - 1
            for span, at in private
            if not is_placeholder(span.value) and span.rule != self.passed_over
        }
        for number in sorted(said):
            run = found[number]
            for start, end in run.pieces or ((run.start, run.end),):
                yield Span(start, end, f"in-{run.how}", "secret", text[start:end])

    def clean(self, texts: Iterable[str]) -> set[str]:
        """Those of many short texts in which nothing is private, found by one search through all of them."""
        lines = [text for text in dict.fromkeys(texts) if "\n" not in text]
        data = [text.encode("utf-8", "surrogateescape") for text in lines]
        starts = [0]
        for line in data:
            starts.append(starts[-1] + len(line) + 1)
        dirty: set[int] = set()
        for span in self.spans(b"\n".join(data)):
            first = bisect.bisect_right(starts, span.start) - 1
            dirty.update(range(first, bisect.bisect_left(starts, span.end)))
        return {text for i, text in enumerate(lines) if i not in dirty}

    # --- replacing -----------------------------------------------------------------------------------------------

    def placeholder(self, span: Span) -> bytes:
        """What takes the place of a span, written the way the span was."""
        kind, value = span.kind, span.value
        if span.placeholder:
            shown = span.placeholder
        elif kind == "account" and self._is_user(value):
            shown = self.ledger.place("user", value)
        else:
            shown = self.ledger.place(kind, value)
        if kind == "path16":
            wide = b"\0" + value[:1] if value[:1] == b"\0" else value[:2]
            return shown.encode("utf-16-be" if wide[:1] == b"\0" else "utf-16-le", "surrogatepass")
        data = shown.encode("utf-8", "surrogateescape")
        if b"\0" in value and kind != "secret":
            return shown.encode("utf-16-be" if value[:1] == b"\0" else "utf-16-le")
        if span.spelled:
            spelled = span.spelled
            data = b"".join(
                data[i : i + 1]
                if data[i : i + 1].isalnum()
                else spelled.get(data[i : i + 1], data[i : i + 1])
                for i in range(len(data))
            )
        return data

    def _is_user(self, value: bytes) -> bool:
        folded = value.decode("utf-8", "replace").casefold()
        return any(folded == user.casefold() for user in self.known.users)

    def redact(self, text: bytes, *, keep_length: bool = False) -> tuple[bytes, list[tuple[int, str, str]]]:
        """The text without what is private, and what was replaced: (offset in the new text, rule, placeholder)."""
        spans = self.spans(text)
        if not spans:
            return text, []
        return self.replaced(text, spans, keep_length=keep_length)

    def replaced(
        self, text: bytes, spans: list[Span], *, keep_length: bool = False
    ) -> tuple[bytes, list[tuple[int, str, str]]]:
        """The text with the given spans replaced, and what was replaced, as `redact` says it."""
        out: list[bytes] = []
        log: list[tuple[int, str, str]] = []
        copied = length = 0
        for span in spans:
            out.append(text[copied : span.start])
            length += span.start - copied
            data = self.placeholder(span)
            if keep_length:
                data = fitted(data, span.end - span.start)
            log.append((length, span.rule, data.decode("utf-8", "replace")))
            if not keep_length:
                data += _torn(text, span)
            out.append(data)
            length += len(data)
            copied = span.end
        out.append(text[copied:])
        return b"".join(out), log


def _torn(text: bytes, span: Span) -> bytes:
    """The line ends inside of a span, and the indent of its last line: lines stay lines."""
    ends = text.count(b"\n", span.start, span.end)
    if not ends:
        return b""
    indent = _INDENT.match(text, text.rfind(b"\n", span.start, span.end), span.end)
    return b"\n" * (ends - 1) + (indent.group() if indent else b"\n")


_INDENT = re.compile(rb"\n[ ]*(?:\xe2\x94\x82[ ]*)?")


def fitted(placeholder: bytes, size: int) -> bytes:
    """A placeholder of exactly `size` bytes: padded, or letters that end in its number where it is too long."""
    if len(placeholder) <= size:
        return placeholder + b"x" * (size - len(placeholder))
    digits = re.sub(rb"[^0-9]", b"", placeholder)[-max(0, size - 1) :] if size > 1 else b""
    return b"x" * (size - len(digits)) + digits


def _apart(found: list[Span], text: bytes) -> list[Span]:
    """The spans in order, those that overlap joined under the name of the one that matters most."""
    if not found:
        return found
    found.sort(key=lambda span: (span.start, -span.end))
    apart: list[Span] = []
    for span in found:
        last = apart[-1] if apart else None
        if last is None or span.start >= last.end:
            apart.append(span)
        elif last.kind == "email" and span.rule == "url-credentials":
            apart[-1] = span  # `b@host` of `://a:b@host` is no address
        elif span.kind == "email" and last.rule == "url-credentials":
            continue
        elif (span.start, span.end) == (last.start, last.end):
            apart[-1] = min(last, span, key=_says_most)
        elif span.end > last.end:
            # Together they say something else than either: a value of its own.
            winner = min(last, span, key=_rank)
            apart[-1] = Span(last.start, span.end, winner.rule, "secret", text[last.start : span.end])
    # What is a placeholder already took part so far, because it still says what is around it.
    return [span for span in apart if not is_placeholder(text[span.start : span.end])]


def _says_most(span: Span) -> tuple[int, bool]:
    """For two that are the same stretch: of a credential the rule tells more, of a person what is known of them."""
    return _rank(span), (span.kind == "secret") == span.rule.startswith("known-")


def _rank(span: Span) -> int:
    return _RANK.get(span.kind, 7)


def _known_at(
    text: bytes, low: bytes, literal: bytes, known: tuple[Needle, ...], regions: list[tuple[int, int]]
) -> Iterator[Span]:
    size = len(literal)
    step = 0
    for first, last in regions:
        at = low.find(literal, max(step, first), last)
        while at >= 0:
            step = at + size
            for needle in known:
                bounds = _bounds(text, low, at, at + size, needle)
                if bounds is not None:
                    start, end = bounds
                    value = (
                        text[start:end]
                        if needle.grow or (needle.kind == "host" and end - start > size)
                        else needle.key
                    )
                    if b"\0" in literal:
                        value = text[start:end] if needle.kind == "path16" else needle.key
                    yield Span(start, end, _known_name(needle), needle.kind, value, needle.placeholder)
                    step = max(step, end)
                    break
            at = low.find(literal, step, last)


def _known_name(needle: Needle) -> str:
    if needle.grow:
        return f"known-in-{needle.grow}"
    return "known-path" if needle.kind == "path16" else f"known-{needle.kind}"


def _bounds(text: bytes, low: bytes, start: int, end: int, needle: Needle) -> tuple[int, int] | None:
    """Where the thing at a hit begins and ends, or None where the hit is part of something else."""
    if needle.grow == "base64":
        return _base64_run(text, low, start, end, needle.key)
    if needle.grow == "hex":
        left = _reach_left(low, start, _HEX_CHARS)
        right = _reach_right(low, end, _HEX_CHARS)
        return left, right
    edge = needle.edge
    start += needle.skip
    before = low[start - 1] if start and not needle.skip else 0x20
    after = low[end] if end < len(low) else 0x20
    if edge == "word":
        return None if before in _ALNUM or after in _ALNUM else (start, end)
    if edge in ("relative", "whole-path") and (
        before in _ALNUM or before in b"_-." or (before == 0x2F and edge == "relative")
    ):
        return None
    if edge in ("path", "relative", "whole-path"):
        if after in _ALNUM or after in b"_-" or (after == 0x2E and low[end + 1 : end + 2].isalnum()):
            return None
        return start, end
    if edge == "host":
        if before in _ALNUM or after in _ALNUM:
            return None
        return start, end
    if edge == "domain":
        if after in _ALNUM or after == 0x2D:
            return None
        left = _reach_left(low, start, _HOST_CHARS, 253)
        while left < start and low[left] in b".-_":
            left += 1
        if left == start and before in _ALNUM:
            return None
        return left, end
    return start, end


def _reach_left(low: bytes, at: int, chars: bytes, most: int = _RUN_MAX) -> int:
    piece = low[max(0, at - most) : at]
    return at - (len(piece) - len(piece.rstrip(chars)))


def _reach_right(low: bytes, at: int, chars: bytes, most: int = _RUN_MAX) -> int:
    piece = low[at : at + most]
    return at + (len(piece) - len(piece.lstrip(chars)))


def _base64_run(text: bytes, low: bytes, start: int, end: int, data: bytes) -> tuple[int, int] | None:
    """The base64 text around a hit, if it really holds `data` once decoded."""
    wanted = data.lower()
    for chars in (_BASE64_WORD, _BASE64_RUN):
        # What stands near decides; the whole run is measured only where it does hold the value.
        left = _reach_left(low, start, chars, _BASE64_NEAR)
        right = _reach_right(low, end, chars, _BASE64_NEAR)
        run = text[left:right].replace(b"-", b"+").replace(b"_", b"/")
        for shift in range(4):
            piece = run[shift:]
            piece = piece[: len(piece) - (1 if len(piece) % 4 == 1 else 0)]
            try:
                decoded = base64.b64decode(piece + b"=" * (-len(piece) % 4))
            except (binascii.Error, ValueError):
                continue
            at = decoded.lower().find(wanted)
            # Four letters are in random bytes, too: what is around a short value must be text.
            around = decoded[max(0, at - 6) : at] + decoded[at + len(wanted) : at + len(wanted) + 6]
            if at >= 0 and (len(wanted) >= 8 or all(0x20 <= b < 0x7F or b in b"\t\r\n" for b in around)):
                left = _reach_left(low, start, chars)
                right = _reach_right(low, end, chars)
                while right < len(text) and text[right] == 0x3D:
                    right += 1
                return left, right
    return None


@functools.cache
def _beside(literal: bytes, rule: Rule) -> re.Pattern[bytes] | None:
    """The literal with what the rule says must be beside it: cheaper to ask than to step back and match."""
    if not rule.not_after and not rule.follows:
        return None
    pattern = re.escape(literal)
    if rule.not_after:
        pattern += b"(?<!" + rule.not_after.encode() + pattern + b")"
    if rule.follows:
        pattern += b"(?=" + rule.follows.encode() + b")"
    return re.compile(pattern)


def _places(low: bytes, literal: bytes, beside: re.Pattern[bytes] | None, first: int, last: int) -> int:
    """Where the literal stands next between two offsets, with the right things beside it; -1: nowhere."""
    at = low.find(literal, first, last)
    if beside is not None:
        # `find` and `match` are three times as fast as `search` with the same pattern.
        while at >= 0 and beside.match(low, at) is None:
            at = low.find(literal, at + 1, last)
    return at


def _rule_at(
    text: bytes, low: bytes, literal: bytes, rule: Rule, regions: list[tuple[int, int]]
) -> Iterator[Span]:
    beside = _beside(literal, rule)
    return _matched(
        text,
        rule,
        regions,
        lambda first, last: (at := _places(low, literal, beside, first, last), at + len(literal)),
    )


def _probed(
    text: bytes, low: bytes, probe: Probe, rule: Rule, regions: list[tuple[int, int]]
) -> Iterator[Span]:
    return _matched(text, rule, regions, _hits(compiled(probe.pattern, False), low))


def _hits(pattern: re.Pattern[bytes], text: bytes) -> Callable[[int, int], tuple[int, int]]:
    def next_hit(first: int, last: int) -> tuple[int, int]:
        found = pattern.search(text, first, last)
        return (-1, -1) if found is None else (found.start(), found.start() + 1)

    return next_hit


def _matched(
    text: bytes,
    rule: Rule,
    regions: list[tuple[int, int]],
    next_hit: Callable[[int, int], tuple[int, int]],
) -> Iterator[Span]:
    """What the rule's pattern finds around each hit in the regions."""
    pattern = compiled(rule.pattern, rule.fold)
    step = done = 0
    vain = 4 * len(text) + 65_536
    for first, last in regions:
        at, after = next_hit(max(step, first), last)
        while at >= 0:
            begin = at
            if rule.start is not None:
                begin = rule.start(text, at)
            elif rule.back:
                piece = text[max(done, at - rule.back_max) : at]
                begin = at - (len(piece) - len(piece.rstrip(rule.back)))
            step = after
            if begin >= 0:
                match = pattern.match(text, begin)
                if match is not None and match.end() > at:
                    if _accepted(rule, match):
                        yield from _groups(rule, match)
                        done = match.end()
                        step = max(step, done)
                    else:
                        # `tokens=tokens=tokens=`: once as much was read in vain as four times the text, no step back.
                        vain -= match.end() - begin
                        step = step if vain > 0 else max(step, match.end())
            at, after = next_hit(step, last)


def _accepted(rule: Rule, match: re.Match[bytes]) -> bool:
    if rule.accept is None:
        return True
    try:
        return rule.accept(match)
    except Exception as problem:  # a rule that breaks must not let anything through
        raise RedactionError(
            f"The redaction rule {rule.name} failed: {type(problem).__name__}.",
            hint="Nothing was written. Please report this: the rule has a bug.",
        ) from problem


def _groups(rule: Rule, match: re.Match[bytes]) -> Iterator[Span]:
    for group, value in match.groupdict().items():
        kind = group.partition("_")[0]
        if kind not in _KINDS or not value:
            continue
        start, end = match.span(group)
        if value.endswith(b"\\") and match.string[end : end + 1] in (b'"', b"'"):
            # What escapes the quote in a text that is quoted itself is no part of the value.
            value = value.rstrip(b"\\")  # noqa: PLW2901  # the same value
            end = start + len(value)
        if kind == "block":
            at = start
            for line in value.split(b"\n"):
                body = line.strip()
                if body and not is_placeholder(body):
                    begin = at + line.index(body)
                    yield Span(begin, begin + len(body), rule.name, "secret", body)
                at += len(line) + 1
        elif (
            (kind == "user" and names.is_generic_user(value.decode("utf-8", "replace")))
            or (kind == "account" and names.is_login_word(value.decode("utf-8", "replace")))
            or (kind == "host" and names.is_public_host(value.decode("utf-8", "replace")))
        ):
            continue
        else:
            yield Span(start, end, rule.name, kind, value)


_KINDS = frozenset(
    {"secret", "account", "user", "host", "email", "name", "org", "ipv4", "ipv6", "mac", "group", "block"}
)
