"""What uv was told: settings files, effective settings, variables, netrc, keyring and stored credentials."""

from __future__ import annotations

import functools
import re
import shutil
import stat
from importlib import resources
from typing import Any

import msgspec
from msgspec import Struct

from uvreport.bundle import Gap, Member
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    ask,
    deep_without_userinfo,
    facts,
    in_words,
    is_file,
    paths_of,
    read,
    reason,
    release_of,
    shape,
    state,
    strings,
    tables,
    text,
    toml,
    under,
    unique,
    within,
    without_userinfo,
)

# Names outside of uv's own list that change what uv, git, TLS, or a build does. Prefixes end with `_`.
RELATED = (
    "PIP_", "GIT_", "XDG_", "CONDA_", "VIRTUAL_ENV", "PYTHON", "LC_", "LANG", "LANGUAGE", "RUST_", "SSL_",
    "AXOUPDATER_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NETRC", "TMPDIR",
    "TEMP", "TMP", "SHELL", "TERM", "CI", "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS",
    "ARCHFLAGS", "CARGO_", "RUSTFLAGS", "SETUPTOOLS_", "CMAKE_", "MACOSX_DEPLOYMENT_TARGET",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_", "PKG_CONFIG_PATH", "DISTUTILS_USE_SDK", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "COLUMNS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "HF_TOKEN", "PYX_", "AWS_", "PIPX_",
    "KEYRING_", "HTTP_TIMEOUT", "__PYVENV_LAUNCHER__", "PYC_INVALIDATION_MODE", "SOURCE_DATE_EPOCH",
    "UMASK",
)  # fmt: skip

_SECRET_NAME = re.compile(
    r"TOKEN|PASSW|SECRET|CREDENTIAL|COOKIE|APIKEY|(?:^|_)(?:KEY|AUTH|PAT|PASS|PWD|COMMAND)(?:_|$)|USERNAME",
    re.IGNORECASE,
)
_URL_NAME = re.compile(r"URL|INDEX|PROXY|MIRROR|LINKS|ENDPOINT|HOST", re.IGNORECASE)

_PATTERNS = re.compile(r"UV_INDEX_(?P<name>\w+)_(?P<what>USERNAME|PASSWORD)")

# Flags that take a value, so that what follows them is neither a command nor a requirement.
WITH_VALUE = frozenset({
    "--cache-dir", "--config-file", "--color", "--directory", "--project", "--python-preference",
    "--python-fetch", "--allow-insecure-host", "--trusted-host", "--preview-features", "--python", "-p",
    "--index-url", "-i", "--index", "--default-index", "--extra-index-url", "--find-links", "-f",
    "--keyring-provider", "--link-mode", "--resolution", "--prerelease", "--index-strategy",
    "--exclude-newer", "--config-setting", "-C", "--config-settings-package",
    "--no-build-isolation-package", "--refresh-package", "--reinstall-package", "--upgrade-package", "-P",
    "--extra", "--group", "--no-group", "--only-group", "--package", "--with", "-w", "--with-editable",
    "--with-requirements", "--env-file", "--from", "--requirement", "--requirements", "-r",
    "--constraint", "--constraints", "-c", "--override", "--overrides", "--build-constraint",
    "--build-constraints", "-b", "--exclude", "--excludes", "--editable", "-e", "--target", "-t",
    "--prefix", "--output-file", "-o", "--out-dir", "--no-binary", "--only-binary", "--python-version",
    "--python-platform", "--no-binary-package", "--no-build-package", "--no-emit-package",
    "--no-install-package", "--fork-strategy", "--torch-backend", "--format", "--output-format",
    "--token", "--username", "-u", "--password", "--publish-url", "--prompt", "--script", "--module",
    "-m", "--branch", "--tag", "--rev", "--bounds", "--optional",
})  # fmt: skip

_SHOWS_SETTINGS = {
    "sync", "lock", "run", "add", "remove", "tree", "export", "venv", "pip", "tool", "build", "python",
    "audit", "format",
}  # fmt: skip


