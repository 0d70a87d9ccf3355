"""Which uv releases exist, and a Uv for one of them.

A release is looked for in this order: the folders that $UVREPORT_UVS names, the release store, PATH, the
package index. The index is asked by the person's own uv or pip, so that their mirror, proxy, certificates and
credentials work here as they do everywhere else.

UVREPORT_CACHE_DIR is uvreport's own cache, with the store as `releases` in it (default: `uvreport` in the
user's cache directory). UVREPORT_RELEASES_MB is how large the store may grow (default 3000); the least
recently used releases go first. UVREPORT_UVS names folders, separated as in PATH, with `RELEASE/bin/uv` or
`RELEASE/uv` in them, for machines without a network.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
import time
import zipfile
from typing import TYPE_CHECKING

import msgspec

from uvreport import uv
from uvreport.bundle import Uv
from uvreport.cache import buckets
from uvreport.errors import CannotWriteError, NoUsableUvError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[str], None]

EXECUTABLE = "uv.exe" if sys.platform == "win32" else "uv"
DEFAULT_CAP_MB = 3000
FETCH_TIMEOUT_S = 900.0
# A release that was handed to another process a moment ago may not have been started yet.
SPARED_S = 600.0

_RELEASE = re.compile(r"\d+\.\d+\.\d+")
_URL = re.compile(r"[a-z+]+://\S+", re.IGNORECASE)

# Variables that say *what* to install or where to; those that say *where from* stay.
_NOT_OURS = re.compile(
    r"PIP_(?:ABI|CONSTRAINT|DRY_RUN|IMPLEMENTATION|LOG|NO_BINARY|ONLY_BINARY|PLATFORM|PREFIX|PYTHON|PYTHON_VERSION"
    r"|QUIET|REPORT|REQUIREMENT|REQUIRE_HASHES|ROOT|TARGET|USER|VERBOSE)"
    r"|UV_(?:BUILD_CONSTRAINT|CACHE_DIR|CONSTRAINT|EXCLUDE_NEWER|NO_BINARY|NO_BINARY_PACKAGE|NO_CACHE|OVERRIDE"
    r"|PROJECT|PYTHON|REQUIRE_HASHES|WORKING_DIR|WORKING_DIRECTORY)"
    r"|RUST_LOG|VIRTUAL_ENV"
)

_NO_NETWORK = re.compile(
    r"failed to establish|connection (?:refused|broken|reset|error)|name resolution|name or service not known"
    r"|dns error|failed to lookup|tcp connect|client error \(connect\)|network is unreachable"
    r"|connectivity is disabled|timed? ?out|tls handshake|certificate|proxyerror|cannot connect to proxy"
    r"|error sending request",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"no matching distribution|could not find a version|there is no version of uv|no solution found|"
    r"was not found in the package registry|no wheels? with a matching|yanked",
    re.IGNORECASE,
)


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stored executable: when size and time are as recorded, its bytes are as well."""

    release: str
    version_text: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    source: str  # what fetched it: "uv 0.13.9", "pip"


class _RefusedError(Exception):  # never leaves this module; says which way failed and how
    pass


_handed_out: set[str] = set()
_fetched: set[str] = set()
_asked: dict[tuple[str, int, int], Uv] = {}


def order(release: str) -> tuple[int, ...]:
    """The key that puts releases in order, oldest first."""
    return tuple(int(part) for part in re.findall(r"\d+", release))


def is_release(text: str) -> bool:
    """Whether this is written as a release is: three numbers."""
    return _RELEASE.fullmatch(text) is not None


