"""What a worker on a node does: it measures its own machine once, then evaluates kernels there.

Nothing but these plain values travels to a node: no model, no key, no open file.
"""

from __future__ import annotations

import atexit
import contextlib
import platform
from dataclasses import dataclass, replace
from pathlib import Path

from qdkernel.backends import Identity
from qdkernel.config import Config
from qdkernel.core import Evaluation
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.measurement import MachinePeaks
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask, RunSpec, SharedScratch, perform
from qdkernel.evaluators.toolchain import Toolchain, find_toolchain
from qdkernel.machine import Machine, machine_class, this_machine
from qdkernel.search.again import calibrated, held_out_spec
from qdkernel.search.environment import RunEnvironment, open_environment


@dataclass(frozen=True)
class NodeSpec:
    """What all tasks of a class of machines share.

    Attributes:
        config: how the run judges kernels, see ``plain_config``.
        machine_class: that a node must be of.
        shared: the scratch folder of the class, which all its nodes see.
        baseline_gflops: the speeds that the objectives of the class refer to, by scored size.
    """

    config: Config
    machine_class: str
    shared: str = ""
    baseline_gflops: tuple[float, ...] = ()


@dataclass(frozen=True)
class NodeTask:
    """A request to a node.

    Attributes:
        spec: of the class.
        task: to perform, with the node's own spec in the place of the task's; ``None`` to report the node's facts.
    """

    spec: NodeSpec
    task: EvaluationTask | None = None


@dataclass(frozen=True)
class NodeFacts:
    """What a node found about itself; the fields are those of ``RunEnvironment``."""

    machine: Machine
    peaks: MachinePeaks
    toolchain: Toolchain
    spec: EvaluationSpec
    baseline: str


@dataclass(frozen=True)
class NodeReport:
    """A node's answer.

    Attributes:
        host: its name.
        baseline_gflops: what it measured for the baseline itself, by scored size; empty for an unfit node.
        unfit: why it can evaluate nothing; empty when it can.
        evaluation: of the task's kernel.
        facts: when the task had no kernel.
    """

    host: str
    baseline_gflops: tuple[float, ...] = ()
    unfit: str = ""
    evaluation: Evaluation | None = None
    facts: NodeFacts | None = None


@dataclass(frozen=True)
class Identify:
    """The class of the machine on which it is called; see ``qdkernel.backends.Identity``."""

    config: Config

    def __call__(self) -> Identity:
        """The class, from facts that take no measurement.

        Raises:
            QdkernelError: the machine lacks the compiler or the instruction-set level.
        """
        machine = this_machine(self.config.machine.isa)
        found = find_toolchain(self.config.compiler.command, machine.compiler_flags(self.config.compiler.flags))
        return Identity(machine_class(machine, found.version, found.flags, RunSpec().layers), platform.node())


def perform_on_node(task: NodeTask) -> NodeReport:
    """Evaluates the task's kernel on this machine, which is measured on the first call."""
    host = platform.node()
    try:
        environment = _environment(task.spec)
        measured = environment.timing.baseline_gflops
        if task.task is None:
            return NodeReport(host, measured, facts=_facts(environment))
        spec = _own_spec(environment, task.spec, task.task.spec)
        SharedScratch(Path(spec.scratch), environment.scratch.folder).drop_old_objects()
        return NodeReport(host, measured, evaluation=perform(replace(task.task, spec=spec)))
    except (QdkernelError, OSError) as error:  # OSError: its disk is full, or the shared folder is not there
        return NodeReport(host, unfit=str(error))


_open = contextlib.ExitStack()
_environments: dict[str, RunEnvironment] = {}
_held_out: dict[str, EvaluationSpec] = {}
atexit.register(_open.close)


def _environment(spec: NodeSpec) -> RunEnvironment:
    """The machine under a configuration; measured once per process, and dropped for another configuration.

    Raises:
        QdkernelError: the machine is of another class, or cannot evaluate kernels.
    """
    key = f"{spec.machine_class} {spec.config.model_dump_json()}"
    if key not in _environments:
        _open.close()
        _environments.clear()
        _held_out.clear()
        found = Identify(spec.config)().machine_class
        if found != spec.machine_class:
            raise QdkernelError(f"its class of machine is {found}, expected {spec.machine_class}")
        _environments[key] = _open.enter_context(open_environment(spec.config, lambda _: None))
    return _environments[key]


def _facts(environment: RunEnvironment) -> NodeFacts:
    return NodeFacts(
        environment.machine, environment.peaks, environment.toolchain, environment.spec, environment.baseline
    )


def _own_spec(environment: RunEnvironment, shared: NodeSpec, asked: EvaluationSpec) -> EvaluationSpec:
    """This machine's spec, with the scratch folder of its class.

    At the scored sizes the baseline's speeds are those of the class, so that objectives compare; at the held-out sizes
    that a run ends with, they are measured here.
    """
    assert asked.timing is not None
    own = replace(environment.spec, scratch=shared.shared, host_scratch=str(environment.scratch.folder))
    if asked.timing.sizes == environment.timing.sizes:
        return replace(own, timing=replace(environment.timing, baseline_gflops=shared.baseline_gflops))
    key = repr(asked.timing.sizes)
    if key not in _held_out:
        _held_out[key] = calibrated(held_out_spec(own, asked.timing.sizes))
    return _held_out[key]
