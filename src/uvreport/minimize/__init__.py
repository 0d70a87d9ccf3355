"""The smallest problem that still fails the same way, given a judge; knows nothing of uv and of sandboxes.

`driver` looks for it, `problem` says what a problem is when it is a bundle, `passes/` has one file for each way of
making a bundle smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvreport.minimize.driver import Answer, Cuts, Pass, Step, minimize
from uvreport.registry import exports

if TYPE_CHECKING:
    from uvreport.bundle import Bundle


def every_pass() -> tuple[Pass[Bundle], ...]:
    """Every way that is known of making a bundle smaller, in the order in which they are tried."""
    found: tuple[Pass[Any], ...] = exports("uvreport.minimize.passes", "PASS", Pass)
    return tuple(sorted(found, key=lambda one: (one.order, one.name)))


__all__ = ["Answer", "Cuts", "Pass", "Step", "every_pass", "minimize"]