class File(Struct, frozen=True, kw_only=True):
    """A settings file that uv looks for: its level, its path, and whether this run believes it.

    `problem` is why it could not be read or parsed; `document` is what is in it (only the `[tool.uv]` table
    of a pyproject.toml).
    """

    level: str  # "named", "project", "user", "system"
    path: str
    found: bool
    used: bool
    why: str = ""
    problem: str = ""
    document: dict[str, Any] = {}


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    files = discover(scene)
    effective = _effective(scene, gaps)
    members, more_gaps = _members(scene, files)
    gaps.extend(more_gaps)
    gaps.extend(Gap(what=file.path, why=file.problem) for file in files if file.problem)
    value = {
        "files": [
            {**msgspec.to_builtins(file), "document": deep_without_userinfo(file.document)} for file in files
        ],
        "effective": effective,
        "origins": origins(scene, files),
        "flags": flags(scene),
        "variables": variables(scene),
        "netrc": netrc(scene, hosts(scene, files)),
        "keyring": _keyring(scene, files),
        "stored_credentials": _stored_credentials(scene, gaps),
    }
    return Findings(members=(facts("settings", value), *members), gaps=tuple(gaps))


# Files


def discover(scene: Scene) -> tuple[File, ...]:
    """Every settings file that uv looks for, in order of precedence, those that are not there too.

    The rules are uv's: a named file replaces the search; in a folder uv.toml wins over pyproject.toml; a
    pyproject.toml without `[tool.uv]` is passed over; `uv tool`, `uvx` and `uv self` skip the project.
    """
    paths = paths_of(scene)
    given = flags(scene)
    named = given.get("--config-file") or scene.environ.get("UV_CONFIG_FILE", "")
    none = "--no-config" in given or _true(scene.environ.get("UV_NO_CONFIG", ""))
    why = "--no-config" if none else "a settings file is named, so nothing else is read" if named else ""
    found: list[File] = []
    if named:
        found.append(_file(scene, "named", paths.normpath(paths.join(scene.places.cwd, named)), ""))
    skip = why or ("this command does not read the project's settings" if _skips_project(scene) else "")
    found.extend(_project_files(scene, skip))
    found.append(_file(scene, "user", user_config(scene, "uv.toml"), why))
    found.extend(_system_files(scene, why))
    return tuple(found)


def _project_files(scene: Scene, why: str) -> list[File]:
    paths = paths_of(scene)
    found: list[File] = []
    folder = workspace_root(scene)
    settled = ""
    while True:
        own = _file(scene, "project", paths.join(folder, "uv.toml"), why or settled)
        project = _file(scene, "project", paths.join(folder, "pyproject.toml"), why or settled)
        if own.found:
            found.append(own)
            settled = settled or f"{own.path} comes first"
            project = msgspec.structs.replace(
                project, used=False, why=project.why or "uv.toml beside it wins"
            )
        if project.found and (project.document or project.problem):
            found.append(project)
            if project.used and project.document:
                settled = settled or f"{project.path} comes first"
        if not found and folder == scene.places.project:
            found.extend((own, project))
        parent = paths.dirname(folder)
        if parent == folder or len(found) > 20:
            return found
        folder = parent


def _system_files(scene: Scene, why: str) -> list[File]:
    paths = paths_of(scene)
    if "UV_NO_SYSTEM_CONFIG" in scene.environ and release_of(scene.uv.release) >= (0, 11, 16):
        why = why or "UV_NO_SYSTEM_CONFIG"
    if release_of(scene.uv.release) and release_of(scene.uv.release) < (0, 4, 26):
        why = why or "this release reads no system settings"
    if scene.platform == "win32":
        drive = scene.environ.get("SYSTEMDRIVE", "C:")
        return [_file(scene, "system", paths.join(drive + "\\", "ProgramData", "uv", "uv.toml"), why)]
    folders = scene.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    found: list[File] = []
    for path in [*(paths.join(f, "uv", "uv.toml") for f in folders.split(":") if f), "/etc/uv/uv.toml"]:
        found.append(_file(scene, "system", path, why))
        if found[-1].found:
            why = why or f"{path} comes first"
    return found


def _file(scene: Scene, level: str, path: str, why_not: str) -> File:
    if state(scene, path) is None:
        return File(level=level, path=path, found=False, used=False, why="not there")
    problem, document = "", {}
    try:
        document = toml(read(scene, path))
    except (OSError, ValueError) as error:
        problem = reason(error)
    if paths_of(scene).basename(path) == "pyproject.toml":
        document = tables(within(document, "tool", "uv"))
        if not document and not problem:
            why_not = why_not or "no [tool.uv] in it"
    used = not why_not and not problem
    return File(
        level=level, path=path, found=True, used=used, why=why_not, problem=problem, document=document
    )


def workspace_root(scene: Scene) -> str:
    """The folder of the pyproject.toml that declares the workspace of the project, else the project's own."""
    paths = paths_of(scene)
    folder = scene.places.project
    while (parent := paths.dirname(folder)) != folder:
        document = text(scene, paths.join(folder, "pyproject.toml"))
        if "workspace" in document:
            try:
                declared = within(toml(document), "tool", "uv", "workspace")
            except ValueError:
                declared = None
            if declared is not None and (
                folder == scene.places.project or _is_member(scene, folder, declared)
            ):
                return folder
        folder = parent
    return scene.places.project


