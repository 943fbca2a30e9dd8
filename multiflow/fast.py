"""What the extra `fast` brings, where it is installed."""

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


def import_extra(name: str) -> Any:
    """A library that `cache` cannot do without.

    Raises:
        ImportError: if it is missing; the text says how to get it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"`cache` needs {name}, which comes with: python -m pip install 'multiflow[fast]'"
        ) from error


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
