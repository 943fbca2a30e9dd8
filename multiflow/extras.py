"""What the extras bring, where they are installed."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any


@functools.cache
def find(name: str) -> ModuleType | None:
    """A module that an extra brings, or that needs a library of one; None if it is not there.

    Args:
        name: the full name of the module.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def require(name: str, *, user: str, extra: str) -> Any:
    """A library that something cannot do without.

    Args:
        name: the module.
        user: what needs it.
        extra: the extra that brings it.

    Raises:
        ImportError: if it is missing; the text says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(
            f"{user} needs {library}, which comes with multiflow's extra `{extra}`, or with: "
            f"python -m pip install {library}"
        ) from error
