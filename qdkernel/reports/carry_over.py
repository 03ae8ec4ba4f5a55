"""What carried over from an archive to this machine, as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qdkernel.analysis import CarriedElite, CarryOver, ratio_to_baseline
from qdkernel.core import Outcome, cell_name, one_line


def show_carry_over(found: CarryOver, there: str, here: str) -> RenderableType:
    """A row per elite, then what all of them say.

    Args:
        found: the comparison.
        there: CPU of the archive.
        here: CPU of this machine.
    """
    table = Table(title=one_line(f"{there} -> {here}"), title_justify="left", box=None, pad_edge=False)
    for name in ("kernel", "cell there", "cell here", "outcome"):
        table.add_column(name, no_wrap=True)
    for name in ("GFLOP/s there", "here", "ratio there", "here"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for elite in found.elites:
        table.add_row(*(Text(one_line(value)) for value in _row(elite)))
    return Group(table, Text(f"\n{_summary(found)}"))


def carry_over_report(found: CarryOver) -> dict[str, Any]:  # Any: JSON
    """The same as JSON values; ratios are to the baseline of each machine."""
    return {
        "elites": [
            {
                "id": elite.here.kernel_id,
                "cell_there": cell_name(elite.cell),
                "cell_here": None if elite.here.cell is None else cell_name(elite.here.cell),
                "outcome": elite.here.outcome.value,
                "gflops_there": elite.there.evaluation.objective,
                "gflops_here": elite.here.objective,
                "ratio_there": _ratio(elite.there.evaluation.objective, elite, here=False),
                "ratio_here": _ratio(elite.here.objective, elite, here=True),
                "still_wins": elite.wins,
            }
            for elite in found.elites
        ],
        "passed": found.passed,
        "moved": found.moved,
        "still_winners": found.winners,
        "best_stays": found.best_stays,
        "rank_correlation": found.rank_correlation,
    }


def _row(elite: CarriedElite) -> list[str]:
    before, after = elite.there.evaluation.objective, elite.here.objective
    return [
        elite.here.kernel_id[:8],
        cell_name(elite.cell),
        "" if elite.here.cell is None or elite.here.cell == elite.cell else cell_name(elite.here.cell),
        elite.here.outcome.value,
        _number(before, ".1f"),
        _number(after, ".1f"),
        _number(_ratio(before, elite, here=False), ".3f"),
        _number(_ratio(after, elite, here=True), ".3f"),
        "still wins" if elite.wins else elite.here.detail if elite.here.outcome is not Outcome.OK else "",
    ]


def _ratio(objective: float | None, elite: CarriedElite, here: bool) -> float | None:
    ratio = None if objective is None else ratio_to_baseline(elite.here if here else elite.there.evaluation)
    return None if ratio is None else ratio.median


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _summary(found: CarryOver) -> str:
    total = len(found.elites)
    correlation = "" if found.rank_correlation is None else f"; rank correlation {found.rank_correlation:.2f}"
    best = "stays" if found.best_stays else "does not stay"
    return (
        f"{found.passed} of {total} elites are right and timed here, {found.moved} of them in another cell; "
        f"{found.winners} still win their cell; the best {best} the best{correlation}"
    )
