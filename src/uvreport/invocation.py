"""Understands a uv command line: where uv's part ends and the person's program begins.

Which options take a value differs by release, so the release itself is asked (`uv run --help`), once.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from uvreport.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["run", "tool-run", "other"]

# What stands in for the person's program: it does nothing, and tells whether that program could be found.
NOT_FOUND_EXIT = 86
_PROBE = (
    "import os,shutil,sys;n=sys.argv[1];"
    f"sys.exit(0 if not n or os.path.exists(n) or shutil.which(n) else {NOT_FOUND_EXIT})"
)
_OPTION = re.compile(
    r"^\s+(?:(?P<short>-\w), |\s{4})(?P<long>--[\w-]+)(?P<value>[ =]<|\s?\[?=<)?", re.MULTILINE
)
_SHORT_ONLY = re.compile(r"^\s+(?P<short>-\w)(?P<value> <)?(?:\s|$)", re.MULTILINE)
# What uv takes for metadata begins so and goes on as long as the comment does: broken blocks are uv's to refuse.
_METADATA_BLOCK = re.compile(rb"^# /// [a-zA-Z0-9-]+[ \t]*\r?$(?:\n#.*)*", re.MULTILINE)

# Taken when the release does not tell: options of `uv` and `uv run` that are followed by a value.
_VALUED = frozenset(
    [
        "--extra",
        "--no-extra",
        "--group",
        "--no-group",
        "--only-group",
        "--env-file",
        "--with",
        "--with-editable",
        "--with-requirements",
        "--package",
        "--python",
        "-p",
        "--index",
        "--default-index",
        "--index-url",
        "-i",
        "--extra-index-url",
        "--find-links",
        "-f",
        "--upgrade-package",
        "-P",
        "--reinstall-package",
        "--index-strategy",
        "--keyring-provider",
        "--resolution",
        "--prerelease",
        "--fork-strategy",
        "--exclude-newer",
        "--link-mode",
        "--no-build-package",
        "--no-binary-package",
        "--refresh-package",
        "--cache-dir",
        "--config-file",
        "--directory",
        "--project",
        "--color",
        "--allow-insecure-host",
        "--python-preference",
        "--from",
        "-C",
        "--config-setting",
        "--config-settings-package",
        "--no-build-isolation-package",
        "--no-sources-package",
        "--max-recursion-depth",
        "--env",
        "--build-constraints",
        "-b",
        "--constraints",
        "-c",
        "--overrides",
        "--python-platform",
        "--torch-backend",
        "--preview-features",
        "--exclude-newer-package",
        "--malware-check",
    ]
)


class Invocation(Struct, frozen=True, kw_only=True):
    """A uv command line in parts: `uv LEAD... PROGRAM...`.

    `options` is everything up to the program (subcommand and its options), `program` the rest ("" parts
    none). `subcommand` is the words that name the command, as `("pip", "install")`. `as_module` and
    `as_script` say that `uv run -m` or `--script` was given.
    """

    uv: str
    kind: Kind
    subcommand: tuple[str, ...]
    options: tuple[str, ...]
    program: tuple[str, ...] = ()
    as_module: bool = False
    as_script: bool = False

    def option(self, *names: str) -> str | None:
        """The value of the last of the options called `names`, None when it was not given."""
        found = None
        for i, word in enumerate(self.options):
            for name in names:
                if word == name and i + 1 < len(self.options):
                    found = self.options[i + 1]
                elif name.startswith("--") and word.startswith(name + "="):
                    found = word[len(name) + 1 :]
        return found

    @property
    def words(self) -> tuple[str, ...]:
        """What to give to a `uv` for the same: `uvx` is `uv tool run`."""
        run = ("tool", "run") if self.kind == "tool-run" and self.options[:1] != ("tool",) else ()
        return (*run, *self.options, *self.program)

    def argv(self) -> tuple[str, ...]:
        """The command line again."""
        return (self.uv, *self.options, *self.program)


def is_uv(word: str) -> bool:
    """Whether `word` names a uv or uvx executable."""
    return os.path.basename(word.replace("\\", "/")).lower() in {"uv", "uvx", "uv.exe", "uvx.exe"}


def parse(argv: Sequence[str], help_of: Callable[[Sequence[str]], str] | None = None) -> Invocation:
    """The parts of `argv`. Raises UsageError when it is not a uv command line.

    `help_of(("run",))` returns the text of `uv run --help` of the release in question; without it a table
    of the options known up to 0.13.9 is used.
    """
    if not argv:
        raise UsageError(
            "There is no command.", hint="Put the failing command after `--`: uvreport collect -- uv sync"
        )
    if not is_uv(argv[0]):
        raise UsageError(
            f"`{argv[0]}` is not uv.",
            hint="Give the uv command itself, for example: uvreport collect -- uv run pytest",
        )
    words = list(argv[1:])
    if os.path.basename(argv[0].replace("\\", "/")).lower().startswith("uvx"):
        head: tuple[str, ...] = ()
        rest = words
        kind: Kind = "tool-run"
        subcommand: tuple[str, ...] = ("tool", "run")
    else:
        first = _first_word(words, 0)
        name = words[first] if first is not None else ""
        second = _first_word(words, first + 1) if first is not None else None
        if name == "run" and first is not None:
            kind, subcommand, cut = "run", ("run",), first + 1
        elif name == "tool" and second is not None and words[second] == "run":
            kind, subcommand, cut = "tool-run", ("tool", "run"), second + 1
        else:
            sub: tuple[str, ...] = (name,) if name else ()
            if name in _NESTED and second is not None:
                sub = (name, words[second])
            return Invocation(uv=argv[0], kind="other", subcommand=sub, options=tuple(words))
        head, rest = tuple(words[:cut]), words[cut:]
    valued = _valued_options(help_of(subcommand)) if help_of else _VALUED
    options, program = _split(rest, valued)
    names = {word.split("=")[0] for word in options}
    short = "".join(word[1:] for word in options if re.fullmatch(r"-[a-zA-Z]+", word))
    return Invocation(
        uv=argv[0],
        kind=kind,
        subcommand=subcommand,
        options=(*head, *options),
        program=tuple(program),
        as_module=kind == "run" and ("--module" in names or "m" in short),
        as_script=kind == "run" and bool({"--script", "--gui-script"} & names or "s" in short),
    )


_NESTED = frozenset({"pip", "tool", "python", "cache", "self", "auth", "workspace"})


def _first_word(words: Sequence[str], start: int) -> int | None:
    i = start
    while i < len(words):
        if not words[i].startswith("-"):
            return i
        i += 2 if words[i] in _VALUED else 1
    return None


def _valued_options(help_text: str) -> frozenset[str]:
    found = set()
    for match in _OPTION.finditer(help_text):
        if match["value"]:
            found |= {name for name in (match["short"], match["long"]) if name}
    found |= {m["short"] for m in _SHORT_ONLY.finditer(help_text) if m["value"]}
    return frozenset(found) or _VALUED


def _split(words: Sequence[str], valued: frozenset[str]) -> tuple[list[str], list[str]]:
    i = 0
    while i < len(words):
        word = words[i]
        if word == "--":
            return list(words[:i]), list(words[i + 1 :])
        if not word.startswith("-") or word == "-":
            break
        i += 2 if word in valued else 1
    return list(words[:i]), list(words[i:])


def verbose(invocation: Invocation) -> Invocation:
    """The same with uv's most verbose log, and without `--quiet`."""
    kept = [
        word
        for word in invocation.options
        if word not in {"-q", "-qq", "--quiet", "-v", "-vv", "-vvv", "--verbose"}
    ]
    return replace(invocation, options=_leading(invocation, kept, "-vv"))


