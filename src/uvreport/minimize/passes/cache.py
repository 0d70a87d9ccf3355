"""The entries of the cache: by bucket, by source or index, by package or key, by file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Pass
from uvreport.minimize.files import below

if TYPE_CHECKING:
    from uvreport.bundle import Bundle

PASS: Pass[Bundle] = Pass(
    name="cache",
    order=10,
    levels=(below("cache", 1), below("cache", 2), below("cache", 3), below("cache", 0)),
)
