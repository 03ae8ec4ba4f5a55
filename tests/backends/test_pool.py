from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from qdkernel.backends import WorkerKilled, WorkerPool
from tests.backends.work import die, die_once, fail, hold, square


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def test_tasks_come_from_any_thread_and_each_has_its_result() -> None:
    pool = WorkerPool(square, 2)
    found: dict[int, int] = {}

    def ask(number: int) -> None:
        found[number] = pool.submit(number).result()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.close()
    assert found == {number: number * number for number in range(20)}


def test_a_task_whose_worker_was_killed_is_tried_again(tmp_path: Path) -> None:
    pool = WorkerPool(die_once, 1)
    assert pool.submit(str(tmp_path / "flag")).result() == "survived"
    pool.close()


def test_a_task_that_kills_its_worker_twice_is_given_up_and_the_pool_goes_on() -> None:
    pool = WorkerPool(die, 1)
    with pytest.raises(WorkerKilled, match="the worker was killed while it ran this task"):
        pool.submit("").result()
    with pytest.raises(WorkerKilled):
        pool.submit("").result()
    pool.close()


def test_what_the_work_raises_reaches_the_caller() -> None:
    pool = WorkerPool(fail, 1)
    with pytest.raises(ValueError, match=r"^as written$"):
        pool.submit("as written").result()
    pool.close()


def test_closing_abandons_what_is_under_way_and_leaves_no_worker() -> None:
    pool = WorkerPool(sleep, 1)
    future = pool.submit(60.0)
    time.sleep(0.5)
    pool.close()
    with pytest.raises(WorkerKilled):
        future.result(timeout=10)
    with pytest.raises(WorkerKilled):
        pool.submit(0.0).result(timeout=10)


def test_a_worker_with_large_buffers_is_kept() -> None:
    pool = WorkerPool(hold, 1)
    first, *others = (pool.submit(megabytes).result() for megabytes in (0, 320, 0))
    pool.close()
    assert others == [first, first]
