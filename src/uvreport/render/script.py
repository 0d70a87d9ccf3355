"""A shell script that builds the failing state from nothing: what a reader runs who has only the text. Pure."""

from __future__ import annotations

import base64
import ipaddress
import posixpath
import re
import shlex
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from uvreport.invocation import parse
from uvreport.render.deciding import withheld
from uvreport.render.factual import at, dicts_at, fact, member_at, text_at, texts_at
from uvreport.render.text import base64_lines, clean, code, listed, units
from uvreport.render.wording import numbers, short_command

if TYPE_CHECKING:
    from uvreport.bundle import Bundle, Culprit, Member

SMALL_ENTRY_BYTES = 2_000
_FILE_LIMIT = 6_000  # of text, in UTF-16 units
# Of what is no text, as it is encoded: per file, and together.
_BINARY_BYTES = 4_000
_BINARIES_BYTES = 8_000
# Not python3 or openssl: many containers have neither, and macOS only a python3 that offers to install one.
# coreutils, busybox and macOS 13 take -d; macOS before that refuses it unread, and takes -D.
_UNBASE64 = "unbase64() { base64 -d 2>/dev/null || base64 -D; }"


class Script(Struct, frozen=True, kw_only=True):
    """A POSIX shell script ("" when none can be written), and what is to be known before running it."""

    text: str = ""
    notes: tuple[str, ...] = ()


# What a reader needs first; the rest of the project follows by name.
_FIRST_FILES = ("pyproject.toml", "uv.toml", ".python-version", "setup.py", "setup.cfg")
_NOT_NEEDED = re.compile(r"^\.uvreport/|(?:^|/)(?:\.venv|\.git|__pycache__|[^/]+\.egg-info)(?:/|$)")
_OWN_VARIABLES = re.compile(
    r"UV_(?:CACHE_DIR|NO_CACHE|NO_PROGRESS|LOG\w*|TOOL_\w+|INSTALL\w*|PROJECT|PYTHON)$"
)
_DIGEST_PART = re.compile(r"[0-9a-f]{16}(?=(?:\.[a-z]{1,10})?$)")
_ID_PART = re.compile(r"[A-Za-z0-9_-]{21}|(?=.*[A-Z0-9_])[A-Za-z0-9_-]{16}")
_WHEEL = re.compile(
    r"(?P<name>\w[\w.]*)-(?P<version>\w[\w.!+]*)(?:-\d\w*)?-(?P<tag>[\w.]+-[\w.]+-[\w.]+)\.whl", re.ASCII
)
# What builds packages is taken from the public index; what is only resolved is made up.
_BUILD_TOOLS = frozenset(
    [
        "setuptools", "wheel", "pip", "hatchling", "hatch-vcs", "flit-core", "poetry-core", "pdm-backend",
        "maturin", "scikit-build-core", "meson-python", "setuptools-scm", "setuptools-rust", "cython",
        "uv-build", "packaging", "pathspec", "pluggy", "trove-classifiers",
    ]
)  # fmt: skip
# Files that uv keeps in a cache and makes again.
_FURNITURE = {".git", ".gitignore", ".lock", "CACHEDIR.TAG"}
# Variables that matter to one class only: elsewhere they would tie the script to the person's machine.
# What a variable does, as an option: set as a variable, it would also change where `uvx` has uv itself from.
_AS_OPTION = {
    "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_EXCLUDE_NEWER",
    "UV_RESOLUTION", "UV_PRERELEASE", "UV_INDEX_STRATEGY", "UV_OFFLINE", "UV_NO_INDEX", "UV_CONFIG_FILE",
}  # fmt: skip
_BOOLEAN = {"UV_OFFLINE", "UV_NO_INDEX"}
_TRUE, _FALSE = {"1", "true", "t", "yes", "y", "on"}, {"", "0", "false", "f", "no", "n", "off"}
_ONLY_FOR = {"UV_PYTHON_DOWNLOADS": "interpreter", "UV_PYTHON_PREFERENCE": "interpreter"}


