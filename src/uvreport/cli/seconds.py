"""What `--timeout` takes: a number of seconds that a machine can wait for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click import Context, Parameter

DAY_S = 86_400.0


class Seconds(click.FloatRange):
    """At least a second, at most a day; `nan`, which is in no range and outside of none, is refused too."""

    def __init__(self) -> None:
        super().__init__(min=1, max=DAY_S)

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail("nan is no number of seconds.", param, ctx)
        return seconds
