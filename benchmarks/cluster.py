"""What an engine costs per kernel, what a second worker brings, and how many workers one search can feed.

Question 1: how long does Dask or Parsl take to hand a kernel to a worker and to bring its evaluation back?
Method: one worker, one task at a time, of the size of real ones; the worker answers with a recorded evaluation.

Question 2: how much more do two workers with a core each compile and verify than one?
Method: the same kernels through a Dask cluster of two workers of this machine, one kernel under way and two, no timing;
repeated, and the medians compared. Workers of the local backend show what this machine can give without an engine.

Question 3: from how many workers on does the search's own process limit the run?
Method: the real loop, operators, archive and run.db; each evaluation is made up from a hash of its source and comes
back after a time drawn from those that evaluations of a real run took (the sum of their steps without waiting). The
processor time of this process, without that for making evaluations up, is divided by the wall time; at the end the
archive is rebuilt from the log and compared.

    python benchmarks/cluster.py [overhead] [workers] [simulated] [--run RUN]      # from the root of a checkout
"""

from __future__ import annotations

import argparse
import heapq
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # the searches without a compiler live with the tests
from cluster_work import SPEC, answer, identify, verified

from qdkernel.backends import Backend, Cluster, NodeRequest, PooledBackend, make_backend
from qdkernel.backends.dask import DaskCluster
from qdkernel.backends.parsl import ParslCluster
from qdkernel.core import Evaluation, Kernel
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.mutators import MUTATORS
from qdkernel.runs import RunFolder, elites
from qdkernel.search import assemble
from qdkernel.search.cluster.node import NodeSpec, NodeTask
from tests.search.offline import configured, environment, hashed

SECONDS = 20.0  # of each simulated cluster
WORKERS = (1, 10, 25, 50, 100, 200)
TASKS, KERNELS, REPEATS = 200, 24, 3
EVALUATION_S = (0.2, 1.2)  # without --run: evenly between, as evaluations at n = 256 took on two cores


