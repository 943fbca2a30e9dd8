"""Work in threads: its order, its errors, and what a fork leaves of it."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest
from conftest import FORKS, status_of_fork

from multiflow import extras, parallel
from multiflow.parallel import num_cores, run_all


@pytest.mark.parametrize("threads", [None, 1, 2, 7])
def test_results_keep_their_order(threads: int | None) -> None:
    assert run_all(lambda item: item**2, range(50), threads) == [item**2 for item in range(50)]
    assert run_all(str, [], threads) == []


def test_as_many_threads_as_are_asked_for() -> None:
    meeting = threading.Barrier(3, timeout=10)
    run_all(lambda _: meeting.wait(), range(3), 3)


def test_one_thread_is_the_callers() -> None:
    assert set(run_all(lambda _: threading.get_ident(), range(20), 1)) == {threading.get_ident()}


def test_cores_are_those_of_the_process() -> None:
    if hasattr(os, "sched_getaffinity"):
        assert num_cores() == len(os.sched_getaffinity(0))
    assert 1 <= num_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_first_error_wins_and_nothing_goes_on(threads: int) -> None:
    begun, finished = [], []

    def work(item: int) -> None:
        begun.append(item)
        if item in (3, 4):
            time.sleep(0.05 * (5 - item))  # the later one fails first
            raise KeyError(item)
        time.sleep(0.01)
        finished.append(item)

    with pytest.raises(KeyError) as caught:
        run_all(work, range(100), threads)
    assert caught.value.args == (3,)
    assert len(begun) < 50
    assert sorted(set(begun) - set(finished)) in ([3], [3, 4])
    count = len(finished)
    time.sleep(0.05)
    assert len(finished) == count
    assert run_all(abs, [-1, -2], threads) == [1, 2]


@FORKS
def test_survives_fork() -> None:
    run_all(abs, range(10), 4)
    meeting = threading.Barrier(4, timeout=10)
    assert status_of_fork(lambda: run_all(lambda _: meeting.wait(), range(4), 4)) == 7
    assert run_all(abs, range(10), 4) == list(range(10))


def held_elsewhere(lock: Any) -> tuple[threading.Thread, threading.Event]:
    """A thread that holds a lock, and the event with which it ends."""
    has_begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            has_begun.set()
            may_end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    has_begun.wait(60)
    return thread, may_end


@FORKS
def test_a_lock_is_free_after_fork() -> None:
    lock = parallel.Lock()
    thread, may_end = held_elsewhere(lock)
    assert lock.locked()
    assert not lock.acquire(blocking=False)
    assert status_of_fork(lambda: lock.acquire() and lock.release()) == 7
    assert lock.locked()
    may_end.set()
    thread.join()
    assert not lock.locked()


@FORKS
def test_forks_wait_for_what_cannot_be_taken_up_again() -> None:
    thread, may_end = held_elsewhere(extras.first_use())
    threading.Timer(0.5, may_end.set).start()
    begin = time.monotonic()
    assert status_of_fork(lambda: extras.first_use().__enter__()) == 7
    assert time.monotonic() - begin > 0.4
    thread.join()
    with extras.first_use():  # in one thread, a fork does not wait for itself
        assert status_of_fork(lambda: None) == 7
    assert not parallel._taken


def test_a_fork_frees_no_lock_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the first lock is free, another thread may take it for a fork of its own."""
    freed: list[str] = []

    class Watched:
        def acquire(self) -> None:
            pass

        def release(self) -> None:
            freed.append("lock")
            if len(freed) == 1:
                parallel._begin_fork()

    monkeypatch.setattr(parallel, "_held", [Watched()])
    parallel._begin_fork()
    parallel._end_fork()
    assert freed == ["lock"]
    parallel._end_fork()
    assert freed == ["lock", "lock"]


def test_cached_properties_are_found_once() -> None:
    class Owner:
        @parallel.CachedProperty
        def value(self) -> object:
            return object()

    first, second = Owner(), Owner()
    assert first.value is first.value is not second.value
    assert vars(first) == {"value": first.value}


def test_works_when_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = parallel.ThreadPoolExecutor(1)
    pool.shutdown()
    monkeypatch.setattr(parallel, "_pool", lambda: pool)
    assert run_all(abs, range(5), 3) == [0, 1, 2, 3, 4]
