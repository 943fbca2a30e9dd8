"""What the extras bring, where they are installed."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any


@functools.cache
def import_kernels() -> ModuleType | None:
    """The compiled loops of `multiflow.kernels`, if numba is there and works."""
    return _import("multiflow.kernels")


@functools.cache
def import_simplejpeg() -> ModuleType | None:
    """The decoder of JPEG files, if it is there."""
    return _import("simplejpeg")


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


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
