"""What a run on the shadow came to, and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from uvreport.uv import Outcome  # noqa: TC001 msgspec reads it

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping, Sequence

Change = Literal["created", "changed", "removed"]


class Trial(Struct, frozen=True, kw_only=True):
    """One run of uv on the shadow, and what it left; to be asked only until the shadow closes.

    `reads` are the cache entries that the run read, relative to the cache, of those that were watched: None when
    nothing was watched. `look` gives where what the run left at an absolute path of the person's can be read, None
    when there is nothing any more; of a directory, a list of what is in it is all that may be asked. `changed` gives
    what the run created, changed or removed, by absolute path. `refused` is the directory where the person may write
    and this run could not, since the shadow does not reach there; "" for none.
    """

    outcome: Outcome
    reads: frozenset[str] | None
    look: Callable[[str], str | None]
    changed: Callable[[], dict[str, Change]]
    refused: str = ""


class Shadow(Protocol):
    """What `open_shadow` gives: `how` it is made, and `why` it is not made better."""

    how: Literal["overlay", "copy"]
    why: str

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        timeout_s: float,
        without: Sequence[str] = (),
        replace: Mapping[str, bytes] | None = None,
        trace: bool = False,
        until: re.Pattern[bytes] | None = None,
    ) -> Trial:
        """One run, from the state as the person has it: nothing of an earlier run is there.

        `without` are paths relative to the cache that are taken away before, with all below them. `replace` puts
        content at absolute paths. With `trace` the entries that it reads are found out. With `until` it is
        ended when a line of its standard error matches. May be called from
        several threads at a time.
        """
        ...
