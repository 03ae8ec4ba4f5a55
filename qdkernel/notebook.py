"""A run in a notebook: tables that pandas takes, a picture of the run, plots on axes that you give.

run = qdkernel.open_run("runs/dgemm-20261120-1412-a1b2")
pandas.DataFrame(run.evaluations.records())
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qdkernel.analysis import first_records, gain, ratio_to_baseline, speed_text
from qdkernel.analysis import lineage as ancestors_of
from qdkernel.core import AXES, cell_name, size_text
from qdkernel.errors import UnknownName
from qdkernel.runs import MachineFacts, Record, RunFolder, elites

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]  # Any: numbers, texts and None


class Run:
    """A run as it stood when it was opened; nothing here writes.

    Attributes:
        path: the run folder.
        problem: registry name.
        facts: machine, compiler, peaks and baseline.
    """

    def __init__(self, path: Path, problem: str, facts: MachineFacts, records: tuple[Record, ...]) -> None:
        self.path = path
        self.problem = problem
        self.facts = facts
        self._records = records

    def evaluations(self) -> list[Row]:
        """A row for each evaluation, in the order of their commit.

        Columns: ``number, kernel, operator, model, outcome, placement, cell``, a column for each axis, ``gflops``,
        ``ratio, ratio_low, ratio_high`` (to the baseline, 95 % interval), ``elapsed_s, finished_at, parents, idea``.
        """
        return [_row(record) for record in self._records]

    def elites(self) -> list[Row]:
        """The same columns for the elites, fastest first."""
        held = elites(self._records).values()
        return [_row(record) for record in sorted(held, key=lambda record: -(record.evaluation.objective or 0.0))]

    def timings(self) -> list[Row]:
        """A row for each evaluation and scored size: ``number, size, gflops, ratio``, bounds, median nanoseconds."""
        rows = []
        for record in self._records:
            for timing in record.evaluation.timings:
                ordered = sorted(timing.kernel_ns)
                rows.append(
                    {
                        "number": record.number,
                        "size": size_text(timing.size),
                        "gflops": timing.gflops,
                        "ratio": timing.ratio,
                        "ratio_low": timing.ratio_low,
                        "ratio_high": timing.ratio_high,
                        "median_ns": ordered[len(ordered) // 2] if ordered else None,
                        "quiet": timing.quiet,
                    }
                )
        return rows

    def lineage(self, kernel: str) -> list[Row]:
        """A kernel and its ancestors, parents first, with ``gain``: its speed over its first parent's.

        Args:
            kernel: its id, or the beginning of it.

        Raises:
            UnknownName: no kernel of the run, or several, begin so.
        """
        origins = first_records(self._records)
        found = [record for kernel_id, record in origins.items() if kernel_id.startswith(kernel)]
        if len(found) != 1:
            raise UnknownName(f"expected the id of one kernel of {self.path}, got {kernel!r}, which fits {len(found)}")
        return [
            {**_row(record), "gain": gain(record, origins)} for record in [found[0], *ancestors_of(found[0], origins)]
        ]

    def source(self, kernel: str) -> str:
        """The C source of a kernel, by its id or the beginning of it.

        Raises:
            UnknownName: as ``lineage``.
        """
        number = self.lineage(kernel)[0]["number"]
        return next(record.source for record in self._records if record.number == number)

    def plot_progress(self, ax: Axes) -> None:
        """Draws every correct kernel as a dot and the best elite as a line over the evaluations."""
        from qdkernel.plots import progress_of, style

        progress = progress_of(self._records)
        numbers = range(1, len(progress.best) + 1)
        ax.plot(numbers, progress.objective, ".", color="#a9a9a9", markersize=4, label="a correct kernel")
        ax.plot(numbers, progress.best, drawstyle="steps-post", color=style.LEVELS[1], linewidth=2, label="best elite")
        if self.facts.baseline_gflops:
            ax.axhline(self.facts.baseline_gflops, color=style.INK, linestyle="--", label=self.facts.baseline_name)
        ax.set_xlabel("evaluations")
        ax.set_ylabel("GFLOP/s")
        ax.set_ylim(bottom=0)

    def plot_archive(self, ax: Axes) -> None:
        """Draws the cells of the two outer axes (blocking, SIMD), each with its fastest elite's GFLOP/s."""
        from qdkernel.plots import style

        across, up = AXES[0], AXES[1]
        values = [[math.nan] * len(across.levels) for _ in up.levels]
        for cell, record in elites(self._records).items():
            speed, before = record.evaluation.objective or 0.0, values[cell[1]][cell[0]]
            values[cell[1]][cell[0]] = speed if math.isnan(before) else max(speed, before)
        ax.imshow(values, origin="lower", cmap=style.COLOR_MAP, vmin=0)
        ax.set_xticks(range(len(across.levels)), across.levels, rotation=30, ha="right")
        ax.set_yticks(range(len(up.levels)), up.levels)
        ax.set_xlabel(across.name)
        ax.set_ylabel(up.name)
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                if not math.isnan(value):
                    ax.text(column, row, speed_text(value), ha="center", va="center", color="white")

    def __repr__(self) -> str:
        return f"<qdkernel run {self.path.name}: {self.problem}, {len(self._records)} evaluations>"

    def _repr_html_(self) -> str:
        from qdkernel.web import summary_html

        return summary_html(self.path)


def open_run(run: str | os.PathLike[str]) -> Run:
    """A run for reading in a notebook; needs neither a compiler nor the machine that made it.

    Args:
        run: a run folder, one that is being written included.

    Raises:
        RunFolderError: not a readable run folder.
    """
    path = Path(run)
    with RunFolder.open(path) as folder:
        facts = folder.facts
        return Run(path, folder.meta.get("problem", facts.problem), facts, tuple(folder.evaluations.records()))


def _row(record: Record) -> Row:
    evaluation, ratio = record.evaluation, ratio_to_baseline(record.evaluation)
    cell = evaluation.cell
    levels = (None,) * len(AXES) if cell is None else [a.levels[at] for a, at in zip(AXES, cell, strict=True)]
    return {
        "number": record.number,
        "kernel": str(evaluation.kernel_id),
        "operator": record.proposal.operator,
        "model": record.model,
        "outcome": evaluation.outcome.value,
        "placement": record.placement,
        "cell": None if cell is None else cell_name(cell),
        **{axis.name: level for axis, level in zip(AXES, levels, strict=True)},
        "gflops": evaluation.objective,
        "ratio": ratio.median if ratio else None,
        "ratio_low": ratio.low if ratio else None,
        "ratio_high": ratio.high if ratio else None,
        "elapsed_s": record.elapsed_s,
        "finished_at": record.finished_at,
        "parents": tuple(str(parent) for parent in record.proposal.parents),
        "idea": record.proposal.idea,
    }
