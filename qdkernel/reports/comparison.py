"""A comparison of two runs, as tables for the terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qdkernel.analysis import LARGEST, CellResult, Comparison, Groups, OperatorStats, Side, repetition
from qdkernel.core import cell_name, one_line
from qdkernel.reports.models import usd

TOP_CELLS = 20

Row = tuple[str, Callable[[Side], str]]


def show_diff(comparison: Comparison, top: int = TOP_CELLS) -> RenderableType:
    """What both runs reached at equal cost, which is faster in each cell, and what their operators earned.

    Args:
        comparison: of the two runs, A and B in the tables.
        top: rows of the table of cells.
    """
    differences = [Text(one_line(f"not comparable in GFLOP/s: {text}")) for text in comparison.differences]
    if differences:
        differences.append(Text("so cells compare by speed relative to each run's own baseline"))
    parts: list[RenderableType] = [Text(_headline(comparison)), *differences, Text(""), _runs_table(comparison)]
    if comparison.cells:
        parts += [Text(""), Text(_cells_line(comparison)), _cells_table(comparison, top)]
    return Group(*parts, Text(""), _operators_table(comparison))


def report(comparison: Comparison) -> dict[str, Any]:  # Any: JSON values
    """A comparison for other programs."""
    operators = sorted(set(comparison.first.operators) | set(comparison.second.operators))
    return {
        "by": comparison.by,
        "cost": comparison.common,
        "unit": comparison.unit,
        "differences": list(comparison.differences),
        "runs": [_side_report(comparison.first), _side_report(comparison.second)],
        "cells": [
            {
                "cell": cell_name(result.cell),
                "first": result.first,
                "second": result.second,
                "ratio": result.ratio,
                "verdict": result.verdict,
            }
            for result in comparison.cells
        ],
        "operators": {
            name: [_tally_report(side.operators.get(name)) for side in (comparison.first, comparison.second)]
            for name in operators
        },
    }


def _headline(comparison: Comparison) -> str:
    unit = "" if comparison.by == "usd" else f" {comparison.by}"
    return f"at equal cost: {_amount(comparison.by, comparison.common)}{unit}"


def _amount(axis: str, amount: float) -> str:
    """An amount of one of ``COSTS``."""
    if axis == "usd":
        return usd(amount)
    return f"{amount:.1f}" if axis == "minutes" else f"{amount:,.0f}"


def _runs_table(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", style="bold", no_wrap=True)
    for letter in "AB":
        table.add_column(letter, overflow="fold")
    for name, value in _RUN_ROWS:
        table.add_row(name, *(Text(one_line(value(side))) for side in (comparison.first, comparison.second)))
    return table


def _used(axis: str) -> Callable[[Side], str]:
    def text(side: Side) -> str:
        used, total = _amount(axis, side.used.on(axis)), _amount(axis, side.history.total.on(axis))
        return used if used == total else f"{used} of {total}"

    return text


def _best(side: Side) -> str:
    if side.best is None:
        return "none"
    text, ratio = f"{side.best.evaluation.objective or 0.0:.1f} GFLOP/s", side.best_ratio
    if ratio is None:
        return text
    return f"{text}, {ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] of {side.history.facts.baseline_name}"


def _repeated(side: Side) -> str:
    found = repetition(side.records, lambda _: "all").get("all")
    codes = found.machine_codes if found else Groups()
    share = codes.share_of_largest
    return (
        "no code"
        if share is None
        else f"{share:.0%} of {codes.proposals} in the {LARGEST} largest groups of equal code"
    )


_RUN_ROWS: tuple[Row, ...] = (
    ("run", lambda side: side.history.name),
    ("evaluations", _used("evaluations")),
    ("minutes", _used("minutes")),
    ("tokens", _used("tokens")),
    ("money", _used("usd")),
    ("cells filled", lambda side: f"{len(side.held)} ({side.coverage:.0%} of those reachable)"),
    ("QD score", lambda side: f"{side.qd_score:.1f} GFLOP/s"),
    ("best", _best),
    ("ok", lambda side: f"{side.ok_share:.0%}"),
    ("repeated", _repeated),
    ("outcomes", lambda side: ", ".join(f"{outcome} {count}" for outcome, count in side.outcomes.items())),
)


def _cells_line(comparison: Comparison) -> str:
    counts = Counter(result.verdict for result in comparison.cells)
    return (
        f"cells: A faster in {counts['first']}, B in {counts['second']}, "
        f"equal within {comparison.tie:.1%} in {counts['equal']}; "
        f"only A fills {counts['only first']}, only B {counts['only second']}"
    )


def _cells_table(comparison: Comparison, top: int) -> Table:
    ranked = sorted(comparison.cells, key=lambda result: -max(result.first or 0.0, result.second or 0.0))
    rest = len(ranked) - top
    title = f"fastest cells, {comparison.unit}" + (f" ({rest} more)" if rest > 0 else "")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("cell", no_wrap=True)
    for name in ("A", "B"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("faster", no_wrap=True)
    for result in ranked[:top]:
        digits = 1 if comparison.unit == "GFLOP/s" else 3
        speeds = ("" if speed is None else f"{speed:.{digits}f}" for speed in (result.first, result.second))
        table.add_row(cell_name(result.cell), *speeds, _faster(result))
    return table


def _faster(result: CellResult) -> str:
    ratio = result.ratio
    if ratio is None:
        return "only A" if result.first else "only B"
    if result.verdict == "equal":
        return "equal"
    return f"B, {ratio:.3f} times" if ratio > 1 else f"A, {1 / ratio:.3f} times"


def _operators_table(comparison: Comparison) -> Table:
    table = Table(title="operators", title_justify="left", box=None, pad_edge=False)
    table.add_column("operator", no_wrap=True)
    for name in ("proposals", "ok", "cells won", "held"):
        for letter in "AB":
            table.add_column(f"{name} {letter}", justify="right", no_wrap=True)
    first, second = comparison.first.operators, comparison.second.operators
    for operator in [*first, *(name for name in second if name not in first)]:
        pairs = zip(_earned(first.get(operator)), _earned(second.get(operator)), strict=True)
        table.add_row(Text(one_line(operator)), *(value for pair in pairs for value in pair))
    return table


def _earned(tally: OperatorStats | None) -> tuple[str, str, str, str]:
    if tally is None:
        return ("", "", "", "")
    return (str(tally.proposals), f"{tally.ok_share:.0%}", str(tally.won), str(tally.held))


def _side_report(side: Side) -> dict[str, Any]:  # Any: JSON values
    ratio = side.best_ratio
    return {
        "run": side.history.name,
        "evaluations": side.used.evaluations,
        "minutes": side.used.minutes,
        "tokens": side.used.tokens,
        "usd": side.used.usd,
        "cells": len(side.held),
        "coverage": side.coverage,
        "qd_score": side.qd_score,
        "best_gflops": side.best.evaluation.objective if side.best else None,
        "best_ratio": ratio.median if ratio else None,
        "best_ratio_ci95": [ratio.low, ratio.high] if ratio else None,
        "ok_share": side.ok_share,
        "outcomes": {outcome.value: count for outcome, count in side.outcomes.items()},
    }


def _tally_report(tally: OperatorStats | None) -> dict[str, Any] | None:  # Any: JSON values
    if tally is None:
        return None
    return {"proposals": tally.proposals, "ok_share": tally.ok_share, "won": tally.won, "held": tally.held}
