"""Private package names: which there are, what they become, and every way in which they may be written."""

from __future__ import annotations

import fnmatch
import itertools
import re
from typing import TYPE_CHECKING

from uvreport.errors import RedactionError
from uvreport.redact import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# Where a package is called by its name: locks and tables, requirements, METADATA, files of the formats that have
# the name first, cache directories, a word alone on its line (requirements files, command lines).
_NAMED = re.compile(
    rb"""(?mx)
      (?: ^ | [{,] ) \s{0,8} "? name "? \s{0,3} [=:] \s{0,3} ["'] (?P<table> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) ["']
    | ^ (?:Name|Requires-Dist): [ ] (?P<metadata> [A-Za-z0-9][A-Za-z0-9._-]{0,80} )
    | ["'] (?P<requirement> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: \[ [^\]"'\r\n]{0,80} \] )?
      [ ]{0,2} (?: [=<>!~]=? | @[ ] | ;[ ] | ["'] )
    | ^ [ \t]{0,4} "?(?P<key> [A-Za-z0-9][A-Za-z0-9._-]{0,80} )"? [ ] = [ ] [{\["']
    | (?: ^ | [/\s"'`] ) (?P<file> [A-Za-z0-9][A-Za-z0-9_.]{0,80} ) -
      [0-9][A-Za-z0-9.!+_]{0,40} (?: -[A-Za-z0-9_.]{1,80} ){2,4} (?: \.whl | (?= [/\s"'`] | $ ) )
    | (?: ^ | [/\s"'`] ) (?P<source> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) -
      [0-9][A-Za-z0-9.!+_]{0,40} \.(?:tar\.gz|zip|dist-info|egg-info|data)
    | (?: ^ | [\s`"'(] ) (?P<pinned> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: == | [ ]@[ ] | [ ]v[0-9] )
    | cache/(?:wheels|simple|sdists|built-wheels)-v[0-9]{1,3}/(?:pypi|index/[0-9a-f]{16}|url/[0-9a-f]{16})/
      (?P<entry> [a-z0-9][a-z0-9-]{0,80} ) (?: / | \.rkyv )
    | ` (?P<quoted> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: \[ [^\]`\r\n]{0,80} \] )? `
    | ^ [ \t]{0,4} (?P<line> [A-Za-z0-9][A-Za-z0-9._-]{0,80} ) (?: \[ [^\]\r\n]{0,80} \] )?
      [ \t]{0,2} (?: [=<>!~]=? | @[ ] | ; | \\? \r? $ )
    """
)

# What a name that stands in a longer word is cut off before: its version. A name may end in a number of its own.
_VERSION = re.compile(r"[-_]v?[0-9]")
_FILE_TAIL = re.compile(
    r"[-_]v?[0-9]+(?:\.[0-9A-Za-z]+)+.*|-[0-9]+-(?:py|cp|pp)[0-9].*|\.(?:dist-info|egg-info)$"
)

# Words that the formats around a name are made of: renamed everywhere they would take these along.
_FORMATS = frozenset(
    (
        *("project", "tool", "package", "dependencies", "optional-dependencies", "dependency-groups"),
        *(
            "build-system",
            "build-backend",
            "requires",
            "requires-python",
            "requires-dist",
            "metadata",
            "sources",
        ),
        *(
            "workspace",
            "members",
            "scripts",
            "name",
            "version",
            "source",
            "registry",
            "directory",
            "editable",
        ),
        *("virtual", "path", "url", "sdist", "wheels", "hash", "size", "upload-time", "resolution-markers"),
        *(
            "revision",
            "manifest",
            "marker",
            "extra",
            "extras",
            "dev",
            "files",
            "record",
            "uv",
            "python",
            "pip",
        ),
        *("py", "src", "lib", "site-packages", "dist-info", "archive", "setuptools", "hatchling", "facts"),
    )
)


