"""Numbers computed from runs: operators, repetition, comparison, seeds, lineage, speed, and how a speed is written."""

from qdkernel.analysis.aggregate import Aggregate, aggregate, interquartile_mean
from qdkernel.analysis.best import Best, best_of
from qdkernel.analysis.carry_over import CarriedElite, CarryOver, carry_over, rank_correlation
from qdkernel.analysis.compare import (
    CellResult,
    Comparison,
    History,
    Side,
    check_comparable,
    compare,
    differences,
    fold_to_cost,
    tie_width,
)
from qdkernel.analysis.improving_steps import ImprovingStep, improving_steps
from qdkernel.analysis.lineage import MAX_ANCESTORS, first_parent, first_records, gain, lineage
from qdkernel.analysis.operators import OperatorStats, coverage, operator_and_model, operator_stats, qd_score
from qdkernel.analysis.repetition import LARGEST, Groups, Repetition, repetition
from qdkernel.analysis.speed import ratio_to_baseline, speed_text

__all__ = [
    "LARGEST",
    "MAX_ANCESTORS",
    "Aggregate",
    "Best",
    "CarriedElite",
    "CarryOver",
    "CellResult",
    "Comparison",
    "Groups",
    "History",
    "ImprovingStep",
    "OperatorStats",
    "Repetition",
    "Side",
    "aggregate",
    "best_of",
    "carry_over",
    "check_comparable",
    "compare",
    "coverage",
    "differences",
    "first_parent",
    "first_records",
    "fold_to_cost",
    "gain",
    "improving_steps",
    "interquartile_mean",
    "lineage",
    "operator_and_model",
    "operator_stats",
    "qd_score",
    "rank_correlation",
    "ratio_to_baseline",
    "repetition",
    "speed_text",
    "tie_width",
]
