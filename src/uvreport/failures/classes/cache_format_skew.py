"""One release wrote an entry, another reads the same bucket and cannot (#12318, #8488, #11101, #19298)."""

from __future__ import annotations

from uvreport.failures import FailureClass

FAILURE = FailureClass(
    name="cache-format-skew",
    what="an entry of uv's cache was written by a release whose format this one does not read",
    rank=13,
    fits=lambda e: e.blamed is not False and "foreign" in e.states,
    buckets=("sdists", "wheels"),
)