def known(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Every release that we know of, oldest first: those with known buckets, and those on this machine."""
    env = os.environ if environ is None else environ
    return tuple(sorted({*buckets.releases(), *on_disk(env)}, key=order))


def on_disk(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The releases that can be had without a network, oldest first; a uv on PATH is not among them."""
    env = os.environ if environ is None else environ
    found: set[str] = set()
    for folder in (*_folders(env), store(env)):
        with contextlib.suppress(OSError):
            found.update(name for name in os.listdir(folder) if _RELEASE.fullmatch(name))
    return tuple(sorted(found, key=order))


def let_go(found: Uv, environ: Mapping[str, str] | None = None) -> None:
    """Says that this process is done with a release that it fetched: it may be removed when the store is too large.

    For whoever goes through more releases than the store may hold. A release that was here before keeps its place.
    """
    env = os.environ if environ is None else environ
    if found.path not in _fetched:
        return
    _fetched.discard(found.path)
    _handed_out.discard(found.path)
    with contextlib.suppress(OSError):
        past = time.time() - SPARED_S - 1
        os.utime(os.path.join(os.path.dirname(found.path), "record.json"), (past, past))
        _trim(store(env), _cap_bytes(env))


def newest(environ: Mapping[str, str] | None = None) -> str:
    """The newest release that we know of; no index is asked."""
    return known(environ)[-1]


def store(environ: Mapping[str, str] | None = None) -> str:
    """The folder that fetched releases are kept in. It need not exist."""
    env = os.environ if environ is None else environ
    own = env.get("UVREPORT_CACHE_DIR")
    return os.path.join(os.path.abspath(own) if own else os.path.join(_caches(env), "uvreport"), "releases")


def _caches(env: Mapping[str, str]) -> str:
    home = env.get("HOME") or os.path.expanduser("~")
    if sys.platform == "win32":
        return env.get("LOCALAPPDATA") or os.path.join(os.path.expanduser("~"), "AppData", "Local")
    xdg = env.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):  # a relative one is to be ignored, says the XDG specification
        return xdg
    return (
        os.path.join(home, "Library", "Caches") if sys.platform == "darwin" else os.path.join(home, ".cache")
    )


def obtain(
    release: str,
    *,
    offline: bool = False,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
) -> Uv:
    """The uv of that release, fetched when it is not here and `offline` does not forbid it.

    `progress` is told in short sentences what takes time. Safe to call from several processes and threads at
    once. Raises NoUsableUvError, or CannotWriteError when the store cannot be written.
    """
    env = os.environ if environ is None else environ
    if not _RELEASE.fullmatch(release):
        raise NoUsableUvError(
            f"{release!r} is not a uv release.",
            hint=f"Name one as in {newest(env)}, or `latest`, or a path to a uv.",
        )
    found = _in_folders(release, env) or _in_store(release, env) or _on_path(release, env)
    if found is None and offline:
        changed = os.path.exists(os.path.join(store(env), release, EXECUTABLE))
        raise NoUsableUvError(
            f"uv {release} is kept on this machine, but the file was changed since."
            if changed
            else f"uv {release} is not on this machine, and the network was not to be used.",
            hint=f"Run once with a network, or name a folder that has {release}/bin/uv with UVREPORT_UVS.",
        )
    if found is None:
        found = _fetch(release, env, progress or _silent)
    _handed_out.add(found.path)
    return found


def of_reporter(release: str, *, progress: Progress | None = None) -> Uv:
    """The uv of the release that a bundle names. It is a stranger's word: never taken for a path, which would be run."""
    if not _RELEASE.fullmatch(release):
        said = f"says {release!r}, which is not a uv release" if release else "does not say which uv failed"
        raise NoUsableUvError(f"The bundle {said}.", hint="Name one with --uv RELEASE.")
    return obtain(release, progress=progress)


def resolve(
    text: str,
    *,
    offline: bool = False,
    progress: Progress | None = None,
    environ: Mapping[str, str] | None = None,
) -> Uv:
    """What `--uv TEXT` means: a release (`0.6.6`), a path, or `latest`, for which the index is asked."""
    env = os.environ if environ is None else environ
    if text == "latest":
        if offline:
            raise NoUsableUvError(
                "Which release is the latest cannot be asked without the network.",
                hint=f"Name a release; the newest that is known here is {newest(env)}.",
            )
        return obtain(latest(progress=progress, environ=env), progress=progress, environ=env)
    if _RELEASE.fullmatch(text):
        return obtain(text, offline=offline, progress=progress, environ=env)
    path = os.path.abspath(os.path.expanduser(text))
    if os.path.isdir(path):
        raise NoUsableUvError(f"{text!r} is a directory, not a uv.", hint="Name the executable in it.")
    if not os.path.exists(path):
        raise NoUsableUvError(
            f"{text!r} is neither a uv release nor a file.",
            hint=f"Name a release as in {newest(env)}, `latest`, or a path to a uv.",
        )
    return _ask(path, env)


