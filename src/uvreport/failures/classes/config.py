"""pyproject.toml, uv.toml or a script's metadata block does not parse or says something uv refuses."""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="config",
    what="a configuration file cannot be read",
    rank=50,
    fits=by_words(
        "TOML parse error",
        r"Failed to parse:? .{0,200}(?:pyproject\.toml|uv\.toml)",
        "Failed to (?:read|parse) .{0,100}settings",
        "Required uv version",
        "unknown field",
        "invalid (?:inline )?script metadata",
        "script metadata",
        "PEP 723",
        r"`\S+` is not allowed in a `uv\.toml`",
        "Duplicate index name",
    ),
    examples=(
        "TOML parse error at line 5, column 3 | 5 | 'rich',",
        "Failed to parse: pyproject.toml",
    ),
)
