"""Runs the script that stands in an issue's text as a reader would: in an empty folder, with uv and little else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from msgspec import Struct

from uvreport.failures.chain import parse
from uvreport.failures.signature import core, likeness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from uvreport.bundle import Bundle, Uv

# What a script may use without saying so: the shell, and what every Linux and macOS has. The linkers are
# for uv, which asks them about the machine.
TOOLS = (
    "base64",
    "bash",
    "cat",
    "chmod",
    "gzip",
    "head",
    "ld",
    "ld.so",
    "ldd",
    "ln",
    "mkdir",
    "mktemp",
    "rm",
    "sed",
    "sh",
)
SAID = ("git", "python3")  # only there when the text says that they are needed


class Ran(Struct, frozen=True, kw_only=True):
    """How a script ended: its exit code, all that was printed, and what the last uv in it said."""

    exit_code: int
    output: str
    last: str


def script_in(text: str) -> str:
    """The shell script of an issue's text, as Markdown has it; "" when there is none."""
    return next(
        (token.content for token in MarkdownIt().parse(text) if (token.type, token.info) == ("fence", "sh")),
        "",
    )


def run_draft(
    text: str,
    folder: Path,
    uv_release: Callable[[str], Uv],
    *,
    shell: str = "bash",
    prefix: tuple[str, ...] = (),
    tools: dict[str, str] | None = None,
) -> Ran:
    """Runs the script of an issue's text: HOME, the folder and TMPDIR are empty, PATH has what `TOOLS` says.

    `uvx uv@X` starts the real release X from the store, so that no network is needed; `tools` replaces tools by
    scripts of its own.
    """
    script = script_in(text)
    assert script, "there is no script in the text"
    bin_, here, said = folder / "bin", folder / "here", folder / "last"
    for place in (bin_, here, folder / "home", folder / "tmp"):
        place.mkdir(parents=True)
    needed = re.search(r"Beside uv it needs ([\w ,]+)\.", text)
    for tool in (*TOOLS, *(name for name in SAID if needed and name in needed[1])):
        found = shutil.which(tool, path="/usr/bin:/bin")
        if found:
            (bin_ / tool).symlink_to(found)
    # uv takes a Python of that name; a script that needs one calls it `python3`.
    (bin_ / "python").symlink_to(
        shutil.which("python3", path="/usr/bin:/bin") or os.path.realpath(sys.executable)
    )
    for name, body in (tools or {}).items():
        (bin_ / name).unlink(missing_ok=True)
        (bin_ / name).write_text(body)
        (bin_ / name).chmod(0o755)
    for release in set(re.findall(r"uv@(\d+\.\d+\.\d+)", script)):
        (bin_ / f"uv-{release}").symlink_to(uv_release(release).path)
    (bin_ / "uvx").write_text(
        "#!/bin/sh\n"
        "release=${1#uv@}; shift\n"
        f'"uv-$release" "$@" 2> "{said}"; code=$?\n'
        f'cat "{said}" >&2; exit $code\n'
    )
    (bin_ / "uvx").chmod(0o755)
    env = {
        "PATH": str(bin_),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "UV_PYTHON_DOWNLOADS": "never",
    }  # fmt: skip
    done = subprocess.run(
        [*prefix, str(bin_ / shell)],
        input=script,
        text=True,
        capture_output=True,
        check=False,
        env=env,
        cwd=here,
        timeout=120,
    )
    return Ran(
        exit_code=done.returncode,
        output=done.stdout + done.stderr,
        last=said.read_text(encoding="utf-8") if said.exists() else "",
    )


def alike(bundle: Bundle, ran: Ran) -> bool:
    """Whether the script ended in the failure that the bundle is of: the same causes and the same exit code."""
    if bundle.run.exit_code == 0:  # uv is content, the program is not
        return ran.exit_code == 1 and "ModuleNotFoundError" in ran.last
    chain = parse(ran.last)
    same = chain is not None and likeness(core(chain.frames), core(bundle.failure.frames)) == "exact"
    return same and ran.exit_code == bundle.run.exit_code
