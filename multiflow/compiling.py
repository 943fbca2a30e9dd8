"""Compiles functions to machine code; needs numba, from the extra `fast`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from multiflow.parallel import hold_over_forks

if tuple(map(int, numba.__version__.split(".")[:2])) < (0, 61):
    raise ImportError("Older versions of numba refuse some arrays that they have compiled for.")

# Loops are compiled when threads need them, and a forked process may need more.
hold_over_forks(global_compiler_lock)
# The rest of numba, which it otherwise imports when a loop is called first.
cpu_target.target_context.refresh()


def compiled(function: Callable[..., Any]) -> Any:
    """Compiles a function to machine code that releases the GIL, cached on disk where possible.

    Fast-math stays off: it would reorder sums, fuse products and lose the sign of zero. Divisions
    by 0 raise no errors, which would cost a branch each.
    """
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # numba can write to none of the folders for its cache
        return numba.njit(nogil=True, error_model="numpy")(function)


def helper(function: Callable[..., Any]) -> Any:
    """Compiles a function that only compiled ones call, faster: Python finds no way into it."""
    return numba.njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
