"""The reporter's project, cache, environment and home, to run uv on without changing any of it.

Where the kernel lets us, uv sees overlays at their own paths: nothing is copied, and times, inodes and links are
what they were. Elsewhere it gets a copy that stands at another path, with the keys of the cache computed anew.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from uvreport import isolate
from uvreport.isolate import trees
from uvreport.shadow.farm import Farm
from uvreport.shadow.overlay import Overlaid, roots_of, scratch_for
from uvreport.shadow.trial import Change, Shadow, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uvreport.bundle import Places

__all__ = ["Change", "Shadow", "Trial", "open_shadow"]


@contextlib.contextmanager
def open_shadow(
    places: Places, *, also: Sequence[str] = (), covered: Sequence[str] = (), force_copy: bool = False
) -> Iterator[Shadow]:
    """A shadow of `places` and of the paths `also`, there or not. When it closes nothing of it is left.

    `covered` are more directories for overlays: those that a copy need not have.
    """
    why = "asked for" if force_copy else _no_overlay_by_choice()
    if not why:
        roots, why = roots_of(places, (*also, *covered))
        scratch = "" if why else scratch_for(roots, places.cache)
        if not why and not scratch:
            why = "no temporary directory outside of home, project and cache"
        if not why:
            with _throwaway(scratch) as base:
                overlaid = Overlaid(base, roots, places.cache)
                why = overlaid.cannot()
                if not why:
                    yield overlaid
                    return
    with _throwaway(tempfile.gettempdir()) as base:
        yield Farm(base, places, also, why)


@contextlib.contextmanager
def _throwaway(parent: str) -> Iterator[str]:
    base = trees.throwaway(os.path.realpath(parent))
    try:
        yield base
    finally:
        trees.remove(base)


def _no_overlay_by_choice() -> str:
    if isolate.forced() == "none":
        return f"{isolate.VARIABLE}=none"
    return "" if os.path.exists("/proc/self/mountinfo") else "this system has no overlays"
