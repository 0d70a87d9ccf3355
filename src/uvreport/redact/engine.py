"""Text in, text out without what is private: known values first, then the rules, both found by literals.

Why literals: a pattern that begins with a class or ignores case runs at 20-130 MB/s in `re`, and sixty of them one
after the other at 1 MB/s. `bytes.find` runs at 2,000 MB/s, and most literals are in no word of a log: so the
distinct words of a text are collected once, every literal is looked for there, and only those that are somewhere
are looked for in the text, with their pattern anchored at the hit.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import re
from typing import TYPE_CHECKING, NamedTuple

from uvreport.errors import RedactionError
from uvreport.redact import names, views
from uvreport.redact.ledger import Ledger, is_placeholder
from uvreport.redact.rule import Rule, compiled
from uvreport.redact.spellings import Needle, needles
from uvreport.registry import exports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from uvreport.redact.known import Known

# Bytes that end a word when the words of a text are collected. No literal is looked for across them.
_SEPARATORS = b" \t\r\n\v\f\"'`<>()[]{},;=/\\|&?"
_TO_SPACE = bytes(0x20 if byte in _SEPARATORS else byte for byte in range(256))
_MANY_LINES = 32_768  # bytes; from here on it pays to look at each distinct line once
# Where these are, what is private may reach over lines.
_OVER_LINES = tuple(
    (literal, re.compile(pattern))
    for literal, pattern in (
        (b"-----BEGIN", rb"-----BEGIN"),
        (b"Private-Lines", rb"Private-Lines"),
        (b"machine", rb"(?<![A-Za-z0-9_])machine\s+\S+\s"),
        (b"keyring get", rb"keyring get"),
        (b"value", rb"(?<=\s)[\"']?value[\"']?[ \t]{0,4}[:=]"),
        (b"default", rb"(?<![A-Za-z0-9_])default\s+(?:login|user|account|password)\s"),
    )
)
_FEW = 24  # candidates that are looked for one by one, at the speed of `find`, instead of by their pattern
_DIGEST_LEAST = 32
_SMALL = 2048  # below this, collecting words costs more than it saves

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(range(0x80, 0x100))
_HOST_CHARS = b"abcdefghijklmnopqrstuvwxyz0123456789-_."
_HEX_CHARS = b"0123456789abcdef"
_BASE64_WORD = b"abcdefghijklmnopqrstuvwxyz0123456789+_"
_BASE64_RUN = b"abcdefghijklmnopqrstuvwxyz0123456789+/-_"
_RUN_MAX = 8192


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
    key: bytes
    rules: tuple[Rule, ...]
    known: tuple[Needle, ...]
    is_hex: bool


def _key(literal: bytes) -> bytes:
    """The longest piece of a literal that holds no separator, as it stands among the words of a text."""
    return max(literal.translate(_TO_SPACE).split() or [b""], key=len)


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
        self._over_lines = any(b"\n" in entry.literal for entry in self._entries)
        self._word_rules = tuple(rule for rule in self.rules if rule.words)

    def _table(self, known: tuple[Needle, ...]) -> tuple[_Entry, ...]:
        rules: dict[bytes, list[Rule]] = {}
        by_literal: dict[bytes, list[Needle]] = {}
        for rule in self.rules:
            for literal in rule.literals:
                rules.setdefault(literal.encode(), []).append(rule)
        for needle in known:
            by_literal.setdefault(needle.literal, []).append(needle)
        return tuple(
            _Entry(
                literal,
                key := _key(literal),
                tuple(rules.get(literal, ())),
                tuple(by_literal.get(literal, ())),
                not key.translate(None, _HEX_CHARS),
            )
            for literal in dict.fromkeys([*by_literal, *rules])
        )

    def learn(self, known: Known) -> Engine:
        """An engine that knows more, with the same ledger and rules."""
        return Engine(known, self.ledger, self.rules, passed_over=self.passed_over)

    # --- finding -------------------------------------------------------------------------------------------------

    def spans(self, text: bytes, also: Iterable[Span] = ()) -> list[Span]:
        """Everything in `text` that goes, in order, without overlaps; `also` is what somebody else found in it."""
        also = tuple(also)
        if len(text) > _MANY_LINES and not also and not self._over_lines and not _reaches_over_lines(text):
            lines = text.split(b"\n")
            once = list(dict.fromkeys(lines))
            if sum(map(len, once)) * 3 < len(text) * 2:
                return self._repeated(lines, once)
        return self._spans(text, also)

    def _repeated(self, lines: list[bytes], once: list[bytes]) -> list[Span]:
        """The spans of lines that are mostly repeated, as those of a verbose log are: each is searched once."""
        starts = [0]
        for line in once:
            starts.append(starts[-1] + len(line) + 1)
        by_line: dict[bytes, list[Span]] = {}
        for span in self._spans(b"\n".join(once), ()):
            at = bisect.bisect_right(starts, span.start) - 1
            moved = span._replace(start=span.start - starts[at], end=span.end - starts[at])
            by_line.setdefault(once[at], []).append(moved)
        found: list[Span] = []
        if by_line:
            begin = 0
            for line in lines:
                if line in by_line:
                    found += [s._replace(start=s.start + begin, end=s.end + begin) for s in by_line[line]]
                begin += len(line) + 1
        return found

    def _spans(self, text: bytes, also: tuple[Span, ...]) -> list[Span]:
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

    def _search(self, text: bytes) -> Iterator[Span]:
        low = text.lower()
        if len(low) < _SMALL:
            split = set(low.translate(_TO_SPACE).split())
            words, hexes = low, low
        else:
            split = set(low.translate(_TO_SPACE).split())
            # Digests are most of the distinct bytes of a log; only what is hex itself can be in them.
            digests = {
                word for word in split if len(word) >= _DIGEST_LEAST and not word.translate(None, _HEX_CHARS)
            }
            words, hexes = b"\n".join(split - digests), b"\n".join(digests)
        wide = b"\0" in low
        for literal, key, rules, known, is_hex in self._entries:
            if key not in words and not (is_hex and key in hexes):
                continue
            if known and (wide or b"\0" not in literal):
                yield from _known_at(text, low, literal, known)
            for rule in rules:
                yield from _rule_at(text, low, literal, rule)
        for rule in self._word_rules:
            some = b"\n".join([word for word in split if rule.words_with in word])
            hits = {hit.group().lower() for hit in compiled(rule.words, rule.fold).finditer(some)}
            if len(hits) <= _FEW:
                for hit in hits:
                    yield from _rule_at(text, low, hit, rule)
            else:
                yield from _rule_words(text, rule)

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


def _reaches_over_lines(text: bytes) -> bool:
    for literal, pattern in _OVER_LINES:
        at = text.find(literal)
        while at >= 0:
            if pattern.match(text, at) is not None:
                return True
            at = text.find(literal, at + len(literal))
    return False


def _says_most(span: Span) -> tuple[int, bool]:
    """For two that are the same stretch: of a credential the rule tells more, of a person what is known of them."""
    return _rank(span), (span.kind == "secret") == span.rule.startswith("known-")


def _rank(span: Span) -> int:
    return _RANK.get(span.kind, 7)


def _known_at(text: bytes, low: bytes, literal: bytes, known: tuple[Needle, ...]) -> Iterator[Span]:
    size = len(literal)
    at = low.find(literal)
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
        at = low.find(literal, step)


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
        left = _reach_left(low, start, chars)
        right = _reach_right(low, end, chars)
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
                while right < len(text) and text[right] == 0x3D:
                    right += 1
                return left, right
    return None


def _rule_at(text: bytes, low: bytes, literal: bytes, rule: Rule) -> Iterator[Span]:
    pattern = compiled(rule.pattern, rule.fold)
    size = len(literal)
    done = 0
    vain = 4 * len(text) + 65_536
    at = low.find(literal)
    while at >= 0:
        begin = at
        if rule.start is not None:
            begin = rule.start(text, at)
        elif rule.back:
            piece = text[max(done, at - rule.back_max) : at]
            begin = at - (len(piece) - len(piece.rstrip(rule.back)))
        step = at + size
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
        at = low.find(literal, step)


def _rule_words(text: bytes, rule: Rule) -> Iterator[Span]:
    pattern = compiled(rule.pattern, rule.fold)
    for hit in compiled(rule.words, rule.fold).finditer(text):
        match = pattern.match(text, hit.start())
        if match is not None and _accepted(rule, match):
            yield from _groups(rule, match)


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
