"""Runs as pages: one self-contained file, or served live; reads runs and analysis only."""

from qdkernel.web.page import report_html, summary_html, write_report
from qdkernel.web.reading import RunData, RunReader
from qdkernel.web.view import RunView, run_view

__all__ = ["RunData", "RunReader", "RunView", "report_html", "run_view", "summary_html", "write_report"]
