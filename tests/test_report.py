"""What `collect` adds to its parts: the rule that cost the reproduction is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.failing_states.state import Person, on_path
from uvreport.bundle import Stage, Uv
from uvreport.report import Request, collect

# The password's slash ends the host, so uv takes what stands before it for a port.
PROJECT = """\
[project]
name = "reports"
version = "0.1.0"
requires-python = ">=3.9"
[[tool.uv.index]]
name = "corp"
url = "https://deploy:Xk29mWq/77vaultPass@index.corp.example/simple/"
"""


def test_when_redaction_costs_the_reproduction_the_rule_is_named(
    world: Person, uv_release: Callable[[str], Uv], tmp_path: Path
) -> None:
    (world.project / "pyproject.toml").write_text(PROJECT)
    uv = uv_release("0.9.30")
    on_path(world, uv)
    stages: list[Stage] = []
    report = collect(
        Request(
            argv=("uv", "lock"),
            environ=world.env,
            cwd=str(world.project),
            output=str(tmp_path),
            uv_path=uv.path,
        ),
        stages.append,
    )
    assert stages == list(Stage)
    proof = report.bundle.proof
    assert proof is not None
    assert proof.verdict != "REPRODUCED"
    assert "redaction cost the reproduction: without the rule " in proof.reason
    assert b"77vaultPass" not in Path(report.path).read_bytes()
