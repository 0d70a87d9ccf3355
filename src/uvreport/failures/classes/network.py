"""No name, no connection, no trust, no answer in time, or uv was told to stay offline."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="network",
    what="the network did not answer",
    rank=65,
    fits=by_words(
        "dns error",
        "failed to lookup address",
        "error sending request",
        "tcp connect error",
        "Connection (?:refused|reset)",
        "operation timed out",
        "Could not connect",
        "network (?:is )?unreachable",
        "Network connectivity is disabled",
        "network was disabled",
        "invalid peer certificate",
        "tunnel error",
        r"\bproxy (?:URL|server|connect|error|authentication|tunnel)|(?:through|to|via|the) proxy\b",
        "Request failed after .{1,20}retr",
        "error decoding response body",
        "connection closed before message completed",
        "network connectivity is disabled",
        "Failed to read certificate file",
        "Error while (?:accessing|fetching) remote",
        "An offline Python installation was requested",
        "Failed to fetch: `",
    ),
    buckets=("simple",),
    examples=(
        "error sending request for url (https://example.com/simple/six/)",
        "Network connectivity is disabled, but the requested data wasn't found in the cache",
    ),
)
