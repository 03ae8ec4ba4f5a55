"""What evaluators and models did when: the latest evaluations as bars, and where all the time went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qdkernel.core import one_line
from qdkernel.runs import Bill, Record

LATEST = 60  # evaluations drawn; more than a picture's width can tell apart
_WINDOW_S = 300.0  # heuristic: what lies further back than this is another phase of the run

PHASES = ("wait", "compile", "verify", "time", "model")
"""``wait`` is for other benchmarks on these cores; ``model`` a request under way."""

_PHASE_OF = {
    "wait": "wait",
    "source policy": "compile",
    "compile": "compile",
    "assembly": "compile",
    "object policy": "compile",
    "behaviour": "compile",
    "verify": "verify",
    "time": "time",
    "duel": "time",
}


@dataclass(frozen=True)
class Bar:
    """A piece of work.

    Attributes:
        lane: row, from 0; evaluators first, then requests.
        phase: one of ``PHASES``.
        begin_s: seconds that the run had been active.
        end_s: the same.
        label: what it was for.
        number: of the record; ``None`` for a request.
    """

    lane: int
    phase: str
    begin_s: float
    end_s: float
    label: str
    number: int | None


@dataclass(frozen=True)
class Timeline:
    """Bars of the latest evaluations and requests, and seconds by phase over the whole run."""

    bars: tuple[Bar, ...]
    evaluator_lanes: int
    request_lanes: int
    seconds: dict[str, float]


def timeline(records: Sequence[Record], bills: Sequence[Bill]) -> Timeline:
    """The timeline of a run; records without times of their steps are left out."""
    seconds = dict.fromkeys(PHASES, 0.0)
    for record in records:
        for step, spent in record.evaluation.step_s.items():
            if phase := _PHASE_OF.get(step):
                seconds[phase] += spent
    seconds["model"] = sum(bill.latency_s or 0.0 for bill in bills)
    evaluations, lanes = _evaluation_bars([r for r in records[-LATEST:] if r.evaluation.began_s])
    begin = min((bar.begin_s for bar in evaluations), default=0.0)
    requests, request_lanes = _request_bars(bills, begin, lanes)
    spent_s = {phase: spent for phase, spent in seconds.items() if spent > 0}
    return Timeline((*evaluations, *requests), lanes, request_lanes, spent_s)


def _evaluation_bars(records: Sequence[Record]) -> tuple[list[Bar], int]:
    """Bars of evaluations on the run's clock; the hosts' clock is moved so that no evaluation ends after its commit."""
    if not records:
        return [], 0
    ends = [max(at + r.evaluation.step_s.get(step, 0.0) for step, at in r.evaluation.began_s.items()) for r in records]
    # A later session has another host clock: only records near the last one share its offset.
    near = [at for at in range(len(records)) if abs(records[-1].elapsed_s - records[at].elapsed_s) < _WINDOW_S]
    offset = min(records[at].elapsed_s - ends[at] for at in near)
    free: list[float] = []
    bars: list[Bar] = []
    for at in sorted(near, key=lambda at: min(records[at].evaluation.began_s.values())):
        record = records[at]
        begin, end = min(record.evaluation.began_s.values()) + offset, ends[at] + offset
        if abs(end - record.elapsed_s) > _WINDOW_S:
            continue
        lane = _lane(free, begin, end)
        label = f"evaluation {record.number}, {one_line(record.proposal.operator, 60)}, {record.evaluation.outcome}"
        for phase, start, stop in _phases(record):
            bars.append(Bar(lane, phase, start + offset, stop + offset, label, record.number))
    return bars, len(free)


def _phases(record: Record) -> list[tuple[str, float, float]]:
    """When each phase of an evaluation began and ended; neighboring steps of one phase are one."""
    found: list[tuple[str, float, float]] = []
    for step, began in sorted(record.evaluation.began_s.items(), key=lambda item: (item[0] != "wait", item[1])):
        phase, end = _PHASE_OF.get(step), began + record.evaluation.step_s.get(step, 0.0)
        if phase is None:
            continue
        if found and found[-1][0] == phase:
            found[-1] = (phase, found[-1][1], end)
        else:
            found.append((phase, began, end))
    return found


def _request_bars(bills: Sequence[Bill], begin: float, first_lane: int) -> tuple[list[Bar], int]:
    free: list[float] = []
    bars: list[Bar] = []
    recent = [bill for bill in bills[-LATEST:] if bill.latency_s and bill.elapsed_s > begin]
    for bill in sorted(recent, key=lambda bill: bill.elapsed_s - (bill.latency_s or 0.0)):
        start = max(begin, bill.elapsed_s - (bill.latency_s or 0.0))
        lane = first_lane + _lane(free, start, bill.elapsed_s)
        failed = ", failed" if bill.failed else ""
        label = f"request to {one_line(bill.model, 60)}, {bill.tokens} tokens{failed}"
        bars.append(Bar(lane, "model", start, bill.elapsed_s, label, None))
    return bars, len(free)


def _lane(free: list[float], begin: float, end: float) -> int:
    """The first lane that is free at ``begin``, taken until ``end``."""
    for lane, until in enumerate(free):
        if until <= begin + 1e-3:
            free[lane] = end
            return lane
    free.append(end)
    return len(free) - 1
