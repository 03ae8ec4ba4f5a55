"""Two runs compared at equal cost: both are folded up to what the cheaper one spent."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qdkernel.analysis.operators import OperatorStats, coverage, operator_of, operator_stats, qd_score
from qdkernel.analysis.speed import Ratio, ratio_to_baseline
from qdkernel.core import TIE_WIDTH, Cell, Outcome, size_text
from qdkernel.errors import RunFolderError, unknown
from qdkernel.runs import Bill, MachineFacts, Record, RunFolder, elites

COSTS = ("evaluations", "minutes", "tokens", "usd")
"""What runs can be compared at equal amounts of."""


@dataclass(frozen=True)
class Cost:
    """What a run, or its beginning, took; ``minutes`` of activity, ``tokens`` in both directions."""

    evaluations: int
    minutes: float
    tokens: int
    usd: float

    def on(self, axis: str) -> float:
        """The amount on one of ``COSTS``."""
        amount: float = getattr(self, axis)
        return amount


@dataclass(frozen=True)
class History:
    """All that a comparison reads of a run.

    Attributes:
        name: of the folder.
        problem: registry name.
        facts: machine, threads and baseline.
        records: the log, in order.
        bills: what each reply of a model cost, in order.
        elapsed_s: seconds the run was active.
        tie: the run's tie width.
    """

    name: str
    problem: str
    facts: MachineFacts
    records: tuple[Record, ...]
    bills: tuple[Bill, ...]
    elapsed_s: float
    tie: float

    @property
    def total(self) -> Cost:
        """What the whole run took."""
        return Cost(len(self.records), self.elapsed_s / 60, _tokens(self.bills), _usd(self.bills))


@dataclass(frozen=True)
class Side:
    """A run folded up to a cost.

    Attributes:
        history: the whole run.
        used: what the part that counts took.
        records: those of the part that counts.
        held: the elite of each cell then.
    """

    history: History
    used: Cost
    records: tuple[Record, ...]
    held: Mapping[Cell, Record]

    @property
    def coverage(self) -> float:
        """Share of the reachable cells that are filled."""
        return coverage(self.held, self.history.facts.simd_widths)

    @property
    def qd_score(self) -> float:
        """Sum of the elites' objectives, GFLOP/s."""
        return qd_score(self.held)

    @property
    def best(self) -> Record | None:
        """The fastest elite."""
        return max(self.held.values(), key=lambda record: record.evaluation.objective or 0.0, default=None)

    @property
    def best_ratio(self) -> Ratio | None:
        """The fastest elite's speed relative to the run's baseline."""
        return ratio_to_baseline(self.best.evaluation) if self.best else None

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Evaluations by outcome, in the outcomes' order."""
        counts = Counter(record.evaluation.outcome for record in self.records)
        return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}

    @property
    def ok_share(self) -> float:
        """Share of the evaluations that ended ok."""
        return self.outcomes.get(Outcome.OK, 0) / max(1, len(self.records))

    @property
    def operators(self) -> dict[str, OperatorStats]:
        """What each operator earned."""
        return operator_stats(self.records, operator_of)


@dataclass(frozen=True)
class CellResult:
    """One cell in both runs.

    Attributes:
        cell: level indices.
        first: speed in the first run, in GFLOP/s or relative to the run's baseline; ``None`` where the cell is empty.
        second: the same in the second run.
        tie: relative difference up to which the two speeds are equal.
    """

    cell: Cell
    first: float | None
    second: float | None
    tie: float

    @property
    def ratio(self) -> float | None:
        """Second over first; above 1 the second run is faster."""
        return self.second / self.first if self.first and self.second else None

    @property
    def verdict(self) -> str:
        """``first`` or ``second`` for the faster run, ``equal`` within the tie width, or the only run with an elite."""
        ratio = self.ratio
        if ratio is None:
            return "only first" if self.first else "only second"
        if max(ratio, 1 / ratio) <= 1 + self.tie:
            return "equal"
        return "second" if ratio > 1 else "first"


@dataclass(frozen=True)
class Comparison:
    """Two runs at equal cost.

    Attributes:
        by: one of ``COSTS``.
        common: the smaller of the two runs' totals on that axis.
        first: one run, folded up to it.
        second: the other.
        differences: why GFLOP/s of the two runs do not compare, a sentence each; empty when they do.
    """

    by: str
    common: float
    first: Side
    second: Side
    differences: tuple[str, ...]

    @property
    def tie(self) -> float:
        """Relative difference up to which speeds are equal: the wider of the runs' tie widths."""
        return max(self.first.history.tie, self.second.history.tie)

    @property
    def unit(self) -> str:
        """What the speeds of cells are in."""
        return "of baseline" if self.differences else "GFLOP/s"

    @property
    def cells(self) -> list[CellResult]:
        """Every cell that either run fills, in order."""
        found = sorted(set(self.first.held) | set(self.second.held))
        first, second = self.first.held, self.second.held
        return [
            CellResult(cell, self._speed(first.get(cell)), self._speed(second.get(cell)), self.tie) for cell in found
        ]

    def _speed(self, record: Record | None) -> float | None:
        if record is None:
            return None
        if not self.differences:
            return record.evaluation.objective
        ratio = ratio_to_baseline(record.evaluation)
        return ratio.median if ratio else None


def compare(first: RunFolder, second: RunFolder, by: str = "evaluations") -> Comparison:
    """Two runs of one problem at equal cost.

    Args:
        first: of one run.
        second: of the other.
        by: one of ``COSTS``.

    Raises:
        UnknownName: no such cost.
        RunFolderError: the runs are of different problems or rules of accuracy, or one spent nothing of that cost.
    """
    return compare_histories(history(first), history(second), by)


