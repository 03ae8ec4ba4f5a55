"""One evaluation as a task for a worker process: plain data in, an ``Evaluation`` out."""

from __future__ import annotations

import atexit
import traceback
from dataclasses import dataclass

from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline.context import EvaluationContext, EvaluationSpec
from qdkernel.evaluators.pipeline.evaluate import Accept, evaluate, remeasure

_bench: EvaluationContext | None = None


@dataclass(frozen=True)
class EvaluationTask:
    """A kernel and the bench to evaluate it on.

    Attributes:
        spec: of the bench.
        kernel: the candidate, or an elite.
        accept: which behaviours may compete; ``None`` for all.
        again: an elite proven before is only timed once more.
    """

    spec: EvaluationSpec
    kernel: Kernel
    accept: Accept | None = None
    again: bool = False


def perform(task: EvaluationTask) -> Evaluation:
    """Evaluates the task's kernel on this process's bench, which is made on the first call and kept.

    A failure of the evaluator itself is the outcome ``lost`` with the traceback: it says nothing about the kernel, and
    the run goes on.

    Raises:
        QdkernelError: something the user must mend before any kernel can be evaluated.
    """
    try:
        context = context_for(task.spec)
        return remeasure(context, task.kernel) if task.again else evaluate(context, task.kernel, task.accept)
    except QdkernelError:
        raise
    except Exception:
        _drop_bench()  # its children or memory may be what failed
        return Evaluation(task.kernel.id, Outcome.LOST, traceback.format_exc(limit=-6))


def context_for(spec: EvaluationSpec) -> EvaluationContext:
    """This process's context, made on the first call and kept until another spec is asked for."""
    global _bench
    if _bench is None or _bench.spec != spec:
        _drop_bench()
        _bench = EvaluationContext(spec)
    return _bench


@atexit.register
def _drop_bench() -> None:
    global _bench
    if _bench is not None:
        _bench.close()
        _bench = None
