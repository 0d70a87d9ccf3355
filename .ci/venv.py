"""Makes the virtual environment named on the command line, unless it is there and still right.

Right means: made by this Python, in this place, from this pyproject.toml. Any pip will do: the development
tools are read from pyproject.toml here, because `pip install --group` came with pip 25.1.
"""

# A script, not a package, that talks to whoever called make, and that has to refuse Pythons that are too old.
# ruff: noqa: UP036

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(venv: str) -> None:
    if sys.version_info < (3, 10):
        version = "{}.{}".format(*sys.version_info)
        sys.exit(f"uvreport needs Python 3.10 or later, not {version}. Name another: make PYTHON=python3.12")
    os.chdir(ROOT)
    with open("pyproject.toml", "rb") as file:
        project = file.read()
    made_of = "\0".join((sys.version, os.path.realpath(sys.executable), ROOT)).encode() + project
    key = hashlib.sha256(made_of).hexdigest()
    stamp = os.path.join(venv, "made-of")
    python = os.path.join(venv, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    if _read(stamp) == key and os.path.exists(python):
        return
    print(f"making {venv} with Python {sys.version.split()[0]}", flush=True)
    # Tools from outside must not be taken for the environment's own.
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_REQUIRE_VIRTUALENV": "0"}
    _run([sys.executable, "-m", "venv", "--clear", venv], env)
    tools = subprocess.run([python, __file__, "--tools"], env=env, check=True, capture_output=True, text=True)
    _run([python, "-m", "pip", "install", "--quiet", "--editable", ".", *tools.stdout.splitlines()], env)
    # An extra without a wheel here is done without: its tests say that they were skipped, and why.
    extra = [python, "-m", "pip", "install", "--quiet", "--only-binary", "google-re2", "--editable", ".[re2]"]
    if subprocess.run(extra, env=env, check=False, capture_output=True).returncode != 0:
        print("google-re2 is not installed: there is no wheel of it for this Python", flush=True)
    with open(stamp, "w", encoding="ascii") as file:
        file.write(key)


def print_tools() -> None:
    """Runs in the new environment: before Python 3.11 only pip brings something that reads TOML."""
    try:
        import tomllib
    except ImportError:
        from pip._vendor import tomli as tomllib
    with open("pyproject.toml", "rb") as file:
        print("\n".join(tomllib.load(file)["dependency-groups"]["dev"]))


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return None


def _run(command: list[str], env: dict[str, str]) -> None:
    ended = subprocess.run(command, env=env, check=False)
    if ended.returncode != 0:
        sys.exit(
            f"{' '.join(command[:4])} failed. It needs the venv and pip modules of Python "
            "(Debian and Ubuntu: python3-venv), and a package index that pip can reach."
        )


if __name__ == "__main__":
    if sys.argv[1] == "--tools":
        print_tools()
    else:
        main(sys.argv[1])
