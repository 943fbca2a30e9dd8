"""Long lists of file paths in little memory: each folder is held once, each name as its bytes."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, overload

import numpy as np


class CompactPaths(Sequence[str]):
    """A sequence of paths that grows folder by folder and joins a path when it is asked for.

    A Python string needs about 50 bytes more than its text, and Keras keeps two for each file;
    here a file needs 9 bytes more than its name.

    Example:
    >>> paths = CompactPaths()
    >>> paths.extend("cats", ["1.jpg", "2.jpg"])
    >>> paths.extend("dogs", ["1.jpg"])
    >>> paths[1], paths[2]
    ('cats/2.jpg', 'dogs/1.jpg')
    """

    def __init__(self) -> None:
        self._folders: list[str] = []  # with the separator
        self._starts: list[int] = []  # for each folder, how many paths come before it
        self._names = bytearray()
        self._ends = array("q")  # where each name ends in `_names`

    def extend(self, folder: str, names: Sequence[str]) -> None:
        """Appends the files called `names` in `folder`."""
        if not names:
            return
        # NUL is the one character that no file name holds, on any system.
        encoded = os.fsencode("\0".join(names) + "\0")
        ends = np.flatnonzero(np.frombuffer(encoded, np.uint8) == 0) + len(self._names)
        self._folders.append(os.path.join(folder, ""))
        self._starts.append(len(self))
        self._names += encoded
        self._ends.frombytes(ends.astype(np.int64).tobytes())

    def take(self, positions: np.ndarray) -> CompactPaths | TakenPaths:
        """The paths at some positions, in this order."""
        if (np.diff(positions) <= 0).any():
            return TakenPaths(self, positions)
        is_taken = np.zeros(len(self), bool)
        is_taken[positions] = True
        lengths = np.diff(self._ends, prepend=-1)
        taken = CompactPaths()
        taken._folders = list(self._folders)
        taken._starts = np.searchsorted(positions, self._starts).tolist()
        taken._names += np.frombuffer(self._names, np.uint8)[np.repeat(is_taken, lengths)].tobytes()
        taken._ends.frombytes((np.cumsum(lengths[is_taken]) - 1).astype(np.int64).tobytes())
        return taken

    def count_ending(self, ending: str) -> int:
        """The number of paths that end in `ending`, in any case; `ending` is lower-case ASCII."""
        return self._names.lower().count(ending.encode() + b"\0")

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[position] for position in range(len(self))[index]]
        position = range(len(self))[index]
        folder = self._folders[bisect_right(self._starts, position) - 1]
        start = self._ends[position - 1] + 1 if position else 0
        name = bytes(self._names[start : self._ends[position]])
        return folder + os.fsdecode(name)


class TakenPaths(Sequence[str]):
    """The paths at some positions of a list, in any order, without a copy of their texts."""

    def __init__(self, paths: Sequence[str], positions: np.ndarray) -> None:
        self._paths = paths
        self._positions = positions

    def take(self, positions: np.ndarray) -> TakenPaths:
        """The paths at some positions, in this order."""
        return TakenPaths(self._paths, self._positions[positions])

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._paths[position] for position in self._positions[index]]
        return self._paths[self._positions[index]]


class JoinedPaths(Sequence[str]):
    """Paths below a folder, joined to it when they are asked for."""

    def __init__(self, directory: Any, paths: Sequence[str]) -> None:
        self._directory = os.path.join(directory, "")
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: Any) -> Any:
        return self._directory + self._paths[index]
