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
        "Size mismatch for",
        "The index returned metadata for the wrong package",
        "requires `[^`]{1,20}` hashes, but",
        "Failed to read `--find-links` URL",
        "Incomplete credentials|Missing password for",
        "Server returned status code",
        "Failed to fetch credentials|Unable to remove credentials|No matching entry found for http",
        "trusted publishing|is missing a publish URL",
        # Not what the network did on the way, nor an archive that stands on this machine.
        "Failed to (?:download|fetch)(?!.{0,2000}(?:timed out|error sending|connection|"
        r"(?:extract archive|unzip wheel): (?:/|[A-Za-z]:\\))).{0,400}"
        "(?:Failed to extract archive|Failed to unzip wheel|Failed to read metadata|Failed to read from zip file|"
        "The wheel is invalid|Bad CRC|Invalid tar file|Archive contains)",
        "invalid peer certificate.{0,200}index",
    ),
    buckets=(
        "simple",
        "flat-index",
    ),
    examples=(
        "Hash mismatch for `acme-sdk==1.2.0` Expected: sha256:07fc Computed: sha256:b454",
        "Size mismatch for `a==1.0.0`: expected 1 bytes, but downloaded 607 bytes",
        (
            "An index URL (http://127.0.0.1:28975/simple/) could not be queried due to a lack of valid "
            "authentication credentials (401 Unauthorized)."
        ),
    ),
)
