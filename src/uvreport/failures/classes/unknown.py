"""Whatever no other class recognises. It is last."""

from __future__ import annotations

from uvreport.failures import FailureClass

FAILURE = FailureClass(
    name="unknown",
    what="a failure of a kind that uvreport does not know yet",
    rank=1000,
    fits=lambda _: True,
)
