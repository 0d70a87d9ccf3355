"""Finds the value that each module of a room exports, so that adding a module is adding a file."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

T = TypeVar("T")


def exports(package: str, name: str, kind: type[T]) -> tuple[T, ...]:
    """The value called `name` of every module of `package`, ordered by module name.

    A module without that value, or with a value of another type, is a bug and raises TypeError: a file that
    was put into a room must do the room's job.
    """
    room = importlib.import_module(package)
    found = []
    for module in sorted(m.name for m in pkgutil.iter_modules(room.__path__)):
        value = getattr(importlib.import_module(f"{package}.{module}"), name, None)
        if not isinstance(value, kind):
            msg = f"{package}.{module} must export {name}: {kind.__name__}"
            raise TypeError(msg)
        found.append(value)
    return tuple(found)
