"""The facts that decide for a class of failure, chosen and worded by hand: a few lines of Markdown. Pure.

What maintainers ask for differs by class; the rest of the facts stays in the bundle and on the page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from uvreport.render.factual import at, dicts_at, fact, text_at, texts_at
from uvreport.render.text import clean, code, listed, quiet, shorten, units
from uvreport.render.wording import release, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from uvreport.bundle import Bundle

_COLUMN = {
    "lockfile": "resolve", "resolution": "resolve", "project": "resolve", "config": "config",
    "usage": "config", "index": "network", "network": "network", "distribution": "resolve", "build": "build",
    "interpreter": "python",
    "environment": "python", "command": "python", "git": "git", "hang": "hang", "panic": "hang",
}  # fmt: skip
# Variables that change nothing about what fails.
_NOISE = {"UV_CACHE_DIR", "UV_NO_PROGRESS", "UV_NO_COLOR", "UV_COLOR"}
_TLS = re.compile(
    r"(?i:\w*_proxy)|SSL_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|UV_(?:NATIVE_TLS|SYSTEM_CERTS|INSECURE_HOST)|NETRC"
)


def column(bundle: Bundle) -> str:
    """Which questions are asked: the column of the table of what maintainers want to know."""
    if bundle.failure.class_.startswith("cache-") or bundle.culprits or bundle.missing:
        return "cache"
    return _COLUMN.get(bundle.failure.class_, "other")


def decisive(bundle: Bundle, limit: int) -> list[str]:
    """The facts that decide, one line of Markdown each, together at most `limit` UTF-16 units."""
    lines: list[str] = []
    used = 0
    for ask in _ASKED[column(bundle)]:
        for line in ask(bundle):
            if used + units(line) + 3 > limit or len(lines) >= 16:
                return lines
            lines.append(line)
            used += units(line) + 3
    return lines


def word(text: object, limit: int = 120) -> str:
    """`text` as it is when it is quiet and short, else as code."""
    plain = " ".join(clean(str(text)).split())
    return plain if plain and len(plain) <= 60 and quiet(plain) else code(text, limit)


def withheld(text: object) -> str:
    """`text` with `***` in place of what describes credentials by their shape."""
    return re.sub(r"//<\d[^>]*>(?::<\d[^>]*>)?@", "//***@", str(text))


def _tail(path: str) -> str:
    """The last two parts of a path, for what is known to be a project's or a person's file."""
    return "/".join(path.replace("\\", "/").rstrip("/").split("/")[-2:])


# --- one question each ---


def _uv(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "uv")
    found = dicts_at(facts, "found")
    others = [one for one in found if not at(one, "ran") and at(one, "name") == "uv"]
    ran = next((one for one in found if at(one, "ran")), None)
    running = text_at(ran, "release") or release(bundle)
    how = text_at(ran, "installed", "method")
    text = f"{word(running)}" if running else "release not known"
    text += f", installed with {word(how)}" if how not in ("", "unknown") else ""
    if others:
        rest = [
            f"{word(text_at(one, 'release') or 'one that does not start')} at {code(text_at(one, 'path'), 80)}"
            for one in others[:4]
        ]
        text += f"; also on PATH: {listed(rest)}"
    elif found:
        text += ", the only uv on PATH"
    elif releases := texts_at(facts, "releases"):
        text += f"; found: {listed([word(one, 20) for one in releases[:6]])}"
    if at(facts, "mixed_releases"):
        text += "; **releases are mixed**"
    busy = at(facts, "others_running")
    if isinstance(busy, list) and busy:
        text += f"; {len(busy)} other uv process{'es' if len(busy) > 1 else ''} running"
    if facts is not None or running:
        yield f"uv: {text}"


def _cache(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "cache")
    if not isinstance(facts, dict):
        return
    parts: list[str] = []
    if (kind := text_at(facts, "kind")) and kind != "folder":
        parts.append(f"a {word(kind)}")
    if at(facts, "exists") is False:
        parts.append("not there before this run")
    system = text_at(facts, "filesystem", "type") or text_at(facts, "filesystem")
    if system:
        parts.append(word(system))
    if at(facts, "network"):
        parts.append("**on a network filesystem**")
    if synced := text_at(facts, "synced_by"):
        parts.append(f"**in a folder synced by {word(synced)}**")
    same = at(facts, "same_device_as")
    if isinstance(same, dict):
        apart = [name for name in ("project", "venv") if same.get(name) is False]
        parts.append(
            f"on another device than {listed(apart)}" if apart else "on the same device as project and venv"
        )
    if isinstance(at(facts, "writable"), bool):
        parts.append("writable" if facts["writable"] else "**not writable**")
    if at(facts, "ours") is False:
        parts.append("**owned by another user**")
    if free := text_at(facts, "space", "free"):
        parts.append(f"{word(free)} free")
    if at(facts, "space", "inodes_free_tenths") == 0:
        parts.append("almost no free inodes")
    if (mode := text_at(facts, "link_mode")) and mode != "default":
        parts.append(f"link mode {word(mode)}")
    if chosen := text_at(facts, "chosen_by"):
        parts.append(f"chosen by {word(chosen.removeprefix('variable '))}")
    if parts:
        yield f"Cache: {', '.join(parts)}"


def _buckets(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "cache")
    at_fault = {path.split("/")[0] for path in (*(c.path for c in bundle.culprits), *bundle.missing)}
    families = {name.rpartition("-v")[0] for name in at_fault}
    shown: list[str] = []
    for bucket in dicts_at(facts, "buckets"):
        name, releases = text_at(bucket, "name"), text_at(bucket, "releases")
        if name.rpartition("-v")[0] in families:
            by = f" of uv {span(releases)}" if releases else ""
            unused = ", not used by this release" if at(bucket, "used_by_this_release") is False else ""
            shown.append(f"{code(name, 40)}{by}{unused}")
    if shown:
        yield f"Buckets of this kind: {'; '.join(shown[:6])}"
    for mixture in dicts_at(facts, "mixed_buckets"):
        written = [
            f"{count} entr{'ies' if count > 1 else 'y'} by uv {span(text_at(one, 'writers'))}"
            for one in dicts_at(mixture, "ranges")
            if isinstance(count := at(one, "entries"), int)
        ]
        if written:
            yield f"More than one uv wrote {code(text_at(mixture, 'bucket'), 40)}: {'; '.join(written[:6])}"
    mixed = at(facts, "mixed_writers")
    foreign = at(mixed, "of_other_releases")
    if isinstance(foreign, list) and foreign:
        yield f"Buckets of other releases in the same cache: {listed([code(_name(one), 60) for one in foreign[:6]])}"
    generations = at(mixed, "generations")
    if isinstance(generations, list) and generations:
        yield f"Generations side by side: {listed([code(_name(one), 60) for one in generations[:6]])}"


def _name(value: Any) -> str:
    return value if isinstance(value, str) else text_at(value, "name") or text_at(value, "kind") or str(value)


def _neighbours(bundle: Bundle) -> Iterable[str]:
    entries = dicts_at({"entries": fact(bundle, "cache-entries")}, "entries")
    culprits = {culprit.path for culprit in bundle.culprits}
    pointing = [one for one in entries if set(texts_at(one, "missing")) & set(bundle.missing)]
    rest = [one for one in entries if one.get("path") not in culprits and one not in pointing]
    bad = [one for one in rest if at(one, "verdict") not in ("readable", "ignored", "not-read", "healed")]
    packages = sorted({text_at(one, "package") for one in entries} - {""})
    of = f" of {listed([word(name, 60) for name in packages[:3]])}" if packages else ""
    if rest:
        state = f"{len(bad)} of them bad as well" if bad else "all readable"
        count = f"{len(rest)} other entr{'ies' if len(rest) > 1 else 'y'}"
        if len(rest) == 1:
            state = "bad as well" if bad else "readable"
        yield f"Read around it: {count}{of}, {state}"


def _venv(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "python")
    venv = at(facts, "venv")
    if isinstance(venv, dict):
        if venv.get("exists") is False:
            yield "Virtual environment: none before this run"
        elif venv.get("exists"):
            made = text_at(venv, "made_by_uv")
            parts = [f"made by uv {word(made)}" if made else "not made by uv"]
            if version := text_at(venv, "pyvenv_cfg", "version_info") or text_at(venv, "version_info"):
                parts.append(f"Python {word(version)}")
            if isinstance(venv.get("base_exists"), bool):
                parts.append("its base is there" if venv["base_exists"] else "**its base is gone**")
            if venv.get("python_exists") is False:
                parts.append("**its python is gone**")
            if isinstance(venv.get("writable"), bool):
                parts.append("writable" if venv["writable"] else "**not writable**")
            if (mode := text_at(venv, "mode")) and venv.get("writable") is False:
                parts.append(f"mode {word(mode)}")
            if venv.get("ours") is False:
                parts.append("**owned by another user**")
            yield f"Virtual environment: {', '.join(parts)}"
    active = at(facts, "active")
    if isinstance(active, dict) and active:
        yield f"Active: {listed([code(f'{name}={value}', 100) for name, value in list(active.items())[:4]])}"
    if conda := at(facts, "conda_environment"):
        yield f"Conda environment: {code(conda, 80)}"


def _python(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "python")
    log = texts_at(facts, "log")
    asked = [
        code(found[1], 60) + f" from {word(found[2].replace('`', ''))}"
        for line in log
        if (found := re.search(r"Using Python request `([^`]+)` from (.{1,80})$", line))
    ]
    if not asked and (wanted := text_at(facts, "requires_python")):
        asked = [f"{code(wanted, 60)} from requires-python"]
    if asked:
        yield f"Python asked for: {listed(asked[:2])}"
    if path := text_at(facts, "chosen", "path"):
        yield f"Python taken: {code(path, 120)}"
    refused = [
        f"{code(found[1], 80)} ({word(found[2].replace('`', ''))})"
        for line in log
        if (found := re.search(r"Skipping interpreter at `([^`]+)`.*?: (.{1,100})$", line))
    ]
    if refused:
        yield f"Refused: {'; '.join(refused[:5])}"
    elif not text_at(facts, "chosen", "path"):
        seen = dict.fromkeys(
            (texts_at(one, "links") or [text_at(one, "path")])[-1] for one in dicts_at(facts, "on_path")
        )
        if seen:
            yield f"Pythons on PATH: {listed([code(path, 80) for path in list(seen)[:6]])}"
    if not text_at(facts, "chosen", "path"):
        managed = at(facts, "managed", "pythons")
        count = len(managed) if isinstance(managed, list) else None
        if count is not None:
            yield f"Pythons managed by uv: {count or 'none'}"


def _settings(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "settings")
    variables = at(facts, "variables")
    shown: list[str] = []
    if isinstance(variables, dict):
        for name, value in sorted(variables.items()):
            if str(name).startswith("UV_") and name not in _NOISE:
                said = value.get("value") if isinstance(value, dict) else value
                shown.append(
                    code(f"{name}={withheld(said)}" if said is not None else f"{name} (value withheld)", 120)
                )
    if not shown:
        shown = [
            code(f"{name}={value}", 120)
            for name, value in sorted(bundle.run.env.items())
            if name.startswith("UV_") and name not in _NOISE
        ]
    if shown:
        yield f"Set in the environment: {', '.join(shown[:8])}{' and more' if len(shown) > 8 else ''}"
    for one in dicts_at(facts, "files"):
        document = one.get("document")
        if not at(one, "used") or not isinstance(document, dict):
            continue
        keys = [
            code(f"{name} = {_toml(value)}", 120)
            for name, value in document.items()
            if name not in ("sources", "workspace", "index", "package", "find-links")
        ]
        if keys:
            more = " and more" if len(keys) > 8 else ""
            yield f"Set in {code(_tail(text_at(one, 'path')), 60)}: {', '.join(keys[:8])}{more}"
        if problem := text_at(one, "problem"):
            yield f"{code(_tail(text_at(one, 'path')), 60)}: {code(problem, 160)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _sources(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "sources")
    named = set(bundle.failure.packages)
    sources = sorted(dicts_at(facts, "sources"), key=lambda one: text_at(one, "package") not in named)
    for one in sources[:3]:
        spec = one.get("spec")
        text = (
            f"{word(text_at(one, 'package') or 'a package')} = {code(withheld(_toml(spec)), 160)}"
            if spec
            else ""
        )
        if text:
            yield f"Source: {text}{_points_to(one) if at(one, 'kind') in ('path', 'workspace', None) else ''}"
    for one in dicts_at(facts, "named_on_the_command_line")[:2]:
        yield f"Source on the command line: {code(text_at(one, 'written'), 100)}{_points_to(one)}"
    for one in dicts_at(facts, "find_links")[:2]:
        archives = texts_at(one, "archives")
        names = f": {listed([code(name, 60) for name in archives[:5]])}" if archives else ""
        more = f" and {len(archives) - 5} more" if len(archives) > 5 else ""
        yield f"Find-links {code(text_at(one, 'written'), 80)}{names}{more}"


def _points_to(one: dict[str, Any]) -> str:
    there = one.get("points_to")
    if not isinstance(there, dict):
        return ""
    if there.get("exists") is False:
        return ", which is not there"
    has = texts_at(there, "has")
    kind = text_at(there, "kind") or "path"
    text = f", a {word(kind)}"
    if kind == "folder":
        lacks = [name for name in ("pyproject.toml", "setup.py") if name not in has]
        text += f" with {listed([word(name) for name in has[:4]])}" if has else ""
        text += " and no pyproject.toml" if has and lacks == ["pyproject.toml"] else ""
        text += " with neither pyproject.toml nor setup.py" if len(lacks) == 2 else ""
    return text


def _indexes(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "sources")
    for one in dicts_at(facts, "indexes")[:4]:
        credentials = at(one, "credentials")
        parts = [code(withheld(text_at(one, "url")), 160)]
        parts += ["default"] if at(one, "default") else []
        if at(credentials, "in_url"):
            parts.append("credentials in the URL")
        if names := texts_at(credentials, "variables"):
            parts.append(f"credentials in {listed([code(name, 60) for name in names[:3]])}")
        if not at(credentials, "in_url") and not at(credentials, "variables"):
            parts.append("no credentials given with it")
        name = text_at(one, "name")
        yield f"Index{f' {word(name)}' if name else ''}: {', '.join(parts)}"
    statuses = at(fact(bundle, "log"), "status_codes")
    if isinstance(statuses, list) and statuses:
        yield f"Status codes in the log: {listed([word(_status(one), 80) for one in statuses[:6]])}"


def _status(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return " ".join(str(inner) for inner in value.values() if inner not in (None, "", [], {}))


def _credentials(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "settings")
    if not isinstance(facts, dict):
        return
    provider = text_at(facts, "keyring", "provider")
    netrc = at(facts, "netrc", "hit")
    stored = at(facts, "stored_credentials", "count")
    parts = [f"keyring provider {word(provider)}"] if provider else []
    if isinstance(netrc, list):
        where = "names one of the hosts" if netrc else "names none of the hosts"
        parts.append(f"netrc {where}" if at(facts, "netrc", "path") else "no netrc")
    if isinstance(stored, int):
        parts.append(f"{stored or 'no'} credentials stored by uv")
    if parts:
        yield f"Credentials: {', '.join(parts)}"


def _tls(bundle: Bundle) -> Iterable[str]:
    variables = at(fact(bundle, "settings"), "variables")
    if not isinstance(variables, dict):
        return
    shown = [
        code(f"{name}={withheld(value.get('value') if isinstance(value, dict) else value)}", 100)
        for name, value in sorted(variables.items())
        if _TLS.fullmatch(str(name))
    ]
    yield f"Proxy and TLS variables: {', '.join(shown[:6])}" if shown else "Proxy and TLS variables: none set"


def _project(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "project")
    declaring = dicts_at(facts, "declaring")
    for one in declaring[:2]:
        parts = []
        if wanted := text_at(one, "requires-python"):
            parts.append(f"requires-python {code(wanted, 40)}")
        if needs := texts_at(one, "dependencies"):
            more = f" and {len(needs) - 8} more" if len(needs) > 8 else ""
            parts.append(f"needs {', '.join(code(need, 60) for need in needs[:8])}{more}")
        name = text_at(one, "name")
        if problem := text_at(one, "problem"):
            parts.append(code(problem, 200))
        if parts:
            of = f"Project {word(name)}" if name else code(_tail(text_at(one, "path")), 80)
            yield f"{of}: {'; '.join(parts)}"
    members = at(facts, "workspace_members")
    if isinstance(members, list) and members:
        yield f"Workspace of {len(members)} members"


def _lockfile(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "lockfile")
    if not isinstance(facts, dict):
        return
    version, revision = facts.get("version"), facts.get("revision")
    parts = []
    if isinstance(version, int):
        parts.append(f"version {version}" + (f" revision {revision}" if isinstance(revision, int) else ""))
    writes = facts.get("revision_that_this_release_writes")
    both = isinstance(writes, int) and isinstance(revision, int)
    if facts.get("newer_than_this_release"):
        other = f" (revision {writes})" if both and writes != revision else ""
        parts.append(f"**newer than what this release writes**{other}")
    elif both:
        alike = writes == revision
        parts.append("as this release writes it" if alike else f"this release writes revision {writes}")
    if isinstance(count := facts.get("packages"), int):
        parts.append(f"{count} package{'' if count == 1 else 's'}")
    if lacks := texts_at(facts, "not_in_lockfile"):
        parts.append(f"does not have {listed([word(name, 60) for name in lacks[:5]])}")
    if problem := text_at(facts, "problem"):
        parts.append(code(problem, 160))
    if parts:
        yield f"Lockfile: {', '.join(parts)}"


def _build(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "build")
    named = set(bundle.failure.packages)
    systems = dicts_at(facts, "build_systems")
    chosen = [one for one in systems if at(one, "package") in named] or systems
    if not [one for one in systems if at(one, "package") in named]:
        paths = " ".join(bundle.failure.sources)
        chosen = [one for one in systems if text_at(one, "tree") and text_at(one, "tree") in paths] or chosen
        deepest = max((len(text_at(one, "tree")) for one in chosen), default=0)
        chosen = [one for one in chosen if len(text_at(one, "tree")) == deepest]
    for one in chosen[:2]:
        system = one.get("build_system")
        backend = code(_toml(system), 200) if system else "none declared, so setuptools builds it"
        yield f"Build system of {code(_tail(text_at(one, 'tree')), 60)}: {backend}"
    last = next((line for line in reversed(texts_at(facts, "backend", "stderr")) if line.strip()), "")
    if last:
        yield f"The backend's last words: {code(last, 240)}"
    compilers = [text_at(one, "version") or text_at(one, "name") for one in dicts_at(facts, "compilers")]
    if compilers:
        yield f"Compilers: {listed([word(text, 80) for text in compilers[:2]])}"
    elif isinstance(at(facts, "compilers"), list):
        yield "Compilers: none on PATH"
    headers = at(facts, "headers", "python_h")
    if isinstance(headers, list):
        yield f"Python.h: {code(headers[0], 120) if headers else '**not there**'}"


def _git(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "git")
    if not isinstance(facts, dict):
        return
    version = text_at(facts, "version").removeprefix("git version ")
    parts = [word(version)] if version else ["not on PATH"]
    parts.append(f"git-lfs {word(at(facts, 'lfs'))}" if at(facts, "lfs") else "no git-lfs")
    if helpers := texts_at(facts, "settings", "credential_helpers"):
        parts.append(f"credential helpers {listed([word(name) for name in helpers[:4]])}")
    for name, said in (
        ("rewrites", "URL rewrites"),
        ("proxies", "proxies"),
        ("extra_headers", "extra headers"),
    ):
        count = at(facts, "settings", name)
        if isinstance(count, int) and count:
            parts.append(f"{count} {said}")
    yield f"Git: {', '.join(parts)}"


def _machine(bundle: Bundle) -> Iterable[str]:
    facts = fact(bundle, "system")
    scanners = texts_at(facts, "scanners")
    if scanners:
        yield f"Scanners running: {listed([word(name) for name in scanners[:5]])}"
    if ci := at(facts, "ci"):
        yield f"CI: {word(text_at(ci, 'name') or ci)}"
    paths = at(facts, "paths")
    if isinstance(paths, dict):
        for name, one in paths.items():
            odd = [
                said
                for key, said in (
                    ("network_share", "on a network share"),
                    ("synced_by", "in a synced folder"),
                    ("non_ascii", "has letters beyond ASCII"),
                    ("through_a_link", "is reached through a link"),
                )
                if at(one, key)
            ]
            if isinstance(at(one, "length"), int) and one["length"] > 200:
                odd.append(f"is {one['length']} characters long")
            if odd:
                yield f"The path of {word(shorten(str(name), 40))} {listed(odd)}"


_ASKED: dict[str, tuple[Callable[[Bundle], Iterable[str]], ...]] = {
    "cache": (_uv, _cache, _buckets, _neighbours, _sources, _venv, _settings, _machine),
    "resolve": (_project, _indexes, _sources, _lockfile, _settings, _uv, _python),
    "config": (_project, _settings, _uv),
    "network": (_indexes, _credentials, _tls, _sources, _settings, _uv),
    "build": (_build, _python, _sources, _settings, _uv),
    "python": (_python, _venv, _settings, _uv, _machine),
    "git": (_git, _sources, _credentials, _tls, _settings, _uv),
    "hang": (_uv, _cache, _machine, _settings, _sources),
    "other": (_uv, _settings, _venv, _python, _machine),
}