def _is_member(scene: Scene, root: str, declared: Any) -> bool:
    relative = under(scene, scene.places.project, root)
    if relative is None:
        return False
    return matches(relative, declared, "members") and not matches(relative, declared, "exclude")


def matches(relative: str, declared: Any, key: str) -> bool:
    """Whether a folder, relative to the workspace root, is named by the globs under `key`."""
    return any(_glob(glob).fullmatch(relative) for glob in strings(within(declared, key)))


def _glob(pattern: str) -> re.Pattern[str]:
    pattern = pattern.removeprefix("./").rstrip("/")
    parts = (
        ".*" if part == "**" else "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part)
        for part in pattern.split("/")
    )
    return re.compile("/".join(parts).replace(".*/", "(?:.*/)?"))


def user_config(scene: Scene, *names: str) -> str:
    """A path in uv's own folder of settings."""
    paths = paths_of(scene)
    if scene.platform == "win32":
        return str(
            paths.join(
                scene.environ.get("APPDATA") or paths.join(scene.places.home, "AppData", "Roaming"),
                "uv",
                *names,
            )
        )
    return str(
        paths.join(
            scene.environ.get("XDG_CONFIG_HOME") or paths.join(scene.places.home, ".config"), "uv", *names
        )
    )


def user_data(scene: Scene, *names: str) -> str:
    """A path in uv's folder of data: managed Pythons, tools, credentials."""
    paths = paths_of(scene)
    if scene.platform == "win32":
        base = scene.environ.get("APPDATA") or paths.join(scene.places.home, "AppData", "Roaming")
        return str(paths.join(base, "uv", "data", *names))
    base = scene.environ.get("XDG_DATA_HOME") or paths.join(scene.places.home, ".local", "share")
    return str(paths.join(base, "uv", *names))


def _members(scene: Scene, files: tuple[File, ...]) -> tuple[list[Member], list[Gap]]:
    """The user's and named settings files as members to be put back; the project's are `project`'s."""
    members: list[Member] = []
    gaps: list[Gap] = []
    for file in files:
        if not file.used or file.level == "project":
            continue
        inside = under(scene, file.path, scene.places.project)
        relative = under(scene, file.path, scene.places.home)
        if inside:
            path = f"project/{inside}"
        elif relative:
            path = f"home/{relative}"
        else:
            gaps.append(
                Gap(what=file.path, why="outside the project and the home, so a replay runs without it")
            )
            continue
        try:
            what = state(scene, file.path)
            mode = stat.S_IMODE(what.st_mode) if what else 0o644
            members.append(Member(path=path, data=read(scene, file.path), mode=mode))
        except OSError as error:
            gaps.append(Gap(what=file.path, why=reason(error)))
    return members, gaps


# The command line


def uv_arguments(scene: Scene) -> tuple[str, ...]:
    """The arguments of the failing command as `uv` takes them; `uvx X` is `uv tool run X`."""
    argv = scene.run.argv
    if not argv:
        return ()
    name = argv[0].replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
    return ("tool", "run", *argv[1:]) if name == "uvx" else argv[1:]


def own_arguments(scene: Scene) -> tuple[str, ...]:
    """The arguments that are uv's own, up to the program that `uv run` or `uvx` starts."""
    found: list[str] = []
    commands: list[str] = []
    words = iter(uv_arguments(scene))
    for word in words:
        if word == "--":
            break
        found.append(word)
        if word in WITH_VALUE:
            found.extend([value for value in [next(words, None)] if value is not None])
        elif not word.startswith("-") or word == "-":
            commands.append(word)
            if (commands[0] == "run" and len(commands) == 2) or (
                commands[:2] == ["tool", "run"] and len(commands) == 3
            ):
                break
    return tuple(found)


def command_words(scene: Scene) -> tuple[str, ...]:
    """The words of the command that are no flags and no values of flags: `("pip", "install", "x")`."""
    found: list[str] = []
    words = iter(own_arguments(scene))
    for word in words:
        if word in WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            found.append(word)
    return tuple(found)


def flags(scene: Scene) -> dict[str, str]:
    """The flags of the failing command, each with its value: "" for none, the shape of a secret."""
    found: dict[str, str] = {}
    words = iter(own_arguments(scene))
    for word in words:
        if not word.startswith("-") or word == "-":
            continue
        name, equals, value = word.partition("=")
        if not equals and name in WITH_VALUE:
            value = next(words, "")
        found[name] = in_words(value) if value and _SECRET_NAME.search(name) else without_userinfo(value)
    return found


