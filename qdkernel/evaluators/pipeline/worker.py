"""One evaluation as a task for a worker process: plain data in, an ``Evaluation`` out."""

from __future__ import annotations

import atexit
import traceback
from dataclasses import dataclass

from qdkernel.core import Evaluation, Kernel, Outcome
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import Accept, evaluate, remeasure
from qdkernel.evaluators.pipeline.spec import EvaluationSpec

_context: EvaluationContext | None = None


@dataclass(frozen=True)
class EvaluationTask:
    """A kernel and how to evaluate it.

    Attributes:
        spec: of the context.
        kernel: the candidate, or an elite.
        accept: which behaviours may compete; ``None`` for all.
        again: time a verified elite again instead of evaluating the kernel.
        is_seed: see ``evaluate``.
    """

    spec: EvaluationSpec
    kernel: Kernel
    accept: Accept | None = None
    again: bool = False
    is_seed: bool = False


def perform(task: EvaluationTask) -> Evaluation:
    """Evaluates the task's kernel in this process's context, which is made on the first call and kept.

    A failure of the evaluator itself ends as ``lost`` with the traceback; the run continues.

    Raises:
        QdkernelError: something the user must put right before any kernel can be evaluated.
    """
    try:
        context = context_for(task.spec)
        if task.again:
            return remeasure(context, task.kernel)
        return evaluate(context, task.kernel, task.accept, task.is_seed)
    except QdkernelError:
        raise
    except Exception:
        _drop_context()  # its children or memory may be what failed
        return Evaluation(task.kernel.id, Outcome.LOST, traceback.format_exc(limit=-6))


def context_for(spec: EvaluationSpec) -> EvaluationContext:
    """This process's context, made on the first call and kept until another spec is asked for."""
    global _context
    if _context is None or _context.spec != spec:
        _drop_context()
        _context = EvaluationContext(spec)
    return _context


@atexit.register
def _drop_context() -> None:
    global _context
    if _context is not None:
        _context.close()
        _context = None
