"""The index wants credentials, answers with an error, or its files do not have the promised digests."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="index",
    what="the package index refused, or offered something else than expected",
    rank=60,
    fits=by_words(
        r"\b(?:401 Unauthorized|403 Forbidden|404 Not Found|407 Proxy|5\d\d (?:Internal|Bad Gateway|Service|Gateway))",
        "HTTP status (?:client|server) error",
        "Hash mismatch for",
        "could not be queried",
        "lack of valid authentication credentials",
        "(?:Missing|Incorrect) credentials",
        "Received (?:some )?unexpected (?:HTML|content)",
        "Unsupported `?Content-Type",
        "invalid peer certificate.{0,200}index",
    ),
    buckets=(
        "simple",
        "flat-index",
    ),
    examples=(
        "Hash mismatch for `acme-sdk==1.2.0` Expected: sha256:07fc Computed: sha256:b454",
        (
            "An index URL (http://127.0.0.1:28975/simple/) could not be queried due to a lack of valid "
            "authentication credentials (401 Unauthorized)."
        ),
    ),
)
