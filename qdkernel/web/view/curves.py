"""Progress of a run over what it cost: evaluations, time, tokens, money."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from qdkernel.analysis import operator_and_model, ratio_to_baseline
from qdkernel.core import Cell, one_line
from qdkernel.runs import Bill, Record

MOST_POINTS = 800  # of single kernels in a picture; more lie on one another
MOST_CORNERS = 500  # of a curve; more are not visible at the width of a picture
MOST_LINES = 6  # of operators in a picture; the palette has as many colors

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class NamedLine:
    """A step curve with its name."""

    name: str
    points: Points


@dataclass(frozen=True)
class CostCurve:
    """Progress over one kind of cost.

    Attributes:
        by: ``evaluations``, ``minutes``, ``tokens`` or ``usd``.
        total: what the run took of it.
        kernels: cost and GFLOP/s of correct kernels, thinned out.
        best: GFLOP/s of the fastest elite.
        best_ratio: its speed relative to the baseline.
        filled: cells filled.
        operators: the fastest kernel of each operator and model.
        wins: how many cells each operator and model took so far.
    """

    by: str
    total: float
    kernels: Points
    best: Points
    best_ratio: Points
    filled: Points
    operators: tuple[NamedLine, ...]
    wins: tuple[NamedLine, ...]


@dataclass(frozen=True)
class _Moment:
    """A record with all that had been spent when it was committed."""

    record: Record
    evaluations: float
    minutes: float
    tokens: float
    usd: float


def curves(records: Sequence[Record], bills: Sequence[Bill]) -> tuple[CostCurve, ...]:
    """A curve for each kind of cost that the run had."""
    moments = list(_moments(records, bills))
    kinds: dict[str, Callable[[_Moment], float]] = {
        "evaluations": lambda moment: moment.evaluations,
        "minutes": lambda moment: moment.minutes,
        "tokens": lambda moment: moment.tokens,
        "usd": lambda moment: moment.usd,
    }
    return tuple(
        _curve(by, moments, cost) for by, cost in kinds.items() if by == "evaluations" or _spent(moments, cost)
    )


def _spent(moments: Sequence[_Moment], cost: Callable[[_Moment], float]) -> bool:
    return bool(moments) and cost(moments[-1]) > 0


def _moments(records: Sequence[Record], bills: Sequence[Bill]) -> Iterable[_Moment]:
    tokens, usd, waiting = 0.0, 0.0, deque(bills)
    for number, record in enumerate(records, 1):
        while waiting and waiting[0].elapsed_s <= record.elapsed_s:
            bill = waiting.popleft()
            tokens, usd = tokens + bill.tokens, usd + bill.cost
        yield _Moment(record, number, record.elapsed_s / 60, tokens, usd)


def _curve(by: str, moments: Sequence[_Moment], cost: Callable[[_Moment], float]) -> CostCurve:
    best, ratio, filled = _Steps(), _Steps(), _Steps()
    operators: dict[str, _Steps] = {}
    wins: dict[str, _Steps] = {}
    cells: set[Cell] = set()
    timed = []
    for moment in moments:
        record, at = moment.record, cost(moment)
        evaluation = record.evaluation
        if evaluation.objective is None or evaluation.cell is None:
            continue
        timed.append((at, evaluation.objective))
        name = _name(record)
        operators.setdefault(name, _Steps()).rise(at, evaluation.objective)
        if not record.placed:
            continue
        cells.add(evaluation.cell)
        filled.rise(at, len(cells))
        if best.rise(at, evaluation.objective) and (found := ratio_to_baseline(evaluation)):
            ratio.rise(at, found.median)
        won = wins.setdefault(name, _Steps())
        won.rise(at, won.last + 1)
    total = cost(moments[-1]) if moments else 0.0
    ranked = sorted(wins, key=lambda name: -wins[name].last)[:MOST_LINES]
    return CostCurve(
        by=by,
        total=total,
        kernels=tuple(timed[:: max(1, -(-len(timed) // MOST_POINTS))]),
        best=best.until(total),
        best_ratio=ratio.until(total),
        filled=filled.until(total),
        operators=tuple(NamedLine(name, operators[name].until(total)) for name in ranked),
        wins=tuple(NamedLine(name, wins[name].until(total)) for name in ranked),
    )


def _name(record: Record) -> str:
    operator, model = operator_and_model(record)
    return one_line(f"{operator}, {model}" if model else operator, 60)


class _Steps:
    """A curve that only rises, kept as its corners."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []
        self.last = 0.0

    def rise(self, at: float, value: float) -> bool:
        """Adds a corner when the value is a new maximum; whether it was."""
        if value <= self.last:
            return False
        if self._points and self._points[-1][0] == at:
            self._points.pop()
        self._points.append((at, value))
        self.last = value
        return True

    def until(self, end: float) -> Points:
        """The corners, and the curve's end."""
        if not self._points:
            return ()
        tail = [(end, self.last)] if self._points[-1][0] < end else []
        width = end / MOST_CORNERS if len(self._points) > MOST_CORNERS else 0.0
        if not width:
            return (*self._points, *tail)
        thinned = {int(at / width): (at, value) for at, value in self._points}  # the last corner of each column
        return (*thinned.values(), *tail)
