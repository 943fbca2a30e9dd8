"""Imports of the libraries that multiflow's extras install."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from multiflow.parallel import hold_over_forks

_lock = threading.RLock()
hold_over_forks(_lock)


@contextlib.contextmanager
def first_use() -> Iterator[None]:
    """Entered by threads that import a library, or try it; one at a time.

    Forks wait for it, since a forked process could never finish the import. Garbage is not
    collected meanwhile: what a library brings lives on, and to go through it again and again, with
    all of TensorFlow, takes longer than the import.
    """
    with _lock:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


@functools.cache
def find(name: str) -> ModuleType | None:
    """Imports a library of an extra, or a module that needs one; None if it is not installed.

    Args:
        name: the full name of the module.
    """
    try:
        with first_use():
            return importlib.import_module(name)
    except ImportError:
        return None


def require(name: str, *, user: str, extra: str) -> Any:
    """Imports a library of an extra.

    Args:
        name: the full name of the module.
        user: the argument or action that needs the library, for the error.
        extra: the extra that installs the library.

    Raises:
        ImportError: if it is not installed; the text says how to install it.
    """
    try:
        with first_use():
            return importlib.import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(
            f"{user} needs {library}, which comes with multiflow's extra `{extra}`, or with: "
            f"python -m pip install {library}"
        ) from error
