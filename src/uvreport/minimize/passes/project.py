"""The files of the project: by directory, then each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Pass
from uvreport.minimize.files import below

if TYPE_CHECKING:
    from uvreport.bundle import Bundle

PASS: Pass[Bundle] = Pass(
    name="project", order=20, levels=(below("project", 1), below("project", 2), below("project", 0))
)
