"""Numbers computed from runs: operators, repetition, comparison, lineage, speed."""

from qdkernel.analysis.compare import TIE, CellResult, Comparison, Side, compare
from qdkernel.analysis.lineage import MAX_ANCESTORS, first_records, lineage
from qdkernel.analysis.operators import OperatorStats, coverage, operator_and_model, operator_stats, qd_score
from qdkernel.analysis.repetition import LARGEST, Groups, Repetition, repetition
from qdkernel.analysis.speed import ratio_to_baseline

__all__ = [
    "LARGEST",
    "MAX_ANCESTORS",
    "TIE",
    "CellResult",
    "Comparison",
    "Groups",
    "OperatorStats",
    "Repetition",
    "Side",
    "compare",
    "coverage",
    "first_records",
    "lineage",
    "operator_and_model",
    "operator_stats",
    "qd_score",
    "ratio_to_baseline",
    "repetition",
]