def _skips_project(scene: Scene) -> bool:
    return command_words(scene)[:1] in (("tool",), ("self",))


def _true(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on", "y", "t")


def _effective(scene: Scene, gaps: list[Gap]) -> list[str]:
    """The lines of `--show-settings` for the failing command, without times, certificates and secrets."""
    words = command_words(scene)
    if not words or words[0] not in _SHOWS_SETTINGS:
        gaps.append(
            Gap(
                what="effective settings",
                why="this command does not show them" if words else "no command is known",
            )
        )
        return []
    outcome = ask(scene, ["--show-settings", *uv_arguments(scene)])
    if outcome is None:
        gaps.append(Gap(what="effective settings", why="uv did not answer in time"))
        return []
    if outcome.exit_code != 0 or "Settings {" not in outcome.stdout:
        first = next(
            (line for line in outcome.stderr.splitlines() if line.strip()), f"exit code {outcome.exit_code}"
        )
        gaps.append(
            Gap(
                what="effective settings",
                why=f"uv {scene.uv.release} said: {without_userinfo(first.strip())[:200]}",
            )
        )
        return []
    return tame(outcome.stdout).splitlines()


def tame(shown: str) -> str:
    """`--show-settings` with what changes by itself, what is long, and what is secret taken out."""
    shown = re.sub(r"tv_(n?sec): \d+", r"tv_\1: 0", shown)
    certificates = len(re.findall(r"CertificateDer\(", shown))
    shown = re.sub(r"(?:\s*CertificateDer\(\s*0x[0-9a-f]+,\s*\),)+", f" {certificates} certificates ", shown)
    hidden = r'((?:password|username|token|access_token|api_key): (?:Some\(\s*)?)"((?:[^"\\]|\\.)+)"'
    shown = re.sub(hidden, lambda m: f'{m[1]}"{in_words(m[2])}"', shown)
    return without_userinfo(shown)


def origins(scene: Scene, files: tuple[File, ...]) -> dict[str, list[str]]:
    """Where each setting is given, the place that wins first."""
    found: dict[str, list[str]] = {}
    given = flags(scene)
    keys = unique([key for file in files if file.used for key in file.document])
    keys += [name[3:].lower().replace("_", "-") for name in scene.environ if name.startswith("UV_")]
    keys += [flag.lstrip("-") for flag in given if flag.startswith("--")]
    for key in unique(keys):
        places = [f"flag --{key}"] if f"--{key}" in given else []
        variable = "UV_" + key.upper().replace("-", "_")
        places += [f"variable {variable}"] if variable in scene.environ else []
        places += [f"{file.level} file {file.path}" for file in files if file.used and key in file.document]
        found[key] = places
    return found


# Variables


class _Known(Struct, frozen=True):
    newest_release: str
    variables: dict[str, tuple[str, str]]


@functools.cache
def known_variables() -> dict[str, tuple[str, str]]:
    """Every variable that uv reads: whether it holds a secret (yes, maybe, path, no), and since when."""
    data = resources.files(__package__).joinpath("variables.json").read_bytes()
    return msgspec.json.decode(data, type=_Known).variables


def variables(scene: Scene) -> dict[str, dict[str, Any]]:
    """The variables that can matter, by name: the value where it cannot be a secret, else its shape."""
    found: dict[str, dict[str, Any]] = {}
    known = known_variables()
    for name in sorted(scene.environ):
        value = scene.environ[name]
        secret, since = known.get(name, ("", ""))
        if pattern := _PATTERNS.fullmatch(name):
            secret, since = ("yes" if pattern["what"] == "PASSWORD" else "maybe"), "0.4.23"
        if not (name.startswith("UV_") or _is_related(name)):
            continue
        entry = _shown(name, value, secret)
        if name.startswith("UV_"):
            entry["known_to_uv"] = bool(secret)
            if since and release_of(since) > release_of(scene.uv.release) > ():
                # An older uv passes silently over a variable that came later: the person believes it is set.
                entry["only_since"] = since
        found[name] = entry
    return found


def _is_related(name: str) -> bool:
    return any(name == mark or (mark.endswith(("_", "PYTHON")) and name.startswith(mark)) for mark in RELATED)


def _shown(name: str, value: str, secret: str) -> dict[str, Any]:
    if not value:
        return {"value": ""}
    if not secret:
        # An unknown UV_* can be anything, also what an index of the person's own is called.
        guess = "yes" if _SECRET_NAME.search(name) or name.startswith("UV_") else ""
        secret = guess or ("maybe" if _URL_NAME.search(name) else "no")
    may_hold_one = secret == "maybe"  # noqa: S105  a word of the table, no secret
    if may_hold_one and not _SECRET_NAME.search(name):
        shown = _careful_url(value)
        return {"shape": shape(value)} if shown is None else {"value": shown}
    if secret in ("no", "path"):
        # Even a variable that should hold no URL can hold one.
        return {"value": without_userinfo(value)}
    return {"shape": shape(value)}


def _careful_url(value: str) -> str | None:
    """URLs or paths with user names, passwords and query values by shape; None when that is not safe.

    Everything up to the last `@` is taken for the user's: a password with a raw slash or `@` in it must not
    come out by half.
    """
    words = []
    for word in value.split():
        scheme, mark, rest = word.rpartition("://")
        if "://" in scheme:
            return None
        before, at_sign, host = rest.rpartition("@")
        words.append(f"{scheme}{mark}{in_words(before)}@{host}" if at_sign else word)
    return without_userinfo(" ".join(words)) if words else None


# Credentials: that they are there, never what they are


def hosts(scene: Scene, files: tuple[File, ...]) -> list[str]:
    """The hosts of indexes and of the sources that the failure names, where uv would look for credentials."""
    said: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, str):
            said.append(value)
        elif isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    for file in files:
        if file.used:
            walk(file.document)
    said.extend(value for name, value in scene.environ.items() if name.startswith("UV_") and "://" in value)
    said.extend(scene.failure.sources)
    found = (
        host for value in said for host in re.findall(r"://(?:[^/\s@]*@)?([\w.-]+|\[[0-9a-fA-F:]+\])", value)
    )
    return sorted({host.lower() for host in found})


