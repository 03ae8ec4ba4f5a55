"""The steps of one evaluation, and the context that they share."""

from qdkernel.evaluators.pipeline.containment_trials import only_by, run_trials
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import Accept, evaluate, verify_only
from qdkernel.evaluators.pipeline.pair import Comparison, PairTask, compare_pair
from qdkernel.evaluators.pipeline.preflight import (
    baseline_failures,
    check_integers,
    check_setup,
    check_sizes,
    check_speed,
)
from qdkernel.evaluators.pipeline.scratch import SharedScratch
from qdkernel.evaluators.pipeline.spec import DUEL_RULE, CompileSpec, EvaluationSpec, RaceChecks, RunSpec, TimingSpec
from qdkernel.evaluators.pipeline.worker import EvaluationTask, perform

__all__ = [
    "DUEL_RULE",
    "Accept",
    "Comparison",
    "CompileSpec",
    "EvaluationContext",
    "EvaluationSpec",
    "EvaluationTask",
    "PairTask",
    "RaceChecks",
    "RunSpec",
    "SharedScratch",
    "TimingSpec",
    "baseline_failures",
    "check_integers",
    "check_setup",
    "check_sizes",
    "check_speed",
    "compare_pair",
    "evaluate",
    "only_by",
    "perform",
    "run_trials",
    "verify_only",
]
