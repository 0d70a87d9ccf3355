"""The resolver proved that there is no solution."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="resolution",
    what="no set of versions satisfies the requirements",
    rank=70,
    fits=by_words(
        "No solution found",
        "requirements are unsatisfiable",
        "conflicting dependencies",
        "Requirements contain conflicting URLs",
        "There are no versions of",
        "package .{1,100} (?:was|were) not found in",
    ),
    buckets=(
        "simple",
        "flat-index",
        "wheels",
    ),
    examples=("No solution found when resolving dependencies:",),
)