def latest(*, progress: Progress | None = None, environ: Mapping[str, str] | None = None) -> str:
    """The newest release that the person's package index has for this machine."""
    env = os.environ if environ is None else environ
    root = _make_store(env)
    (progress or _silent)("asking the package index which uv release is the latest")
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root) as stage:
        return _first_that_works("uv", env, stage, ask=True)


# --- what is here already -------------------------------------------------------------------------


def _folders(env: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(os.path.abspath(part) for part in env.get("UVREPORT_UVS", "").split(os.pathsep) if part)


def _in_folders(release: str, env: Mapping[str, str]) -> Uv | None:
    for folder in _folders(env):
        for inner in ("bin", "Scripts", ""):
            path = os.path.join(folder, release, inner, EXECUTABLE)
            if os.path.isfile(path) and (answer := _ask(path, env)).release == release:
                return answer
    return None


def _on_path(release: str, env: Mapping[str, str]) -> Uv | None:
    for path in uv.on_path(env):
        with contextlib.suppress(NoUsableUvError):
            answer = _ask(path, env)
            if answer.release == release:
                return answer
    return None


def _ask(path: str, env: Mapping[str, str]) -> Uv:
    try:
        status = os.stat(path)
    except OSError:
        return uv.identify(path, env=env)
    key = (path, status.st_size, status.st_mtime_ns)
    if key not in _asked:
        _asked[key] = uv.identify(path, env=env)
    return _asked[key]


def _in_store(release: str, env: Mapping[str, str]) -> Uv | None:
    folder = os.path.join(store(env), release)
    path, note = os.path.join(folder, EXECUTABLE), os.path.join(folder, "record.json")
    try:
        with open(note, "rb") as file:
            record = msgspec.json.decode(file.read(), type=_Record)
        status = os.stat(path)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if (status.st_size, status.st_mtime_ns) != (record.size_bytes, record.mtime_ns):
        # Copied or touched since; only its bytes can tell whether it is still the one that was fetched.
        if _sha256(path) != record.sha256:
            return None
        with contextlib.suppress(OSError):
            _write(note, msgspec.structs.replace(record, mtime_ns=status.st_mtime_ns))
    with contextlib.suppress(OSError):
        os.utime(note)  # the order in which releases are removed
    return Uv(path=path, release=release, version_text=record.version_text)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _write(path: str, record: _Record) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".record-", dir=os.path.dirname(path))
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record)))
    os.replace(temporary, path)


# --- fetching -------------------------------------------------------------------------------------


def _silent(_: str) -> None:
    pass


def _make_store(env: Mapping[str, str]) -> str:
    root = store(env)
    try:
        os.makedirs(os.path.join(root, ".locks"), mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(root, error) from error
    return root


def _unwritable(root: str, error: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"uv releases cannot be kept in {root}: {error.strerror or error}.",
        hint="Name a folder that can be written with UVREPORT_CACHE_DIR.",
    )


def _fetch(release: str, env: Mapping[str, str], progress: Progress) -> Uv:
    cap_bytes = _cap_bytes(env)
    root = _make_store(env)
    try:
        with _locked(os.path.join(root, ".locks", release)):
            found = _in_store(release, env)  # another process may have been faster
            if found is None:
                progress(f"fetching uv {release}")
                found = _fetch_alone(release, env, root)
                _handed_out.add(found.path)
                _fetched.add(found.path)
                _trim(root, cap_bytes)
            return found
    except OSError as error:
        raise _unwritable(root, error) from error


def _fetch_alone(release: str, env: Mapping[str, str], root: str) -> Uv:
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root) as stage:
        source = _first_that_works(f"uv=={release}", env, stage, ask=False)
        made = os.path.join(stage, "made")
        path = os.path.join(made, EXECUTABLE)
        os.chmod(path, 0o755)  # noqa: S103  # in a folder that only its owner can enter
        answer = uv.identify(path, env=env)
        if answer.release != release:
            raise NoUsableUvError(
                f"What the package index has as uv {release} says that it is {answer.release}.",
                hint="Look at the index that uv and pip are set to use here.",
            )
        status = os.stat(path)
        record = _Record(
            release=release,
            version_text=answer.version_text,
            sha256=_sha256(path),
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            source=source,
        )
        _write(os.path.join(made, "record.json"), record)
        final = os.path.join(root, release)
        if os.path.lexists(
            final
        ):  # what was there could not be used; a running uv keeps its file all the same
            os.replace(final, os.path.join(stage, "old"))
        os.replace(made, final)
    return Uv(path=os.path.join(final, EXECUTABLE), release=release, version_text=answer.version_text)


