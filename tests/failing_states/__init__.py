"""The project's own failing states: made-up people's machines on which a real uv fails, built offline.

`STATES` has a builder by name. `build(root, uv_release)` makes one under `root` and does not run the failing
command. Adding a state is adding a function to one of the modules here and its name to their tuple.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.failing_states import archives, elsewhere, pointers, pruned, wrong_kinds

if TYPE_CHECKING:
    from tests.failing_states.state import Builder

_BUILDERS: tuple[Builder, ...] = (
    *pointers.BUILDERS, *archives.BUILDERS, *wrong_kinds.BUILDERS, *pruned.BUILDERS, *elsewhere.BUILDERS
)  # fmt: skip

# "cut_revision" and so on: the name of the function that builds it
STATES: dict[str, Builder] = {builder.__name__: builder for builder in _BUILDERS}
CACHE_STATES: tuple[str, ...] = tuple(
    name for name, builder in STATES.items() if builder not in elsewhere.BUILDERS
)
