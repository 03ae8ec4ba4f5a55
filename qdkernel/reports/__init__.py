"""Runs as text on a terminal."""

from qdkernel.reports.comparison import report, show_diff
from qdkernel.reports.progress import make_progress
from qdkernel.reports.run import format_verification, print_view, show_cell, show_run

__all__ = [
    "format_verification",
    "make_progress",
    "print_view",
    "report",
    "show_cell",
    "show_diff",
    "show_run",
]