def script(bundle: Bundle, limit: int) -> Script:
    """What builds the failing state from nothing, in at most `limit` UTF-16 units.

    The project's files; then, for an entry that another release wrote, that release's run before the failing
    one's; for a damaged entry, a good run and then the damage; for one that is keyed by a URL nobody else
    reaches, the entry itself. Put together, not run: the text says so.
    """
    if not bundle.run.argv or short_command(bundle) == "uv":
        return Script()
    private = _private(bundle)
    entries = _entries(bundle, limit // 2) if private else []
    commands = _commands(bundle, placed=bool(entries), reachable=not private)
    if not commands.text:
        return commands
    made = _made_up(bundle)
    notes = [*commands.notes, *made.notes]
    if private and not entries:
        urls = listed([code(url, 120) for url in private[:3]])
        notes.insert(0, f"It needs {urls}, which is no part of this text: elsewhere it fails in another way.")
    head = ["W=$(mktemp -d)", *_variables(bundle)]
    files, left_out = _files(bundle, placed=bool(entries))
    if any(path.startswith(".config/uv/") for path, _ in files):
        head.append('export XDG_CONFIG_HOME="$W/.config"')
    if any(path == ".netrc" for path, _ in files):
        head.append('export NETRC="$W/.netrc"')
    fixed = [*made.text.split("\n")] if made.text else []
    fixed += entries
    used = sum(units(line) + 1 for line in [*head, *fixed, _UNBASE64]) + units(commands.text) + 200
    if used > limit:
        return Script(notes=("No script is given: the command is too long for this text.",))
    pieces: list[str] = []
    binaries_bytes = 0
    folders: set[str] = {_quoted(_in_home(bundle, bundle.places.cwd))} | {
        _parent(path) for path in _made_paths(bundle)
    }
    for path, member in files:
        piece, encoded_bytes = _placed(bundle, path, member)
        folder = _quoted(path) if member.kind == "dir" else _parent(path)
        too_long = used + units(piece) + units(folder) + 2 > limit
        if (
            (not piece and member.kind != "dir")
            or too_long
            or binaries_bytes + encoded_bytes > _BINARIES_BYTES
        ):
            left_out.append(path)
            continue
        binaries_bytes += encoded_bytes
        used += units(piece) + 1 + (units(folder) + 1 if folder not in folders else 0)
        folders.add(folder)
        pieces += [piece] if piece else []
    if left_out:
        one = len(left_out) == 1
        notes.append(
            f"{len(left_out)} file{'' if one else 's'} of the project {'is' if one else 'are'} too large for this text "
            "and only in the attached bundle: "
            + ", ".join(code(path, 80) for path in left_out[:4])
            + ("." if len(left_out) <= 4 else ", ...")
        )
    needed = sorted(
        folder for folder in folders if not any(other.startswith(folder + "/") for other in folders)
    )
    enter = f"cd {_quoted(_in_home(bundle, bundle.places.cwd))}"
    body = [f"mkdir -p {' '.join(needed)}", *pieces, *fixed, enter, commands.text]
    head += [_UNBASE64] if any("unbase64 " in line for line in body) else []
    text = "\n".join([*head, *body])
    if clean(text) != text:
        return Script(notes=("No script is given: the command has characters that cannot be seen.",))
    tools = [tool for tool, sign in (("git", "git init "), ("python3", "python3 -")) if sign in made.text]
    if tools:
        notes.append(f"Beside uv it needs {listed(tools)}.")
    return Script(text=text, notes=tuple(notes))


# --- what only the person reaches ---


def _private(bundle: Bundle) -> list[str]:
    """The URLs of indexes, archives and repositories that a reader cannot reach, each once."""
    facts = fact(bundle, "sources")
    urls = [text_at(one, "url") for one in dicts_at(facts, "indexes")]
    for one in dicts_at(facts, "sources"):
        urls += [text_at(one, "spec", "url"), text_at(one, "spec", "git")]
    urls += [
        value
        for name, value in sorted(bundle.run.env.items())
        if re.fullmatch(r"UV_(?:\w*INDEX\w*|FIND_LINKS)", name)
    ]
    urls += [word for word in bundle.run.argv if "://" in word]
    found = [re.search(r"(?:https?|ssh|git)://[^\s'\"]+", withheld(url)) for url in urls]
    return list(dict.fromkeys(_shown(hit[0]) for hit in found if hit and _out_of_reach(hit[0])))


def _out_of_reach(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return True
    if parts.username or not host:
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rpartition(".")[2]
        return "." not in host or last in {
            "local",
            "internal",
            "invalid",
            "example",
            "test",
            "lan",
            "corp",
            "localhost",
        }


def _shown(url: str) -> str:
    """The URL without what stands in for its credentials."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


# --- files ---


def _files(bundle: Bundle, *, placed: bool) -> tuple[list[tuple[str, Member]], list[str]]:
    """The members to be put back, with their path below the made-up home, what is needed first.

    Then the paths of those that are needed and cannot be given: empty stand-ins for what is not a wheel.
    """
    found: list[tuple[str, Member]] = []
    hollow: list[str] = []
    stand_ins = _stand_ins(bundle)
    full = {member.path.rpartition("/")[0] for member in bundle.members}
    for member in bundle.members:
        top, _, inner = member.path.partition("/")
        if top not in ("project", "home") or not inner or _NOT_NEEDED.search(inner):
            continue
        if member.kind == "dir" and any(
            path == member.path or path.startswith(member.path + "/") for path in full
        ):
            continue
        if inner.rpartition("/")[2] == "uv.lock" and not (placed or _lockfile_needed(bundle)):
            continue
        path = (_in_home(bundle, bundle.places.project) + "/" if top == "project" else "") + inner
        if member.path in stand_ins:
            if not _WHEEL.fullmatch(inner.rpartition("/")[2]) and re.search(
                r"\.(?:zip|t?gz|tar\.\w+|whl)$", inner
            ):
                hollow.append(path)
            elif not inner.endswith(".whl"):
                found.append((path, member))
            continue
        found.append((path, member))

    def order(item: tuple[str, Member]) -> tuple[int, int, str]:
        name = item[0].rsplit("/", 1)[-1]
        return (_FIRST_FILES.index(name) if name in _FIRST_FILES else 9, item[0].count("/"), item[0])

    return sorted(found, key=order), hollow


def _lockfile_needed(bundle: Bundle) -> bool:
    """Whether the command reads the lockfile as it is, or the versions in it may matter."""
    if bundle.failure.class_ in ("lockfile", "index"):
        return True
    if {"--frozen", "--locked"} & set(bundle.run.argv) or {"UV_FROZEN", "UV_LOCKED"} & set(bundle.run.env):
        return True
    kinds = at(fact(bundle, "lockfile"), "source_kinds")
    # Without facts nobody knows; with them, only versions of an index are more than what uv finds again.
    return not isinstance(kinds, dict) or (
        bool({"registry", "git"} & set(kinds)) and not _stand_ins(bundle) and not _local_repositories(bundle)
    )


def _in_home(bundle: Bundle, path: str) -> str:
    """`path` of the bundle, relative to the home that the script makes up."""
    home, path = bundle.places.home.replace("\\", "/").rstrip("/"), path.replace("\\", "/").rstrip("/")
    if home and path.startswith(home + "/"):
        return path[len(home) + 1 :]
    project = bundle.places.project.replace("\\", "/").rstrip("/")
    if project and path.startswith(project + "/") and project != home:
        return f"{_in_home(bundle, project)}/{path[len(project) + 1 :]}"
    return "project"


def _quoted(path: str) -> str:
    """A path below the made-up home, for the shell."""
    return f'"$W"/{shlex.quote(path)}' if path else '"$W"'


def _parent(path: str) -> str:
    return _quoted(path.rpartition("/")[0])


def _homed(bundle: Bundle, text: str) -> str:
    """One word for the shell, with the made-up home in place of the person's."""
    home = bundle.places.home.rstrip("/")
    if not home or home not in text:
        return shlex.quote(text)
    return '"$W"'.join(shlex.quote(piece) if piece else "" for piece in text.split(home))


def _placed(bundle: Bundle, path: str, member: Member) -> tuple[str, int]:
    """The commands that put one member where it belongs, and how many bytes had to be encoded for that.

    No commands for a directory, and for what is too large.
    """
    where = _quoted(path)
    if clean(path) != path or "\n" in path or member.kind == "dir":
        return "", 0
    if member.kind == "link":
        legible = clean(member.target) == member.target
        return (f"ln -s {_homed(bundle, member.target)} {where}" if legible else ""), 0
    if not member.data:
        return f": > {where}", 0
    text = _as_text(member.data)
    home = bundle.places.home.rstrip("/")
    if text is None:
        piece, encoded_bytes = _encoded(member.data, where)
        return (piece, encoded_bytes) if encoded_bytes <= _BINARY_BYTES else ("", 0)
    writer = f'sed "s|{home}|$W|g"' if re.fullmatch(r"[\w/.-]{3,80}", home) and home in text else "cat"
    piece = _written(text, where, writer)
    return (piece if units(piece) <= _FILE_LIMIT else ""), 0


def _written(text: str, where: str, writer: str = "cat") -> str:
    return f"{writer} > {where} <<'{_delimiter(text)}'\n{text}{_delimiter(text)}"


def _encoded(data: bytes, where: str) -> tuple[str, int]:
    """The command that writes `data` from base64, compressed where that is much less, and the bytes that it encodes.

    The file is the same to the byte: a checksum of it stays true.
    """
    packer = zlib.compressobj(9, wbits=31)  # a gzip header without name and time: same input, same text
    packed = packer.compress(data) + packer.flush()
    if len(packed) < 0.75 * len(data):
        return f"unbase64 <<'EOF' | gzip -dc > {where}\n{base64_lines(packed)}\nEOF", len(packed)
    return f"unbase64 > {where} <<'EOF'\n{base64_lines(data)}\nEOF", len(data)


def _as_text(data: bytes) -> str | None:
    """`data` as text that survives being shown and copied, None when it would not."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not text.endswith("\n") or clean(text) != text or "`" * 40 in text:
        return None
    # A tab or a blank at the end of a line is lost by some editors, but not by a copy from a code block.
    return text if max(map(len, text.split("\n"))) <= 2_000 else None


def _delimiter(text: str) -> str:
    lines = set(text.split("\n"))
    return next(name for name in ("EOF", *(f"EOF_{n}" for n in range(len(lines) + 1))) if name not in lines)


# --- what is made up: archives and repositories that are not in the bundle ---


def _stand_ins(bundle: Bundle) -> set[str]:
    """The members that are there by name only, empty, and the wheels of which only the metadata is there.

    A wheel whose hash the lockfile names stays what it is: another one would not do.
    """
    facts = fact(bundle, "project")
    named = set(texts_at(facts, "stand_ins")) | {
        text_at(one, "member") for one in dicts_at(facts, "taken") if at(one, "how") == "stand-in"
    }
    hollow = {text_at(one, "member") for one in dicts_at(facts, "hollow")}
    lock = next((member.data for member in bundle.members if member.path == "project/uv.lock"), b"")
    locked = b"hash = " in lock
    faulty = _wheel_at_fault(bundle)
    return {
        member.path
        for member in bundle.members
        if member.kind == "file"
        and not (faulty and member.path.lower().endswith((".whl", ".tar.gz", ".zip")))
        and (
            (not member.data and (member.path in named or member.path.endswith(".whl")))
            or (member.path in hollow and member.path.endswith(".whl") and not locked)
        )
    }


# Words of uv for a wheel that is not what it should be.
_BAD_WHEEL = re.compile(
    r"invalid (?:metadata|package format)|The wheel is invalid|malformed wheel|does not match given"
    r"|Failed to (?:extract archive|unzip wheel|read from zip)|requires Python|not satisfy Python",
)


def _wheel_at_fault(bundle: Bundle) -> bool:
    """Whether a wheel itself is what fails: one that is made up would be whole."""
    if bundle.culprits or bundle.missing:
        return False
    return bundle.failure.class_ == "distribution" or bool(_BAD_WHEEL.search(" ".join(bundle.failure.frames)))


def _made_paths(bundle: Bundle) -> list[str]:
    base = _in_home(bundle, bundle.places.project)
    return [
        f"{base}/{path.partition('/')[2]}"
        for path in sorted(_stand_ins(bundle))
        if path.startswith("project/")
    ]


_MAKE_WHEEL = """\
wheel() { python3 - "$@" <<'EOF'
import sys, zipfile
path, name, version, tag, files, *requires = sys.argv[1:]
info = f"{name}-{version}.dist-info"
texts = {f"{name}/__init__.py": "", **dict.fromkeys(files.split(), "")}
texts[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n" + "".join(
    f"Requires-Dist: {each}\\n" for each in requires
)
texts[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n"
texts[f"{info}/RECORD"] = "".join(f"{each},,\\n" for each in [*texts, f"{info}/RECORD"])
with zipfile.ZipFile(path, "w") as wheel:
    for each, text in texts.items():
        wheel.writestr(each, text)
EOF
}"""


def _made_up(bundle: Bundle) -> Script:
    """Commands for archives and repositories that the bundle names and does not hold."""
    lines: list[str] = []
    notes: list[str] = []
    wheels: list[str] = []
    for path in _made_paths(bundle):
        found = _WHEEL.fullmatch(path.rpartition("/")[2])
        if not found or clean(path) != path:
            continue
        name = re.sub(r"[-_.]+", "-", found["name"]).lower()
        if name in _BUILD_TOOLS:
            lines.append(f"uvx -q pip download -q --no-deps -d {_parent(path)} {name}=={found['version']}")
            continue
        words = [found["name"], found["version"], found["tag"], _lost_files(bundle, found["name"])]
        words += _requirements(bundle, path, name, found["version"])
        wheels.append(f"wheel {_quoted(path)} {' '.join(map(shlex.quote, words))}")
    if wheels:
        lines += [_MAKE_WHEEL, *wheels]
        notes.append(
            "It makes up the wheels that the reporter had: their names and what they require, without content."
        )
    for package, path, branch in _local_repositories(bundle):
        where = _quoted(path)
        lines += [
            f"git init -q -b {shlex.quote(branch)} {where}",
            f'printf \'[project]\\nname = "{package}"\\nversion = "1.0"\\n\' > {where}/pyproject.toml',
            f"git -C {where} add .",
            f"git -C {where} -c user.name=x -c user.email=x@example.invalid commit -q -m x",
        ]
        notes.append("It makes up the Git repository that the reporter had.")
    return Script(text="\n".join(lines), notes=tuple(dict.fromkeys(notes)))


def _requirements(bundle: Bundle, path: str, name: str, version: str) -> list[str]:
    """What a version requires: as its metadata says, else as the resolver says it in the log."""
    base = _in_home(bundle, bundle.places.project)
    member = member_at(bundle, f"project/{path.removeprefix(base + '/')}")
    if member is not None and member.data:
        found = _declared(member.data)
    else:
        start = f"Adding transitive dependency for {name}=={version}: "
        found = [line.partition(start)[2].strip() for line in bundle.run.stderr.split("\n") if start in line]
    # uv writes `acme-core>=1.dev0, <2.dev0` for `==1.*`, and `acme-core*` for any version.
    bare = [line if re.search(r"[<>=!~;@\[]", line) else line.rstrip("*") for line in found]
    return [
        requirement
        for requirement in dict.fromkeys(bare)
        if re.fullmatch(r"[\w.-]+[\w .<>=!~,+*;'\"()\[\]-]*", requirement, re.ASCII)
    ][:20]


def _declared(data: bytes) -> list[str]:
    """The `Requires-Dist` of a small wheel; [] when it cannot be read as one."""
    import io
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            inside = next(
                (one for one in wheel.infolist() if one.filename.endswith(".dist-info/METADATA")), None
            )
            if inside is None or inside.file_size > 200_000:
                return []
            text = wheel.read(inside).decode("utf-8", "replace")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error):
        return []
    return re.findall(r"^Requires-Dist: (.{1,200})$", text.partition("\n\n")[0], re.MULTILINE)


def _lost_files(bundle: Bundle, name: str) -> str:
    """The files that a culprit or what is missing says were in the wheel, so that they can be lost again."""
    paths = [culprit.path for culprit in bundle.culprits] + list(bundle.missing)
    inner = [match[1] for path in paths if (match := re.fullmatch(r"archive-v\d+/[^/]+/(\S+)", path))]
    return " ".join(
        path for path in inner if path.startswith(f"{name}/") and not path.endswith("/__init__.py")
    )


def _local_repositories(bundle: Bundle) -> list[tuple[str, str, str]]:
    """(package, path below the home, branch) of each Git source that is a folder of the person's."""
    home = bundle.places.home.rstrip("/")
    found = []
    for one in dicts_at(fact(bundle, "sources"), "sources"):
        url = text_at(one, "spec", "git").removeprefix("file://")
        package = text_at(one, "package")
        branch = text_at(one, "spec", "branch") or "main"
        if "failed to fetch branch" in " ".join(bundle.failure.frames):
            branch = "another"  # the one that is asked for is not there
        if not home or not url.startswith(home + "/") or ".." in url:
            continue
        if all(re.fullmatch(r"[\w./-]+", text, re.ASCII) for text in (url, package, branch)):
            found.append((package, url[len(home) + 1 :], branch))
    return found


# --- the cache, put back as it is ---


def _entries(bundle: Bundle, limit: int) -> list[str]:
    """Commands that put the cache entries themselves where they stood; [] when that would not do.

    It does for entries whose keys come from a URL: the same on every machine. They must be few and small, and
    the failure must have been seen to need no network.
    """
    if bundle.proof is None or bundle.proof.verdict != "REPRODUCED":
        return []
    if not bundle.culprits and not bundle.missing:
        return []
    out: list[str] = []
    folders: list[str] = []
    cache = bundle.places.cache.rstrip("/")
    for member in bundle.members:
        top, _, path = member.path.partition("/")
        if top != "cache" or path.rpartition("/")[2] in _FURNITURE:
            continue
        parts = path.split("/")
        by_url = parts[0].startswith("simple-") or (len(parts) > 1 and parts[1] in ("url", "index", "pypi"))
        if not by_url and not parts[0].startswith("archive-"):
            return []
        if clean(path) != path or clean(member.target) != member.target:
            return []
        where = _quoted(f"cache/{path}")
        folders.append(where if member.kind == "dir" else _parent(f"cache/{path}"))
        if member.kind == "link":
            target = member.target.replace(cache, bundle.places.home.rstrip("/") + "/cache")
            out.append(f"ln -s {_homed(bundle, target)} {where}")
        elif member.kind == "file" and member.data:
            text = _as_text(member.data)
            out.append(_encoded(member.data, where)[0] if text is None else _written(text, where))
        elif member.kind == "file":
            out.append(f": > {where}")
    deepest = [
        one for one in dict.fromkeys(folders) if not any(other.startswith(f"{one}/") for other in folders)
    ]
    lines = [f"mkdir -p {' '.join(deepest)}", *out] if out else []
    return lines if sum(map(units, lines)) <= limit else []


# --- commands ---


def _variables(bundle: Bundle) -> list[str]:
    out = []
    home = bundle.places.home.rstrip("/")
    for name, value in sorted(bundle.run.env.items()):
        if not re.fullmatch(r"UV_[A-Z0-9_]{1,60}", name) or _OWN_VARIABLES.fullmatch(name):
            continue
        refused = name in _BOOLEAN and value.lower() not in _TRUE | _FALSE
        if _ONLY_FOR.get(name, bundle.failure.class_) != bundle.failure.class_:
            continue
        if name in _AS_OPTION and not refused:
            continue
        elsewhere = re.match(r"(?:/|[A-Za-z]:[\\/])", value) and not (home and value.startswith(home))
        if clean(value) != value or "\n" in value or len(value) > 300 or elsewhere:
            out.append(f"# {name} was set too; its value is of the reporter's machine")
        else:
            out.append(f"export {name}={_homed(bundle, value)}")
    gone = at(fact(bundle, "python"), "active", "VIRTUAL_ENV", "exists") is False
    active = bundle.run.env.get("VIRTUAL_ENV", "")
    if gone and active and clean(active) == active and "\n" not in active and len(active) <= 300:
        out.append(f"export VIRTUAL_ENV={_homed(bundle, active)}   # which is not there")
    return out[:20]


def _options(bundle: Bundle) -> list[str]:
    """The person's variables about indexes, as the options that do the same."""
    out: list[str] = []
    for name, value in sorted(bundle.run.env.items()):
        if name not in _AS_OPTION or not value or clean(value) != value or "\n" in value:
            continue
        option = "--" + name.removeprefix("UV_").lower().replace("_", "-")
        if name in _BOOLEAN:
            out += [option] if value.lower() in _TRUE else []
            continue
        for each in value.split() if name in ("UV_INDEX", "UV_EXTRA_INDEX_URL") else [value]:
            out += [option, _homed(bundle, each)]
    return out


def _commands(bundle: Bundle, *, placed: bool, reachable: bool) -> Script:
    """The commands after the files are there: make the state, break it, fail. No text: it cannot be done."""
    release = bundle.run.uv.release
    # What is put back may have gone stale since: offline uv takes it all the same, and so it was replayed.
    fails = _with_release(bundle, release, *(["--offline"] if placed else []))
    exit_code = bundle.run.exit_code
    if exit_code and (reachable or placed):
        fails += f"   # should end with exit code {exit_code}"
    elif exit_code == 0:
        fails += "   # uv says nothing, but what it installs is not whole"
    fresh = _fresh_venv(bundle, release)
    if placed:
        return Script(text="\n".join([*fresh, fails]))
    writer = _writer(bundle)
    if bundle.culprits and writer:
        before = [
            *_fresh_venv(bundle, writer),
            _with_release(bundle, writer) + f"   # uv {writer} writes the entry",
        ]
        return Script(text="\n".join([*before, *_without_venv(bundle), *fresh, fails]))
    damages = [_damage(bundle, culprit) for culprit in bundle.culprits]
    damages += [f'rm -rf "$W"/cache/{_glob(path)}' for path in bundle.missing]
    if not damages:
        broken = _broken_venv(bundle, release)
        if broken is not None:
            return Script(text="\n".join([*broken, fails]))
        locked = _locked_venv(bundle, release)
        by_whom = ("Run it as an ordinary user: root may write everywhere.",) if locked else ()
        return Script(text="\n".join([*(locked or fresh), fails]), notes=by_whom)
    if not all(damages):
        return Script(notes=(_why_no_damage(bundle),))
    denied = any(damage.startswith("chmod") for damage in damages)
    notes: tuple[str, ...] = ("Run it as an ordinary user: root may read everything.",) if denied else ()
    good = _with_release(bundle, release) + "   # fills the cache"
    if hollow := _hollow_sources(bundle):
        # A pointer is written once the archive is unpacked; what is below it, by a build that cannot happen here.
        if not all(_is_revision(culprit) for culprit in bundle.culprits) or bundle.missing:
            return Script(
                notes=(f"It takes a build of {hollow}, whose code is neither here nor in the bundle.",)
            )
        good = _with_release(bundle, release) + "   # writes the entry, then fails to build"
        notes += (f"The code of {hollow} was taken out, so the first run fails too, in its build.",)
    lines = [*fresh, good, *damages, *_without_venv(bundle), *fresh, fails]
    return Script(text="\n".join(lines), notes=notes)


def _is_revision(culprit: Culprit) -> bool:
    return culprit.kind.startswith("revision pointer")


def _hollow_sources(bundle: Bundle) -> str:
    """The source archives that were taken without their code, in words; "" when there are none."""
    members = [text_at(one, "member") for one in dicts_at(fact(bundle, "project"), "hollow")]
    return listed([code(path.partition("/")[2], 80) for path in members if not path.endswith(".whl")][:3])


def _why_no_damage(bundle: Bundle) -> str:
    if any(culprit.kind == "interpreter" for culprit in bundle.culprits):
        return (
            "The entry describes an interpreter of the reporter's machine, by its path and times: "
            "a script cannot make one that is believed elsewhere."
        )
    return "The entry at fault is too large for this text, and only the bundle has it."


def _writer(bundle: Bundle) -> str:
    """A release that can have written a culprit and is not the one that fails; "" when there is none."""
    for culprit in bundle.culprits:
        if culprit.state != "foreign":
            continue
        first, _, last = culprit.writers.partition("..")
        ends = [numbers(first), numbers(last or first)]
        failing = numbers(bundle.run.uv.release)
        if not all(ends) or not failing:
            continue
        if not ends[0] <= failing <= ends[1]:
            # The end of the range that is nearer to the failing release: likely what was in use beside it.
            return first if failing < ends[0] else last or first
    return ""


def _with_release(bundle: Bundle, release: str, *more: str) -> str:
    """The person's command under `release`, with the script's own cache and the options `more`."""
    invocation = parse(bundle.run.argv)
    words = list(bundle.run.argv[1:])
    if invocation.kind == "tool-run" and words[:1] != ["tool"]:
        words = ["tool", "run", *words]
    end = words.index(invocation.subcommand[-1]) + 1
    own, rest = words[:end], words[end:]
    start = len(rest) - len(invocation.program)
    kept: list[str] = []
    skip = False
    for number, word in enumerate(rest):
        if skip:
            skip = False
        elif number < start and word == "--cache-dir":
            skip = True
        elif not (number < start and word.startswith("--cache-dir=")):
            kept.append(word)
    runner = f"uvx uv@{release}" if numbers(release) else "uv"
    quoted = [_homed(bundle, word) for word in (*own, *kept)]
    added = ['--cache-dir "$W/cache"', *_options(bundle)]
    added += [option for option in more if option not in (*added, *words)]
    return " ".join([runner, *quoted[:end], *added, *quoted[end:]])


def _fresh_venv(bundle: Bundle, release: str) -> list[str]:
    """`uv pip` needs an environment to be there."""
    if parse(bundle.run.argv).subcommand[:1] != ("pip",) or not numbers(release):
        return []
    return [f'uvx uv@{release} venv --cache-dir "$W/cache"{_named_venv(bundle)}']


def _named_venv(bundle: Bundle) -> str:
    """The environment that the command names, after a blank; "" when it names none, and so means `.venv`."""
    words = bundle.run.argv
    venv = bundle.places.venv.rstrip("/")
    for word, after in zip(words, (*words[1:], ""), strict=True):
        name = after if word in ("--python", "-p") else word.partition("=")[2]
        if not venv or not name or not (word.startswith("--python=") or name == after):
            continue
        named = posixpath.normpath(posixpath.join(bundle.places.cwd, name))
        if named == venv or named.startswith(f"{venv}/"):
            return f" {_quoted(_in_home(bundle, venv))}"
    return ""


def _locked_venv(bundle: Bundle, release: str) -> list[str]:
    """Commands for an environment that may not be written, when the person's was one."""
    if at(fact(bundle, "python"), "venv", "writable") is not False or not numbers(release):
        return []
    return [f'uvx uv@{release} venv --cache-dir "$W/cache"', "chmod -R a-w .venv"]


def _broken_venv(bundle: Bundle, release: str) -> list[str] | None:
    """Commands for an environment that is none, or for there being none; None where it is as uv expects it."""
    facts = at(fact(bundle, "python"), "venv")
    venv, folder = bundle.places.venv.rstrip("/"), bundle.places.cwd.rstrip("/")
    if bundle.failure.class_ not in ("environment", "interpreter") or not isinstance(facts, dict):
        return None
    if facts.get("exists") is False:
        return [] if parse(bundle.run.argv).subcommand[:1] == ("pip",) else None
    if not venv.startswith(f"{folder}/") or not venv.startswith(f"{bundle.places.project}/"):
        return None
    member = member_at(bundle, f"project/{posixpath.relpath(venv, bundle.places.project)}")
    if member is None or clean(member.target) != member.target:
        return None
    name = posixpath.relpath(venv, folder)
    where = shlex.quote(name)
    if clean(name) != name:
        return None
    if member.kind == "link":
        return [f"ln -s {_homed(bundle, member.target)} {where}"] if facts.get("pyvenv_cfg") is None else None
    if member.kind == "file":
        text = _as_text(member.data)
        return [f": > {where}"] if not member.data else None if text is None else [_written(text, where)]
    if facts.get("pyvenv_cfg") is not None:
        return None
    if any(one.path == f"{member.path}/bin" for one in bundle.members):
        made = _fresh_venv(bundle, release) or (
            [f'uvx uv@{release} venv --cache-dir "$W/cache"'] if numbers(release) else []
        )
        return [*made, f"rm {where}/pyvenv.cfg"] if made else None
    inside = [one.path for one in bundle.members if one.path.startswith(f"{member.path}/")]
    return [f"mkdir {where}", *(f": > {where}/file" for _ in inside[:1])]


def _without_venv(bundle: Bundle) -> list[str]:
    changes = ("run", "sync", "add", "remove", "pip", "venv")
    if parse(bundle.run.argv).subcommand[:1] not in {(word,) for word in changes}:
        return []
    return [f"rm -rf{_named_venv(bundle) or ' .venv'}"]


def _glob(path: str) -> str:
    """`path` in a cache for the shell, with `*` for what another machine calls otherwise: digests and ids."""
    parts = path.split("/")
    return "/".join(
        "*"
        if n and _ID_PART.fullmatch(part)
        else _DIGEST_PART.sub("*", part)
        if n and digest
        else shlex.quote(part)
        for n, part in enumerate(parts)
        for digest in [_DIGEST_PART.match(part)]
    )


def _damage(bundle: Bundle, culprit: Culprit) -> str:
    """The command that puts the culprit's exact state in place of a good entry; "" when it cannot be given."""
    member = member_at(bundle, f"cache/{culprit.path}")
    if member is None or clean(culprit.path) != culprit.path or clean(member.target) != member.target:
        return ""
    if culprit.kind == "interpreter" and culprit.state not in ("wrong-kind", "unreadable"):
        return ""  # its content is of one executable's path and times: no other one's would do
    where = f'"$W"/cache/{_glob(culprit.path)}'
    if culprit.state == "dangling" and "pointer" in culprit.kind:
        return _left_dangling(culprit, where)
    if culprit.state == "unreadable":
        return f"chmod {member.mode:03o} {where}"
    if member.kind == "dir":
        deed = 'rm -rf "$entry"; mkdir "$entry"'
    elif member.kind == "link":
        deed = f'rm -rf "$entry"; ln -s {shlex.quote(member.target)} "$entry"'
    elif not member.data:
        deed = 'rm -rf "$entry"; : > "$entry"'
    elif not any(member.data):
        deed = f'rm -rf "$entry"; head -c {len(member.data)} /dev/zero > "$entry"'
    elif len(member.data) <= SMALL_ENTRY_BYTES:
        encoded = base64.b64encode(member.data).decode()
        deed = f'rm -rf "$entry"; printf %s \'{encoded}\' | unbase64 > "$entry"'
    else:
        return ""
    return f"for entry in {where}; do {deed}; done"


def _left_dangling(culprit: Culprit, where: str) -> str:
    """The command that takes away what a good pointer points at; "" when that cannot be told.

    The pointer as it was would not do: it names the time of another machine's file, and so is not believed.
    """
    if _is_revision(culprit):
        return f"rm -rf {where.rpartition('/')[0]}/*/"
    name, version, *_ = [*text_at(culprit.decoded, "archive", "filename").split("-"), "", ""]
    if not re.fullmatch(r"\w[\w.]*", name, re.ASCII) or not re.fullmatch(r"\w[\w.!+]*", version, re.ASCII):
        return ""
    info = shlex.quote(f"{name}-{version}.dist-info")
    return f'for entry in "$W"/cache/archive-v*/*/{info}; do rm -rf "${{entry%/*}}"; done'
