"""Work on the samples of a batch in threads: started when first needed, in each process its own."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from numbers import Integral
from typing import Any, TypeVar

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


def check_threads(threads: Any) -> None:
    """Refuses a `threads` that is neither None nor a number of threads."""
    if threads is not None and not (isinstance(threads, Integral) and int(threads) > 0):
        raise ValueError(f"`threads` must be None or a positive integer. Received: {threads!r}")


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS, "multiflow")


if hasattr(os, "register_at_fork"):
    # A forked process has the pool, but none of its threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
