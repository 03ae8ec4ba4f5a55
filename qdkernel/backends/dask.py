"""Workers of a Dask cluster: an existing one by its address, or one of this machine.

Futures of ``distributed``; joblib's own Dask backend waits for ever on a task that kills its worker. Only workers that
declare the resource ``MEASURE`` are used. Each is given one task at a time: Dask counts a worker's death against all
tasks that it was given (dask/distributed#5234), so none may wait there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic

from qdkernel.backends.base import ATTEMPTS, Identify, Identity, Result, Task, WorkerKilled
from qdkernel.errors import ConfigError, QdkernelError

RESOURCE = "MEASURE"
"""Declared by every worker that may measure: ``dask worker --resources MEASURE=1``."""

_WATCH_S = 1.0  # between looks at who is there; a lost worker's task waits this long at most
_FIRST_S = 60.0  # for the first worker of an existing cluster
_CONNECT_S = 10.0
_PATIENCE_S = 300.0  # without any worker, before the run ends; nodes of a batch system come and go


class DaskCluster:
    """The workers of a Dask cluster; see ``Cluster``.

    Args:
        identify: called once on every worker.
        say: called with the reason when a worker is not used.
        address: of the scheduler, e.g. ``tcp://login1:8786``; ``None`` for a cluster of this machine.
        workers: worker processes of this machine's cluster.
        secrets: environment variables that must not reach them.

    Raises:
        QdkernelError: no scheduler answers, or it has no usable worker.
    """

    def __init__(
        self,
        identify: Identify,
        say: Callable[[str], None],
        address: str | None,
        workers: int,
        secrets: Sequence[str] = (),
    ) -> None:
        self._identify = identify
        self._say = say
        self._local = None if address else _local_cluster(workers, secrets)
        self._client = _connect(address or self._local)
        self._known: dict[str, Identity | None] = {}  # by address; None for one that is not used
        self._present: frozenset[str] = frozenset()
        self._pools: list[DaskPool[Any, Any]] = []  # Any: each of its own tasks
        self._closing = threading.Event()
        try:
            self._wait_for_first(address)
        except BaseException:
            self._disconnect()
            raise
        self._watching = threading.Thread(target=self._watch, name="dask-workers", daemon=True)
        self._watching.start()

    @property
    def classes(self) -> Mapping[str, int]:
        """Number of workers present, by class of machine."""
        present = [self._known.get(address) for address in self._present]
        return Counter(identity.machine_class for identity in present if identity)

    def pool(self, machine_class: str, work: Callable[[Task], Result]) -> DaskPool[Task, Result]:
        """The workers of a class."""
        pool = DaskPool(self._client, machine_class, work)
        self._pools.append(pool)
        pool.update(self._members(machine_class))
        return pool

    def close(self) -> None:
        """Ends this machine's cluster, or leaves the existing one."""
        self._closing.set()
        self._watching.join()
        self._disconnect()

    def _disconnect(self) -> None:
        self._client.close()
        if self._local is not None:
            self._local.close()

    def _wait_for_first(self, address: str | None) -> None:
        for _ in range(int(_FIRST_S / _WATCH_S)):
            before = self._present
            self._look()
            if self.classes and self._present == before:  # no new worker for a while: the class of each is known
                return
            if self._present and not self.classes:
                raise QdkernelError("no worker of the Dask cluster can be used; the reasons are above")
            self._closing.wait(_WATCH_S)
        raise QdkernelError(
            f"the Dask scheduler at {address} has no worker with the resource {RESOURCE}; start some: "
            f"dask worker {address} --nthreads 1 --resources {RESOURCE}=1"
        )

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH_S):
            try:
                self._look()
            except Exception as error:  # whatever the network does: the run ends with a reason
                for pool in self._pools:
                    pool.fail(_lost(error))
                return
            for pool in self._pools:
                pool.update(self._members(pool.machine_class))

    def _look(self) -> None:
        """Which workers are there now; new ones are identified."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        self._present = frozenset(name for name, facts in workers.items() if RESOURCE in facts["resources"])
        newcomers = sorted(self._present - self._known.keys())
        answers = self._client.run(self._identify, workers=newcomers, on_error="return") if newcomers else {}
        for name, answer in answers.items():
            self._known[name] = answer if isinstance(answer, Identity) else None
            if not isinstance(answer, (Identity, OSError)):  # OSError: it is gone again
                self._say(f"Dask worker {name} is not used: {answer}")
            elif isinstance(answer, Identity) and self._pools and answer.machine_class not in self._used:
                self._say(f"Dask worker {name} is of another class of machine: it is used from the next --resume on")

    @property
    def _used(self) -> set[str]:
        return {pool.machine_class for pool in self._pools}

    def _members(self, machine_class: str) -> dict[str, str]:
        """Hosts of the workers of a class, by address."""
        known = {name: self._known.get(name) for name in self._present}
        return {name: one.host for name, one in known.items() if one and one.machine_class == machine_class}


@dataclass(eq=False)
class _Job(Generic[Task, Result]):
    task: Task
    result: Future[Result]
    attempts: int = ATTEMPTS
    under_way: Any = None  # Any: distributed.Future has no types


class DaskPool(Generic[Task, Result]):
    """The Dask workers of one class of machines; see ``Pool``.

    Args:
        client: of ``distributed``.
        machine_class: of its workers.
        work: an importable function of one picklable argument.
    """

    def __init__(self, client: Any, machine_class: str, work: Callable[[Task], Result]) -> None:  # Any: no types
        self.machine_class = machine_class
        self._client = client
        self._work = work
        self._lock = threading.RLock()
        self._hosts: Mapping[str, str] = {}
        self._excluded: set[str] = set()
        self._busy: dict[str, _Job[Task, Result]] = {}
        self._waiting: deque[_Job[Task, Result]] = deque()
        self._failure: Exception | None = None
        self._deserted_s: float | None = None  # when the last worker went

    @property
    def capacity(self) -> int:
        """A task under way and one that waits here for each worker; 0 when no worker is left."""
        return 2 * len(self._usable())

    def submit(self, task: Task) -> Future[Result]:
        """Starts a task as soon as a worker is free; see ``Pool.submit``."""
        job = _Job(task, Future[Result]())
        with self._lock:
            self._waiting.append(job)
            self._start()
        return job.result

    def exclude(self, host: str) -> None:
        """Gives the workers of a host no more tasks."""
        with self._lock:
            self._excluded.add(host)

    def update(self, hosts: Mapping[str, str]) -> None:
        """Takes in the present workers, hosts by address; the task of a worker that is gone is run again."""
        with self._lock:
            self._hosts = hosts
            vanished = [(name, job) for name, job in self._busy.items() if name not in hosts]
            for name, job in vanished:
                del self._busy[name]
                job.under_way.cancel(force=True)
                self._repeat(job)
            self._start()
        now = time.monotonic()
        self._deserted_s = None if hosts else self._deserted_s or now
        if self._deserted_s and now - self._deserted_s > _PATIENCE_S:
            self.fail(
                QdkernelError("all workers of the Dask cluster are gone; start some, then continue with --resume")
            )

    def fail(self, error: Exception) -> None:
        """Ends every task, also later ones, with an error."""
        with self._lock:
            self._failure = error
            jobs = [*self._busy.values(), *self._waiting]
            self._busy.clear()
            self._waiting.clear()
        for job in jobs:
            job.result.set_exception(error)

    def close(self) -> None:
        """Abandons what is under way."""
        with self._lock:
            running = [job.under_way for job in self._busy.values()]
            self.fail(WorkerKilled("the pool is closed"))
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.cancel(running, force=True)

    def _usable(self) -> list[str]:
        return [name for name, host in self._hosts.items() if host not in self._excluded]

    def _start(self) -> None:
        """Gives free workers what waits; called with the lock held."""
        if self._failure is not None and self._waiting:
            self.fail(self._failure)
        for name in self._usable():
            if self._waiting and name not in self._busy:
                job = self._busy[name] = self._waiting.popleft()
                job.under_way = self._client.submit(
                    self._work,
                    job.task,
                    workers=[name],
                    allow_other_workers=False,
                    resources={RESOURCE: 1},
                    pure=False,
                    retries=0,
                )
                job.under_way.add_done_callback(lambda future, name=name, job=job: self._finished(name, job, future))

    def _finished(self, name: str, job: _Job[Task, Result], future: Any) -> None:  # Any: distributed.Future
        from distributed import CancelledError, KilledWorker

        try:
            outcome: Result | BaseException = future.result()
        except BaseException as error:
            outcome = error
        with self._lock:
            if self._busy.get(name) is not job or job.under_way is not future:
                return  # given up, or run again elsewhere
            if isinstance(outcome, CancelledError):  # not by this pool: the scheduler is gone, and forgot all tasks
                self.fail(_lost(outcome))
                return
            del self._busy[name]
            if isinstance(outcome, KilledWorker):
                self._hosts = {other: host for other, host in self._hosts.items() if other != name}
                self._repeat(job)
            self._start()
        if isinstance(outcome, KilledWorker):
            return
        if isinstance(outcome, BaseException):
            job.result.set_exception(outcome)
        else:
            job.result.set_result(outcome)

    def _repeat(self, job: _Job[Task, Result]) -> None:
        """Runs a job again, before those that wait; called with the lock held."""
        job.attempts -= 1
        if job.attempts:
            self._waiting.appendleft(job)
        else:
            job.result.set_exception(WorkerKilled("the worker was killed while it ran this task"))


def _lost(error: BaseException) -> QdkernelError:
    return QdkernelError(f"the Dask scheduler does not answer any more ({error}); continue with --resume")


def _local_cluster(workers: int, secrets: Sequence[str]) -> Any:  # Any: no types
    """A scheduler and workers of this machine, each restarted by a nanny when it dies."""
    import dask
    from distributed import LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.logging.distributed": "error",
        "distributed.worker.profile.enabled": False,  # it samples every 10 ms, also beside a benchmark
    }
    # Dask's own limit of memory would kill supervisors of kernels, which have limits of their own.
    with dask.config.set(settings):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            resources={RESOURCE: 1},
            env=dict.fromkeys(secrets, ""),
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            silence_logs=50,
        )


def _connect(where: Any) -> Any:  # Any: an address or a cluster, a client
    from distributed import Client

    try:
        return Client(where, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"evaluators.dask.address: no Dask scheduler answers at {where} ({error}); start one with `dask "
            "scheduler`, or correct the address"
        ) from error
