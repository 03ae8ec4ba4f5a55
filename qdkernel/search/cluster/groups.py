"""From a configuration to the nodes of a cluster, grouped by class of machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from qdkernel.backends import Cluster, NodeRequest, Pool, WorkerKilled
from qdkernel.config import BudgetConfig, Config, converted
from qdkernel.core import reachable_cells
from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.evaluators.pipeline import SharedScratch
from qdkernel.machine import this_machine
from qdkernel.problems import find_problem
from qdkernel.search.cluster.node import Identify, NodeFacts, NodeReport, NodeSpec, NodeTask, perform_on_node
from qdkernel.search.cluster.node_backend import NodeBackend
from qdkernel.search.cluster.peers import Peers
from qdkernel.search.environment import RunEnvironment

_JUDGING = ("problem", "sizes", "threads", "accuracy", "baseline", "machine", "compiler", "timing", "limits")
_KEYS = ("QDKERNEL_API_KEY", "OPENAI_API_KEY")
Say = Callable[[str], None]


@dataclass(frozen=True)
class NodeGroup:
    """The nodes of one class.

    Attributes:
        machine_class: of all of them.
        workers: how many there are.
        pool: takes their tasks.
        config: of the run, as nodes get it.
        scratch: shared by the nodes.
    """

    machine_class: str
    workers: int
    pool: Pool[NodeTask, NodeReport]
    config: Config
    scratch: SharedScratch

    def environment(self, config: Config, baseline_gflops: tuple[float, ...] = ()) -> RunEnvironment:
        """The configuration on this class of machine, as one of the nodes measured it.

        Args:
            config: of the group's part of the run.
            baseline_gflops: the speeds that the objectives refer to when they are known, as on resume.

        Raises:
            QdkernelError: the node cannot evaluate kernels.
        """
        facts = self._ask()
        assert facts.spec.timing is not None
        speeds = baseline_gflops or facts.spec.timing.baseline_gflops
        timing = replace(facts.spec.timing, baseline_gflops=speeds)
        spec = replace(facts.spec, scratch=str(self.scratch.folder), timing=timing)
        return RunEnvironment(
            config=config,
            problem=find_problem(config.problem, config.accuracy),
            machine=facts.machine,
            peaks=facts.peaks,
            toolchain=facts.toolchain,
            spec=spec,
            scratch=self.scratch,
            baseline=facts.baseline,
            workers=self.workers,
            reachable=frozenset(reachable_cells(facts.machine.simd_widths)),
        )

    def backend(self, environment: RunEnvironment, note: Say) -> NodeBackend:
        """Evaluates on the nodes; ``note`` is called for those that are slow or cannot evaluate."""
        spec = NodeSpec(self.config, self.machine_class, str(self.scratch.folder), environment.timing.baseline_gflops)
        evaluators = environment.config.evaluators
        return NodeBackend(self.pool, spec, Peers(evaluators.flagged, evaluators.excluded, note), note)

    def _ask(self) -> NodeFacts:
        """What one node measures."""
        asked: Future[NodeReport] = self.pool.submit(NodeTask(NodeSpec(self.config, self.machine_class)))
        try:
            report = asked.result()
        except WorkerKilled as error:
            raise QdkernelError(
                f"a node of the class {self.machine_class} was lost while it measured: {error}"
            ) from error
        if report.facts is None:
            raise QdkernelError(f"node {report.host} cannot evaluate kernels: {report.unfit}")
        return report.facts


@contextlib.contextmanager
def open_cluster(config: Config, say: Say) -> Iterator[list[NodeGroup]]:
    """The nodes that the configuration asks for, one group per class of machine; released when the block ends.

    Raises:
        QdkernelError: there are none, or this machine and they share no folder.
    """
    shared = config.evaluators.shared.resolve()
    if not os.access(shared, os.W_OK):
        raise ConfigError(f"evaluators.shared: expected a folder that can be written, got {shared}; choose another")
    plain = plain_config(config)
    with contextlib.ExitStack() as stack:
        logs = SharedScratch.make(shared)
        stack.callback(logs.remove)
        cluster = _cluster(config, Identify(plain), say, logs.folder)
        stack.callback(cluster.close)
        groups = []
        for name, workers in sorted(cluster.classes.items()):
            scratch = SharedScratch.make(shared)
            stack.callback(scratch.remove)
            pool = cluster.pool(name, perform_on_node)
            stack.callback(pool.close)
            groups.append(NodeGroup(name, workers, pool, plain, scratch))
        yield groups


def _cluster(config: Config, identify: Identify, say: Say, folder: Path) -> Cluster:
    try:
        if config.evaluators.backend == "dask":
            from qdkernel.backends.dask import DaskCluster

            workers = this_machine(config.machine.isa).cores if config.workers == "all" else config.workers
            return DaskCluster(identify, say, config.evaluators.scheduler, workers, _secrets(config))
        from qdkernel.backends.parsl import ParslCluster

        requests = [converted(nodes, NodeRequest) for nodes in config.evaluators.nodes]
        return ParslCluster(identify, say, requests, folder, _secrets(config))
    except ImportError as error:
        extra = config.evaluators.backend
        raise QdkernelError(
            f"evaluators.backend: {extra} needs {error.name}: pip install 'qdkernel[{extra}]'"
        ) from error


def plain_config(config: Config) -> Config:
    """What nodes get of a configuration: how kernels are judged, nothing of models and the search."""
    judging = {name: getattr(config, name) for name in _JUDGING}
    return Config(budget=BudgetConfig(evaluations=1), **judging)


def _secrets(config: Config) -> Sequence[str]:
    """Environment variables that hold keys of models."""
    named = (model.api_key_env for model in config.known_models)
    return sorted({*_KEYS, *(name for name in named if name)})


def share_of_budget(budget: BudgetConfig, part: int, whole: int) -> BudgetConfig:
    """The part of a budget for ``part`` of ``whole`` workers; all parts together never exceed it.

    Minutes are not divided: the parts run at the same time.
    """
    counts = {
        name: value if value is None else value * part // whole
        for name, value in budget.model_dump().items()
        if name in ("evaluations", "requests", "tokens")
    }
    usd = None if budget.usd is None else budget.usd * part / whole
    return budget.model_copy(update={**counts, "usd": usd})
