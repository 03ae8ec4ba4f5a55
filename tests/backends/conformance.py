"""What every backend does; subclass it with a ``make`` and ``processes``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from qdkernel.backends import Backend, Done
from tests.backends.work import die, die_once, fail, slow_square, square


def drain(backend: Backend[Any, Any]) -> list[Done[Any]]:
    """Everything that is pending."""
    done: list[Done[Any]] = []
    while backend.pending:
        done += backend.completed()
    return done


class BackendConformance:
    """Tests that a backend passes to be one."""

    processes: ClassVar[bool]
    """Whether tasks run in processes of their own, which a task can kill."""

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        raise NotImplementedError

    @pytest.mark.parametrize("workers", [1, 2, 3])
    def test_every_task_comes_back_once_whatever_the_number_of_workers(self, workers: int) -> None:
        backend, found, submitted = self.make(slow_square, workers), {}, 0
        while submitted < 25 or backend.pending:
            while submitted < 25 and backend.pending < backend.capacity:
                backend.submit(submitted, submitted)
                submitted += 1
            for done in backend.completed():
                assert done.number not in found
                found[done.number] = done.result
        assert found == {number: number * number for number in range(25)}
        backend.close()

    def test_a_slow_consumer_loses_nothing(self) -> None:
        backend = self.make(square, 2)
        for number in range(10):
            backend.submit(number, number)
        found = []
        while backend.pending:
            time.sleep(0.05)
            found += [done.number for done in backend.completed()]
        assert sorted(found) == list(range(10))

    def test_nothing_pending_returns_at_once(self) -> None:
        assert list(self.make(square, 2).completed()) == []

    def test_a_number_may_be_submitted_again_when_it_is_done(self) -> None:
        backend = self.make(square, 2)
        backend.submit(3, 3)
        assert drain(backend) == [Done(3, 9)]
        backend.submit(3, 5)
        assert drain(backend) == [Done(3, 25)]

    def test_pending_counts_what_has_not_come_back(self) -> None:
        backend = self.make(square, 2)
        backend.submit(1, 1)
        backend.submit(2, 2)
        assert backend.pending == 2
        drain(backend)
        assert backend.pending == 0

    def test_an_exception_of_the_work_is_raised(self) -> None:
        backend = self.make(fail, 2)
        backend.submit(1, "no such kernel")
        with pytest.raises(ValueError, match="no such kernel"):
            drain(backend)
        backend.close()

    def test_closing_abandons_what_is_pending(self) -> None:
        backend = self.make(slow_square, 2)
        for number in range(4):
            backend.submit(number, number)
        backend.close()
        assert backend.pending == 0
        assert list(backend.completed()) == []

    def test_a_task_whose_worker_was_killed_is_tried_again(self, tmp_path: Path) -> None:
        self.needs_processes()
        backend = self.make(die_once, 2)
        backend.submit(7, str(tmp_path / "flag"))
        assert drain(backend) == [Done(7, "survived")]

    def test_a_task_that_always_kills_its_worker_is_lost(self) -> None:
        self.needs_processes()
        backend = self.make(die, 2)
        backend.submit(1, "")
        assert drain(backend) == [Done(1, None)]

    def test_a_timeout_returns_without_a_result(self) -> None:
        self.needs_processes()
        backend = self.make(time.sleep, 2)
        backend.submit(1, 0.4)
        assert list(backend.completed(timeout_s=0.01)) == []
        assert drain(backend) == [Done(1, None)]

    def needs_processes(self) -> None:
        if not self.processes:
            pytest.skip("tasks run in this process, which they would kill or block")
