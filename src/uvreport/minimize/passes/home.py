"""The files of the home: by directory, then each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvreport.minimize.driver import Pass
from uvreport.minimize.files import below

if TYPE_CHECKING:
    from uvreport.bundle import Bundle

PASS: Pass[Bundle] = Pass(name="home", order=30, levels=(below("home", 1), below("home", 0)))
