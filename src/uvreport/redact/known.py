"""What this machine knows to be private, found out without asking the network or any collector."""

from __future__ import annotations

import configparser
import contextlib
import itertools
import os
import platform as platform_module
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct

from uvreport.bundle import Failure, Places, Run, Snapshot, Uv
from uvreport.errors import UsageError
from uvreport.redact import names
from uvreport.redact.places import Canonical, canonical

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Known(Struct, frozen=True, kw_only=True):
    """Values that are private here. The first of `users` is the person; the rest are other accounts of theirs.

    `secrets` are values of credentials, `accounts` the names that go with them where they say something.
    `prefixes` are pairs of an absolute path and what it becomes, the longest
    first; `relative` the same for relative references that change with the move. `digests` are pairs of a cache
    key or a checksum and the one that takes its place, `packages` of a normalised package name and its new name.
    """

    users: tuple[str, ...] = ()
    full_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hostname: str = ""
    domains: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    prefixes: tuple[tuple[str, str], ...] = ()
    relative: tuple[tuple[str, str], ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    packages: tuple[tuple[str, str], ...] = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    users: tuple[str, ...] = ()
    full_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    hostname: str = ""
    domains: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    orgs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def from_json(data: bytes | str) -> Known:
    """What a `--known` file says. Raises UsageError for anything but an object of the documented lists.

    Homes need no place in the file for their account names: those are taken from `homes`, too.
    """
    try:
        said = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise UsageError(
            f"The file of known values cannot be used: {problem}.",
            hint="A JSON object with users, full_names, homes, hosts, hostname, domains, indexes, orgs, each optional.",
        ) from None
    users = dict.fromkeys(
        [*said.users, *(name for home in said.homes if not names.is_generic_user(name := _last(home)))]
    )
    indexes, domains, secrets, accounts = _hosts_of(said.indexes)
    return Known(
        users=tuple(users),
        full_names=said.full_names,
        emails=said.emails,
        homes=said.homes,
        hosts=said.hosts,
        hostname=said.hostname,
        domains=tuple(dict.fromkeys([*said.domains, *domains])),
        indexes=tuple(indexes),
        orgs=said.orgs,
        secrets=tuple(dict.fromkeys([*said.secrets, *secrets])),
        accounts=tuple(accounts),
    )


def _last(place: str) -> str:
    return re.split(r"[\\/]", place.rstrip("\\/"))[-1]


# --- asking this machine -----------------------------------------------------------------------------------------


def discover(snapshot: Snapshot, environ: Mapping[str, str]) -> Known:
    """What is private on the machine that the snapshot is from, which must be this one.

    Asks the environment, the account, the host's own files and the configuration of uv, pip, git and netrc. What
    a collector found or did not find makes no difference: only places and platform are taken from the snapshot,
    and its project files where they are gone from the disk.
    """
    places = snapshot.places
    home = places.home
    found = _Finds()
    _account(found, home, environ)
    _host(found, environ)
    _variables(found, environ)
    for text in _configuration(snapshot, environ):
        found.settings(text)
    _git(found, home, environ)
    _netrc(found, home, environ)
    for member in snapshot.members:
        name = member.path.rpartition("/")[2]
        if member.path.startswith("project/") and name in ("pyproject.toml", "uv.toml", "uv.lock"):
            found.settings(_toml(member.data))
    moved = canonical(
        places,
        snapshot.platform,
        sources_of(snapshot),
        homes=[one for one in found.homes if one != home],
        temp=environ.get("TMPDIR", ""),
    )
    return found.known(moved)


def discover_here(environ: Mapping[str, str], cwd: str, platform: str) -> Known:
    """What is private on this machine, for whoever redacts without a failure: `cwd` is taken for the project."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~")
    cache = environ.get("UV_CACHE_DIR") or os.path.join(home, ".cache", "uv")
    nothing = Snapshot(
        created="",
        tool="",
        platform=platform,
        places=Places(home=home, project=cwd, cache=cache, cwd=cwd),
        run=Run(
            argv=(),
            examined=(),
            cwd=cwd,
            env={},
            exit_code=None,
            stdout="",
            stderr="",
            duration_s=0.0,
            uv=Uv(path="", release=""),
        ),
        failure=Failure(class_="", signature="", frames=(), chain=""),
    )
    return discover(nothing, environ)


class _Finds:
    """What has been found so far, in the order of finding."""

    def __init__(self) -> None:
        self.users: dict[str, None] = {}
        self.full_names: dict[str, None] = {}
        self.emails: dict[str, None] = {}
        self.homes: dict[str, None] = {}
        self.hosts: dict[str, None] = {}
        self.domains: dict[str, None] = {}
        self.urls: dict[str, None] = {}
        self.secrets: dict[str, None] = {}
        self.accounts: dict[str, None] = {}
        self.cache_key_variables: dict[str, None] = {}

    def user(self, name: str | None) -> None:
        name = (name or "").strip()
        name = name.rpartition("\\")[2]  # DOMAIN\name
        if name and not names.is_generic_user(name):
            self.users.setdefault(name)

    def host(self, name: str | None) -> None:
        name = (name or "").strip().rstrip(".")
        if not name or names.is_public_host(name):
            return
        self.hosts.setdefault(name)
        short, dot, rest = name.partition(".")
        if dot:
            if not names.is_generic_user(short) and len(short) >= 3:
                self.hosts.setdefault(short)
            self.domain(rest)

    def domain(self, name: str) -> None:
        name = name.strip().strip(".").lower()
        if name and names.is_private_domain(name):
            self.domains.setdefault(name)

    def secret(self, value: str | None) -> None:
        value = (value or "").strip()
        if is_worth(value):
            self.secrets.setdefault(value)

    def account(self, value: str | None) -> None:
        value = (value or "").strip()
        if is_telling(value):
            self.accounts.setdefault(value)

    def settings(self, table: Any) -> None:
        """What a pyproject.toml, uv.toml, uv.lock or credentials.toml says: URLs, authors, secrets, cache keys."""
        for keys, value in _walk(table):
            key = keys[-1] if keys else ""
            if not isinstance(value, str):
                continue
            if "://" in value and key not in (
                "homepage",
                "repository",
                "documentation",
                "changelog",
                "issues",
            ):
                if keys[:2] != ("project", "urls") and not (keys[:1] == ("package",) and key == "url"):
                    self.urls.setdefault(value.removeprefix("git+"))
            elif names.says_secret(key):
                self.secret(value)
            elif key == "username":
                self.account(value)
            elif key == "env" and "cache-keys" in keys:
                self.cache_key_variables.setdefault(value)
            elif "authors" in keys or "maintainers" in keys:
                if key == "email":
                    self.emails.setdefault(value)
                elif key == "name" and len(value) >= 3 and not _TEAM.search(value):
                    self.full_names.setdefault(value)

    def known(self, moved: Canonical) -> Known:
        indexes, domains, secrets, accounts = _hosts_of(self.urls)
        for value in accounts:
            self.account(value)
        for value in secrets:
            self.secret(value)
        hosts = list(self.hosts)
        return Known(
            users=tuple(self.users),
            full_names=tuple(self.full_names),
            emails=tuple(self.emails),
            homes=tuple(self.homes),
            hosts=tuple(hosts),
            hostname=hosts[0] if hosts else "",
            domains=tuple(dict.fromkeys([*self.domains, *domains])),
            indexes=tuple(indexes),
            secrets=tuple(self.secrets),
            accounts=tuple(self.accounts),
            prefixes=moved.prefixes,
            relative=moved.relative,
        )


_TEAM = re.compile(
    r"(?i)\b(?:contributors|developers|team|authors|community|project|foundation|maintainers)\b"
)


def is_worth(value: str) -> bool:
    """Whether a secret value says enough to be looked for everywhere: `1` and `debug` are in every log."""
    if len(value) < 4 or names.is_nothing(value.encode("utf-8", "surrogateescape")):
        return False
    if value.casefold() in names.COMMON_WORDS or value.casefold() in names.GENERIC_USERS:
        return False
    if len(value) < 8:
        return re.search(r"[A-Za-z]", value) is not None and re.search(r"[^A-Za-z.]", value) is not None
    return re.fullmatch(r"[0-9.]+|[a-z]{1,11}", value) is None


def is_telling(account: str) -> bool:
    """Whether the user name for an index says enough to be looked for everywhere: `reader` is in many a log."""
    if len(account) < 5 or "@" in account or names.is_login_word(account):
        return False
    return account.casefold() not in names.COMMON_WORDS and re.fullmatch(r"[a-z]{1,8}", account) is None


def _hosts_of(urls: Iterable[str]) -> tuple[list[str], list[str], list[str], list[str]]:
    """The private hosts, private domains, credentials and accounts of URLs (or bare hosts) that somebody configured."""
    hosts: dict[str, None] = {}
    domains: dict[str, None] = {}
    secrets: dict[str, None] = {}
    accounts: dict[str, None] = {}
    for url in urls:
        text = url if "://" in url else f"any://{url}"
        with contextlib.suppress(ValueError):
            parts = urlsplit(text)
            for value, is_password in ((parts.password, True), (parts.username, False)):
                # A token may stand as the user name; a plain user name is no secret and handled where it stands.
                if value and (is_password or names.looks_random(value.encode("utf-8", "replace"), 16)):
                    secrets.setdefault(value)
                    secrets.setdefault(unquote(value))
                elif value and is_telling(unquote(value)):
                    accounts.setdefault(unquote(value))
            host = (parts.hostname or "").strip("[]")
            if host and not names.is_public_host(host) and "{" not in host and "$" not in host:
                if re.fullmatch(r"[0-9.]+|[0-9a-f:]+", host):
                    continue  # an address: the rules know those
                hosts.setdefault(host)
                parent = host.partition(".")[2]
                if names.is_private_domain(parent):
                    domains.setdefault(parent)
    return list(hosts), list(domains), list(secrets), list(accounts)


def _walk(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, keys)
    else:
        yield keys, value


def _account(found: _Finds, home: str, environ: Mapping[str, str]) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER", "LNAME"):
        found.user(environ.get(name))
    with contextlib.suppress(ImportError, KeyError, OSError):
        import pwd

        entry = pwd.getpwuid(os.getuid())
        found.user(entry.pw_name)
        if entry.pw_dir not in ("", "/", "/nonexistent"):
            found.homes.setdefault(entry.pw_dir)
        gecos = entry.pw_gecos.split(",")[0].strip()
        if " " in gecos and gecos.casefold() != entry.pw_name.casefold():
            found.full_names.setdefault(gecos)
    for place in (
        home,
        environ.get("HOME"),
        environ.get("USERPROFILE"),
        (environ.get("HOMEDRIVE", "") + environ.get("HOMEPATH", "")),
    ):
        if place and place not in ("/", "\\"):
            found.homes.setdefault(place)
            with contextlib.suppress(OSError):
                found.homes.setdefault(os.path.realpath(place))
            found.user(_last(place))


def _host(found: _Finds, environ: Mapping[str, str]) -> None:
    found.host(platform_module.node())
    for name in ("HOSTNAME", "HOST", "COMPUTERNAME"):
        found.host(environ.get(name))
    for path in ("/etc/hostname", "/etc/mailname"):
        found.host(_read(path).strip().split("\n")[0])
    found.domain(environ.get("USERDNSDOMAIN", ""))
    for line in _read("/etc/resolv.conf").splitlines():
        words = line.split()
        if words[:1] in (["search"], ["domain"]):
            for name in words[1:]:
                found.domain(name)
    hosts = {host.casefold() for host in found.hosts}
    for line in _read("/etc/hosts").splitlines():
        aliases = line.partition("#")[0].split()[1:]
        if hosts & {alias.casefold() for alias in aliases}:
            for alias in aliases:
                found.host(alias)


def _variables(found: _Finds, environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        if "://" in value:
            if name.startswith(("UV_", "PIP_", "TWINE_", "POETRY_", "PDM_")) or name.upper().endswith(
                "_PROXY"
            ):
                for url in value.split():
                    found.urls.setdefault(
                        url.partition("=")[2] if re.match(r"[A-Za-z0-9_.-]+=", url) else url
                    )
            else:
                for url in re.findall(r"[a-z][a-z0-9+.-]{1,20}://[^\s/@]{1,300}@", value, re.IGNORECASE):
                    found.secret(unquote(url.partition("://")[2].partition(":")[2].rstrip("@")))
        if names.is_secret_variable(name):
            found.secret(value)
        elif re.fullmatch(
            r"(?:UV_INDEX_.{1,80}|UV_PUBLISH|TWINE|PDM_PUBLISH|POETRY_HTTP_BASIC_.{1,80})_USERNAME", name
        ):
            found.account(value)
    if environ.get("GIT_AUTHOR_NAME"):
        found.full_names.setdefault(environ["GIT_AUTHOR_NAME"])
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "EMAIL"):
        if "@" in environ.get(name, ""):
            found.emails.setdefault(environ[name])


def _read(path: str, limit: int = 1_000_000) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def _toml(data: bytes | str) -> Any:
    try:
        return tomllib.loads(data if isinstance(data, str) else data.decode("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return _lines(data if isinstance(data, str) else data.decode("utf-8", "replace"))


def _lines(text: str) -> dict[str, Any]:
    """What lines of a broken TOML file say all the same: a credential in it is one, whether it parses or not."""
    found: dict[str, Any] = {}
    for number, (key, value) in enumerate(
        re.findall(r"([A-Za-z_-]{1,60})\s{0,8}=\s{0,8}[\"']([^\"'\r\n]{1,2000})", text)
    ):
        found[str(number)] = {key: value}
    people = [
        {key: value}
        for block in re.findall(r"(?:authors|maintainers)\s{0,8}=\s{0,8}\[([^\]]{0,4000})", text)
        for key, value in re.findall(r"\b(name|email)\s{0,8}=\s{0,8}[\"']([^\"'\r\n]{1,200})", block)
    ]
    if people:
        found["project"] = {"authors": people}
    return found


def _configuration(snapshot: Snapshot, environ: Mapping[str, str]) -> Iterator[Any]:
    """The tables of every configuration file that uv or pip would read here, parsed as far as they go."""
    home, project = snapshot.places.home, snapshot.places.project
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    appdata = environ.get("APPDATA", "")
    files = [
        os.path.join(config, "uv", "uv.toml"),
        os.path.join(home, ".config", "uv", "uv.toml"),
        os.path.join(
            environ.get("UV_CREDENTIALS_DIR") or os.path.join(data, "uv", "credentials"), "credentials.toml"
        ),
        *(
            os.path.join(folder, "uv", "uv.toml")
            for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        ),
        "/etc/uv/uv.toml",
        environ.get("UV_CONFIG_FILE", ""),
    ]
    if appdata:
        files += [
            os.path.join(appdata, "uv", "uv.toml"),
            os.path.join(appdata, "uv", "data", "credentials", "credentials.toml"),
        ]
    for start in dict.fromkeys((project, snapshot.places.cwd)):
        folder = start
        while folder:
            files += [os.path.join(folder, name) for name in ("uv.toml", "pyproject.toml")]
            if folder == start:
                files.append(os.path.join(folder, "uv.lock"))
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
    for file in dict.fromkeys(filter(None, files)):
        text = _read(file, 8_000_000)
        if text:
            yield _toml(text)
    for file in (
        environ.get("PIP_CONFIG_FILE", ""),
        os.path.join(config, "pip", "pip.conf"),
        os.path.join(home, ".pip", "pip.conf"),
        os.path.join(home, ".pypirc"),
        "/etc/pip.conf",
        os.path.join(appdata, "pip", "pip.ini") if appdata else "",
    ):
        text = _read(file) if file else ""
        if text:
            yield _ini(text)


def _ini(text: str) -> dict[str, Any]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {
        section: {
            key: value.split() if value and "://" in value else value for key, value in parser.items(section)
        }
        for section in parser.sections()
    }


def _git(found: _Finds, home: str, environ: Mapping[str, str]) -> None:
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    for file in (
        environ.get("GIT_CONFIG_GLOBAL", ""),
        os.path.join(home, ".gitconfig"),
        os.path.join(config, "git", "config"),
    ):
        text = _read(file) if file else ""
        section = ""
        for line in text.splitlines():
            head = re.match(r"\s*\[\s*([A-Za-z0-9.-]+)", line)
            if head:
                section = head[1].lower()
            setting = re.match(r"\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*?)\s*$", line)
            if setting is None:
                for url in re.findall(r"\"([a-z+]{2,10}://[^\"]+)\"", line):
                    found.urls.setdefault(url)
                continue
            key, value = setting[1].lower(), setting[2].strip('"')
            if section == "user" and key == "name" and len(value) >= 3:
                found.full_names.setdefault(value)
            elif section == "user" and key == "email" and "@" in value:
                found.emails.setdefault(value)
            elif "://" in value:
                found.urls.setdefault(value)
    for line in _read(os.path.join(home, ".git-credentials")).splitlines():
        found.urls.setdefault(line.strip())


def _netrc(found: _Finds, home: str, environ: Mapping[str, str]) -> None:
    for file in (environ.get("NETRC", ""), os.path.join(home, ".netrc"), os.path.join(home, "_netrc")):
        words = _read(file).split() if file else []
        for before, word in itertools.pairwise(words):
            if before in ("password", "account"):
                found.secret(word)
            elif before in ("login", "user"):
                found.account(word)
            elif before == "machine":
                found.urls.setdefault(f"https://{word}/")


def sources_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Every path that a pyproject.toml or uv.lock of the project refers to, as written, from the project's root.

    From the project's files on this disk and from the snapshot's members; `path`, `directory`, `editable`,
    `virtual` and `file:` references, directories of find-links, members of the workspace.
    """
    project = snapshot.places.project
    found: dict[str, None] = {}
    texts: dict[str, str] = {}
    for name in ("pyproject.toml", "uv.toml", "uv.lock"):
        text = _read(os.path.join(project, name), 16_000_000)
        if text:
            texts[name] = text
    for member in snapshot.members:
        path = member.path.removeprefix("project/")
        if path != member.path and path.rpartition("/")[2] in ("pyproject.toml", "uv.toml", "uv.lock"):
            texts.setdefault(path, member.data.decode("utf-8", "replace"))
    for path, text in texts.items():
        below = path.rpartition("/")[0]
        for reference in _references(_toml(text)):
            is_absolute = reference.startswith(("/", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", reference)
            found.setdefault(reference if is_absolute or not below else f"{below}/{reference}")
    return tuple(found)


_PATH_KEYS = frozenset(
    {"path", "directory", "editable", "virtual", "find-links", "url", "find_links", "cache-dir"}
)


def _references(table: Any) -> Iterator[str]:
    for keys, value in _walk(table):
        if not isinstance(value, str) or not keys:
            continue
        if value.startswith("file://"):
            yield unquote(value[7:].partition("#")[0])
        elif keys[-1] in _PATH_KEYS and "://" not in value and keys[-1] != "url" and value not in (".", ""):
            yield value
        for found in re.findall(r"file://(/[^\s\"'#;]+)", value) if " @ file:" in value else ():
            yield unquote(found)
