"""uv took something from its cache that reads well and is not true (any more), and said nothing about it."""

from __future__ import annotations

from uvreport.failures import FailureClass

FAILURE = FailureClass(
    name="cache-stale-result",
    what="an entry of uv's cache reads well but is not true",
    rank=12,
    fits=lambda e: (
        e.incomplete_environment or (e.blamed is True and bool({"stale", "suspicious"} & set(e.states)))
    ),
    buckets=("interpreter", "archive", "wheels"),
)