def _first_that_works(requirement: str, env: Mapping[str, str], stage: str, *, ask: bool) -> str:
    """What the first installer that works says: the latest release if `ask`, else its own name.

    Unless `ask`, the executable is then at `made/uv` in `stage`, and its bytes are those that the wheel's
    RECORD lists. The installer has checked the wheel against the hash that the index gives.
    """
    refused: list[str] = []
    clean = {name: value for name, value in env.items() if not _NOT_OURS.fullmatch(name)}
    for installer in _installers(clean, stage):
        try:
            return installer(requirement, stage, clean, ask=ask)
        except _RefusedError as error:  # a process was started; a try is nothing beside it
            refused.append(str(error))
    raise _explained(requirement, "\n".join(refused), env)


class _Installer(msgspec.Struct, frozen=True):
    name: str
    command: tuple[str, ...]

    def __call__(self, requirement: str, stage: str, env: Mapping[str, str], *, ask: bool) -> str:
        if self.name == "pip":
            return _ask_pip(self, stage, env) if ask else _by_pip(self, requirement, stage, env)
        return _ask_uv(self, stage, env) if ask else _by_uv(self, requirement, stage, env)


def _installers(env: Mapping[str, str], stage: str) -> Iterator[_Installer]:
    for path in uv.on_path(env):
        with contextlib.suppress(NoUsableUvError):
            yield _Installer(f"uv {_ask(path, env).release}", (path,))
            break
    if importlib.util.find_spec("pip") is not None:
        yield _Installer("pip", (sys.executable, "-m", "pip"))
        return
    # uvx and `uv tool` make environments without pip. The standard library brings one along, where the
    # distribution has not split it off; if so, there may be a pip elsewhere.
    place = os.path.join(stage, "venv")
    made = uv.run((sys.executable, "-m", "venv", place), cwd=stage, env=env, timeout_s=120)
    if made.exit_code == 0:
        inner = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        yield _Installer("pip", (os.path.join(place, *inner), "-m", "pip"))
    for path in uv.on_path(env, "pip3"):
        yield _Installer("pip", (path,))


def _run(
    installer: _Installer, args: tuple[str, ...], stage: str, env: Mapping[str, str], stdin: bytes = b""
) -> uv.Outcome:
    # In a folder of ours: uv and pip read settings from the folders above the one they run in.
    try:
        outcome = uv.run(
            (*installer.command, *args),
            cwd=stage,
            env={**env, "PIP_REQUIRE_VIRTUALENV": "0"},  # also where a pip.conf asks for one
            timeout_s=FETCH_TIMEOUT_S,
            stdin=stdin,
        )
    except OSError as error:
        raise _RefusedError(f"{installer.name}: {error}") from error
    if outcome.exit_code != 0:
        said = outcome.stderr + outcome.stdout
        ended = f"timed out after {FETCH_TIMEOUT_S:.0f} s" if outcome.timed_out else said.strip()
        raise _RefusedError(f"{installer.name}: {ended}")
    return outcome


# The person's own caches are neither trusted (one may be what is broken) nor changed: each fetch has its own.
# All paths are relative to the staging folder, which is the one that uv and pip run in.
_ONLY_A_WHEEL = ("--quiet", "--no-deps", "--only-binary", ":all:")
_PIP = (*_ONLY_A_WHEEL, "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries", "2")
_UV = (*_ONLY_A_WHEEL, "--cache-dir", "cache", "--python", sys.executable)


