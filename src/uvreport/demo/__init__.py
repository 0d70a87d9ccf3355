"""The failure that uvreport was made for, uv's issue 12318, built from nothing with real releases, offline.

uv 0.6.7 put one more field into `revision.rev` and kept the bucket; 0.6.6 reads the same bucket and stops.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from msgspec import Struct

from uvreport import uv
from uvreport.bundle import Places, Uv
from uvreport.errors import NoUsableUvError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WRITES = "0.6.7"
FAILS = "0.6.6"
# The one that wrote the entry can read it; the next has a new bucket, which was the cure.
PASSES = ("0.6.7", "0.6.8")
PERSON = "jana.kovar"

_PROJECT = {
    "pyproject.toml": """\
[project]
name = "billing-service"
version = "0.1.0"
requires-python = ">=3.10"
authors = [{ name = "Jana Kovar", email = "jana.kovar@corp.example" }]
dependencies = ["my-package"]

[tool.uv]
package = false

[tool.uv.sources]
my-package = { path = "generated" }
""",
    "generated/setup.py": """\
from setuptools import find_packages
from setuptools import setup


setup(
    name="my_package",
    packages=find_packages(),
    package_data={"": ["py.typed", "*.pyi"]},
    include_package_data=True,
)
""",
    "generated/pyproject.toml": """\
[build-system]
requires = []
build-backend = "offline_backend"
backend-path = ["."]
""",
    "generated/my_package/__init__.py": "",
    "generated/my_package/py.typed": "",
}


class Seed(Struct, frozen=True, kw_only=True):
    """A person's machine on which a uv command fails.

    `argv` begins with `uv`, which `env` finds on its PATH; `uv` is that one. `passes` are releases with which
    the same command passes.
    """

    places: Places
    argv: tuple[str, ...]
    env: dict[str, str]
    uv: Uv
    passes: tuple[str, ...]

    @property
    def fails(self) -> str:
        return self.uv.release

    @property
    def project(self) -> str:
        return self.places.project


def build_seed(root: str, obtain: Callable[[str], Uv]) -> Seed:
    """The seed's failing state, under `root`, which is made and must not exist.

    Only construction: the failing command is not run. Raises NoUsableUvError when the older uv cannot do
    its part.
    """
    root = os.path.realpath(root)
    home = os.path.join(root, "home", PERSON)
    project = os.path.join(home, "work", "billing-service")
    for name, text in {**_PROJECT, "generated/offline_backend.py": backend_source()}.items():
        path = os.path.join(project, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    env = person_env(root, home)
    argv = ("uv", "run", "python", "-c", "import my_package")
    writer = put_on_path(obtain(WRITES), root)
    outcome = uv.run((writer.path, *argv[1:]), cwd=project, env=env, timeout_s=120)
    if outcome.exit_code != 0:
        said = outcome.stderr.strip().splitlines() or ["nothing"]
        raise NoUsableUvError(
            f"uv {WRITES} could not fill the cache for the demonstration: {said[-1][:200]}",
            hint=f"It needs a Python of 3.10 or later that uv {WRITES} knows.",
        )
    # The entry is believed to be from before: as after a fresh checkout, the environment is to be made again.
    shutil.rmtree(os.path.join(project, ".venv"))
    return Seed(
        places=Places(home=home, project=project, cache=env["UV_CACHE_DIR"], cwd=project),
        argv=argv,
        env=env,
        uv=put_on_path(obtain(FAILS), root),
        passes=PASSES,
    )


def backend_source() -> str:
    """The text of the build backend that needs no package index."""
    with open(os.path.join(os.path.dirname(__file__), "offline_backend.py"), encoding="utf-8") as file:
        return file.read()


def person_env(root: str, home: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a made-up person: nothing of the real one but what a process cannot do without."""
    given = os.environ if environ is None else environ
    temporary = os.path.join(root, "tmp")
    os.makedirs(temporary, exist_ok=True)
    os.makedirs(home, exist_ok=True)
    # The interpreter's own folder, not that of a virtual environment, which uv would take for the project's.
    python = os.path.dirname(os.path.realpath(sys.executable))
    path = [os.path.join(root, "bin"), python, *(("/usr/bin", "/bin") if os.name == "posix" else ())]
    kept = ("SYSTEMROOT", "SystemRoot", "COMSPEC", "PATHEXT", "SSL_CERT_FILE")
    return {
        **{name: given[name] for name in kept if name in given},
        "HOME": home,
        "USERPROFILE": home,
        "USER": os.path.basename(home),
        "LOGNAME": os.path.basename(home),
        "PATH": os.pathsep.join(path),
        "TMPDIR": temporary,
        "LC_ALL": "C.UTF-8",
        "UV_CACHE_DIR": os.path.join(home, ".cache", "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
    }


def put_on_path(found: Uv, root: str) -> Uv:
    """That uv, as the one that `person_env` finds on its PATH."""
    folder = os.path.join(root, "bin")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, os.path.basename(found.path))
    if os.path.lexists(path):
        os.unlink(path)
    try:
        os.symlink(found.path, path)
    except OSError:  # Windows, without the right to make links
        shutil.copy2(found.path, path)
    return Uv(path=path, release=found.release, version_text=found.version_text)