def main() -> None:
    """Runs the parts that are named; all by default."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"overhead": overhead, "workers": workers, "simulated": simulated}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--run", type=Path, help="a run whose evaluations' durations are used")
    arguments = parser.parse_args()
    folders = (Path(__file__).parent, Path(__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, folders))  # where workers find this benchmark's functions
    for name in arguments.parts or parts:
        parts[name](arguments.run)


def overhead(_: Path | None) -> None:
    """Question 1."""
    with tempfile.TemporaryDirectory() as folder:
        engines: dict[str, Callable[[], Cluster]] = {
            "dask": lambda: DaskCluster(identify, print, None, 1),
            "parsl": lambda: ParslCluster(identify, print, [NodeRequest(provider="local")], Path(folder)),
        }
        print("| engine | a kernel takes | 5 % | 95 % |\n|---|---|---|---|")
        for name, start in engines.items():
            with closing(start()) as cluster:
                backend = PooledBackend(cluster.pool("all", answer))
                task = NodeTask(NodeSpec(configured(1), "all"), EvaluationTask(SPEC, Kernel("/*" + "x" * 8000 + "*/")))
                took = [_round_trip(backend, number, task) for number in range(TASKS)]
            low, high = np.percentile(took[5:], (5, 95)) * 1e3
            print(f"| {name} | {statistics.median(took[5:]) * 1e3:.1f} ms | {low:.1f} | {high:.1f} |", flush=True)


def _round_trip(backend: PooledBackend[Any, Any], number: int, task: Any) -> float:  # Any: tasks of any kind
    begin = time.perf_counter()
    backend.submit(number, task)
    while not backend.completed():
        pass
    return time.perf_counter() - begin


def workers(_: Path | None) -> None:
    """Question 2."""
    sources = _kernels(KERNELS)
    print("| workers of | one | two | gain |\n|---|---|---|---|")
    for engine in ("local", "dask"):
        one, two = _rates(engine, sources)
        print(f"| {engine} | {one:.2f}/s | {two:.2f}/s | {two / one:.2f} x |", flush=True)


def _rates(engine: str, sources: list[str]) -> list[float]:
    """Kernels a second with one of two workers busy and with both; the medians of repetitions that take turns."""
    took: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        backend, tasks = _two_workers(engine, stack), [(folder, source) for source in sources]
        _all(backend, tasks[:4], 2)  # contexts are made outside the measurement
        for _ in range(REPEATS):
            for count, seconds in took.items():
                seconds.append(_all(backend, tasks, count))
    return [len(sources) / statistics.median(seconds) for seconds in took.values()]


def _two_workers(engine: str, stack: ExitStack) -> Backend[Any, Any]:  # Any: tasks of any kind
    if engine == "local":
        return stack.enter_context(closing(make_backend("local", verified, 2)))
    cluster = stack.enter_context(closing(DaskCluster(identify, print, None, 2)))
    return PooledBackend(cluster.pool("all", verified))


def _all(backend: Backend[Any, Any], tasks: list[Any], at_once: int) -> float:  # Any: tasks of any kind
    """Seconds for all tasks, so many of them under way."""
    begin, waiting = time.perf_counter(), list(enumerate(tasks))
    while waiting or backend.pending:
        while waiting and backend.pending < at_once:
            backend.submit(*waiting.pop(0))
        assert all(done.result for done in backend.completed())
    return time.perf_counter() - begin


def _kernels(count: int) -> list[str]:
    """Kernels of the schedule operator, as a search begins with."""
    from tests.mutators.briefs import brief

    rng, operator, found = np.random.default_rng(1), MUTATORS["schedule"](), []
    while len(found) < count:
        proposal = operator.propose(brief(), rng)
        if proposal is not None and proposal.kernel.source not in found:
            found.append(proposal.kernel.source)
    return found


@dataclass(order=True)
class _Sleeping:
    due_s: float
    task: EvaluationTask = field(compare=False)
    result: Future[Evaluation] = field(compare=False)


class SleepingWorkers:
    """A pool whose workers sleep as long as an evaluation takes; one thread of this process wakes them.

    Attributes:
        own_s: processor time for what real workers would do: making evaluations up.
    """

    def __init__(self, count: int, durations_s: np.ndarray) -> None:
        self._free = count
        self._durations_s = durations_s
        self._rng = np.random.default_rng(0)
        self._waiting: list[_Sleeping] = []
        self._asleep: list[_Sleeping] = []
        self._changed = threading.Condition()
        self._closed = False
        self.capacity = 2 * count
        self.own_s = 0.0
        threading.Thread(target=self._wake, daemon=True).start()

    def submit(self, task: EvaluationTask) -> Future[Evaluation]:
        """Starts a task as soon as a worker is free."""
        job = _Sleeping(0.0, task, Future())
        with self._changed:
            self._waiting.append(job)
            self._start()
            self._changed.notify()
        return job.result

    def exclude(self, host: str) -> None:
        """Nothing: there are no hosts."""

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _start(self) -> None:
        while self._free and self._waiting:
            job = self._waiting.pop(0)
            job.due_s = time.monotonic() + float(self._rng.choice(self._durations_s))
            heapq.heappush(self._asleep, job)
            self._free -= 1

    def _wake(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                rest_s = self._asleep[0].due_s - time.monotonic() if self._asleep else None
                if rest_s is None or rest_s > 0:
                    self._changed.wait(rest_s)
                    continue
                job = heapq.heappop(self._asleep)
                self._free += 1
                self._start()
            begin_s = time.thread_time()
            evaluation = hashed(job.task)
            self.own_s += time.thread_time() - begin_s
            job.result.set_result(evaluation)


def simulated(run: Path | None) -> None:
    """Question 3."""
    durations_s = np.linspace(*EVALUATION_S, 50) if run is None else _durations_s(run)
    print(f"an evaluation sleeps {durations_s.mean():.2f} s on average\n")
    print("| workers | evaluations/s | possible | processor time | of a core | archive |")
    print("|---|---|---|---|---|---|")
    for count in WORKERS:
        pool = SleepingWorkers(count, durations_s)
        with tempfile.TemporaryDirectory() as folder, _search(pool, count, Path(folder)) as (evolution, made):
            threading.Timer(SECONDS, evolution.stop).start()
            wall_s, own_s = time.monotonic(), time.process_time()
            evolution.evolution.run()
            wall_s, own_s = time.monotonic() - wall_s, time.process_time() - own_s - pool.own_s
            done = evolution.evolution.status.session_evaluations
            logged = {cell: record.proposal.kernel.id for cell, record in elites(made.evaluations.records()).items()}
            held = {cell: one.proposal.kernel.id for cell, one in evolution.evolution._fold.held.items()}
            exact = held == logged and evolution.evolution.status.elites == len(logged)
        possible = count / durations_s.mean()
        kept = "exact" if exact else "DIFFERS"
        each_ms = 1e3 * own_s / done
        rate = f"{done / wall_s:.1f} | {possible:.1f} | {each_ms:.1f} ms | {own_s / wall_s:.0%}"
        print(f"| {count} | {rate} | {kept} |", flush=True)


@contextmanager
def _search(pool: SleepingWorkers, count: int, folder: Path) -> Iterator[tuple[Any, RunFolder]]:  # Any: Assembled
    config = configured(10**9, workers=count)
    with environment(config) as place, RunFolder.create(folder, "dgemm", "problem: dgemm\n", place.facts()) as made:
        run = assemble(replace(place, workers=count), made, lambda status: None, print, None, PooledBackend(pool))
        yield run, made
        run.close(patience_s=0.0)


def _durations_s(run: Path) -> np.ndarray:
    with RunFolder.open(run) as folder:
        steps = [record.evaluation.step_s for record in folder.evaluations.records()]
    return np.array([sum(s for name, s in each.items() if name not in ("wait", "kernels")) for each in steps])


if __name__ == "__main__":
    main()
