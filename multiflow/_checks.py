"""Warnings, and checks of arguments that many parts share."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Container, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

NUM_LISTED = 10  # how many things of one kind a message names


def warn(message: str) -> None:
    """Warns, with the line outside this package from which the call came."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("multiflow."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def listed(texts: Iterable[str]) -> str:
    """The first ten of some texts, as messages name them.

    Example:
    >>> listed(["a", "b"]), listed("abcdefghijkl")
    ('a, b', 'a, b, c, d, e, f, g, h, i, j, …')
    """
    all_texts = list(texts)
    return ", ".join(all_texts[:NUM_LISTED]) + (", …" if len(all_texts) > NUM_LISTED else "")


def is_integer(number: Any, least: float, most: float = float("inf")) -> bool:
    """True for an integer within limits; True and False are none."""
    return (
        isinstance(number, Integral)
        and not isinstance(number, bool)
        and least <= int(number) <= most
    )


def is_one_of(value: Any, choices: Container[str | None]) -> bool:
    """True for a str or None among the choices; other objects may not even be comparable."""
    return (value is None or isinstance(value, str)) and value in choices


def check_positive(name: str, number: Any) -> None:
    """Refuses anything but a positive integer."""
    if not is_integer(number, 1):
        raise ValueError(f"`{name}` must be a positive integer. Received: {number!r}")


def can_hold(dtype: Any, number: Any) -> bool:
    """True if a dtype of booleans, integers or floats holds a number; floats may round it.

    Example:
    >>> can_hold("uint8", 255), can_hold("uint8", 256), can_hold("float16", 0.1)
    (True, False, True)
    """
    dtype = np.dtype(dtype)
    if not isinstance(number, (Real, np.bool_)):
        return False
    value: Any = number.item() if isinstance(number, np.generic) else number
    if dtype.kind == "f":
        return abs(value) <= float(np.finfo(dtype).max)  # which neither NaN nor infinity is
    limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return limits[0] <= value <= limits[1] and value == int(value)


def check_seed(seed: Any, name: str = "seed") -> None:
    """Refuses a seed that NumPy's global generator would refuse, too."""
    if seed is not None and not is_integer(seed, 0, 2**32 - 1):
        raise ValueError(
            f"`{name}` must be None or an integer from 0 to 2**32 - 1. Received: {seed!r}"
        )


def check_flag(name: str, flag: Any) -> None:
    """Refuses anything but True and False, or 1 and 0."""
    if not (isinstance(flag, (Integral, np.bool_)) and int(flag) in (0, 1)):
        raise TypeError(f"`{name}` must be True or False. Received: {flag!r}")


class OneTimeWarnings:
    """Warnings that are given once each, even if several threads find the reason at once."""

    def __init__(self) -> None:
        self._given: dict[str, object] = {}

    def is_due(self, name: str) -> bool:
        """True if the warning of this name was not given yet."""
        return name not in self._given

    def warn(self, name: str, message: str) -> None:
        """Gives the warning of this name, if it is due."""
        # Of several threads that come here, only the first finds its own mark.
        mark = object()
        if self._given.setdefault(name, mark) is mark:
            warn(message)
