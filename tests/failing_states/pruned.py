"""What `uv cache prune --ci` leaves behind."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from tests.failing_states.state import (
    Builder,
    State,
    UvRelease,
    on_path,
    person,
    served,
    source_tree,
    uv_does,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path


def pruned_subdirectory(root: Path, uv_release: UvRelease) -> State:
    """uv 11703: the unpacked source is pruned, its pointer stays; the subdirectory is checked first.

    The index on the loopback is needed to fill the cache, not to fail.
    """
    who = person(root, "anders.kvist", "bots", {})
    shelf = who.root / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / "0.9.0.zip", "w") as archive:
        for name, text in source_tree("chatbot", "0.9.0", under="chatbot-api-0.9.0/chatbot/").items():
            archive.writestr(name, text)
    with served(shelf) as url:
        write(
            who.project,
            {
                "pyproject.toml": f"""\
[project]
name = "bots"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["chatbot"]

[tool.uv]
package = false

[tool.uv.sources]
chatbot = {{ url = "{url}/0.9.0.zip", subdirectory = "chatbot" }}
"""
            },
        )
        uv_does(who, uv_release("0.6.2"), "sync")
    uv_does(who, uv_release("0.6.2"), "cache", "prune", "--ci")
    return State(
        person=who,
        argv=("uv", "sync"),
        uv=on_path(who, uv_release("0.6.2")),
        exit_code=2,
        lines=(
            "error: Failed to generate package metadata for `chatbot==0.9.0 @ direct+http://127.0.0.1:",
            "Caused by: The source distribution `http://127.0.0.1:",
            "0.9.0.zip#subdirectory=chatbot` has no subdirectory `chatbot`",
        ),
        class_="cache-prune",
        missing=("sdists-v8/url/*/*/src",),
        private=("anders.kvist",),
    )


BUILDERS: tuple[Builder, ...] = (pruned_subdirectory,)