def uncached(invocation: Invocation) -> Invocation:
    """The same with `--no-cache`: the flag, since the variable is refused by the first releases."""
    return replace(invocation, options=_leading(invocation, invocation.options, "--no-cache"))


def in_its_directory(invocation: Invocation) -> Invocation:
    """The same, to be run in the directory that `--directory` names: a relative one would be entered twice."""
    kept: list[str] = []
    words = iter(invocation.options)
    for word in words:
        if word == "--directory":
            next(words, None)
        elif not word.startswith("--directory="):
            kept.append(word)
    return replace(invocation, options=tuple(kept))


def offline(invocation: Invocation) -> Invocation:
    """The same with `--offline`: the flag, since the variable is unknown to older releases."""
    if "--offline" in invocation.options:
        return invocation
    return replace(invocation, options=_leading(invocation, invocation.options, "--offline"))


def _leading(invocation: Invocation, options: Sequence[str], flag: str) -> tuple[str, ...]:
    # Global flags stand behind the subcommand: 0.1 took them nowhere else, and `uvx` has no subcommand.
    if invocation.kind == "tool-run" and invocation.options[:1] != ("tool",):
        return (flag, *options)
    last = invocation.subcommand[-1] if invocation.subcommand else None
    where = list(options).index(last) + 1 if last is not None and last in options else 0
    return (*options[:where], flag, *options[where:])


def programless(
    invocation: Invocation, read: Callable[[str], bytes | None]
) -> tuple[Invocation, dict[str, bytes]]:
    """The same with the person's program replaced by one that does nothing, and the files to put in place for that.

    `read` returns a file's content, or None. A script keeps its PEP 723 block, which is uv's part, and
    loses its body. The stand-in ends with `NOT_FOUND_EXIT` when the program could not have been started.
    """
    program = invocation.program
    if invocation.kind == "other" or not program:
        return invocation, {}
    if invocation.kind == "tool-run":
        return _tool_programless(invocation), {}
    script = program[0]
    content = None if invocation.as_module else read(script)
    is_script = content is not None and (invocation.as_script or script.lower().endswith((".py", ".pyw")))
    if is_script and content is not None:
        blocks = _METADATA_BLOCK.findall(content)
        if blocks or invocation.as_script:
            body = b"\n\n".join(blocks) + b"\n"
            return replace(invocation, program=(script,)), {script: body}
    flags = {"-m", "--module", "-s", "--script", "--gui-script"}
    options = tuple(word for word in invocation.options if word not in flags)
    looked_for = "" if invocation.as_module or is_script else script
    if re.match(r"python(?:w|\d[\d.]*)?(?:\.exe)?$", looked_for) or script == "-":
        looked_for = ""
    return replace(invocation, options=options, program=("python", "-c", _PROBE, looked_for)), {}


def _tool_programless(invocation: Invocation) -> Invocation:
    probe = ("python", "-c", _PROBE, "")
    if invocation.option("--from") is not None:
        return replace(invocation, program=probe)
    name = re.sub(r"@(?=\d)", "==", invocation.program[0]).removesuffix("@latest")
    return replace(invocation, options=(*invocation.options, "--from", name), program=probe)