def normalised(name: str) -> str:
    """The name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).strip("-").lower()


def _pattern(pattern: str) -> str:
    return re.sub(r"[-_.]+", "-", pattern.strip().lower())


def is_meant(name: str, pattern: str) -> bool:
    """Whether a normalised name is one that the pattern means."""
    return fnmatch.fnmatchcase(name, _pattern(pattern))


def renamed(texts: Iterable[bytes], patterns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each package name that matches one of the patterns with its new name, in the order in which they sort.

    A pattern is a name with `*`, `?` and `[...]`, compared after normalising: `acme-*` is also `Acme_Core`. New
    names are valid, sort as the old ones do, have a joint where the old one has any, and are as long, so that
    they fit where a length must be kept. Raises RedactionError for a name that is a word of the formats, too.
    """
    wanted = [_pattern(pattern) for pattern in patterns]
    leads = [re.split(r"[*?\[]", pattern)[0] for pattern in wanted]
    found: set[str] = set()
    others: set[str] = set()
    loose: set[str] = set()
    for text in texts:
        low = text.lower().replace(b"_", b"-").replace(b".", b"-")
        if not any(lead.encode() in low for lead in leads):
            continue
        for match in _NAMED.finditer(text):
            said = next(value for value in match.groups() if value is not None).decode()
            name = normalised(_FILE_TAIL.sub("", said))
            (found if _fits(name, wanted) else others).add(name)
        for lead in leads:
            loose.update(_in_words(text, lead, wanted))
    for name in sorted(loose):
        # `acme_core_finder` is what `acme-core` made: the name inside of it is replaced there.
        if not any(name == known or name.startswith(f"{known}-") for known in found):
            found.add(name)
    # `acme-core-2` beside `acme-core` may be a file of it; either way the name inside of it is replaced.
    found = {name for name in found if not any(re.match(r"[0-9]", rest) for rest in _rests(name, found))}
    for name in sorted(found):
        if name in _FORMATS or name in names.COMMON_WORDS or name in names.GENERIC_USERS or len(name) < 2:
            raise RedactionError(
                f"The package name {name} is also a word of uv's own files, so it cannot be renamed. Nothing was written.",
                hint="Give --private a pattern that does not match it, or rename that package by hand.",
            )
    return tuple(zip(sorted(found), _new_names(sorted(found), others), strict=True))


def _rests(name: str, found: set[str]) -> Iterator[str]:
    """What is left of a name behind each shorter one that it begins with."""
    at = name.find("-")
    while at >= 0:
        if name[:at] in found:
            yield name[at + 1 :]
        at = name.find("-", at + 1)


def _fits(name: str, wanted: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)


def _in_words(text: bytes, lead: str, wanted: Sequence[str]) -> Iterator[str]:
    """Names in running text, paths and code: only where a pattern begins with enough letters to tell them."""
    if len(lead.rstrip("-")) < 3:
        return
    spelled = re.escape(lead).replace(r"\-", "-").replace("-", "[-_]").encode()
    for match in re.finditer(
        rb"(?<![A-Za-z0-9])(?<![A-Za-z0-9][-_.])" + spelled + rb"[a-z0-9_-]{0,80}", text
    ):
        name = normalised(_VERSION.split(match.group().decode(), maxsplit=1)[0])
        if _fits(name, wanted):
            yield name


def _new_names(olds: Sequence[str], taken: set[str]) -> list[str]:
    """Names for names, in the same order: numbered with equal width, each as long as the old one where that goes."""
    first = 1
    while True:
        width = len(str(first + len(olds) - 1))
        plain = all("-" in old and len(old) >= len("private-") + width for old in olds)
        new = [
            (_plain if plain else _short)(old, f"{number:0{width}d}")
            for number, old in enumerate(olds, first)
        ]
        if not taken & set(new):
            return new
        first += len(olds)


def _plain(old: str, number: str) -> str:
    return f"private-{number}".ljust(len(old), "x")


def _short(old: str, number: str) -> str:
    """The number comes first, so that names of any length sort by it."""
    joint = "-" if "-" in old else ""
    name = f"p{number}{joint}private"[: max(len(old), len(number) + 1)].ljust(len(old), "x")
    return name[:-1] + "x" if name.endswith("-") else name


def spellings(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Each name in every spelling that normalises to it, with the new name in that spelling; plain ones first."""
    out: dict[str, str] = {}
    for old, new in pairs:
        for joint in ("-", "_", ".", "__", "--"):
            out.setdefault(old.replace("-", joint), new.replace("-", joint[0]))
    for old, new in pairs:
        parts = old.split("-")
        if 3 <= len(parts) <= 5:
            for joints in itertools.product("-_.", repeat=len(parts) - 1):
                spelled = "".join(part + joint for part, joint in zip(parts, (*joints, ""), strict=True))
                out.setdefault(spelled, new.replace("-", "-" if "-" in joints else joints[0]))
    return tuple(out.items())


def applied(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """A path or name with every package name in it replaced, the longest first."""
    for old, new in sorted(spellings(pairs), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?i)(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", new, text)
    return text
