"""No interpreter fits, or the one found cannot be used."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="interpreter",
    what="no usable Python interpreter",
    rank=80,
    fits=by_words(
        "No interpreter found",
        "Failed to (?:inspect|query) Python interpreter",
        "Python interpreter not found",
        "requested (?:interpreter|Python version|Python interpreter).{0,300}(?:incompatible|resolved)",
        "Python requirement|requires-python.{0,200}incompatible",
        "No download found for request",
        "Could not find a suitable Python",
        "Querying Python at .{1,300} failed",
    ),
    buckets=("interpreter",),
    examples=("No interpreter found for Python 3.10.99 in managed installations or search path",),
)
