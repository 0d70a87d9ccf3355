"""A failing state as a value, and the parts that states are put together from."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from uvreport.bundle import Uv
from uvreport.demo import backend_source, offline_backend, person_env, put_on_path
from uvreport.uv import Outcome
from uvreport.uv import run as run_process

TREE_MARKS = "│├╰─▶\N{MULTIPLICATION SIGN}"

UvRelease: TypeAlias = Callable[[str], Uv]


class Person(Struct, frozen=True, kw_only=True):
    """A made-up person: where their things are, and the environment of their shell."""

    root: Path
    home: Path
    project: Path
    cache: Path
    env: dict[str, str]


class State(Struct, frozen=True, kw_only=True):
    """What is true of a failing state.

    `argv` begins with `uv`; `env` finds the failing release on its PATH. `lines` are seen in the output with
    wraps and tree marks undone (`flat`). `culprits` are globs relative to the cache, `missing` those of files
    whose absence is the fault; both are empty where the cache is not to blame. `passes` are releases with
    which the same command passes on the same state. `reproducible_on_copy`: it fails as well on a copy put in
    the place of the original. `second_run`: it fails again on what the first failure left behind. `private`
    must never be in a bundle. `prefix` takes away the powers of root where permissions are the point.
    """

    person: Person
    argv: tuple[str, ...]
    uv: Uv
    exit_code: int
    lines: tuple[str, ...]
    class_: str
    culprits: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    reproducible_on_copy: bool = True
    second_run: bool = True
    private: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()

    @property
    def fails(self) -> str:
        return self.uv.release

    @property
    def home(self) -> Path:
        return self.person.home

    @property
    def project(self) -> Path:
        return self.person.project

    @property
    def cache(self) -> Path:
        return self.person.cache

    @property
    def env(self) -> dict[str, str]:
        return self.person.env

    def run(self) -> Outcome:
        """How the failing command ends. It changes the state, as uv does."""
        argv = (*self.prefix, self.uv.path, *self.argv[1:])
        return run_process(argv, cwd=str(self.project), env=self.env, timeout_s=120)

    def culprit(self) -> Path:
        """The one file at fault."""
        (glob,) = self.culprits
        return one(self.person, glob)


Builder: TypeAlias = Callable[[Path, UvRelease], State]


def flat(text: str) -> str:
    """`text` with the marks of uv's error trees taken out and every wrap undone."""
    return " ".join("".join(" " if c in TREE_MARKS else c for c in text).split())


def person(root: Path, name: str, project: str, files: dict[str, str]) -> Person:
    """A person with a project in `~/work`, made under `root`."""
    root = root.resolve()
    home = root / "home" / name
    made = Person(
        root=root,
        home=home,
        project=home / "work" / project,
        cache=home / ".cache" / "uv",
        env=person_env(str(root), str(home)),
    )
    made.project.mkdir(parents=True)
    write(made.project, files)
    return made


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def with_env(who: Person, **more: str) -> Person:
    return replace(who, env={**who.env, **more})


def uv_does(who: Person, found: Uv, *args: str) -> None:
    """A step in building the state, which must succeed. The environment that uv made is left."""
    outcome = run_process(
        (put_on_path(found, str(who.root)).path, *args), cwd=str(who.project), env=who.env, timeout_s=120
    )
    assert outcome.exit_code == 0, f"uv {found.release} {' '.join(args)}: {outcome.stderr}"


def without_venv(who: Person) -> None:
    """As after a fresh checkout: the failing command has to make the environment."""
    shutil.rmtree(who.project / ".venv", ignore_errors=True)


def on_path(who: Person, found: Uv) -> Uv:
    return put_on_path(found, str(who.root))


def one(who: Person, glob: str) -> Path:
    """The only thing in the cache that `glob` fits."""
    found = list(who.cache.glob(glob))
    assert len(found) == 1, f"{glob}: {found}"
    return found[0]


def put(path: Path, data: bytes) -> None:
    """Replace a cache entry, never through the file that is there: an environment may share it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.write_bytes(data)


BUILD_SYSTEM = '[build-system]\nrequires = []\nbuild-backend = "offline_backend"\nbackend-path = ["."]\n'


def source_tree(name: str, version: str, *, dynamic: bool = True, under: str = "") -> dict[str, str]:
    """Files of a package that builds with no index. `dynamic`: uv has to build it to know its version."""
    module = name.replace("-", "_")
    stated = 'dynamic = ["version"]' if dynamic else f'version = "{version}"'
    files = {
        "pyproject.toml": f'[project]\nname = "{name}"\n{stated}\n\n{BUILD_SYSTEM}',
        "VERSION": version + "\n",
        "offline_backend.py": backend_source(),
        f"{module}/__init__.py": f'__version__ = "{version}"\n',
        f"{module}/core.py": "def answer():\n    return 42\n",
    }
    return {under + path: text for path, text in files.items()}


def sdist(folder: Path, files: dict[str, str], scratch: Path) -> Path:
    """A source distribution of those files, in `folder`."""
    write(scratch, files)
    folder.mkdir(parents=True, exist_ok=True)
    code = "import sys, offline_backend; print(offline_backend.build_sdist(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-B", "-c", code, str(folder)],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / made.stdout.strip()


def wheel(folder: Path, name: str, version: str, *requires: str) -> Path:
    """A wheel with a package of two modules, in `folder`."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{module}/__init__.py": f'__version__ = "{version}"\n',
        f"{module}/core.py": "def answer():\n    return 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(zipfile.ZipInfo(member, offline_backend.ZIP_TIME), text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def end_headers(self) -> None:
        # Without these uv takes every response for stale and believes nothing that it has cached.
        self.send_header("Cache-Control", "max-age=365000000, immutable")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the standard library  # the name in the standard library
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL under which `folder` is served on the loopback, until the end of the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def without_root_powers() -> tuple[str, ...] | None:
    """What to put before a command so that permissions count for it; None where that cannot be had."""
    if os.name != "posix" or os.geteuid() != 0:
        return ()
    found = shutil.which("setpriv")
    return None if found is None else (found, "--bounding-set=-all", "--inh-caps=-all")
