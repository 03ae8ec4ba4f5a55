"""Runs as text on a terminal."""

from qdkernel.reports.comparison import report, show_diff
from qdkernel.reports.progress import make_progress
from qdkernel.reports.run import print_view, proof_words, show_cell, show_run

__all__ = [
    "make_progress",
    "print_view",
    "proof_words",
    "report",
    "show_cell",
    "show_diff",
    "show_run",
]
