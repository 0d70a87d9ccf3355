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
        "No system Python installation found",
        "Invalid version request",
        "Requests for arbitrary names",
        "(?:Found|contains) conflicting Python requirements",
        "Received multiple Python version requests",
        "Requesting the 'latest' Python version",
        "No Python version file found|No (?:pinned Python version|global Python pin) found",
        "is not a valid Python download request",
        "uv does not yet provide .{0,40}Python distributions",
        "Python downloads are not allowed",
        "Failed to install (?:executable for )?(?:cpython|pypy|graalpy|pyodide)-",
        "uv python upgrade. only accepts",
        "(?:parse|fetching) .{0,20}(?:the JSON )?Python download",
        "Could not find a suitable Python",
        "Querying Python at .{1,300} failed",
    ),
    buckets=("interpreter",),
    examples=(
        "No interpreter found for Python 3.10.99 in managed installations or search path",
        "Invalid version request: Python <3.6 is not supported but 3.5 was requested.",
        "The workspace contains conflicting Python requirements: - `child`: `==3.10` - `project`: `>=3.12`",
    ),
)
