"""The directories of build settings whose names redaction changes: a digest of every setting, names and values."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from uvreport.cache import keys
from uvreport.redact import structured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from uvreport.bundle import Member

# `sdists-v9/path/<digest>/<revision>/<shard>/...`; a version, or an index, may stand between.
_IN_SHARD = re.compile(r"cache/(?:sdists|built-wheels)-v[0-9]{1,3}/[^/]+/[^/]+/(.+)/[^/]+$")
_DIGEST = re.compile(r"[0-9a-f]{16}")
_FILES = re.compile(r"(?:project|home)/(?:.*/)?(?:pyproject|uv)\.toml$")
_FLAG = re.compile(r"(?:-C|--config-settings?)$")
_FLAG_OF_ONE = re.compile(r"--config-settings?-package$")
# One release for each form that the digest has had.
_FORMS = ("0.8.3", "0.8.4", "0.8.6", "0.8.12")
LAYERS_MOST = 6  # command line and files, each taken or not

Settings = dict[str, "str | list[str]"]


class Layer(Struct, frozen=True, kw_only=True):
    """The build settings of one place: for all packages, for one, and extra variables for one."""

    every: Settings = {}
    one: dict[str, Settings] = {}
    variables: dict[str, dict[str, str]] = {}


def wanted(members: Iterable[Member]) -> set[str]:
    """The digests that may be directories of build settings."""
    found = (_IN_SHARD.match(member.path) for member in members)
    return {part for match in found if match for part in match[1].split("/") if _DIGEST.fullmatch(part)}


def settings_files(members: Iterable[Member]) -> Iterator[Member]:
    """The members in which uv may have found build settings."""
    for member in members:
        if _FILES.match(member.path) and (b"config-settings" in member.data or b"extra-build" in member.data):
            yield member


def changed(wanted: set[str], before: Sequence[Layer], after: Sequence[Layer]) -> dict[str, str]:
    """Those of `wanted` that are a digest of the layers `before`: old to new, by the same layers `after`.

    Which layers counted for a package is not known, so every choice of them is tried, earlier before later.
    """
    out: dict[str, str] = {}
    pairs = list(zip(before, after, strict=True))[:LAYERS_MOST]
    for count in range(1, len(pairs) + 1):
        for chosen in itertools.combinations(pairs, count):
            old = _digests([layer for layer, _ in chosen])
            new = _digests([layer for _, layer in chosen])
            out |= {
                one: two
                for one, two in zip(old, new, strict=True)
                if one in wanted and one != two and one not in out
            }
    return out


def _digests(layers: Sequence[Layer]) -> list[str]:
    """The digests for no package in particular and for each that is named, in every form; "" where there is none."""
    every = _merged(layer.every for layer in layers)
    # In the order of the files: redaction may rename packages, and the two lists of digests have to pair.
    packages = dict.fromkeys(name for layer in layers for name in (*layer.one, *layer.variables))
    out = [keys.build_settings(every, form) for form in _FORMS]
    for package in packages:
        own = _merged(layer.one.get(package, {}) for layer in layers)
        variables: dict[str, str] = {}
        for layer in reversed(layers):
            variables |= layer.variables.get(package, {})
        merged = _merged([own, every])
        out += [keys.build_settings(merged, form, variables=variables) for form in _FORMS]
    return out


def _merged(tables: Iterable[Settings]) -> Settings:
    """As uv merges settings: what is given in several places becomes a list, in their order."""
    out: Settings = {}
    for table in tables:
        for name, value in table.items():
            had = out.get(name)
            out[name] = value if had is None else [*_listed(had), *_listed(value)]
    return out


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def of_command(argv: Sequence[str]) -> Layer:
    """The build settings of a command line."""
    every: list[Settings] = []
    one: dict[str, list[Settings]] = {}
    for word, after in itertools.zip_longest(argv, argv[1:], fillvalue=""):
        name, equals, rest = word.partition("=")
        flag, value = (name, rest) if equals and name.startswith("--") else (word, after)
        if word.startswith("-C") and len(word) > 2:
            flag, value = "-C", word[2:].removeprefix("=")
        key, said, text = value.partition("=")
        if said and _FLAG.match(flag):
            every.append({key: text})
        elif said and _FLAG_OF_ONE.match(flag):
            package, _, key = key.partition(":")
            one.setdefault(package, []).append({key: text})
    return Layer(every=_merged(every), one={package: _merged(tables) for package, tables in one.items()})


def of_file(path: str, data: bytes) -> list[Layer]:
    """The build settings of a `pyproject.toml` or `uv.toml`: those of its own, and those for `uv pip`."""
    tree = structured.parsed("toml", data)
    if path.endswith("/pyproject.toml"):
        tree = _table(_table(tree, "tool"), "uv")
    return [_layer(tree), _layer(_table(tree, "pip"))]


def _layer(tree: Any) -> Layer:
    return Layer(
        every=_settings(_table(tree, "config-settings")),
        one={name: _settings(table) for name, table in _table(tree, "config-settings-package").items()},
        variables={
            name: {key: value for key, value in _items(table) if isinstance(value, str)}
            for name, table in _table(tree, "extra-build-variables").items()
        },
    )


def _table(tree: Any, name: str) -> Mapping[str, Any]:
    found = tree.get(name) if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}


def _items(table: Any) -> list[tuple[str, Any]]:
    return list(table.items()) if isinstance(table, dict) else []


def _settings(table: Any) -> Settings:
    out: Settings = {}
    for name, value in _items(table):
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            out[name] = value
    return out


def layers(argv: Sequence[str], files: Iterable[tuple[str, bytes]]) -> list[Layer]:
    """All layers in the order in which uv gives them precedence; empty ones too, so that two lists pair."""
    return [of_command(argv), *(layer for path, data in files for layer in of_file(path, data))]


def rekeyed(
    members: Sequence[Member],
    argv: Sequence[str],
    edit: Callable[[Member], bytes],
    edit_argv: Callable[[Sequence[str]], Sequence[str]],
) -> dict[str, str]:
    """The names of directories of build settings that redaction changes: old to new.

    `edit` and `edit_argv` say what becomes of a member and of the command line.
    """
    sought = wanted(members)
    files = list(settings_files(members)) if sought else []
    if not files and of_command(argv) == Layer():
        return {}
    # A project's file counts before that of the home.
    files.sort(key=lambda member: (member.path.startswith("home/"), member.path.count("/"), member.path))
    before = layers(argv, ((member.path, member.data) for member in files))
    after = layers(edit_argv(argv), ((member.path, edit(member)) for member in files))
    told = [(one, two) for one, two in zip(before, after, strict=True) if one != Layer()]
    return changed(sought, [one for one, _ in told], [two for _, two in told])
