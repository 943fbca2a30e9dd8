"""Functions as machine code; needs numba, from the extra `fast`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Any:
    """The function as machine code that lets other threads run, kept on disk where possible.

    Fast-math stays off: it would reorder sums, fuse products and lose the sign of zero.
    """
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # none of the folders for it can be written to
        return numba.njit(nogil=True)(function)
