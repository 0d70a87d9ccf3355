"""`uv cache prune --ci` took away what an entry that it left behind still points at (#7485, #11703)."""

from __future__ import annotations

from uvreport.failures import Evidence, FailureClass


def _fits(evidence: Evidence) -> bool:
    in_sdists = any(path.startswith(("sdists-", "built-wheels-")) for path in evidence.missing)
    return evidence.blamed is not False and in_sdists and not set(evidence.states) - {"incomplete"}


FAILURE = FailureClass(
    name="cache-prune",
    what="the cache kept an entry and lost what it points at, as `uv cache prune --ci` does",
    rank=11,
    fits=_fits,
    buckets=("sdists",),
)
