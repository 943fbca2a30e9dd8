"""Files that are kept in memory as they are read, as far as the memory of the process allows."""

from __future__ import annotations

import collections
import gc
import math
import multiprocessing
import os
import time
import weakref
from typing import Any

import numpy as np

from multiflow.images.arrays import LazyArray
from multiflow.images.cachefile import file_facts
from multiflow.images.files import Files
from multiflow.memory import available
from multiflow.parallel import Lock, num_cores

# All flows of a process together keep at most this part of the memory that is free, and this much.
PART_OF_FREE, MAX_BYTES = 0.1, 2**30
# What is assumed to be free where the system does not tell.
ASSUMED_FREE = 2 * 2**30
# What an image takes beside its pixels: about, with its path, and its places in dicts.
BYTES_OF_ENTRY = 700
# Free memory is looked up again after so many bytes, or so many seconds if there was none.
STEP_BYTES, STEP_SECONDS = 2**26, 1.0
# A file that is younger may be changed again without getting another time. The clocks of common
# file systems tick every 2 seconds or faster.
SETTLED_AFTER_NS = 2 * 10**9


class Budget:
    """The memory in which the flows of a process keep images; there is one.

    Processes that `multiprocessing` has started share it: each may use an equal part for each core,
    beside what it inherited.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._used, self._granted = 0, 0.0
        self._next_look = -math.inf
        self._process, self._inherited = os.getpid(), 0
        # Images are freed at any time, even by a thread that holds the lock.
        self._freed: collections.deque[int] = collections.deque()

    def take(self, num_bytes: int) -> bool:
        """Counts some bytes as used, if they are left."""
        with self._lock:
            while self._freed:
                self._used -= self._freed.popleft()
            if self._process != os.getpid():
                self._process, self._inherited, self._granted = os.getpid(), self._used, 0
            if self._used + num_bytes > self._granted and time.monotonic() >= self._next_look:
                limit = self._limit()
                self._granted = min(limit, self._used + max(num_bytes, STEP_BYTES))
                if self._granted == limit:
                    self._next_look = time.monotonic() + STEP_SECONDS
            if self._used + num_bytes > self._granted:
                return False
            self._used += num_bytes
            return True

    def give_back(self, num_bytes: int) -> None:
        """Counts some bytes as used no longer."""
        self._freed.append(num_bytes)

    def _limit(self) -> float:
        try:
            free = available()
        except ImportError:
            free = ASSUMED_FREE
        limit = min(MAX_BYTES, PART_OF_FREE * (free + self._used))
        if multiprocessing.parent_process() is None:
            return limit
        return self._inherited + (limit - self._inherited) / num_cores()


budget = Budget()


class KeptImage:
    """The pixels of a file, in memory that the budget has granted.

    Args:
        facts: the `file_facts` of the file before it was read.
        pixels: the pixels, which are read-only from now on.
    """

    __slots__ = ("__weakref__", "facts", "pixels")

    def __init__(self, facts: tuple[int, ...], pixels: np.ndarray) -> None:
        pixels.flags.writeable = False
        self.facts = facts
        self.pixels = pixels

    def __del__(self, give_back: Any = budget.give_back) -> None:
        give_back(bytes_to_keep(self.pixels))


def bytes_to_keep(pixels: np.ndarray) -> int:
    """How much memory an image takes that is kept."""
    return pixels.nbytes + BYTES_OF_ENTRY


# The images that the shelves of this process hold.
_on_shelves: weakref.WeakValueDictionary[Any, KeptImage] = weakref.WeakValueDictionary()


class Shelf:
    """The images that a flow keeps, together with the flows that are derived from it.

    Another flow that reads the same file in the same way finds them. They are let go with the last
    of these flows. In a pickle, a shelf is empty: another process fills its own.
    """

    def __init__(self) -> None:
        self._images: dict[Any, KeptImage] = {}
        self._has_room = True

    def of(self, files: Files) -> KeptFiles:
        """The files by way of this shelf."""
        return KeptFiles(files, self)

    def take(self, positions: np.ndarray) -> Shelf:
        """The shelf itself, since it has no order."""
        return self

    def get(self, key: Any, facts: tuple[int, ...] | None) -> np.ndarray | None:
        """The pixels of a file, if they were kept and it has not changed.

        Args:
            key: how the file is read, and its path and header.
            facts: the `file_facts` of the file.
        """
        image = self._images.get(key)
        if image is None or image.facts != facts:
            image = _on_shelves.get(key)
            if image is None or image.facts != facts:
                return None
            self._images[key] = image
        return image.pixels

    def put(self, key: Any, facts: tuple[int, ...], pixels: np.ndarray) -> None:
        """Keeps the pixels of a file, if the budget allows it."""
        self._images.pop(key, None)  # of the file as it was
        is_granted = budget.take(bytes_to_keep(pixels))
        if not is_granted and self._has_room:
            self._has_room = False
            gc.collect()  # flows that nobody has any more refer to themselves
            is_granted = budget.take(bytes_to_keep(pixels))
        if is_granted:
            self._images[key] = _on_shelves[key] = KeptImage(facts, pixels)

    @property
    def num_bytes(self) -> int:
        """The number of bytes of all pixels on the shelf."""
        return sum(image.pixels.nbytes for image in list(self._images.values()))

    def __deepcopy__(self, memo: Any) -> Shelf:
        return self

    def __reduce__(self) -> Any:
        return Shelf, ()


class KeptFiles(LazyArray):
    """Files whose pixels are kept when they are read, if the memory allows it.

    Before each use, the file's size, times and inode are compared, so that a changed one is read
    again.

    Args:
        files: the files.
        shelf: where their pixels are kept.
    """

    def __init__(self, files: Files, shelf: Shelf) -> None:
        self.files = files
        self.shape, self.dtype = files.shape, files.dtype
        self._recipe = files.recipe
        self._shelf = shelf

    def __getitem__(self, index: int) -> np.ndarray:
        path = self.files.paths[index]
        key = (self._recipe, path, self.files.headers.get(path))
        try:
            facts = file_facts(path)
        except (OSError, ValueError):
            return self.files[index]  # for the error that tells why the file cannot be read
        pixels = self._shelf.get(key, facts)
        if pixels is None:
            now = time.time_ns()
            pixels = self.files.read_pixels(index)
            _, mtime, ctime, _ = facts
            if max(mtime, ctime) + SETTLED_AFTER_NS < now:
                self._shelf.put(key, facts, pixels)
        return self.files.arrange(pixels)

    def take(self, positions: np.ndarray) -> KeptFiles:
        """The files at some positions, in this order, from the same shelf."""
        return KeptFiles(self.files.take(positions), self._shelf)

    def where(self, index: int) -> str:
        """The name of a sample in errors and captions: the path of its file."""
        return self.files.where(index)

    @property
    def kept_bytes(self) -> int:
        """The number of bytes of pixels on the shelf."""
        return self._shelf.num_bytes
