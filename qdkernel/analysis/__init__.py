"""Numbers computed from runs: operators, repetition, comparison, lineage, speed."""

from qdkernel.analysis.compare import TIE, CellResult, Comparison, Side, compare
from qdkernel.analysis.lineage import MAX_ANCESTORS, first_records, lineage
from qdkernel.analysis.operators import Arm, Tally, arm_of, coverage, qd_score, tallies
from qdkernel.analysis.repetition import LARGEST, Groups, Repetition, repetition
from qdkernel.analysis.speed import ratio_to_baseline

__all__ = [
    "LARGEST",
    "MAX_ANCESTORS",
    "TIE",
    "Arm",
    "CellResult",
    "Comparison",
    "Groups",
    "Repetition",
    "Side",
    "Tally",
    "arm_of",
    "compare",
    "coverage",
    "first_records",
    "lineage",
    "qd_score",
    "ratio_to_baseline",
    "repetition",
    "tallies",
]
