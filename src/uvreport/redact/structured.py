"""What the structure of a file says is private, found by parsing; and whether a file still parses afterwards."""

from __future__ import annotations

import csv
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from uvreport.redact import names
from uvreport.redact.engine import Span

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TOML_NAMES = frozenset({"uv.lock", "pylock.toml", "Pipfile", "poetry.lock", "Cargo.lock"})
_JSON_NAMES = frozenset({"Pipfile.lock", ".condarc.json"})


def form_of(path: str) -> str:
    """The form of a member by its name: "toml", "json", "netrc", "record", or "" for text without one."""
    name = path.rpartition("/")[2]
    if name.endswith((".toml", ".py.lock")) or name in _TOML_NAMES:
        return "toml"
    if name.endswith((".json", ".ipynb")) or name in _JSON_NAMES:
        return "json"
    if name in (".netrc", "_netrc", "netrc"):
        return "netrc"
    if name == "RECORD" and ".dist-info/" in path:
        return "record"
    return ""


def parsed(form: str, text: bytes) -> Any:
    """What the text says when read in that form; None where it cannot be read so (a broken file is evidence)."""
    try:
        if form == "toml":
            return tomllib.loads(text.decode("utf-8"))
        if form == "json":
            return json.loads(text)
        if form == "record":
            rows = list(csv.reader(text.decode("utf-8").splitlines()))
            return rows if all(len(row) == 3 for row in rows if row) else None
    except (ValueError, RecursionError):
        return None
    return None


def spans(form: str, text: bytes, tree: Any) -> list[Span]:
    """What the structure gives away: values under keys that say so, authors, the tokens of a netrc file."""
    if form == "netrc":
        return list(_netrc(text))
    if tree is None or form == "record":
        return []
    return [
        span
        for keys, value in _strings(tree)
        for kind in (_kind(keys),)
        if kind
        for span in _stand(text, keys, value, kind)
    ]


def _strings(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, keys)
    elif isinstance(value, str) and value:
        yield keys, value


def _kind(keys: tuple[str, ...]) -> str:
    key = keys[-1] if keys else ""
    if "authors" in keys or "maintainers" in keys:
        return {"name": "name", "email": "email"}.get(key, "")
    # Values of the variables that `cache-keys` names, as uv_cache.json records them.
    if len(keys) >= 2 and keys[-2] == "env" and "cache-keys" not in keys:
        return "secret"
    return "secret" if names.says_secret(key) else ""


def _stand(text: bytes, keys: tuple[str, ...], value: str, kind: str) -> Iterator[Span]:
    """Where a value stands in quotes on a line that has its key."""
    data = value.encode("utf-8", "surrogatepass")
    if kind == "secret" and names.is_nothing(data):
        return
    escaped = json.dumps(value, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    ascii_only = json.dumps(value)[1:-1].encode()
    key = keys[-1].encode("utf-8", "surrogatepass")
    for spelled in dict.fromkeys((data, escaped, ascii_only)):
        at = text.find(spelled)
        while at >= 0:
            after = at + len(spelled)
            quote = text[at - 1 : at]
            if quote in (b'"', b"'") and text[after : after + 1] == quote:
                line = text[text.rfind(b"\n", 0, at) + 1 : at]
                if key in line or kind == "name":
                    yield Span(at, after, f"structured-{kind}", kind, data)
            at = text.find(spelled, after)


_SHAPE = re.compile(r"<(?:empty|[0-9]{1,9} characters: [^<>]{0,100})>")


def filled(shown: Any, redacted: Any) -> Any:
    """A tree with every string that tells a credential by its shape replaced by its redacted counterpart.

    The counterpart is what stands at the same keys of `redacted`; where there is none the shape stays.
    """
    if isinstance(shown, dict) and isinstance(redacted, dict):
        return {key: filled(value, redacted.get(key)) for key, value in shown.items()}
    if isinstance(shown, list) and isinstance(redacted, list) and len(shown) == len(redacted):
        return [filled(one, other) for one, other in zip(shown, redacted, strict=True)]
    if isinstance(shown, str) and isinstance(redacted, str) and _SHAPE.search(shown):
        return redacted
    return shown


_NETRC_WORD = re.compile(rb"[^\s\"]{1,2048}|\"(?:[^\"\\\r\n]|\\.){0,2048}\"")


def _netrc(text: bytes) -> Iterator[Span]:
    before = b""
    for match in _NETRC_WORD.finditer(text):
        word = match.group()
        start, end = match.span()
        if word[:1] == b'"':
            start, end, word = start + 1, end - 1, word[1:-1]
        if before in (b"password", b"passwd") and word:
            yield Span(start, end, "netrc", "secret", word)
        elif before in (b"login", b"user", b"account") and not names.is_login_word(
            word.decode("utf-8", "replace")
        ):
            yield Span(start, end, "netrc", "account", word)
        before = (
            b"" if before in (b"password", b"passwd", b"login", b"user", b"account", b"machine") else word
        )


_LITERAL = re.compile(
    rb'"""(?:[^"\\]|\\.|"(?!"")){0,200000}"""|'
    rb"'''(?:[^']|'(?!'')){0,200000}'''"
    rb'|"(?:[^"\\\r\n]|\\.){0,200000}"|'
    rb"'[^'\r\n]{0,200000}'"
)


def by_literal(text: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    """The text with every quoted string edited by itself, so that no replacement can reach over a quote."""
    out = []
    copied = 0
    for match in _LITERAL.finditer(text):
        size = 3 if match.group()[:3] in (b'"""', b"'''") else 1
        start, end = match.start() + size, match.end() - size
        out += [text[copied:start], edit(text[start:end])]
        copied = end
    out.append(text[copied:])
    return b"".join(out)


def same_shape(before: Any, after: Any) -> bool:
    """Whether two parsed trees differ in nothing but the text of strings and keys."""
    if isinstance(before, dict) and isinstance(after, dict):
        return len(before) == len(after) and all(
            same_shape(a, b) for a, b in zip(before.values(), after.values(), strict=True)
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(same_shape(a, b) for a, b in zip(before, after, strict=True))
    return type(before) is type(after)
