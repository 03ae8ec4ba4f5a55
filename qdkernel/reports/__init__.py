"""Runs as text on a terminal."""

from qdkernel.reports.carry_over import carry_over_report, show_carry_over
from qdkernel.reports.columns import columns_text
from qdkernel.reports.comparison import report, show_diff
from qdkernel.reports.progress import make_progress
from qdkernel.reports.run import format_verification, print_view, show_cell, show_run, view_text

__all__ = [
    "carry_over_report",
    "columns_text",
    "format_verification",
    "make_progress",
    "print_view",
    "report",
    "show_carry_over",
    "show_cell",
    "show_diff",
    "show_run",
    "view_text",
]
