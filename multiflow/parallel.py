"""Work on the samples of a batch in threads: started when first needed, in each process its own."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")

# Threads start one by one as they are asked for; this only bounds what many callers can ask for.
MOST_THREADS = 256


def num_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int | None
) -> list[Result]:
    """What `function` returns for each of some items, computed in several threads.

    The calling thread is one of them. If calls fail, no more are begun, those that run are waited
    for, and the error of the first item that failed is raised, which is that of a plain loop.

    Args:
        function: what is called with each item.
        items: the items; they are begun in their order.
        threads: how many threads share the work; None for as many as there are cores to use.
    """
    num_threads = min(threads or num_cores(), len(items))
    results: dict[int, Result] = {}
    errors: dict[int, BaseException] = {}
    positions = iter(range(len(items)))

    def work() -> None:
        for position in positions:
            try:
                results[position] = function(items[position])
            except BaseException as error:  # the caller gets it, whatever it is
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


def read_all(array: Any, samples: Any, threads: int | None) -> list[np.ndarray]:
    """The given samples of an array, read in threads if it allows that, and is not in memory."""
    in_threads = reads_in_threads(array) and not isinstance(array, np.ndarray)
    return run_all(lambda sample: np.asarray(array[sample]), samples, threads if in_threads else 1)


def reads_in_threads(array: Any) -> bool:
    """Whether several samples can be read at once; who knows that of other libraries' arrays."""
    return isinstance(array, np.ndarray) or getattr(array, "reads_in_threads", False)


def is_in_memory(array: Any) -> bool:
    """Whether reading all of an array costs no reading of files."""
    return isinstance(array, np.ndarray) and not isinstance(array, np.memmap)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, "multiflow")


if hasattr(os, "register_at_fork"):
    # A forked process has the pool, but none of its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
