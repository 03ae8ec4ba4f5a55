"""What a page shows of one run or of several, as plain values computed from their logs."""

from qdkernel.web.view.build import run_view
from qdkernel.web.view.comparison import CellDifference, ComparisonView, GroupCurve, compare_runs
from qdkernel.web.view.curves import CostCurve
from qdkernel.web.view.details import DetailSource
from qdkernel.web.view.model import CellView, Roofline, RooflinePoint, RunView
from qdkernel.web.view.timeline import Timeline

__all__ = [
    "CellDifference",
    "CellView",
    "ComparisonView",
    "CostCurve",
    "DetailSource",
    "GroupCurve",
    "Roofline",
    "RooflinePoint",
    "RunView",
    "Timeline",
    "compare_runs",
    "run_view",
]
