"""Work in threads: its order, its errors, and what a fork leaves of it."""

from __future__ import annotations

import os
import threading
import time

import pytest

from multiflow import parallel
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_survives_fork() -> None:
    run_all(abs, range(10), 4)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            meeting = threading.Barrier(4, timeout=10)
            run_all(lambda _: meeting.wait(), range(4), 4)
            status = 7
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert run_all(abs, range(10), 4) == list(range(10))


def test_works_when_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = parallel.ThreadPoolExecutor(1)
    pool.shutdown()
    monkeypatch.setattr(parallel, "_pool", lambda: pool)
    assert run_all(abs, range(5), 3) == [0, 1, 2, 3, 4]
