"""Pages from views: panels, templates, and a run or a comparison as one file."""

from qdkernel.web.page.panels import replay_data
from qdkernel.web.page.render import page, policy, render
from qdkernel.web.page.report import report_html, run_body, summary_html, write_report

__all__ = ["page", "policy", "render", "replay_data", "report_html", "run_body", "summary_html", "write_report"]
