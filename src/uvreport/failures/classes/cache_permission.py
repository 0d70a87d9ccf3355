"""Something in the cache may not be read or written by this account."""

from __future__ import annotations

import re

from uvreport.failures import Evidence, FailureClass

_DENIED = re.compile(
    r"Permission denied|Access is denied|Operation not permitted|Read-only file system", re.IGNORECASE
)


def _fits(evidence: Evidence) -> bool:
    denied = _DENIED.search(evidence.text) is not None
    return evidence.blamed is not False and (
        (denied and evidence.in_cache) or (evidence.blamed is True and "unreadable" in evidence.states)
    )


FAILURE = FailureClass(
    name="cache-permission",
    what="a file of uv's cache may not be read or written",
    rank=10,
    fits=_fits,
    buckets=("sdists", "wheels", "archive", "interpreter", "simple"),
)
