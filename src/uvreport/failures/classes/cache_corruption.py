"""An entry of the cache is damaged: cut, zeroed, of the wrong kind, dangling, incomplete."""

from __future__ import annotations

import re

from uvreport.failures import Evidence, FailureClass

_SAYS_SO = re.compile(
    r"Failed to deserialize cache entry|Failed to read from the distribution cache|cache entry|The wheel is invalid",
    re.IGNORECASE,
)


def _fits(evidence: Evidence) -> bool:
    if evidence.blamed is None:
        return bool(evidence.states or evidence.missing) or _SAYS_SO.search(evidence.text) is not None
    return evidence.blamed


FAILURE = FailureClass(
    name="cache-corruption",
    what="an entry of uv's cache is damaged",
    rank=14,
    fits=_fits,
    buckets=("sdists", "wheels", "archive", "git", "interpreter", "simple", "flat-index", "environments"),
)
