"""What a page shows of a run, as plain values: the JSON that both the report and the live page are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qdkernel.core import Cell
from qdkernel.web.view.curves import CostCurve
from qdkernel.web.view.noise import NoiseBin
from qdkernel.web.view.redundancy import ArmRepetition, CodeGroup
from qdkernel.web.view.timeline import Timeline

SCHEMA = "qdkernel-view/1"


@dataclass(frozen=True)
class Figure:
    """A number that matters, with its name and a note."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Budget:
    """How much of a limit is used; ``left`` in words, estimated from the rate so far."""

    name: str
    used: float
    limit: float
    left: str

    @property
    def share(self) -> float:
        """Used share, 0 to 1."""
        return min(1.0, self.used / self.limit) if self.limit > 0 else 1.0


@dataclass(frozen=True)
class CellView:
    """One cell of the archive.

    Attributes:
        cell: level indices.
        name: in words.
        state: ``filled``, ``empty``, ``unreachable``, or ``retracted`` when its elite failed later and none followed.
        number: of the elite's record.
        gflops: objective of the elite.
        ratio: speed relative to the baseline.
        low: lower end of the ratio's 95 % interval.
        high: upper end.
        operator: that proposed it.
        model: that wrote it; empty for built-in operators.
        idea: one line.
        kernel: first 12 digits of its id.
    """

    cell: Cell
    name: str
    state: str
    number: int | None = None
    gflops: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    operator: str = ""
    model: str = ""
    idea: str = ""
    kernel: str = ""


@dataclass(frozen=True)
class Step:
    """A kernel that took a cell: what the replay shows."""

    number: int
    elapsed_s: float
    cell: Cell
    gflops: float
    ratio: float | None


@dataclass(frozen=True)
class OperatorRow:
    """What an operator with one model earned."""

    operator: str
    model: str
    proposals: int
    ok: int
    won: int
    held: int
    conversations: int
    unreadable: int
    failed: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class Failure:
    """An evaluation that did not end ``ok``."""

    number: int
    operator: str
    model: str
    outcome: str
    idea: str
    detail: str


@dataclass(frozen=True)
class BanditRow:
    """An arm of the bandit."""

    operator: str
    model: str
    plays: int
    recent_plays: float
    recent_wins: float
    earned: float
    cost: float


@dataclass(frozen=True)
class RooflinePoint:
    """A kernel, or the baseline, at one scored size."""

    intensity: float
    gflops: float
    size: str
    simd: int
    number: int | None


@dataclass(frozen=True)
class Roofline:
    """Points and limits of the roofline."""

    points: tuple[RooflinePoint, ...]
    baseline: tuple[RooflinePoint, ...]
    peaks: Mapping[str, float]
    triad_gbytes_per_s: float | None


@dataclass(frozen=True)
class RunView:
    """A run as a page shows it; every text in it is printable already."""

    schema: str
    name: str
    problem: str
    status: str
    stop_reason: str
    stage: str
    facts: tuple[Figure, ...]
    figures: tuple[Figure, ...]
    budgets: tuple[Budget, ...]
    evaluations: int
    elapsed_s: float
    baseline_name: str
    baseline_gflops: float | None
    peak_gflops: float | None
    cells: tuple[CellView, ...]
    num_reachable: int
    steps: tuple[Step, ...]
    curves: tuple[CostCurve, ...]
    roofline: Roofline
    operators: tuple[OperatorRow, ...]
    failures: tuple[Failure, ...]
    repetition: tuple[ArmRepetition, ...]
    groups: tuple[CodeGroup, ...]
    bandit: tuple[BanditRow, ...]
    noise: tuple[NoiseBin, ...]
    timeline: Timeline
    events: tuple[Figure, ...]

    @property
    def ranked(self) -> list[CellView]:
        """The filled cells, fastest first."""
        return sorted((c for c in self.cells if c.state == "filled"), key=lambda c: (-(c.gflops or 0.0), c.cell))

    def to_json(self) -> dict[str, Any]:  # Any: JSON values
        """The same as JSON values."""
        return dataclasses.asdict(self)
