"""The facts of a bundle, read with patience: a collector may have failed, or be of another release. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from uvreport.render.text import shorten

if TYPE_CHECKING:
    from uvreport.bundle import Bundle, Member


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
    """One fact: `depth` is how far it is nested, `value` is "" for a heading of what follows.

    `text` says that `value` is lines of output. `columns` and `rows` are a list of alike things, as a table.
    """

    name: str
    value: str
    depth: int
    text: bool = False
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def fact_lines(value: Any, *, depth: int = 0, most: int = 400) -> list[Line]:
    """A JSON value as lines, in its own order; what says nothing (null, "", [], {}) is left out."""
    lines: list[Line] = []
    if isinstance(value, dict):
        pairs = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, list):
        pairs = [(_label(inner) or str(number), inner) for number, inner in enumerate(value, 1)]
    else:
        pairs = [("", value)]
    for name, inner in pairs:
        if len(lines) >= most:
            break
        if inner is None or inner in ("", [], {}):
            continue
        grid = _grid(name, inner, depth)
        if grid is not None:
            lines.append(grid)
        elif isinstance(inner, list) and _is_output(inner):
            lines.append(Line(name=name, value="\n".join(inner), depth=depth, text=True))
        elif isinstance(inner, list) and all(not isinstance(item, dict | list) for item in inner):
            lines.append(Line(name=name, value=", ".join(map(_scalar, inner)), depth=depth))
        elif isinstance(inner, dict | list) and depth < 6:
            nested = fact_lines(inner, depth=depth + 1, most=most - len(lines))
            if nested:
                lines += [Line(name=name, value="", depth=depth), *nested]
        elif isinstance(inner, dict | list):
            lines.append(Line(name=name, value=shorten(as_json(inner), 300), depth=depth))
        else:
            lines.append(Line(name=name, value=_scalar(inner), depth=depth))
    return lines


def _label(value: Any) -> str:
    """What one thing of a list is called, if it says so."""
    names = ("path", "name", "package") if isinstance(value, dict) else ()
    return next((value[key] for key in names if isinstance(value.get(key), str) and value[key]), "")


_MOST_COLUMNS = 7


def _grid(name: str, value: Any, depth: int) -> Line | None:
    """A list of alike and simple things as one table; None for what would be none."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return None
    rows: list[dict[str, str]] = []
    for item in value[:200]:
        row: dict[str, str] = {}
        for key, inner in item.items():
            within = inner.items() if isinstance(inner, dict) else [("", inner)]
            for part, each in within:
                told = _cell(each)
                if told is None:
                    return None
                if told:
                    row[f"{key} {part}".strip()] = told
        rows.append(row)
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    if not columns or len(columns) > _MOST_COLUMNS:
        return None
    cells = tuple(tuple(row.get(column, "") for column in columns) for row in rows)
    return Line(name=name, value="", depth=depth, columns=columns, rows=cells)


def _cell(value: Any) -> str | None:
    """A value in one cell; None when it is too much for one."""
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        told = ", ".join(map(_scalar, value))
    elif isinstance(value, dict | list):
        return None
    else:
        told = _scalar(value)
    return told if len(told) <= 300 else None


def _is_output(value: list[Any]) -> bool:
    """Whether a list is lines that somebody printed."""
    return (
        len(value) > 3
        and all(isinstance(item, str) for item in value)
        and any(item.startswith(" ") or len(item) > 60 for item in value)
    )


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def at(value: Any, *keys: str) -> Any:
    """What stands below `keys` in nested facts; None as soon as one of them is not there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *keys: str) -> str:
    """The same, when it is text; else ""."""
    found = at(value, *keys)
    return found if isinstance(found, str) else ""


def dicts_at(value: Any, *keys: str) -> list[dict[str, Any]]:
    """The same, when it is a list: what of it are objects."""
    found = at(value, *keys)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def texts_at(value: Any, *keys: str) -> list[str]:
    """The same, when it is a list: what of it is text."""
    found = at(value, *keys)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def member_at(bundle: Bundle, path: str) -> Member | None:
    """The member at that path, if there is one."""
    return next((member for member in bundle.members if member.path == path), None)


def platform_line(bundle: Bundle) -> str:
    """System, kernel, machine, distribution, and what it runs in."""
    system = fact(bundle, "system")
    found = [text_at(system, "platform_line"), text_at(system, "distribution", "pretty_name")]
    kinds = texts_at(system, "container", "kinds")
    found += [f"in {', '.join(kinds)}"] if kinds else []
    found += ["under WSL"] if at(system, "wsl") else []
    return ", ".join(filter(None, found)) or {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(
        bundle.platform, bundle.platform or "not known"
    )


def python_line(bundle: Bundle) -> str:
    """The interpreter that uv took, as far as facts or log tell."""
    facts = fact(bundle, "python")
    log = bundle.run.stderr
    found = re.search(r"Using ((?:CPython|PyPy|GraalPy|Python) \d+\.\d+\.\d+\S*)", log)
    if version := text_at(facts, "chosen", "version") or text_at(facts, "chosen", "release"):
        return f"Python {version}"
    if found:
        return found[1]
    if version := text_at(facts, "venv", "version") or text_at(facts, "venv", "pyvenv_cfg", "version_info"):
        return f"Python {version}, of the virtual environment"
    refused = re.findall(r"Found `?(cpython-\d[\w.+-]*|pypy-\d[\w.+-]*)", log)
    if refused:
        return f"none was taken; uv found {', '.join(dict.fromkeys(refused))}"
    return "not known; uv came to no interpreter"
