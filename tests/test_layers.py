"""The walls between the rooms of uvreport, checked by reading every import in the source.

`ROWS` is the table of CONTRIBUTING.md. A room may import from itself and from the rows above its own.
Imports for type checkers and those inside functions count like all others.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "uvreport"

ROWS: tuple[tuple[str, ...], ...] = (
    ("errors", "bundle", "registry"),
    ("uv", "cache", "isolate", "invocation", "environment", "steady", "hollow"),
    ("relations", "transplant", "pythons", "written"),
    (
        "failures", "shadow", "collectors", "redact", "pack", "sandbox", "quarantine", "releases", "demo",
        "scene", "history",
    ),
    ("observe",),
    ("locate", "replay"),
    ("bisect", "minimize", "diff", "render", "check"),
    ("smallest",),
    ("report",),
    ("cli",),
)  # fmt: skip
ROW = {room: number for number, rooms in enumerate(ROWS) for room in rooms}
# The package itself holds nothing but its version; `__main__` is the command line.
ABOVE_ALL = ("__init__", "__main__")
SLOW = {"jinja2", "zstandard", "cpuinfo", "distro", "rich"}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: dict[str, Path] = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def imports(path: Path, module: str) -> set[str]:
    """Every module that a file names in an import; `from package import module` counts as the module."""
    found: set[str] = set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*start, *([node.module] if node.module else [])])
            named = {f"{base}.{alias.name}" for alias in node.names}
            found.update(name for name in named if name in MODULES)
            if base not in MODULES or not named <= set(MODULES):
                found.add(base)
    return found


def at_module_level(path: Path) -> set[str]:
    """The top names of what is imported as soon as a file is: not in functions, not for type checkers."""
    found: set[str] = set()
    pending: list[ast.AST] = list(ast.parse(path.read_text("utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return found


def reached_from(room: str) -> set[str]:
    """Every module that importing any module of a room may import, however far away."""
    seen: set[str] = set()
    pending = [module for module in MODULES if room_of(module) == room]
    while pending:
        module = pending.pop()
        if module not in seen:
            seen.add(module)
            pending.extend(name for name in imports(MODULES[module], module) if name in MODULES)
    return seen


def test_every_room_is_in_the_table() -> None:
    assert {room_of(module) for module in MODULES} - set(ROW) - set(ABOVE_ALL) == set()


def test_imports_point_down_only() -> None:
    upward = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        for name in imports(path, module)
        if name in MODULES and name != "uvreport" and room_of(module) not in ABOVE_ALL
        if room_of(name) != room_of(module) and ROW.get(room_of(name), 99) >= ROW.get(room_of(module), -1)
    ]
    assert upward == []


@pytest.mark.parametrize(
    ("room", "unknown"),
    [("collectors", "redact"), ("redact", "collectors"), ("replay", "collectors"), ("sandbox", "collectors")],
)
def test_the_wall_stands_however_far_one_goes(room: str, unknown: str) -> None:
    through = sorted(module for module in reached_from(room) if room_of(module) == unknown)
    assert through == []


@pytest.mark.parametrize("room", ["bisect", "minimize"])
def test_given_a_judge_it_knows_no_uv(room: str) -> None:
    reached = reached_from(room)
    assert "uvreport.uv" not in reached
    assert not {name for module in reached for name in imports(MODULES[module], module)} & {
        "subprocess",
        "os",
    }


def test_only_the_command_line_knows_click_and_rich() -> None:
    elsewhere = {
        module: {name.split(".")[0] for name in imports(path, module)} & {"click", "rich"}
        for module, path in MODULES.items()
        if room_of(module) != "cli"
    }
    assert {module: names for module, names in elsewhere.items() if names} == {}


def test_what_is_slow_to_import_is_imported_late() -> None:
    early = {module: at_module_level(path) & SLOW for module, path in MODULES.items()}
    assert {module: names for module, names in early.items() if names} == {}


def test_no_module_is_named_after_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "manager", "base", "common"}
    assert [module for module in MODULES if nothing & set(module.split("."))] == []


def test_help_does_not_import_what_is_slow() -> None:
    code = (
        "import sys\nsys.argv = ['uvreport', '--help']\nfrom uvreport.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('IMPORTED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCE.parent)},
    )
    imported = set(said.stdout.rpartition("IMPORTED")[2].split())
    assert "click" in imported
    assert not imported & SLOW


def test_the_check_itself_sees_all_kinds_of_imports(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from uvreport import uv\n"
        "def f():\n    import jinja2.ext\nfrom ..redact import x\nfrom uvreport.bundle import Uv, Run\n"
    )
    found = imports(file, "uvreport.collectors.odd")
    assert {"uvreport.uv", "jinja2.ext", "uvreport.bundle", "uvreport.redact", "typing"} == found
    assert at_module_level(file) == {"typing", "uvreport"}
