"""The steps of one evaluation, and the context that they share."""

from qdkernel.evaluators.pipeline.containment_trials import only_by, run_trials
from qdkernel.evaluators.pipeline.context import DUEL_RULE, Bench, BenchSpec
from qdkernel.evaluators.pipeline.evaluate import Admit, prove
from qdkernel.evaluators.pipeline.scratch import Shelf
from qdkernel.evaluators.pipeline.worker import EvaluationTask, perform

__all__ = [
    "DUEL_RULE",
    "Admit",
    "Bench",
    "BenchSpec",
    "EvaluationTask",
    "Shelf",
    "only_by",
    "perform",
    "prove",
    "run_trials",
]
