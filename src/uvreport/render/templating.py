"""Fills the templates, which are found in an installed wheel and in a checkout."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from uvreport.render.text import clean

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

    here = os.path.dirname(os.path.abspath(__file__))
    # In an installed wheel they lie beside this package; in a checkout at the top.
    folders = (os.path.join(here, "..", "templates"), os.path.join(here, "..", "..", "..", "templates"))
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        # Markdown is not HTML: there, `code` and `fenced` are what keeps a stranger's text in.
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),  # noqa: S701
        undefined=StrictUndefined,
        # Whatever a template puts in, no control character comes out. What a macro made is clean and escaped already.
        finalize=lambda value: (
            value if not isinstance(value, str) or hasattr(value, "__html__") else clean(value)
        ),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def prepare() -> None:
    """Compiles the templates, for whoever has time for it now: that takes longer than to render them."""
    for name in ("issue.md.j2", "report.html.j2"):
        _environment().get_template(name)


def rendered(name: str, context: dict[str, Any]) -> str:
    text: str = _environment().get_template(name).render(context)
    # Blocks that are not there leave blank lines. Inside a fence blank lines are part of the text.
    return text if name.endswith(".html.j2") else _without_blank_runs(text)


def _without_blank_runs(text: str) -> str:
    out: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if not fence and not line.strip() and (not out or not out[-1].strip()):
            continue
        out.append(line)
        opened = re.match(r"(`{3,})", line)
        if opened and not fence:
            fence = opened[1]
        elif fence and line == fence:
            fence = ""
    return "\n".join(out).strip("\n") + "\n"
