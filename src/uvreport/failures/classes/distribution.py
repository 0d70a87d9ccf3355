"""A wheel or source distribution is damaged, or is not what its name and the standards promise."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="distribution",
    what="a wheel or source distribution is damaged or malformed",
    rank=72,
    fits=by_words(
        "The wheel filename .{1,300}is invalid",
        "Wheel version does not match filename|indicates a malformed wheel",
        "non-PEP 625-compliant filename",
        "(?:Failed to|Could not) (?:extract archive|unzip wheel|read from zip file)",
        "Invalid (?:tar|zip) (?:file|archive)|Bad CRC",
        "Archive contains (?:unacceptable|multiple|unsupported)|ZIP file contains|unsafe symbolic-link",
        "The wheel is invalid|Scripts must not use the reserved name",
        r"(?:dist-info|\bMETADATA|PKG-INFO|\bWHEEL|\bRECORD)\b.{0,200}(?:missing|not found|multiple|invalid|malformed)",
        "(?:Missing|Multiple|missing|multiple) .{0,20}(?:dist-info|METADATA|PKG-INFO)",
        "does not match `[^`]{1,100}` in the distribution filename",
        "has no subdirectory",
        r"\.dist-info[/\\](?:RECORD|METADATA|WHEEL)`?.{1,4}(?:No such file|The system cannot find)",
        "Invalid checksum|I/O operation failed during extraction",
        "Invalid artifact URL",
        "end of central directory|unexpected end of file",
    ),
    buckets=(
        "archive",
        "wheels",
        "sdists",
    ),
    examples=(
        'The wheel filename "acme_core-1.0-none-any.whl" is invalid: Must have a Python tag',
        (
            "Wheel version does not match filename (2.0.1 != 3.7.2), which indicates a malformed wheel. "
            "If this is intentional, set `UV_SKIP_WHEEL_FILENAME_CHECK=1`."
        ),
        "Failed to unzip wheel: acme_core-1.0-py3-none-any.whl",
    ),
)
