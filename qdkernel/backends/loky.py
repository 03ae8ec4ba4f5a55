"""Spreads evaluations over joblib workers and accounts for every one of them.

Workers are supervisors: candidate code runs only in their contained children, so nothing a kernel does can kill a
worker. If one is killed all the same (by the kernel's out-of-memory killer, by hand) joblib abandons the whole call;
the tasks that were under way are then handed out once more, and only then given up as lost.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_IDLE_S = 0.05  # a worker without work looks for some this often; oftener would disturb a benchmark on the other cores
_ATTEMPTS = 2  # a task is tried again once after its worker was killed


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A task that came back; ``result`` is ``None`` when it was lost with its worker."""

    number: int
    result: Result | None


class FanOut(Generic[Task, Result]):
    """Runs ``work(task)`` in worker processes; results come as they finish.

    Tasks are handed in with ``submit`` from the thread that iterates over ``results()``; joblib pulls them from
    another thread, hence the queue.

    Args:
        work: an importable function of one picklable argument.
        workers: worker processes.
    """

    def __init__(self, work: Callable[[Task], Result], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._tasks: dict[int, Task] = {}
        self._attempts: dict[int, int] = {}
        self._closed = False

    @property
    def capacity(self) -> int:
        """Tasks that keep every worker busy: one in hand and one next for each, and one to be pulled."""
        return 2 * self._workers + 1 if self._workers > 1 else 1

    @property
    def pending(self) -> int:
        """Tasks handed in whose result has not come yet."""
        return len(self._tasks)

    def submit(self, number: int, task: Task) -> None:
        """Hands in a task; ``number`` names it in its ``Done``."""
        self._tasks[number] = task
        self._attempts[number] = self._attempts.get(number, 0)
        self._waiting.put(number)

    def close(self) -> None:
        """No more new tasks: ``results()`` ends when those pending, and any handed in again, are done."""
        self._closed = True

    def results(self) -> Iterator[Done[Result] | None]:
        """Results as they finish, until ``close`` has been called and everything pending is done.

        While a worker idles ``None`` comes every few hundredths of a second, so that the caller can hand in more.
        """
        while self._tasks or not self._closed:
            try:
                yield from self._one_call()
            except _worker_death():
                yield from self._after_a_death()

    def _one_call(self) -> Iterator[Done[Result] | None]:
        import joblib

        with warnings.catch_warnings():
            # joblib warns when a worker stops; the loop above accounts for it
            warnings.filterwarnings("ignore", category=UserWarning, module="joblib")
            parallel = joblib.Parallel(
                # joblib would run a single job in this process; two workers of which one idles keep it out
                n_jobs=max(2, self._workers),
                backend="loky",
                return_as="generator_unordered",
                pre_dispatch=self._workers + 1 if self._workers > 1 else 1,
                batch_size=1,
                inner_max_num_threads=1,  # a worker's own numpy must not spin beside a benchmark
                initializer=_enter_worker,
                initargs=(os.getpid(),),
            )
            for number, result in parallel(self._calls()):
                if number is None:
                    yield None
                    continue
                self._tasks.pop(number, None)
                yield Done(number, result)

    def _calls(self) -> Iterator[Any]:  # Any: joblib's delayed calls
        import joblib

        call = joblib.delayed(_numbered)
        waiting = self._waiting  # this call's own: a later call after a death has another
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                if self._closed:
                    return
                # joblib pulls with its own lock held, so waiting here could stop the results as well
                yield joblib.delayed(_idle)()
                continue
            if number in self._tasks:
                self._attempts[number] += 1
                yield call(self._work, number, self._tasks[number])

    def _after_a_death(self) -> Iterator[Done[Result]]:
        """Hands out again what was pending; a task tried often enough is lost."""
        self._waiting = queue.SimpleQueue()
        for number in list(self._tasks):
            if self._attempts[number] < _ATTEMPTS:
                self._waiting.put(number)
            else:
                del self._tasks[number]
                yield Done(number, None)


def _numbered(work: Callable[[Task], Result], number: int, task: Task) -> tuple[int, Result]:
    return number, work(task)


def _idle() -> tuple[None, None]:
    time.sleep(_IDLE_S)
    return None, None


def _worker_death() -> tuple[type[BaseException], ...]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    return (BrokenProcessPool,)  # TerminatedWorkerError is one


def _enter_worker(parent: int) -> None:
    """Interrupts are the main process's business; a worker whose parent is gone goes as well.

    The parent says who it is: it may be gone before its worker gets here.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)  # its contained children die with it

    threading.Thread(target=watch, daemon=True).start()
