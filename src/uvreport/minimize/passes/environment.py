"""The variables of the failing run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from uvreport.minimize.driver import Cuts, Pass

if TYPE_CHECKING:
    from collections.abc import Hashable

    from uvreport.bundle import Bundle


def _variables(bundle: Bundle, _: frozenset[str] | None) -> Cuts[Bundle]:
    def without(gone: frozenset[Hashable]) -> Bundle:
        env = {name: value for name, value in bundle.run.env.items() if name not in gone}
        return replace(bundle, run=replace(bundle.run, env=env))

    return Cuts(pieces=tuple(sorted(bundle.run.env)), without=without)


PASS: Pass[Bundle] = Pass(name="variables", order=60, levels=(_variables,))