def netrc(scene: Scene, asked: list[str]) -> dict[str, Any]:
    """The netrc: its path, its mode, the machines that it names, and which of `asked` it answers for."""
    paths = paths_of(scene)
    home = scene.places.home
    for path in [scene.environ.get("NETRC", ""), paths.join(home, ".netrc"), paths.join(home, "_netrc")]:
        what = state(scene, path) if path else None
        if what is None:
            continue
        machines = _machines(text(scene, path))
        hit = [host for host in asked if host in machines or "default" in machines]
        return {"path": path, "mode": f"{stat.S_IMODE(what.st_mode):04o}", "machines": machines, "hit": hit}
    return {"path": None, "machines": [], "hit": []}


def _machines(said: str) -> list[str]:
    found: list[str] = []
    in_macro = False
    for line in said.splitlines():
        if in_macro:
            in_macro = bool(line.strip())
            continue
        words = iter(line.split("#")[0].split() if line.lstrip().startswith("#") else line.split())
        for word in words:
            if word == "machine":
                found.append(next(words, "").lower())
            elif word == "default":
                found.append("default")
            elif word in ("login", "password", "account"):
                next(words, None)  # the value can be any word, `machine` too
            elif word == "macdef":
                in_macro = True
                break
    return sorted({name for name in found if name})


def _keyring(scene: Scene, files: tuple[File, ...]) -> dict[str, Any]:
    provider = flags(scene).get("--keyring-provider") or scene.environ.get("UV_KEYRING_PROVIDER", "")
    for file in files:
        if file.used and not provider:
            value = file.document.get("keyring-provider")
            provider = value if isinstance(value, str) else ""
    return {
        "provider": provider or "disabled",
        "keyring_on_path": shutil.which("keyring", path=scene.environ.get("PATH")) is not None,
    }


def _stored_credentials(scene: Scene, gaps: list[Gap]) -> dict[str, Any]:
    paths = paths_of(scene)
    folder = scene.environ.get("UV_CREDENTIALS_DIR") or user_data(scene, "credentials")
    path = paths.join(folder, "credentials.toml")
    if not is_file(scene, path):
        return {"present": False, "count": 0}
    try:
        entries = toml(read(scene, path)).get("credential")
    except (OSError, ValueError):
        # What is wrong in it is not said: a parser's message quotes the line.
        gaps.append(Gap(what="the number of stored credentials", why="the store cannot be read"))
        return {"present": True, "count": None}
    return {"present": True, "count": len(entries) if isinstance(entries, list) else 0}


COLLECTOR = Collector(
    name="settings",
    what="settings files, effective settings, variables, netrc, keyring (secrets by shape only)",
    collect=collect,
)
