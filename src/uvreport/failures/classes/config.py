"""A file or variable that tells uv what to do does not parse or says something uv refuses.

pyproject.toml, uv.toml, a script's metadata block, a requirements file, an environment variable.
"""

from __future__ import annotations

from uvreport.failures import FailureClass, by_words

FAILURE = FailureClass(
    name="config",
    what="a configuration file, a requirements file or a setting cannot be read",
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
        "Failed to parse environment variable",
        "Couldn't parse requirement in",
        "Unsupported editable requirement",
        "Invalid URL in `",
        "Multiple index URLs specified",
        "^Failed to parse: `",
        "No environment file found at",
        "Error parsing included file in",
        r"failed to (?:open|read)(?: from)? file `[^`]{1,400}\.toml`.{1,8}(?:No such file|stream did not contain)",
        "Failed to parse environment file",
        "An opening tag .{1,40} was found without a closing tag",
        "Each set of conflicts must have",
        "Expected `package` field in conflicting entry",
        "Supported environments must be disjoint",
        "In `--require-hashes` mode",
        "Unsupported hash algorithm",
        "Requesting extras requires a",
        "is not a valid PEP 751 filename",
        "Conda environment files",
        "Failed to parse credentials in index URL",
        "Not a valid package or extra name",
        "Invalid `UV_[A-Z_]{1,60}`",
        "Multiple `pylock",
        r"Scoped override for",
    ),
    examples=(
        "TOML parse error at line 5, column 3 | 5 | 'rich',",
        "Failed to parse: pyproject.toml",
        "Couldn't parse requirement in `requirements.txt` at position 0",
        "Failed to parse environment variable `UV_HTTP_TIMEOUT` with invalid value `soon`: invalid digit found in string",
        "In `--require-hashes` mode, all requirements must have a hash, but none were provided for: anyio==4.0.0",
        "No environment file found at: `.env.development`",
    ),
)
