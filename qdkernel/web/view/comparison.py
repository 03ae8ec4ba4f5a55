"""Several runs side by side at equal cost: curves, a map of differences, and what their seeds say together."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.analysis import (
    Aggregate,
    History,
    Side,
    aggregate,
    check_comparable,
    differences,
    fold_to_cost,
    ratio_to_baseline,
    tie_width,
)
from qdkernel.core import AXES, Cell, cell_name, one_line, reachable_cells
from qdkernel.errors import RunFolderError
from qdkernel.runs import format_conditions
from qdkernel.web.reading import RunData
from qdkernel.web.view.curves import NamedLine, Points, curves

_GRID = 60  # places along the cost at which curves of several seeds are averaged
_RESAMPLING_SEED = 20210826  # any; the same runs then give the same page


@dataclass(frozen=True)
class RunRow:
    """One run in the comparison, folded up to the common cost."""

    name: str
    group: int  # place of its group among the comparison's
    seed: str
    evaluations: int
    minutes: float
    usd: float
    filled: int
    qd_score: float
    best: float | None
    ratio: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Group:
    """Runs with the same configuration but for seed and budget.

    Attributes:
        letter: A, B ...
        differs: what of the configuration differs between groups.
        runs: their names.
        metrics: interquartile means with intervals by name.
    """

    letter: str
    differs: str
    runs: tuple[str, ...]
    metrics: Mapping[str, Aggregate]


@dataclass(frozen=True)
class GroupCurve:
    """A group's progress: each seed's curve, and the interquartile mean with its interval over all seeds."""

    letter: str
    seeds: tuple[NamedLine, ...]
    mean: Points
    low: Points
    high: Points


@dataclass(frozen=True)
class CellDifference:
    """One cell in two groups.

    Attributes:
        cell: level indices.
        name: in words.
        first: speed in the first group, median over the runs that fill it; ``None`` when none does.
        second: the same in the second group.
        significant: whether the intervals (one run each) or ranges (several) of the two sides lie apart, and the
            speeds differ by more than the tie width.
    """

    cell: Cell
    name: str
    first: float | None
    second: float | None
    significant: bool

    @property
    def ratio(self) -> float | None:
        """Second over first."""
        return self.second / self.first if self.first and self.second else None


@dataclass(frozen=True)
class ComparisonView:
    """What a page shows of several runs."""

    problem: str
    by: str
    common: float
    unit: str
    warnings: tuple[str, ...]
    rows: tuple[RunRow, ...]
    groups: tuple[Group, ...]
    speed: tuple[GroupCurve, ...]
    filled: tuple[GroupCurve, ...]
    cells: tuple[CellDifference, ...]
    unreachable: tuple[Cell, ...]


def compare_runs(runs: Sequence[RunData]) -> ComparisonView:
    """The comparison of two or more runs at equal numbers of evaluations.

    Raises:
        RunFolderError: the runs are of different problems or rules of accuracy, or one has no evaluation.
    """
    _check(runs)
    histories = [_history(run) for run in runs]
    common = min(history.total.evaluations for history in histories)
    sides = [fold_to_cost(history, "evaluations", common) for history in histories]
    found = {text: None for other in histories[1:] for text in differences(histories[0], other)}
    relative = bool(found)
    members = _group(runs)
    group_of = {index: at for at, which in enumerate(members) for index in which}
    rows = tuple(_row(run, sides[at], group_of[at]) for at, run in enumerate(runs))
    curve = [curves(side.records, run.bills)[0] for run, side in zip(runs, sides, strict=True)]
    speeds = [c.best_ratio if relative else c.best for c in curve]
    return ComparisonView(
        problem=one_line(runs[0].problem + format_conditions(runs[0].facts.accuracy, runs[0].facts.cache)),
        by="evaluations",
        common=float(common),
        unit="of baseline" if relative else "GFLOP/s",
        warnings=tuple(one_line(text) for text in found),
        rows=rows,
        groups=_groups(runs, rows, members),
        speed=tuple(_group_curve(at, which, runs, speeds, common) for at, which in enumerate(members)),
        filled=tuple(
            _group_curve(at, which, runs, [c.filled for c in curve], common) for at, which in enumerate(members)
        ),
        cells=_cells(sides, members, relative),
        unreachable=_unreachable(runs),
    )


def _check(runs: Sequence[RunData]) -> None:
    first = runs[0]
    for run in runs:
        if not run.records:
            raise RunFolderError(f"{run.name} has no evaluation yet; let it run before comparing it")
        check_comparable(first, run)


def _history(run: RunData) -> History:
    return History(run.name, run.problem, run.facts, run.records, run.bills, run.elapsed_s, tie_width(run.config))


def _group(runs: Sequence[RunData]) -> list[list[int]]:
    """Indices of runs by configuration; two runs alone are always compared with each other."""
    if len(runs) == 2:
        return [[0], [1]]
    found: dict[str, list[int]] = {}
    for at, run in enumerate(runs):
        kept = {key: value for key, value in run.config.items() if key not in ("seed", "budget")}
        found.setdefault(json.dumps(kept, sort_keys=True, default=str), []).append(at)
    return list(found.values())


def _row(run: RunData, side: Side, group: int) -> RunRow:
    ratio = side.best_ratio
    return RunRow(
        name=one_line(run.name),
        group=group,
        seed=one_line(str(run.config.get("seed", ""))),
        evaluations=side.used.evaluations,
        minutes=side.used.minutes,
        usd=side.used.usd,
        filled=len(side.held),
        qd_score=side.qd_score,
        best=side.best.evaluation.objective if side.best else None,
        ratio=ratio.median if ratio else None,
        low=ratio.low if ratio else None,
        high=ratio.high if ratio else None,
    )


def _groups(runs: Sequence[RunData], rows: Sequence[RunRow], members: Sequence[Sequence[int]]) -> tuple[Group, ...]:
    found = []
    for at, which in enumerate(members):
        metrics = {}
        for name, value in _METRICS.items():
            strata: dict[str, list[float]] = {}
            for index in which:
                if (score := value(rows[index])) is not None:
                    strata.setdefault(runs[index].facts.fingerprint, []).append(score)
            if strata:
                metrics[name] = aggregate(list(strata.values()), np.random.default_rng(_RESAMPLING_SEED))
        names = tuple(rows[index].name for index in which)
        found.append(Group(_letter(at), _difference(runs, members, at), names, metrics))
    return tuple(found)


_METRICS: Mapping[str, Callable[[RunRow], float | None]] = {
    "best ratio to baseline": lambda row: row.ratio,
    "best GFLOP/s": lambda row: row.best,
    "cells filled": lambda row: float(row.filled),
    "QD score": lambda row: row.qd_score,
}


def _letter(at: int) -> str:
    return chr(ord("A") + at) if at < 26 else str(at + 1)


def _difference(runs: Sequence[RunData], members: Sequence[Sequence[int]], at: int) -> str:
    """The entries of a group's configuration that are not the same in all groups."""
    flat = [_flat(runs[which[0]].config) for which in members]
    keys = sorted({key for entries in flat for key in entries if len({json.dumps(e.get(key)) for e in flat}) > 1})
    shown = [f"{key}={flat[at].get(key)}" for key in keys if not key.startswith("budget")]
    return one_line(", ".join(shown) or "same configuration", 400)


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:  # Any: YAML
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = json.dumps(value, default=str)
    return found


