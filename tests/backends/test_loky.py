from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qdkernel.backends import FanOut
from qdkernel.backends.loky import Done


def square(number: int) -> int:
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.02 * (number % 3))
    return number * number


def die_once(flag: str) -> str:
    """Kills its worker the first time, answers the second."""
    if not Path(flag).exists():
        Path(flag).write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(_: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def finished(fan_out: FanOut[Any, Any]) -> Iterator[Done[Any]]:
    """Results without the moments in which a worker idles."""
    return (done for done in fan_out.results() if done is not None)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_task_comes_back_once_whatever_the_number_of_workers(workers: int) -> None:
    fan_out: FanOut[int, int] = FanOut(slow_square, workers)
    found = {}
    submitted = fan_out.capacity
    for number in range(submitted):
        fan_out.submit(number, number)
    for done in finished(fan_out):
        assert done.number not in found
        found[done.number] = done.result
        if submitted < 25:
            fan_out.submit(submitted, submitted)
            submitted += 1
        elif fan_out.pending == 0:
            fan_out.close()
    assert found == {number: number * number for number in range(25)}


def test_a_slow_consumer_does_not_stop_the_workers() -> None:
    fan_out: FanOut[int, int] = FanOut(square, 2)
    for number in range(10):
        fan_out.submit(number, number)
    found = []
    for done in finished(fan_out):
        time.sleep(0.05)
        found.append(done.number)
        if len(found) == 10:
            fan_out.close()
    assert sorted(found) == list(range(10))


def test_no_task_at_all_ends_at_once() -> None:
    fan_out: FanOut[int, int] = FanOut(square, 2)
    fan_out.close()
    assert list(finished(fan_out)) == []


def test_a_task_whose_worker_was_killed_is_tried_again(tmp_path: Path) -> None:
    fan_out: FanOut[str, str] = FanOut(die_once, 2)
    fan_out.submit(7, str(tmp_path / "flag"))
    fan_out.close()
    assert [(done.number, done.result) for done in finished(fan_out)] == [(7, "survived")]


def test_a_task_that_always_kills_its_worker_is_lost_and_no_other(tmp_path: Path) -> None:
    fan_out: FanOut[str, str] = FanOut(die, 2)
    fan_out.submit(1, "")
    fan_out.close()
    assert [(done.number, done.result) for done in finished(fan_out)] == [(1, None)]


def test_a_task_handed_in_again_after_closing_is_done() -> None:
    fan_out: FanOut[int, int] = FanOut(square, 2)
    fan_out.submit(3, 3)
    fan_out.close()
    seen = []
    for done in finished(fan_out):
        seen.append(done)
        if len(seen) == 1:
            fan_out.submit(3, 5)
    assert [done.result for done in seen] == [9, 25]


def test_while_a_worker_idles_the_caller_can_hand_in_more() -> None:
    fan_out: FanOut[int, int] = FanOut(square, 2)
    moments, found = 0, []
    for done in fan_out.results():
        if done is None:
            moments += 1
            if moments == 3:
                fan_out.submit(1, 4)
        else:
            found.append(done.result)
            fan_out.close()
    assert found == [16]


def test_a_worker_whose_parent_was_gone_before_it_began_ends() -> None:
    enter = "import time; from qdkernel.backends.loky import _enter_worker; _enter_worker(1 << 22); time.sleep(60)"
    done = subprocess.run([sys.executable, "-c", enter], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL


def workers_of_one_call() -> set[int]:
    """The workers after a call of two tasks."""
    fan_out: FanOut[int, int] = FanOut(square, 2)
    for number in range(2):
        fan_out.submit(number, number)
    fan_out.close()
    assert len(list(finished(fan_out))) == 2
    family = psutil.Process().children(recursive=True)
    return {process.pid for process in family if "popen_loky" in " ".join(process.cmdline())}


def test_workers_know_their_parent_and_stay_for_the_next_call() -> None:
    first = workers_of_one_call()
    time.sleep(1.2)  # twice the interval of the watch
    assert first
    assert workers_of_one_call() == first
