from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import pytest

from qdkernel.backends import Done
from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, EvaluationTask
from qdkernel.search.cluster.node import NodeReport, NodeSpec, NodeTask
from qdkernel.search.cluster.node_backend import NodeBackend
from qdkernel.search.cluster.peers import Peers
from tests.search.offline import configured

TASK = EvaluationTask(EvaluationSpec("dgemm", "", CompileSpec("gcc", ())), Kernel("void dgemm(void);"))


class Hosts:
    """A pool whose hosts take tasks in turn; each answers as its function does."""

    def __init__(self, **hosts: Callable[[NodeTask], NodeReport]) -> None:
        self.hosts = hosts
        self.turns = 0

    @property
    def capacity(self) -> int:
        return 2 * len(self.hosts)

    def submit(self, task: NodeTask) -> Future[NodeReport]:
        self.turns += 1
        name = sorted(self.hosts)[self.turns % len(self.hosts)]
        future: Future[NodeReport] = Future()
        future.set_result(self.hosts[name](task))
        return future

    def exclude(self, host: str) -> None:
        self.hosts.pop(host, None)

    def close(self) -> None:
        self.hosts.clear()


def answers(host: str, gflops: float) -> Callable[[NodeTask], NodeReport]:
    def answer(task: NodeTask) -> NodeReport:
        assert task.task is not None
        return NodeReport(host, (gflops,), evaluation=Evaluation(task.task.kernel.id, Outcome.COMPILE_ERROR, host))

    return answer


def unfit(host: str) -> Callable[[NodeTask], NodeReport]:
    return lambda _: NodeReport(host, unfit="no gcc here")


def evaluated(hosts: Hosts, tasks: int) -> tuple[Sequence[Done[Evaluation]], list[str]]:
    notes: list[str] = []
    spec = NodeSpec(configured(1), "class")
    backend = NodeBackend(hosts, spec, Peers(0.05, 0.15, notes.append), notes.append)
    for number in range(tasks):
        backend.submit(number, TASK)
    done: list[Done[Evaluation]] = []
    while backend.pending:
        done += backend.completed()
    return done, notes


def test_a_node_that_cannot_evaluate_is_excluded_and_its_tasks_run_elsewhere() -> None:
    hosts = Hosts(a=unfit("a"), b=answers("b", 100.0))
    done, notes = evaluated(hosts, 6)
    assert sorted(each.number for each in done) == list(range(6))
    assert {each.result.detail for each in done if each.result} == {"b"}
    assert notes == ["node a gets no more kernels: no gcc here"]
    assert list(hosts.hosts) == ["b"]


def test_without_a_node_that_can_evaluate_the_run_ends_with_the_reason() -> None:
    with pytest.raises(QdkernelError, match="no node is left that can evaluate kernels; the last one: no gcc here"):
        evaluated(Hosts(a=unfit("a")), 2)


def test_a_slow_node_gets_no_more_kernels() -> None:
    hosts = Hosts(a=answers("a", 100.0), b=answers("b", 50.0))
    done, notes = evaluated(hosts, 4)
    assert len(done) == 4
    assert list(hosts.hosts) == ["a"]
    assert notes == ["node b gets no more kernels: its baseline is 50% slower than the median of its peers"]
