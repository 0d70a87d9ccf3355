"""Which placeholder stands for which private value: the same one for the same value, across a whole bundle."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

# One expression for everything that a ledger hands out, so that redacting twice changes nothing. The shapes are
# chosen to be valid where they stand and to stand nowhere else: reserved names and addresses that no machine has
# (RFC 2606 .invalid, RFC 1112 class E, RFC 6666 discard prefix, the Xerox block of hardware addresses).
PLACEHOLDER = re.compile(
    rb"redacted[0-9]{0,7}[x_]*|x+[0-9]{0,7}|user[0-9]{0,7}|account[0-9]{1,7}|group[0-9]{1,7}|host[0-9]{1,7}\.invalid"
    rb"|person[0-9]{1,7}(?:@|%40)example\.invalid|person[ ][0-9]{1,7}|org[0-9]{1,7}|private[-_.]?[0-9]{1,7}x*"
    rb"|240\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|100::[0-9a-f]{1,4}|00:00:00:00:[0-9a-f]{2}:[0-9a-f]{2}",
    re.IGNORECASE,
)


def is_placeholder(value: bytes) -> bool:
    """Whether redaction itself wrote this."""
    # Where a length had to be kept, it is padded.
    return PLACEHOLDER.fullmatch(value.rstrip(b"_")) is not None


def _shape(kind: str, number: int) -> str:
    match kind:
        case "user":
            return "user" if number == 1 else f"user{number}"
        case "host":
            return f"host{number}.invalid"
        case "email":
            return f"person{number}@example.invalid"
        case "name":
            return f"Person {number}"
        case "ipv4":
            return f"240.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        case "ipv6":
            return f"100::{number & 0xFFFF:x}"
        case "mac":
            return f"00:00:00:00:{number >> 8 & 255:02x}:{number & 255:02x}"
        case "account" | "group" | "org":
            return f"{kind}{number}"
        case _:
            return f"redacted{number}"


_FOLDED = frozenset({"user", "host", "email", "name", "org", "ipv6", "mac"})


class Ledger:
    """The table from private value to placeholder; it grows as values are met and never leaves the machine."""

    def __init__(self) -> None:
        self._placeholders: dict[tuple[str, bytes], str] = {}
        self._numbers: dict[str, int] = {}

    def place(self, kind: str, value: bytes) -> str:
        """The placeholder for a value of that kind: the one it has, or the next number."""
        if b"%" in value:
            value = unquote_to_bytes(value)
        if kind in _FOLDED:
            value = value.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
        key = kind, value
        found = self._placeholders.get(key)
        if found is None:
            number = self._numbers.get(kind, 0) + 1
            self._numbers[kind] = number
            found = self._placeholders[key] = _shape(kind, number)
        return found

    def fix(self, kind: str, value: bytes, placeholder: str) -> None:
        """Notes a placeholder that was chosen elsewhere: a package's new name, the place of a directory."""
        self._placeholders.setdefault((kind, value), placeholder)

    def alias(self, kind: str, value: bytes, other: bytes) -> None:
        """Makes `value` share the placeholder of `other`: a second spelling of one thing."""
        placeholder = self.place(kind, other)
        if kind in _FOLDED:
            value = value.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
        self._placeholders.setdefault((kind, value), placeholder)

    def values(self, kind: str | None = None) -> tuple[bytes, ...]:
        """Every private value met so far, of that kind or of all; for the last look and `--keep-map` only."""
        return tuple(value for k, value in self._placeholders if kind in (None, k))

    def pairs(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Value and placeholder of everything of that kind, in the order in which they were met."""
        return tuple((value, placeholder) for k, value, placeholder in self.table() if k == kind)

    def table(self) -> tuple[tuple[str, str, str], ...]:
        """Kind, value and placeholder of everything: the map that `--keep-map` writes. Never part of a bundle."""
        return tuple(
            (kind, value.decode("utf-8", "backslashreplace"), placeholder)
            for (kind, value), placeholder in self._placeholders.items()
        )
