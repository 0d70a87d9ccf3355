"""uv did not end within the time that it was given."""

from __future__ import annotations

from uvreport.failures import FailureClass

FAILURE = FailureClass(
    name="hang",
    what="uv did not end in the time it was given",
    rank=0,
    fits=lambda e: e.exit_code is None and e.chain is None,
    buckets=("sdists", "wheels", "simple"),
)
