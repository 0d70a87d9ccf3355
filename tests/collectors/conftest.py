"""Scenes: made-up machines as folders of files, and real failing states with a real uv."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from uvreport import uv as door
from uvreport.bundle import Culprit, Failure, Places, Run, Uv
from uvreport.collectors import Findings, Scene
from uvreport.uv import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.failing_states.state import Person, State


def silent(args: Sequence[str]) -> Outcome:
    """A uv that knows no command, as one older than all that is asked of it."""
    return Outcome(
        argv=("uv", *args), exit_code=2, stdout="", stderr="error: unrecognized subcommand", duration_s=0.0
    )


def scene_of(
    person: Person,
    *,
    uv: Uv | None = None,
    argv: tuple[str, ...] = ("uv", "sync"),
    class_: str = "unknown",
    stderr: str = "",
    environ: dict[str, str] | None = None,
    **more: Any,
) -> Scene:
    """A scene of a person's project, asked of a real uv if one is given."""
    uv = uv or Uv(path="", release="")
    env = {**person.env, **(environ or {})}

    def ask(args: Sequence[str]) -> Outcome:
        # uv writes down the interpreters that it meets, so it gets another cache, as on the shadow.
        aside = {**env, "UV_CACHE_DIR": str(person.root.parent / "aside")}
        return door.run((uv.path, *args), cwd=str(person.project), env=aside, timeout_s=5)

    run = Run(
        argv=argv, examined=argv, cwd=str(person.project), env={}, exit_code=2, stdout="", stderr=stderr,
        duration_s=0.1, uv=uv, how="overlay",
    )  # fmt: skip
    given: dict[str, Any] = {
        "places": Places(
            home=str(person.home),
            project=str(person.project),
            cache=str(person.cache),
            cwd=str(person.project),
        ),
        "environ": env,
        "platform": "linux",
        "uv": uv,
        "run": run,
        "failure": Failure(class_=class_, signature="", frames=(), chain=stderr),
        "ask": ask if uv.path else silent,
        **more,
    }
    return Scene(**given)


def scene_of_state(state: State, **more: Any) -> Scene:
    """A scene of a failing state, after its command has failed for real."""
    outcome = state.run()
    culprits = tuple(
        Culprit(path=path.relative_to(state.cache).as_posix(), kind="", state="", reason="")
        for glob in state.culprits
        for path in sorted(state.cache.glob(glob))
    )
    return scene_of(
        state.person,
        uv=state.uv,
        argv=state.argv,
        class_=state.class_,
        stderr=outcome.stderr,
        culprits=culprits,
        **more,
    )


def other_system(tmp_path: Path, platform: str, files: dict[str, str] | None = None, **environ: str) -> Scene:
    """A scene of another system, its files laid out under `tmp_path`."""
    home = (
        "C:\\Users\\mira" if platform == "win32" else "/Users/mira" if platform == "darwin" else "/home/mira"
    )
    sep = "\\" if platform == "win32" else "/"
    project = sep.join([home, "work", "project"])
    root = tmp_path / "system"
    for name, text in (files or {}).items():
        path = root / name.replace("\\", "/").lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    root.mkdir(exist_ok=True)
    uv = Uv(path="", release="0.9.30")
    run = Run(
        argv=("uv", "sync"), examined=("uv", "sync"), cwd=project, env={}, exit_code=2, stdout="", stderr="",
        duration_s=0.0, uv=uv,
    )  # fmt: skip
    return Scene(
        places=Places(home=home, project=project, cache=sep.join([home, "uv-cache"]), cwd=project),
        environ={"PATH": "", **environ},
        platform=platform,
        uv=uv,
        run=run,
        failure=Failure(class_="unknown", signature="", frames=(), chain=""),
        ask=silent,
        root=str(root),
    )


def fact(findings: Findings, topic: str) -> Any:
    """What `facts/<topic>.json` holds."""
    (member,) = [m for m in findings.members if m.path == f"facts/{topic}.json"]
    return json.loads(member.data)


def paths(findings: Findings, start: str = "") -> list[str]:
    return [m.path for m in findings.members if m.path.startswith(start)]


def changed(scene: Scene, **more: Any) -> Scene:
    return msgspec.structs.replace(scene, **more)
