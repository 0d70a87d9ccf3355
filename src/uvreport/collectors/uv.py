"""Every uv and uvx on PATH, with version, build and how each was installed."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from uvreport import uv as door
from uvreport.bundle import Gap
from uvreport.collectors import (
    Collector,
    Findings,
    Scene,
    ask,
    at,
    facts,
    is_file,
    link_chain,
    names_in,
    paths_of,
    release_of,
    state,
    text,
    under,
)
from uvreport.errors import NoUsableUvError

if TYPE_CHECKING:
    from uvreport.bundle import Uv

# `uv 0.13.9 (x86_64-unknown-linux-gnu)`, `uv 0.6.8 (c1ef48276 2025-03-18)`, `uv 0.7.2 (Homebrew 2025-04-30)`
_BUILD = re.compile(r"\((?:(?P<commit>[0-9a-fA-F]{7,40}|Homebrew) )?(?P<rest>[^)]*)\)")

IDENTIFY_LIMIT_S = 2.0


def collect(scene: Scene) -> Findings:
    gaps: list[Gap] = []
    paths = list(
        dict.fromkeys([scene.uv.path, *door.on_path(scene.environ), *door.on_path(scene.environ, "uvx")])
    )
    paths = [path for path in paths if path]
    known = {scene.uv.path: scene.uv}
    chains = {path: link_chain(scene, path) for path in paths}
    unknown = [path for path in paths if path not in known]
    with ThreadPoolExecutor(4) as pool:
        asked = pool.submit(_self_version, scene)
        for path, answer in zip(unknown, pool.map(lambda p: _identify(scene, p), unknown), strict=True):
            if isinstance(answer, NoUsableUvError):
                gaps.append(Gap(what=f"the release of {path}", why=answer.message))
            else:
                known[path] = answer
        self_version, why = asked.result()
    if why:
        gaps.append(Gap(what="uv self version", why=why))
    found = [_one(scene, path, chains[path], known.get(path)) for path in paths]
    releases = sorted({entry["release"] for entry in found if entry["release"]}, key=release_of)
    value = {
        "ran": scene.uv.release,
        "found": found,
        "releases": releases,
        "mixed_releases": len(releases) > 1,
        "self_version": self_version,
        "others_running": _others_running(scene),
    }
    return Findings(members=(facts("uv", value),), gaps=tuple(gaps))


def _identify(scene: Scene, path: str) -> Uv | NoUsableUvError:
    try:
        return door.identify(path, env=scene.environ, timeout_s=IDENTIFY_LIMIT_S)
    except NoUsableUvError as error:
        return error


def _self_version(scene: Scene) -> tuple[Any, str]:
    if release_of(scene.uv.release) < (0, 7, 0):
        return None, ""  # `uv self version` came with 0.7.0; that there is none is no gap
    outcome = ask(scene, ["self", "version", "--output-format", "json"])
    if outcome is None:
        return None, "uv did not answer in time"
    try:
        return msgspec.json.decode(outcome.stdout), ""
    except msgspec.DecodeError:
        return None, f"uv answered with exit code {outcome.exit_code} and no JSON"


def _one(scene: Scene, path: str, chain: tuple[str, ...], known: Uv | None) -> dict[str, Any]:
    real = os.path.realpath(at(scene, path)) if not scene.root else chain[-1]
    what = state(scene, real)
    build = _BUILD.search(known.version_text) if known else None
    rest = build["rest"] if build else ""
    return {
        "name": paths_of(scene).basename(path).lower().removesuffix(".exe"),
        "path": path,
        "real_path": real,
        "links": list(chain[1:]),
        "size_bytes": what.st_size if what else 0,
        "ran": path == scene.uv.path,
        "release": known.release if known else "",
        "version_text": known.version_text if known else "",
        "commit": (build["commit"] or "") if build else "",
        "commit_date": rest if re.fullmatch(r"\d{4}-\d\d-\d\d", rest) else "",
        "target_triple": rest if rest.count("-") >= 2 and not rest[0].isdigit() else "",
        "installed": install_method(scene, path, real),
    }


def install_method(scene: Scene, path: str, real: str) -> dict[str, str]:
    """How the uv at `path` (its links resolved: `real`) was installed, and the sign that says so.

    The signs are those of facts/uv-cache-facts, section 5. A tool manager's shim is told by the path as it
    stands on PATH, everything else by the real one.
    """
    for rule in _METHODS:
        found = rule(scene, path, real)
        if found is not None:
            return {"method": found[0], "sign": found[1]}
    return {"method": "unknown", "sign": "nothing beside the executable says"}


def _slashed(path: str) -> str:
    return path.replace("\\", "/")


def _by_shim(_scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    for name, mark in (
        ("mise", "/mise/shims/"), ("mise", "/mise/installs/"), ("asdf", "/.asdf/shims/"), ("asdf",
        "/.asdf/installs/"), ("pyenv shim", "/.pyenv/shims/"), ("proto", "/.proto/"), ("aqua",
        "/aquaproj-aqua/"), ("rye", "/.rye/"),
    ):  # fmt: skip
        if mark in _slashed(path) or mark in _slashed(real):
            return name, mark.strip("/")
    return None


def _by_store(_scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    # uv's own test for Homebrew is the adjacent pair Cellar/uv.
    for name, mark in (
        ("Homebrew", "/Cellar/uv/"), ("Nix", "/nix/store/"), ("snap", "/snap/"), ("WinGet",
        "/WinGet/Packages/astral-sh.uv_"), ("Scoop", "/scoop/apps/uv/"), ("Chocolatey", "/chocolatey/lib/uv"),
        ("Guix", "/gnu/store/"),
    ):  # fmt: skip
        if mark.lower() in _slashed(real).lower() or mark.lower() in _slashed(path).lower():
            return name, mark.strip("/")
    return None


def _by_receipt(scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    paths = paths_of(scene)
    env, home = scene.environ, scene.places.home
    folders = [env.get("AXOUPDATER_CONFIG_PATH", "")]
    if scene.platform == "win32":
        folders.append(paths.join(env.get("LOCALAPPDATA") or paths.join(home, "AppData", "Local"), "uv"))
    folders.append(paths.join(env.get("XDG_CONFIG_HOME") or paths.join(home, ".config"), "uv"))
    for folder in folders:
        said = text(scene, paths.join(folder, "uv-receipt.json")) if folder else ""
        try:
            receipt = msgspec.json.decode(said) if said else None
        except msgspec.DecodeError:
            continue
        if not isinstance(receipt, dict) or not isinstance(receipt.get("install_prefix"), str):
            continue
        prefix = paths.normcase(paths.normpath(receipt["install_prefix"]))
        here = {paths.normcase(paths.dirname(p)) for p in (path, real)}
        if prefix in here or paths.join(prefix, "bin") in here:
            return "standalone installer", f"uv-receipt.json of release {receipt.get('version', 'unknown')}"
    return None


def _by_tool(scene: Scene, _path: str, real: str) -> tuple[str, str] | None:
    paths = paths_of(scene)
    venv = paths.dirname(paths.dirname(real))
    if is_file(scene, paths.join(venv, "uv-receipt.toml")):
        return "uv tool", "uv-receipt.toml"
    if is_file(scene, paths.join(venv, "pipx_metadata.json")) or "/pipx/venvs/uv/" in _slashed(real):
        return "pipx", "pipx_metadata.json"
    return None


def _by_conda(scene: Scene, _path: str, real: str) -> tuple[str, str] | None:
    paths = paths_of(scene)
    prefix = paths.dirname(paths.dirname(real))
    # On Windows: <prefix>\Library\bin\uv.exe or <prefix>\Scripts\uv.exe.
    for folder in (prefix, paths.dirname(prefix)):
        for name in names_in(scene, paths.join(folder, "conda-meta")):
            if re.fullmatch(r"uv-\d[^/]*\.json", name):
                return "conda", f"conda-meta/{name}"
    return None


def _by_cargo(scene: Scene, _path: str, real: str) -> tuple[str, str] | None:
    paths = paths_of(scene)
    cargo = paths.dirname(paths.dirname(real))
    for name in (".crates.toml", ".crates2.json"):
        if re.search(r'"uv \d', text(scene, paths.join(cargo, name))):
            return "cargo", name
    return None


def _by_dist_info(scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    paths = paths_of(scene)
    for executable in dict.fromkeys((real, path)):
        prefix = paths.dirname(paths.dirname(executable))
        for site in _sites(scene, prefix):
            for name in names_in(scene, site):
                if not re.fullmatch(r"uv-[\w.+!]+\.dist-info", name):
                    continue
                tool = text(scene, paths.join(site, name, "INSTALLER")).strip() or "an unknown installer"
                return f"{tool} in {_kind_of_site(scene, prefix, site)}", name
    return None


def _kind_of_site(scene: Scene, prefix: str, site: str) -> str:
    paths = paths_of(scene)
    if is_file(scene, paths.join(prefix, "pyvenv.cfg")):
        return "a virtual environment"
    if "/.local/" in _slashed(site) or "/AppData/Roaming/Python" in _slashed(site):
        return "the user site"
    return "a system Python"


def _sites(scene: Scene, prefix: str) -> list[str]:
    paths = paths_of(scene)
    if scene.platform == "win32":
        return [paths.join(prefix, "Lib", "site-packages"), paths.join(prefix, "site-packages")]
    return [
        paths.join(prefix, lib, version, folder)
        for lib in ("lib", "lib64")
        for version in names_in(scene, paths.join(prefix, lib))
        if version.startswith(("python", "pypy"))
        for folder in ("site-packages", "dist-packages")
    ]


def _by_distribution(scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    if not real.startswith(("/usr/bin/", "/bin/", "/usr/local/bin/")):
        return None
    for name in ("uv", "python3-uv", "astral-uv"):
        owned = text(scene, f"/var/lib/dpkg/info/{name}.list").splitlines()
        if real in owned or path in owned:
            return "distribution package", f"dpkg: {name}"
    for name in names_in(scene, "/var/lib/pacman/local"):
        if re.fullmatch(r"uv-\d.*", name):
            return "distribution package", f"pacman: {name}"
    # In apk's list a package is a block of lines: P: its name, V: its version.
    found = re.search(r"(?m)^P:uv\n(?:.+\n)*?V:(\S+)", text(scene, "/lib/apk/db/installed"))
    if found:
        return "distribution package", f"apk: uv {found[1]}"
    if real == "/usr/bin/uv" and is_file(scene, "/usr/bin/rpm") and not scene.root:
        said = door.run(["/usr/bin/rpm", "-qf", real], cwd="/", env=scene.environ, timeout_s=2)
        if said.exit_code == 0:
            return "distribution package", f"rpm: {said.stdout.strip()}"
    return None


def _by_image(_scene: Scene, path: str, real: str) -> tuple[str, str] | None:
    if real in ("/uv", "/uvx") or path in ("/uv", "/uvx"):
        return "copied from an image", "at the root of the filesystem"
    if real in ("/bin/uv", "/bin/uvx", "/usr/local/bin/uv", "/usr/local/bin/uvx"):
        return "copied from an image or by hand", "no metadata beside it"
    return None


# The order matters: a pipx or uv tool install is a virtual environment too, and an image can hold any of
# them.
_METHODS = (
    _by_shim, _by_store, _by_receipt, _by_tool, _by_conda, _by_cargo, _by_distribution, _by_dist_info,
    _by_image,
)  # fmt: skip


def _others_running(scene: Scene) -> list[dict[str, Any]] | None:
    """How many other uv processes of which release are at work on this cache or in this project now.

    None where that cannot be seen. Those that were started from here are not counted.
    """
    if not scene.platform.startswith("linux"):
        return None
    parents: dict[str, str] = {}
    running: list[str] = []
    for pid in names_in(scene, "/proc"):
        if not pid.isdecimal():
            continue
        # pid (comm) state ppid ...; the name may hold spaces and brackets, so the last bracket counts.
        name, _, rest = text(scene, f"/proc/{pid}/stat").partition("(")[2].rpartition(")")
        fields = rest.split()
        if len(fields) > 1:
            parents[pid] = fields[1]
        if name in ("uv", "uvx"):
            running.append(pid)
    counts: dict[str, int] = {}
    for pid in running:
        if not _is_ours(pid, parents) and _is_near(scene, pid):
            release = _release_of_process(scene, pid)
            counts[release] = counts.get(release, 0) + 1
    return [{"release": release, "count": counts[release]} for release in sorted(counts)]


def _is_ours(pid: str, parents: dict[str, str]) -> bool:
    ours = str(os.getpid())
    seen: set[str] = set()
    while pid in parents and pid not in seen:
        if pid == ours:
            return True
        seen.add(pid)
        pid = parents[pid]
    return False


def _is_near(scene: Scene, pid: str) -> bool:
    """Whether a process has a file of this cache open (its lock, most of all) or works in this project."""
    opened = [f"/proc/{pid}/cwd", *(f"/proc/{pid}/fd/{name}" for name in names_in(scene, f"/proc/{pid}/fd"))]
    for link in opened:
        try:
            target = os.readlink(at(scene, link))
        except OSError:
            continue
        if any(
            under(scene, target, place) is not None for place in (scene.places.cache, scene.places.project)
        ):
            return True
    return False


def _release_of_process(scene: Scene, pid: str) -> str:
    try:
        executable = os.readlink(at(scene, f"/proc/{pid}/exe"))
        return door.identify(executable, env=scene.environ, timeout_s=IDENTIFY_LIMIT_S).release
    except (OSError, NoUsableUvError):
        return ""


COLLECTOR = Collector(
    name="uv", what="every uv and uvx on PATH: version, build, how it was installed", collect=collect
)
