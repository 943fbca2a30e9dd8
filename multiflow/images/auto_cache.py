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
# Images are kept side by side in pieces of memory, of which each is twice as large as the one
# before: the system gives out large pieces several times as fast as one for each image.
SMALLEST_PIECE, LARGEST_PIECE = 2**20, 2**26
# Pixels begin at multiples of this, so that numbers of any dtype are aligned.
ALIGNMENT = 64
# If no memory was left, it is looked up again after so many seconds.
PATIENCE = 1.0
# The most of a process's time that goes into looking for flows that nobody has any more.
PART_OF_TIME = 0.05
# A file that is younger may be changed again without getting another time. The clocks of common
# file systems tick every 2 seconds or faster.
SETTLED_AFTER_NS = 2 * 10**9


class Budget:
    """The memory in which the flows of a process keep images; there is one.

    Processes that `multiprocessing` has started share it: with four cores, each may use a quarter
    of what is left, beside what it inherited.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._used = self._left = 0
        self._next_look = self._next_collection = -math.inf
        self._process, self._inherited = os.getpid(), 0
        # Memory is freed at any time, even by a thread that holds the lock.
        self._freed: collections.deque[int] = collections.deque()

    def take(self, least: int, most: int) -> int:
        """Counts some bytes as used, and returns how many: all that are left, up to `most`.

        Args:
            least: if fewer bytes are left, the result is 0.
            most: the most bytes to take.
        """
        with self._lock:
            while self._freed:
                self._used -= self._freed.popleft()
                self._next_look = -math.inf
            if self._process != os.getpid():
                self._process, self._inherited, self._left = os.getpid(), self._used, 0
            if self._left < most and time.monotonic() >= self._next_look:
                # To look takes a millisecond, about as long as to read an image.
                self._left = min(self._limit() - self._used, max(most, LARGEST_PIECE))
            granted = min(most, self._left)
            if granted < least:
                self._next_look = time.monotonic() + PATIENCE
                return 0
            self._used += granted
            self._left -= granted
            return granted

    def give_back(self, num_bytes: int) -> None:
        """Counts some bytes as used no longer."""
        self._freed.append(num_bytes)

    def collect(self) -> bool:
        """Lets go of flows that nobody has any more, which refer to themselves.

        Returns:
            False if the last time was too short ago: it can take longer than to read many images.
        """
        begin = time.monotonic()
        if begin < self._next_collection:
            return False
        self._next_collection = math.inf  # for other threads
        try:
            gc.collect()
        finally:
            end = time.monotonic()
            self._next_collection = end + (end - begin) / PART_OF_TIME
        return True

    def _limit(self) -> int:
        try:
            free = available()
        except ImportError:
            free = ASSUMED_FREE
        limit = min(MAX_BYTES, int(PART_OF_FREE * (free + self._used)))
        if multiprocessing.parent_process() is None:
            return limit
        return self._inherited + (limit - self._inherited) // num_cores()


budget = Budget()


class Piece:
    """Memory for some images, which counts as used until the last of them is let go.

    Args:
        num_bytes: its size, which the budget has granted.
    """

    def __init__(self, num_bytes: int) -> None:
        self._left, self._place = num_bytes, 0
        try:
            self._memory = np.empty(num_bytes, np.uint8)
        except MemoryError:
            self._left = 0
            budget.give_back(num_bytes)
        else:
            weakref.finalize(self._memory, budget.give_back, num_bytes)

    def cut(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        """An array whose values are not set, or None if too little is left."""
        num_bytes = math.prod(shape) * dtype.itemsize
        if num_bytes + BYTES_OF_ENTRY > self._left:
            return None
        cut = self._memory[self._place : self._place + num_bytes].view(dtype).reshape(shape)
        self._place += -(-num_bytes // ALIGNMENT) * ALIGNMENT
        self._left -= num_bytes + BYTES_OF_ENTRY
        return cut


class KeptImage:
    """The pixels of a file.

    Args:
        facts: the `file_facts` of the file before it was read.
        pixels: the pixels, read-only.
    """

    __slots__ = ("__weakref__", "facts", "pixels")

    def __init__(self, facts: tuple[int, ...], pixels: np.ndarray) -> None:
        self.facts = facts
        self.pixels = pixels


# The images that the shelves of this process hold.
_on_shelves: weakref.WeakValueDictionary[Any, KeptImage] = weakref.WeakValueDictionary()


class Shelf:
    """The images that a flow keeps, together with the flows that are derived from it.

    Another flow that reads the same file in the same way finds them. They are let go with the last
    of these flows. In a pickle, a shelf is empty: another process fills its own.
    """

    def __init__(self) -> None:
        self._images: dict[Any, KeptImage] = {}
        self._piece, self._size_of_next = Piece(0), SMALLEST_PIECE
        self._has_collected = False
        self._lock = Lock()

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
        """Keeps a copy of the pixels of a file, if the budget allows it."""
        self._images.pop(key, None)  # of the file as it was
        with self._lock:
            kept = self._cut(pixels.shape, pixels.dtype)
        if kept is not None:
            kept[...] = pixels
            kept.flags.writeable = False
            self._images[key] = _on_shelves[key] = KeptImage(facts, kept)

    def _cut(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
        """An array in memory that the budget has granted, or None."""
        cut = self._piece.cut(shape, dtype)
        if cut is None:
            least = math.prod(shape) * dtype.itemsize + BYTES_OF_ENTRY
            most = max(least, self._size_of_next)
            granted = budget.take(least, most)
            if not granted and not self._has_collected and budget.collect():
                self._has_collected = True
                granted = budget.take(least, most)
            if granted:
                self._piece = Piece(granted)
                self._size_of_next = min(2 * self._size_of_next, LARGEST_PIECE)
                cut = self._piece.cut(shape, dtype)
        return cut

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
