"""Imports of the libraries that multiflow's extras install."""

from __future__ import annotations

import functools
import importlib
import threading
from types import ModuleType
from typing import Any

from multiflow.parallel import hold_over_forks

# Held by threads that import a library, or try it. A process that is forked meanwhile could never
# finish the import.
first_use = threading.RLock()
hold_over_forks(first_use)


@functools.cache
def find(name: str) -> ModuleType | None:
    """Imports a library of an extra, or a module that needs one; None if it is not installed.

    Args:
        name: the full name of the module.
    """
    try:
        with first_use:
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
        with first_use:
            return importlib.import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ImportError(
            f"{user} needs {library}, which comes with multiflow's extra `{extra}`, or with: "
            f"python -m pip install {library}"
        ) from error
