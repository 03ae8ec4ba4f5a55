"""Workers that Parsl's HighThroughputExecutor starts through Slurm, PBS or on this machine.

Its defaults are those of a benchmark: nodes are exclusive, no task waits on a node, and only the task that killed its
worker fails.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal

from qdkernel.backends.base import ATTEMPTS, Identify, Result, Task, WorkerKilled
from qdkernel.backends.parsl_managers import Answer, Managers, answered
from qdkernel.errors import QdkernelError

_HEARTBEAT_S = 2  # how often a node checks its workers
_LOST_S = 30  # without a heartbeat a node counts as lost
_LAST_TASK_S = 60  # chosen: many times what a kernel takes; a node gets no more tasks so long before its walltime ends
_REFUSALS = 3  # so many jobs in a row that fail, while there is no other, end the run


@dataclass(frozen=True)
class NodeRequest:
    """Equal nodes to ask a scheduler for.

    Attributes:
        provider: the scheduler; ``local`` for this machine.
        nodes: of one job; with PBS each is a job of its own.
        jobs: at the same time, at most.
        workers: per node; each evaluates one kernel at a time, and one of a node times.
        walltime: of a job, ``HH:MM:SS``; another is submitted when it ends before the run.
        partition: of Slurm, or the queue of PBS.
        account: that is charged.
        options: lines for the job script, e.g. ``#SBATCH --constraint=genoa``.
        setup: shell lines run on each node first, e.g. ``module load gcc``.
    """

    provider: Literal["slurm", "pbs", "local"] = "slurm"
    nodes: int = 1
    jobs: int = 1
    workers: int = 1
    walltime: str = "01:00:00"
    partition: str | None = None
    account: str | None = None
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()


class ParslCluster:
    """Nodes that Parsl asks a scheduler for; see ``Cluster``.

    Args:
        identify: called once on a node of each request; the request's other nodes must be of the same class.
        say: called with what is waited for.
        requests: one per kind of node.
        folder: on a file system that the nodes share; holds job scripts and logs.
        secrets: environment variables that must not reach a node.
    """

    def __init__(
        self,
        identify: Identify,
        say: Callable[[str], None],
        requests: Sequence[NodeRequest],
        folder: Path,
        secrets: Sequence[str] = (),
    ) -> None:
        from parsl import Config, python_app
        from parsl.dataflow.dflow import DataFlowKernel

        self._requests = {f"nodes{i}": request for i, request in enumerate(requests)}
        executors = [_executor(label, request, folder, secrets) for label, request in self._requests.items()]
        self._kernel = DataFlowKernel(
            Config(executors=executors, run_dir=str(folder), initialize_logging=False, strategy_period=2, retries=0)
        )
        self._labels: dict[str, list[str]] = defaultdict(list)
        try:
            say("waiting for the first node of each kind")
            for label in self._requests:
                asked = python_app(answered, data_flow_kernel=self._kernel, executors=[label])(identify)
                self._labels[_answer(asked).machine_class].append(label)
        except BaseException:
            self.close()
            raise

    @property
    def classes(self) -> Mapping[str, int]:
        """Number of workers asked for, by class of machine."""
        return Counter({name: sum(map(self._workers, labels)) for name, labels in self._labels.items()})

    def pool(self, machine_class: str, work: Callable[[Task], Result]) -> ParslPool[Task, Result]:
        """The nodes of a class."""
        labels = self._labels[machine_class]
        return ParslPool(self._kernel, labels, sum(map(self._workers, labels)), work)

    def close(self) -> None:
        """Cancels the jobs."""
        self._kernel.cleanup()

    def _workers(self, label: str) -> int:
        request = self._requests[label]
        return request.nodes * request.jobs * request.workers


class ParslPool(Generic[Task, Result]):
    """The workers of some executors of Parsl; see ``Pool``.

    Args:
        kernel: Parsl's ``DataFlowKernel``.
        labels: of the executors.
        workers: that they have when all their nodes are there.
        work: an importable function of one picklable argument.
    """

    def __init__(self, kernel: Any, labels: Sequence[str], workers: int, work: Callable[[Task], Result]) -> None:
        from parsl import python_app

        self._managers = Managers([kernel.executors[label] for label in labels])
        self._workers = workers
        self._work = work
        self._app = python_app(answered, data_flow_kernel=kernel, executors=list(labels))
        self._closed = False

    @property
    def capacity(self) -> int:
        """A task under way and one that waits here for each worker; 0 when no worker is left."""
        return max(0, 2 * (self._workers - self._managers.held_workers))

    def submit(self, task: Task) -> Future[Result]:
        """Starts a task as soon as a worker is free; see ``Pool.submit``."""
        result: Future[Result] = Future()
        self._try(task, result, ATTEMPTS)
        return result

    def exclude(self, host: str) -> None:
        """Gives the workers of a host no more tasks; those under way are finished, and its job keeps the node."""
        self._managers.exclude(host)

    def close(self) -> None:
        """Abandons what is under way."""
        self._closed = True

    def _try(self, task: Task, result: Future[Result], attempts: int) -> None:
        self._app(self._work, task).add_done_callback(lambda done: self._settle(task, result, attempts, done))

    def _settle(self, task: Task, result: Future[Result], attempts: int, done: Future[Answer]) -> None:
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

        error = done.exception()
        if error is None:
            answer = done.result()
            try:
                self._managers.meet(answer.manager, answer.host)
            finally:
                result.set_result(answer.value)
        elif not isinstance(error, (ManagerLost, WorkerLost)):
            result.set_exception(_translated(error))
        elif attempts > 1 and not self._closed:
            self._try(task, result, attempts - 1)
        else:
            result.set_exception(WorkerKilled(str(error)))


def _answer(asked: Future[Answer]) -> Any:  # Any: whatever was asked
    error = asked.exception()
    if error is not None:
        raise _translated(error)
    return asked.result().value


def _translated(error: BaseException) -> BaseException:
    """An error of Parsl itself, e.g. a job that the scheduler refuses, as one for the user."""
    from parsl.errors import ParslError
    from parsl.executors.errors import ExecutorError

    if isinstance(error, (ParslError, ExecutorError)):
        return QdkernelError(f"Parsl cannot get nodes: {error}; correct evaluators.parsl, then continue with --resume")
    return error


def _executor(label: str, request: NodeRequest, folder: Path, secrets: Sequence[str]) -> Any:  # Any: of Parsl
    from parsl import HighThroughputExecutor

    local = request.provider == "local"
    return HighThroughputExecutor(
        label=label,
        provider=_provider(request, secrets),
        address="127.0.0.1" if local else None,
        max_workers_per_node=request.workers,
        block_error_handler=_end_without_jobs,
        drain_period=None if local else _drain_s(request.walltime),
        cores_per_worker=1e-3,  # max_workers_per_node decides alone
        prefetch_capacity=0,
        heartbeat_period=_HEARTBEAT_S,
        heartbeat_threshold=_LOST_S,
        interchange_launch_cmd=_interchange(),
        worker_logdir_root=str(folder),
        working_dir=str(folder),
    )


def _drain_s(walltime: str) -> int:
    """Seconds after which a node gets no more tasks and ends its job, so that another can be submitted."""
    hours, minutes, seconds = map(int, walltime.split(":"))
    whole_s = 3600 * hours + 60 * minutes + seconds
    return max(whole_s - _LAST_TASK_S, whole_s // 2)


def _end_without_jobs(executor: Any, status: Mapping[str, Any]) -> None:  # Any: of Parsl
    """Fails all tasks when every job has failed, or the last ones have and none is left, e.g. of a spent account.

    Parsl's own handlers ask for ever for a job after one that had worked, or give up the jobs that still run.
    """
    from parsl.jobs.states import JobState

    jobs = [status[block] for block in sorted(status, key=int)]
    failed = [job.state in (JobState.FAILED, JobState.MISSING) for job in jobs]
    none_works = len(jobs) >= executor.provider.init_blocks and all(failed)
    none_follows = all(job.terminal for job in jobs) and failed[-_REFUSALS:] == [True] * _REFUSALS
    if jobs and (none_works or none_follows):
        last = jobs[-1]
        text = "\n".join(filter(None, (last.message, last.stderr_summary))) or "its job ended without a message"
        executor.set_bad_state_and_fail_all(RuntimeError(text))


def _interchange() -> list[str]:
    """Parsl's interchange: an interrupt of this process does not reach it, and it ends when this process ends.

    Its nodes end with it, so none stays allocated.
    """
    program = str(Path(sys.executable).with_name("interchange.py"))
    tools = shutil.which("setsid") and shutil.which("setpriv")  # of util-linux
    return ["setsid", "setpriv", "--pdeathsig", "TERM", program] if tools else [program]


def _provider(request: NodeRequest, secrets: Sequence[str]) -> Any:  # Any: of Parsl
    from parsl.launchers import SimpleLauncher, SingleNodeLauncher, SrunLauncher
    from parsl.providers import LocalProvider, PBSProProvider, SlurmProvider

    shared = {"init_blocks": 1, "min_blocks": 0, "max_blocks": request.jobs, "worker_init": _setup(request, secrets)}
    if request.provider == "local":
        return LocalProvider(launcher=SingleNodeLauncher(), **shared)
    batch = {**shared, "nodes_per_block": request.nodes, "walltime": request.walltime, "account": request.account}
    if request.provider == "slurm":
        # --export=NIL: the job starts without the submitter's environment, where a model's key may be.
        options = "\n".join(("#SBATCH --export=NIL", *request.options))
        return SlurmProvider(
            partition=request.partition, scheduler_options=options, exclusive=True, launcher=SrunLauncher(), **batch
        )
    # A job for each node: PBS itself starts a job's script on its first node only, and not every site has MPI.
    batch |= {"nodes_per_block": 1, "init_blocks": request.nodes, "max_blocks": request.nodes * request.jobs}
    options = "\n".join(("#PBS -l place=scatter:excl", *request.options))
    return PBSProProvider(queue=request.partition, scheduler_options=options, launcher=SimpleLauncher(), **batch)


def _setup(request: NodeRequest, secrets: Sequence[str]) -> str:
    """Shell lines after which a node finds this Python, and no secret."""
    programs = shlex.quote(str(Path(sys.executable).parent))
    hidden = [f"unset {name}" for name in secrets]
    return "\n".join((*hidden, f"export PATH={programs}:$PATH SLURM_EXPORT_ENV=ALL", *request.setup))
