"""A run as one HTML file that needs no network: opens from a mail attachment."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from qdkernel.core import Outcome, write_atomically
from qdkernel.errors import RunFolderError
from qdkernel.runs import elites
from qdkernel.web.json_text import json_text
from qdkernel.web.page.panels import replay_data
from qdkernel.web.page.render import page, policy, render, style
from qdkernel.web.pictures import element
from qdkernel.web.reading import RunData, RunReader
from qdkernel.web.view import DetailSource, RunView, compare_runs, run_view

_PACKED_LIMIT = 3_200_000  # bytes of all details, packed; leaves room for the page below 5 MB


def write_report(paths: Sequence[Path], out: Path) -> None:
    """Writes a report of one run, or a comparison of several, whole or not at all.

    Raises:
        RunFolderError: a folder is no run, the runs cannot be compared, or the file cannot be written.
    """
    html = report_html(paths)
    try:
        write_atomically(out, html.encode())
    except OSError as error:
        raise RunFolderError(
            f"{out}: the report cannot be written there ({error.strerror}); name another file"
        ) from error


def report_html(paths: Sequence[Path]) -> str:
    """The page of a run, or of the comparison of several.

    Raises:
        RunFolderError: a folder is no run, or the runs cannot be compared.
    """
    if len(paths) > 1:
        comparison = compare_runs([RunReader(path).read() for path in paths])
        body = render("compare_body.html.j2", view=comparison, back="", links={})
        return page(f"{len(paths)} runs of {comparison.problem}", body, {"live": False})
    reader = RunReader(paths[0])
    run = reader.read()
    view = run_view(run)
    return page(view.name, run_body(view), {"live": False, "replay": replay_data(view)}, _packed_details(run, reader))


def run_body(view: RunView, back: str = "") -> Markup:
    """The body of a run's page; ``back`` is the address of the list of runs, if there is one."""
    names = [outcome.value for outcome in Outcome if any(outcome.value in row.outcomes for row in view.operators)]
    return render("run_body.html.j2", view=view, back=back, outcome_names=names)


def summary_html(path: Path) -> str:
    """The figures of a run and its archive for a notebook, in a frame that runs no scripts.

    Raises:
        RunFolderError: not a readable run folder.
    """
    view = run_view(RunReader(path).read())
    inner = render("summary.html.j2", view=view, style=Markup(style()), policy=policy(live=False))
    return str(
        element("iframe", srcdoc=inner, sandbox="", width="100%", height="720", title=view.name, frameborder="0")
    )


def _packed_details(run: RunData, reader: RunReader) -> str:
    """Details of the elites, fastest first, then of their ancestors and the latest failures, as far as they fit.

    Base64 of gzipped JSON: a tenth of the plain text, and no text of a kernel stands in the page itself.
    """
    source = DetailSource(run, reader)
    packed: dict[int, dict[str, Any]] = {}  # Any: JSON
    used = 0
    for number, detail in _in_order(run, source):
        used += len(gzip.compress(json_text(detail).encode(), 1)) * 4 // 3  # a bound: together they pack better
        if used > _PACKED_LIMIT:
            break
        packed[number] = detail
    return base64.b64encode(gzip.compress(json_text(packed).encode(), 6, mtime=0)).decode()


def _in_order(run: RunData, source: DetailSource) -> list[tuple[int, dict[str, Any]]]:  # Any: JSON
    held = sorted(elites(run.records).values(), key=lambda record: -(record.evaluation.objective or 0.0))
    ancestors = [ancestor for record in held for ancestor in source.ancestors(record)[:3]]
    failures = [r for r in run.records[-200:] if r.evaluation.outcome not in (Outcome.OK, Outcome.DUPLICATE)][-15:]
    numbers = dict.fromkeys(record.number for record in [*held, *failures, *ancestors])
    return list(source.details(numbers).items())
