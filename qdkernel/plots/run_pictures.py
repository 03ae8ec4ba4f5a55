"""The four pictures of a run, as files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.core import AXES, Cell, reachable_cells, size_text, write_atomically
from qdkernel.errors import RunFolderError
from qdkernel.plots import style
from qdkernel.plots.heatmap import draw_archive
from qdkernel.plots.progress import Progress, draw_progress, progress_of
from qdkernel.plots.projections import draw_projections
from qdkernel.plots.roofline import Point, draw_roofline
from qdkernel.runs import MachineFacts, Record, RunFolder, elites, format_conditions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIMD = next(number for number, axis in enumerate(AXES) if axis.name == "simd")


def plot_run(folder: RunFolder, out_dir: Path | None = None) -> list[Path]:
    """Draws a run as ``archive.png``, ``projections.png``, ``progress.png`` and ``roofline.png``.

    The same run gives the same bytes with the same matplotlib.

    Args:
        folder: of the run; with any number of elites, none included.
        out_dir: where to, made when missing; ``plots/`` of the run by default.

    Raises:
        RunFolderError: the pictures cannot be written there.
    """
    records = list(folder.evaluations.records())
    facts = folder.facts
    held = elites(records)
    target = folder.subfolder("plots") if out_dir is None else Path(out_dir)
    drawings: dict[str, tuple[tuple[float, float], Callable[[Figure], None]]] = {
        "archive": ((13, 9.5), lambda figure: _draw_archive(figure, held, facts)),
        "projections": ((14, 8.5), lambda figure: _draw_projections(figure, held, facts)),
        "progress": ((11, 7.5), lambda figure: _draw_progress(figure, progress_of(records), facts)),
        "roofline": ((13, 7.5), lambda figure: _draw_roofline(figure, held, facts)),
    }
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, (inches, draw) in drawings.items():
            write_atomically(target / f"{name}.png", picture(inches, draw))
    except OSError as error:
        raise RunFolderError(
            f"{target}: pictures cannot be written there ({error.strerror}); name another folder"
        ) from error
    return [target / f"{name}.png" for name in drawings]


def picture(inches: tuple[float, float], draw: Callable[[Figure], None]) -> bytes:
    """The PNG that ``draw`` makes of an empty figure of this size, in the house style, without a display."""
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with style.house_style():
        figure = Figure(figsize=inches, dpi=style.DPI)
        draw(figure)
        figure.savefig(buffer, format="png", dpi=style.DPI, metadata={"Software": None})
    return buffer.getvalue()


def _title(what: str, facts: MachineFacts) -> str:
    threads = f"{facts.threads} thread" + ("s" if facts.threads != 1 else "")
    return f"{facts.problem}: {what}\n{facts.cpu}, {threads}{format_conditions(facts.accuracy, facts.cache)}"


def _objectives(held: Mapping[Cell, Record]) -> dict[Cell, float]:
    return {cell: record.evaluation.objective or 0.0 for cell, record in held.items()}


def _draw_archive(figure: Figure, held: Mapping[Cell, Record], facts: MachineFacts) -> None:
    reachable = set(reachable_cells(facts.simd_widths))
    draw_archive(figure, _objectives(held), reachable, title=_title("the fastest kernel of each cell", facts))


def _draw_projections(figure: Figure, held: Mapping[Cell, Record], facts: MachineFacts) -> None:
    reachable = set(reachable_cells(facts.simd_widths))
    draw_projections(figure, _objectives(held), reachable, title=_title("the archive along each pair of axes", facts))


def _draw_progress(figure: Figure, progress: Progress, facts: MachineFacts) -> None:
    baseline = (facts.baseline_name, facts.baseline_gflops) if facts.baseline_gflops is not None else None
    num_reachable = len(set(reachable_cells(facts.simd_widths)))
    draw_progress(figure, progress, num_reachable, baseline, facts.peak_gflops, title=_title("progress", facts))


def _draw_roofline(figure: Figure, held: Mapping[Cell, Record], facts: MachineFacts) -> None:
    points = {cell: _points(cell, record) for cell, record in held.items()}
    every = [point for at_sizes in points.values() for point in at_sizes]
    intensity = {point.size: point.intensity for point in every}
    baseline = [
        Point(intensity[size_text(speed.size)], speed.gflops, size_text(speed.size), facts.baseline_name)
        for speed in facts.baseline
        if size_text(speed.size) in intensity
    ]
    best = max(held, key=lambda cell: held[cell].evaluation.objective or 0.0, default=None)
    levels = AXES[_SIMD].levels
    style.write_title(figure, _title("roofline", facts))
    figure.subplots_adjust(left=0.065, right=0.765, bottom=0.09, top=0.89)
    draw_roofline(
        figure.add_subplot(),
        every,
        levels,
        {f"{level} bit" if level.isdigit() else level: facts.peaks[level] for level in levels if level in facts.peaks},
        facts.triad_gbytes_per_s,
        baseline,
        facts.baseline_name,
        [] if best is None else points[best],
    )


def _points(cell: Cell, record: Record) -> list[Point]:
    level = AXES[_SIMD].levels[cell[_SIMD]]
    return [
        Point(timing.flops / timing.bytes, timing.gflops, size_text(timing.size), level)
        for timing in record.evaluation.timings
    ]
