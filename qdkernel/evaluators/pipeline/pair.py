"""Two verified kernels timed against each other in one interleaved measurement, as a task for a worker process."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from qdkernel.core import Duel, Kernel, Measured, Outcome
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.scratch import Incumbent
from qdkernel.evaluators.pipeline.spec import EvaluationSpec
from qdkernel.evaluators.pipeline.timing import duel, first_calls_ns, object_of
from qdkernel.evaluators.pipeline.worker import context_for


@dataclass(frozen=True)
class PairTask:
    """Two kernels that were verified before, and the context to time them in."""

    spec: EvaluationSpec
    challenger: Kernel
    reference: Kernel


@dataclass(frozen=True)
class Comparison:
    """How the comparison ended.

    Attributes:
        duel: the measurement, the reference as its incumbent; ``None`` when it did not come to one.
        outcome: ``ok``, the challenger's failure, or ``lost`` when the comparison has no result.
        detail: text for the outcome.
    """

    duel: Duel | None
    outcome: Outcome
    detail: str = ""


def compare_pair(task: PairTask) -> Comparison:
    """The challenger against the reference, by the spec's ``duel_rule``.

    Raises:
        QdkernelError: something the user must put right before any kernel can be timed.
    """
    try:
        return _compare(context_for(task.spec), task.challenger, task.reference)
    except Stop as stop:
        return Comparison(None, stop.outcome, stop.detail)
    except QdkernelError:
        raise
    except Exception:
        return Comparison(None, Outcome.LOST, traceback.format_exc(limit=-6))


def _compare(context: EvaluationContext, challenger: Kernel, reference: Kernel) -> Comparison:
    builder = EvaluationBuilder(challenger)
    made, reference_made = (object_of(context, builder, kernel) for kernel in (challenger, reference))
    timer = context.timer
    with timer.alone():
        process = timer.start("challenger", made)
        with process.child, outcomes(lambda _: " while being timed"):
            calls_ns, incumbent = first_calls_ns(timer, process), Incumbent(reference.id, 0.0)
            found = duel(timer, context.scratch, process, Measured(0.0), calls_ns, incumbent, reference_made)
    return Comparison(found, Outcome.OK)