def _group_curve(
    at: int, which: Sequence[int], runs: Sequence[RunData], lines: Sequence[Points], common: float
) -> GroupCurve:
    seeds = tuple(NamedLine(one_line(runs[index].name), lines[index]) for index in which)
    if len(which) < 2:
        return GroupCurve(_letter(at), seeds, lines[which[0]], (), ())
    places = [common * (step + 1) / _GRID for step in range(_GRID)]
    rng = np.random.default_rng(_RESAMPLING_SEED)
    found = [aggregate([[_value(lines[index], x) for index in which]], rng) for x in places]
    return GroupCurve(
        _letter(at),
        seeds,
        tuple((x, each.value) for x, each in zip(places, found, strict=True)),
        tuple((x, each.low if each.low is not None else each.value) for x, each in zip(places, found, strict=True)),
        tuple((x, each.high if each.high is not None else each.value) for x, each in zip(places, found, strict=True)),
    )


def _value(line: Points, x: float) -> float:
    """A step curve at ``x``; 0 before its first corner."""
    value = 0.0
    for at, height in line:
        if at > x:
            break
        value = height
    return value


@dataclass(frozen=True)
class _Speed:
    value: float
    low: float
    high: float


def _cells(sides: Sequence[Side], members: Sequence[Sequence[int]], relative: bool) -> tuple[CellDifference, ...]:
    """The first group against the second, cell by cell; none when there is one group."""
    if len(members) < 2:
        return ()
    speeds = [[_speeds(sides[index], relative) for index in which] for which in members[:2]]
    tie = max(side.history.tie for side in sides)
    cells = sorted({cell for group in speeds for side in group for cell in side})
    found = []
    for cell in cells:
        first, second = (_together([side[cell] for side in group if cell in side]) for group in speeds)
        before, after = (speed.value if speed else None for speed in (first, second))
        found.append(CellDifference(cell, cell_name(cell), before, after, _apart(first, second, tie)))
    return tuple(found)


def _speeds(side: Side, relative: bool) -> dict[Cell, _Speed]:
    found = {}
    for cell, record in side.held.items():
        ratio, gflops = ratio_to_baseline(record.evaluation), record.evaluation.objective
        if ratio is not None and gflops is not None:
            scale = 1.0 if relative else gflops / ratio.median
            found[cell] = _Speed(ratio.median * scale, ratio.low * scale, ratio.high * scale)
    return found


def _together(speeds: Sequence[_Speed]) -> _Speed | None:
    """One run's own interval; of several runs the median and the range."""
    if len(speeds) < 2:
        return speeds[0] if speeds else None
    values = [speed.value for speed in speeds]
    return _Speed(statistics.median(values), min(values), max(values))


def _apart(first: _Speed | None, second: _Speed | None, tie: float) -> bool:
    if first is None or second is None:
        return False
    beyond_tie = max(first.value / second.value, second.value / first.value) > 1 + tie
    return beyond_tie and (first.low > second.high or second.low > first.high)


def _unreachable(runs: Sequence[RunData]) -> tuple[Cell, ...]:
    reachable = {cell for run in runs for cell in reachable_cells(run.facts.simd_widths)}
    widths = [int(level) for level in AXES[1].levels if level.isdigit()]
    return tuple(cell for cell in reachable_cells(widths) if cell not in reachable)