def _by_uv(installer: _Installer, requirement: str, stage: str, env: Mapping[str, str]) -> str:
    # `uv pip install` alone does not look at the hashes that the index gives (0.9.30 took another wheel).
    text = _compiled(installer, requirement, stage, env)
    with open(os.path.join(stage, "requirements.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    hashes = ("--require-hashes",) if "--hash=" in text else ()
    given = ("--target", "target", "--requirement", "requirements.txt")
    _run(installer, ("pip", "install", *_UV, *hashes, *given), stage, env)
    return _take_installed(installer, os.path.join(stage, "target"), stage)


def _compiled(installer: _Installer, requirement: str, stage: str, env: Mapping[str, str]) -> str:
    """A requirements file with one release and the hashes of all its files, as the index gives them."""
    wanted = ("--no-header", "--no-annotate", "--generate-hashes", "-")
    return _run(installer, ("pip", "compile", *_UV, *wanted), stage, env, f"{requirement}\n".encode()).stdout


def _take_installed(installer: _Installer, target: str, stage: str) -> str:
    infos = [name for name in os.listdir(target) if name.startswith("uv-") and name.endswith(".dist-info")]
    for info in infos:
        with open(os.path.join(target, info, "RECORD"), encoding="utf-8", newline="") as file:
            listed = _listed(file.read())
        for name, digest in listed.items():
            path = os.path.join(target, *name.split("/"))
            if name.rpartition("/")[2] == EXECUTABLE and os.path.isfile(path):
                if _sha256(path) != digest:
                    raise _RefusedError(
                        f"{installer.name}: the executable is not the one that the wheel's RECORD lists"
                    )
                os.mkdir(os.path.join(stage, "made"))
                os.replace(path, os.path.join(stage, "made", EXECUTABLE))
                return installer.name
    raise _RefusedError(f"{installer.name}: the wheel has no executable uv")


def _by_pip(installer: _Installer, requirement: str, stage: str, env: Mapping[str, str]) -> str:
    wheels = os.path.join(stage, "wheels")
    _run(installer, ("download", *_PIP, "--dest", "wheels", requirement), stage, env)
    for name in os.listdir(wheels):
        _unpack(os.path.join(wheels, name), os.path.join(stage, "made"))
        return installer.name
    raise _RefusedError("pip: nothing was downloaded")


def _unpack(wheel: str, made: str) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            record = next(name for name in names if re.fullmatch(r"uv-[^/]+\.dist-info/RECORD", name))
            member = next(
                name for name in names if re.fullmatch(rf"uv-[^/]+\.data/scripts/{EXECUTABLE}", name)
            )
            wanted = _listed(archive.read(record).decode())[member]
            os.mkdir(made)
            digest = hashlib.sha256()
            with archive.open(member) as packed, open(os.path.join(made, EXECUTABLE), "xb") as file:
                while chunk := packed.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
    except (StopIteration, KeyError, zipfile.BadZipFile, EOFError, UnicodeDecodeError) as error:
        raise _RefusedError("pip: the wheel is damaged or has no executable uv") from error
    if digest.hexdigest() != wanted:
        shutil.rmtree(made)
        raise _RefusedError("pip: the executable is not the one that the wheel's RECORD lists")


def _listed(record: str) -> dict[str, str]:
    """Hex SHA-256 by member, from a wheel's RECORD."""
    found = {}
    for row in csv.reader(io.StringIO(record)):
        if len(row) == 3 and row[1].startswith("sha256="):
            text = row[1].removeprefix("sha256=")
            found[row[0]] = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    return found


def _ask_uv(installer: _Installer, stage: str, env: Mapping[str, str]) -> str:
    text = _compiled(installer, "uv", stage, env)
    found = re.search(r"^uv==(\d+\.\d+\.\d+)\b", text, re.MULTILINE)
    if found is None:
        raise _RefusedError(f"{installer.name}: no release in {text[:200]!r}")
    return found[1]


def _ask_pip(installer: _Installer, stage: str, env: Mapping[str, str]) -> str:
    report = os.path.join(stage, "report.json")
    _run(
        installer,
        ("install", *_PIP, "--dry-run", "--ignore-installed", "--report", "report.json", "uv"),
        stage,
        env,
    )
    try:
        with open(report, "rb") as file:
            return str(msgspec.json.decode(file.read())["install"][0]["metadata"]["version"])
    except (OSError, msgspec.MsgspecError, LookupError, TypeError) as error:
        raise _RefusedError("pip: its report names no release") from error


def _explained(requirement: str, said: str, env: Mapping[str, str]) -> NoUsableUvError:
    release = requirement.removeprefix("uv").removeprefix("==")
    what = f"uv {release}" if release else "the latest uv"
    if "RECORD" in said or "wheel is damaged" in said:
        return NoUsableUvError(
            f"{what} was fetched, but the executable in the wheel is not the one that its RECORD lists.",
            hint="Nothing was kept. Look at the index or mirror that uv and pip are set to use here.",
        )
    # pip says "could not find a version" without a network as well; only then it has seen no version at all.
    if _NO_NETWORK.search(said) and not re.search(r"from versions: \d|there is no version of uv", said):
        return NoUsableUvError(
            f"{what} is not on this machine, and the package index cannot be reached.",
            hint="Check the network, the proxy and the index settings of uv and pip, "
            "or name a folder that has uv releases with UVREPORT_UVS.",
        )
    if _MISSING.search(said):
        if release and release not in known(env):
            return NoUsableUvError(
                f"There is no uv {release}, as far as is known here and to the package index.",
                hint=f"The newest that is known here is {newest(env)}.",
            )
        return NoUsableUvError(
            f"The package index that uv and pip use here has no {what} for this machine.",
            hint="It was withdrawn, the mirror does not have it, or there is no wheel for this platform. "
            "A copy of it can be named with --uv PATH.",
        )
    if not said:
        return NoUsableUvError(
            f"{what} is not on this machine, and there is neither a uv nor a pip to fetch it with.",
            hint="Install pip (or the venv module) for this Python, or put any uv on PATH.",
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return NoUsableUvError(
        f"{what} could not be fetched. {_URL.sub('URL', lines[-1])[:200]}",
        hint="Check the index settings of uv and pip, or name a copy with --uv PATH.",
    )


# --- keeping --------------------------------------------------------------------------------------


def _cap_bytes(env: Mapping[str, str]) -> int:
    text = env.get("UVREPORT_RELEASES_MB") or str(DEFAULT_CAP_MB)
    if not text.isdecimal():
        raise UsageError(
            f"UVREPORT_RELEASES_MB is {text!r}.", hint="It takes a number of megabytes, as in 3000."
        )
    return int(text) * 1_000_000


def _trim(root: str, cap_bytes: int) -> None:
    """Remove the least recently used releases until the store fits, but none that may be about to run."""
    now = time.time()
    kept = []
    for name in os.listdir(root):
        folder = os.path.join(root, name)
        try:
            if name.startswith((".staging-", ".trash-")) and now - os.stat(folder).st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
            if _RELEASE.fullmatch(name):
                used = os.stat(os.path.join(folder, "record.json")).st_mtime
                kept.append((used, os.stat(os.path.join(folder, EXECUTABLE)).st_size, folder))
        except OSError:
            continue
    total = sum(size for _, size, _ in kept)
    for used, size, folder in sorted(kept):
        if total <= cap_bytes:
            return
        if now - used < SPARED_S or os.path.join(folder, EXECUTABLE) in _handed_out:
            continue
        with contextlib.suppress(OSError):  # Windows does not let go of what runs
            trash = os.path.join(root, f".trash-{os.getpid()}-{os.path.basename(folder)}")
            os.replace(folder, trash)
            shutil.rmtree(trash, ignore_errors=True)
            total -= size


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """A lock that one process or thread holds at a time; the system lets go of it when its process ends."""
    with open(path, "ab") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
            try:
                yield
            finally:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            yield