def history(folder: RunFolder) -> History:
    """What a comparison reads of a run."""
    problem = folder.meta.get("problem", folder.facts.problem)
    records, bills = tuple(folder.evaluations.records()), tuple(folder.conversations.bills())
    name, tie = folder.path.absolute().name, tie_width(folder.config)
    return History(name, problem, folder.facts, records, bills, folder.elapsed_s, tie)


def tie_width(config: Mapping[str, Any]) -> float:  # Any: YAML
    """The tie width in a run's configuration; the default one where it has none."""
    timing = config.get("timing")
    tie = timing.get("tie") if isinstance(timing, dict) else None
    return float(tie) if isinstance(tie, int | float) else TIE_WIDTH


def compare_histories(first: History, second: History, by: str) -> Comparison:
    """``compare`` for runs that were read before."""
    if by not in COSTS:
        raise unknown("cost", by, COSTS)
    check_comparable(first, second)
    for run in (first, second):
        _check_spent(run, by)
    common = min(first.total.on(by), second.total.on(by))
    before, after = (fold_to_cost(run, by, common) for run in (first, second))
    return Comparison(by, common, before, after, differences(first, second))


class Compared(Protocol):
    """A run that is compared with another."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def problem(self) -> str:
        """Registry name."""

    @property
    def facts(self) -> MachineFacts:
        """How it was measured."""


def check_comparable(first: Compared, second: Compared) -> None:
    """Checks that speeds of two runs mean the same.

    Raises:
        RunFolderError: they have other problems, rules of accuracy or places of their inputs.
    """
    if first.problem != second.problem:
        raise RunFolderError(
            f"expected runs of one problem, got {first.problem} ({first.name}) and {second.problem} ({second.name}); "
            "give runs whose configurations name the same problem"
        )
    rules = first.facts.accuracy, second.facts.accuracy
    if rules[0] != rules[1]:
        raise RunFolderError(
            f"expected runs with one rule of accuracy, got {rules[0]} ({first.name}) and {rules[1]} ({second.name}): "
            "what the looser rule admits would win by it alone"
        )
    caches = [run.facts.cache or "memory" for run in (first, second)]
    if caches[0] != caches[1]:
        raise RunFolderError(
            f"expected runs whose inputs lie in one place when the clock starts, got {caches[0]} ({first.name}) and "
            f"{caches[1]} ({second.name}); give runs with the same timing.inputs"
        )


def fold_to_cost(run: History, by: str, limit: float) -> Side:
    """A run folded up to a cost: the evaluations that were committed before more than ``limit`` was spent.

    A simplification: a remeasured kernel counts with all its measurements from the start: later ones estimate the
    same speed better.
    """
    if run.total.on(by) <= limit:
        return Side(run, run.total, run.records, elites(run.records))
    costs = list(itertools.takewhile(lambda cost: cost.on(by) <= limit, _costs(run)))
    kept = run.records[: len(costs)]
    return Side(run, costs[-1] if costs else Cost(0, 0.0, 0, 0.0), kept, elites(kept))


def differences(first: History, second: History) -> tuple[str, ...]:
    """Why GFLOP/s of two runs do not compare, a sentence each."""
    a, b = first.facts, second.facts
    found = []
    if a.fingerprint != b.fingerprint:
        same = a.cpu == b.cpu and a.compiler.get("version") == b.compiler.get("version")
        details = "same CPU model and compiler, other facts" if same else f"{_machine(a)} and {_machine(b)}"
        found.append(f"the machines differ: {details}")
    if a.threads != b.threads:
        found.append(f"the threads differ: {a.threads} and {b.threads}")
    if _sizes(first) != _sizes(second):
        found.append(f"the scored sizes differ: {_sizes(first)} and {_sizes(second)}")
    if found and a.baseline_name != b.baseline_name:
        found.append(f"the baselines differ too: {a.baseline_name} and {b.baseline_name}")
    return tuple(found)


def _check_spent(run: History, by: str) -> None:
    if not run.records:
        raise RunFolderError(f"{run.name} has no evaluation yet; let it run before comparing it")
    if run.total.on(by) > 0:
        return
    hint = {
        "tokens": "no model was asked in it; compare by evaluations or minutes",
        "usd": "no model was asked in it, or its configuration gives no prices; compare by evaluations or tokens",
    }.get(by, "compare by evaluations")
    raise RunFolderError(f"{run.name} spent no {by}: {hint}")


def _costs(run: History) -> Iterator[Cost]:
    """What had been spent when each evaluation was committed: everything answered by then, whatever came of it."""
    tokens, usd, bills = 0, 0.0, deque(run.bills)
    for number, record in enumerate(run.records, 1):
        while bills and bills[0].elapsed_s <= record.elapsed_s:
            bill = bills.popleft()
            tokens, usd = tokens + bill.tokens, usd + bill.cost
        yield Cost(number, record.elapsed_s / 60, tokens, usd)


def _tokens(bills: tuple[Bill, ...]) -> int:
    return sum(bill.tokens for bill in bills)


def _usd(bills: tuple[Bill, ...]) -> float:
    return sum(bill.cost for bill in bills)


def _machine(facts: MachineFacts) -> str:
    return ", ".join(str(part) for part in (facts.cpu, facts.compiler.get("version")) if part)


def _sizes(run: History) -> str:
    timed = next((record.evaluation.timings for record in run.records if record.evaluation.timings), ())
    return "; ".join(size_text(entry.size) for entry in (timed or run.facts.baseline))
