"""Progress of a running search on the terminal: a live panel on a TTY, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from qdkernel.core import Outcome, RunStatus, one_line

_PLAIN_EVERY_S = 5.0
_PLAIN_IDLE_S = 25.0  # while nothing is evaluated, e.g. until a model replies; shows that the run goes on
_LIVE_EVERY_S = 0.25


class Progress(Protocol):
    """Shows a run's status; used as a context manager around the run."""

    def __enter__(self) -> Progress: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leaves the terminal as it was."""

    def show(self, status: RunStatus) -> None:
        """Shows the new status."""


def make_progress(peak_gflops: float, baseline: str) -> Progress:
    """The progress display that suits standard error.

    Args:
        peak_gflops: the machine's measured peak with the run's threads.
        baseline: what ratios refer to.
    """
    console = Console(stderr=True)
    return _LivePanel(console, peak_gflops, baseline) if console.is_terminal else _PlainLines(peak_gflops)


class _PlainLines:
    def __init__(self, peak_gflops: float) -> None:
        self._peak = peak_gflops
        self._next = 0.0
        self._news = ""
        self._told = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def show(self, status: RunStatus) -> None:
        now = time.monotonic()
        if now < self._next or (status.evaluations == self._told and now < self._next + _PLAIN_IDLE_S):
            return
        self._next, self._told = now + _PLAIN_EVERY_S, status.evaluations
        best = _best(status, self._peak)
        line = f"{status.elapsed_s:5.0f} s  {_counts(status)}  cells {_cells(status)}  {best}"
        line += "".join(f"  {one_line(part)}" for part in (status.stage, status.models, _parked(status)) if part)
        if status.news != self._news:
            self._news = status.news
            line += f"  | {one_line(status.news)}"
        print(line, file=sys.stderr, flush=True)


class _LivePanel:
    def __init__(self, console: Console, peak_gflops: float, baseline: str) -> None:
        self._peak = peak_gflops
        self._baseline = baseline
        self._next = 0.0
        # no refresh thread: it would compute beside a benchmark
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last = RunStatus()

    def __enter__(self) -> Progress:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def show(self, status: RunStatus) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LIVE_EVERY_S
        self._live.update(self._table(status), refresh=True)

    def _table(self, status: RunStatus) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column(overflow="fold")
        table.add_row("evaluations", f"{_counts(status)}, {status.elapsed_s:.0f} s")
        table.add_row("outcomes", _outcomes(status))
        table.add_row("archive", f"{_cells(status)} cells, QD score {status.qd_score:.0f} GFLOP/s")
        best = Text.assemble((_best(status, self._peak), "bold"), f" (1 = {one_line(self._baseline)})")
        table.add_row("best", best)
        if status.stage:
            table.add_row("stage", Text(one_line(status.stage)))
        if status.models:
            table.add_row("models", Text(one_line(status.models)))
        if status.parked:
            table.add_row("waiting", Text(_parked(status)))
        table.add_row("latest", Text(one_line(status.news)))
        return table


def _parked(status: RunStatus) -> str:
    return f"{status.parked} of models' kernels wait for a quieter host" if status.parked else ""


def _counts(status: RunStatus) -> str:
    rate = status.session_evaluations / status.elapsed_s if status.elapsed_s else 0.0
    return f"{status.evaluations} evaluated, {rate:.1f}/s"


def _outcomes(status: RunStatus) -> str:
    return ", ".join(f"{o.value} {status.outcomes[o]}" for o in Outcome if status.outcomes[o])


def _cells(status: RunStatus) -> str:
    return f"{status.elites}/{status.reachable}"


def _best(status: RunStatus, peak: float) -> str:
    return f"{status.best:.1f} GFLOP/s, {status.best_ratio:.2f} of baseline, {status.best / peak:.0%} of peak"
