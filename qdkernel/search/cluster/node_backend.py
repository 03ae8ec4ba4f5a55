"""The nodes of one class as a backend of the search loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from qdkernel.backends import Done, Pool, PooledBackend
from qdkernel.core import Evaluation
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.search.cluster.node import NodeReport, NodeSpec, NodeTask
from qdkernel.search.cluster.peers import Peers


class NodeBackend:
    """Evaluates on nodes, and gives no more work to those that cannot or that are slow; see ``Backend``.

    Args:
        pool: the workers of the class.
        spec: that all tasks share.
        peers: compares the nodes.
        note: called with the reason when a node is no longer used.
    """

    def __init__(
        self, pool: Pool[NodeTask, NodeReport], spec: NodeSpec, peers: Peers, note: Callable[[str], None]
    ) -> None:
        self._pool = pool
        self._inner = PooledBackend(pool)
        self._spec = spec
        self._peers = peers
        self._note = note
        self._tasks: dict[int, EvaluationTask] = {}
        self._unfit: set[str] = set()

    @property
    def capacity(self) -> int:
        """Number of pending tasks that keeps every worker busy."""
        return self._inner.capacity

    @property
    def pending(self) -> int:
        """Tasks submitted whose result has not come back yet."""
        return self._inner.pending

    def submit(self, number: int, task: EvaluationTask) -> None:
        """Starts a task as soon as a worker is free; its spec is replaced by that of the node."""
        self._tasks[number] = task
        self._inner.submit(number, NodeTask(self._spec, task))

    def completed(self, timeout_s: float | None = None) -> Sequence[Done[Evaluation]]:
        """Tasks that finished since the last call; see ``Backend.completed``.

        Raises:
            QdkernelError: no node is left that can evaluate kernels.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        done: list[Done[Evaluation]] = []
        while self.pending and not done:
            found = self._inner.completed(None if deadline is None else max(0.0, deadline - time.monotonic()))
            for each in found:
                done += self._taken(each)
            if not found:
                break
        return done

    def close(self) -> None:
        """Abandons what is pending."""
        self._tasks.clear()
        self._inner.close()

    def _taken(self, done: Done[NodeReport]) -> list[Done[Evaluation]]:
        """The evaluation in a report; none when the node was unfit and the task is given to another one."""
        report = done.result
        if report is not None and report.evaluation is None:
            self._exclude_unfit(report)
            self.submit(done.number, self._tasks[done.number])
            return []
        del self._tasks[done.number]
        if report is None:
            return [Done(done.number, None)]
        for host in self._peers.report(report.host, report.baseline_gflops):
            self._pool.exclude(host)
        return [Done(done.number, report.evaluation)]

    def _exclude_unfit(self, report: NodeReport) -> None:
        if report.host not in self._unfit:
            self._unfit.add(report.host)
            self._note(f"node {report.host} gets no more kernels: {report.unfit}")
            self._pool.exclude(report.host)
        if not self.capacity:
            raise QdkernelError(f"no node is left that can evaluate kernels; the last one: {report.unfit}")
