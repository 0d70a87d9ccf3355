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
        "Requirements contain conflicting (?:URLs|indexes)",
        "Conflicting archive URL hashes",
        "(?:doesn't|does not) have a source distribution or wheel",
        "is marked as `--no-(?:build|binary)` but has no",
        "has no usable (?:source distribution|wheels?)",
        "(?:path|URL) .{0,400}is incompatible with the current",
        "requires Python .{1,80}but the (?:target|current) Python version",
        "can't be installed because",
        "There are no versions of",
        "package .{1,100} (?:was|were) not found in",
    ),
    buckets=(
        "simple",
        "flat-index",
        "wheels",
    ),
    examples=(
        "No solution found when resolving dependencies:",
        (
            "Distribution `a==1.0.0 @ registry+http://127.0.0.1:1/simple/` can't be installed because it doesn't have "
            "a source distribution or wheel for the current platform"
        ),
        "A path dependency is incompatible with the current platform: a-1-cp37-abi3-win32.whl",
        "Requirements contain conflicting indexes for package `jinja2` in all marker environments:",
    ),
)
