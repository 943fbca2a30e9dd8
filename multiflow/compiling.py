"""Compiles functions to machine code; needs numba, from the extra `fast`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler_lock import global_compiler_lock

from multiflow.parallel import hold_over_forks

if tuple(map(int, numba.__version__.split(".")[:2])) < (0, 61):
    raise ImportError("Older versions of numba refuse some arrays that they have compiled for.")

# Loops are compiled when threads need them, and a forked process may need more.
hold_over_forks(global_compiler_lock)


def compiled(function: Callable[..., Any]) -> Any:
    """Compiles a function to machine code that releases the GIL, cached on disk where possible.

    Fast-math stays off: it would reorder sums, fuse products and lose the sign of zero.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba can write to none of the folders for its cache
        return numba.njit(nogil=True)(function)
