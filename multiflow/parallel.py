"""Threads that share the work on a batch; each process starts its own when it needs them."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

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


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_THREADS, "multiflow")


if hasattr(os, "register_at_fork"):
    # A forked process inherits the pool, but not its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
