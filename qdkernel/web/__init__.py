"""Runs as pages: one self-contained file, or served live; reads runs and analysis only."""

from qdkernel.web.build_view import run_view
from qdkernel.web.reading import RunData, RunReader
from qdkernel.web.report import report_html, summary_html, write_report
from qdkernel.web.view_model import RunView

__all__ = ["RunData", "RunReader", "RunView", "report_html", "run_view", "summary_html", "write_report"]
