"""uv's own code panicked. Exit 101 was measured for 0.4.24 to 0.11.20; from 0.11.33 on a panic aborts the process."""

from __future__ import annotations

from uvreport.failures import FailureClass

FAILURE = FailureClass(
    name="panic",
    what="uv itself crashed",
    rank=1,
    fits=lambda e: (
        (e.chain is not None and e.chain.style == "panic")
        or (e.chain is None and e.exit_code in {101, 134, -6, -11})
    ),
    buckets=("simple", "wheels", "sdists", "interpreter"),
)
