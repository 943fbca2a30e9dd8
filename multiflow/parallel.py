"""Threads that share the work on a batch, their locks, and what a forked process gets of both."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from multiflow import _checks

Item = TypeVar("Item")
Result = TypeVar("Result")

# Threads start one by one when they are needed; this only limits the sum over many callers.
MAX_THREADS = 256


def num_cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int | None
) -> list[Result]:
    """Calls a function for each item in several threads, and returns its results in order.

    The calling thread is one of them. If a call fails, no more calls are begun, the running ones
    are waited for, and the error of the first failed item is raised, as in a plain loop.

    Args:
        function: the function, which is called with each item.
        items: the items; their calls begin in this order.
        threads: how many threads share the work; None for one on each core that the process may
            use.
    """
    num_threads = min(threads or num_cores(), len(items))
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    positions = iter(range(len(items)))

    def work() -> None:
        for position in positions:
            try:
                results[position] = function(items[position])
            except BaseException as error:  # raised below, whatever it is
                errors[position] = error
            if errors:
                return

    helpers: list[Future[None]] = []
    with contextlib.suppress(RuntimeError):  # the interpreter is exiting and starts no threads
        for _ in range(num_threads - 1):
            helpers.append(_pool().submit(work))
    work()
    for helper in helpers:
        if not helper.cancel():
            helper.result()
    if errors:
        raise errors[min(errors)]
    return [results[position] for position in range(len(items))]


def check_threads(threads: Any) -> None:
    """Refuses a `threads` that is neither None nor a positive integer."""
    if threads is not None and not _checks.is_integer(threads, 1):
        raise ValueError(f"`threads` must be None or a positive integer. Received: {threads!r}")


class Lock:
    """A lock that is free again in a forked process, where the thread that held it is missing."""

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Frees the lock, whoever held it."""
        self._lock = threading.Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As of `threading.Lock`."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """As of `threading.Lock`."""
        self._lock.release()

    def locked(self) -> bool:
        """As of `threading.Lock`."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


_locks: weakref.WeakSet[Lock] = weakref.WeakSet()


class CachedProperty(Generic[Item, Result]):
    """As `functools.cached_property`, which holds a lock of its own up to Python 3.11."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self._name = function.__name__

    def __get__(self, instance: Item, owner: Any = None) -> Result:
        # What is in the dict is found first.
        value = vars(instance)[self._name] = self._function(instance)
        return value


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, "multiflow")


# Locks that each fork waits for, in the order in which it takes them, and those it has taken.
_held: list[Any] = []
_taken: list[Any] = []


def hold_over_forks(lock: Any) -> None:
    """Lets each fork wait for a lock, of work that a forked process could not take up again.

    Args:
        lock: a lock, whose holders must not wait for one that was passed before.
    """
    _held.append(lock)


def _begin_fork() -> None:
    for lock in _held:  # may become longer meanwhile
        lock.acquire()
        _taken.append(lock)


def _end_fork() -> None:
    taken = _taken[::-1]
    _taken.clear()  # before the first lock is free, which lets another thread fork
    for lock in taken:
        lock.release()


def _begin_in_child() -> None:
    """Replaces what belongs to threads, of which a forked process inherits only its own."""
    _end_fork()
    _pool.cache_clear()
    for lock in _locks:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_begin_fork, after_in_parent=_end_fork, after_in_child=_begin_in_child
    )
