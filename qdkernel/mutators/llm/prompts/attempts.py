"""What a prompt states of work done and under way: attempts at a cell, requests in flight, results of the last plan."""

from __future__ import annotations

from collections.abc import Sequence

from qdkernel.core import AXES, Cell, Outcome
from qdkernel.mutators.contract import Attempt, InFlight, StrategyResult
from qdkernel.mutators.llm.prompts.budget import Variants, one_line, shrinking
from qdkernel.mutators.llm.prompts.speeds import short_speed
from qdkernel.mutators.llm.prompts.wording import OUTCOME_TEXTS, format_cell

_ATTEMPTS = 6
_IN_FLIGHT = 8
_NOT_TIMED = "not timed yet"


def attempt_variants(attempts: Sequence[Attempt]) -> Variants:
    """Attempts at a cell, a line each, newest first."""
    return shrinking([_attempt(attempt) for attempt in attempts[:_ATTEMPTS]], 2)


def in_flight_variants(in_flight: Sequence[InFlight]) -> Variants:
    """Requests that are being answered, a line each."""
    return shrinking([_in_flight(request) for request in in_flight[-_IN_FLIGHT:]], 3)


def plan_variants(results: Sequence[StrategyResult]) -> Variants:
    """What became of each strategy of the last plan."""
    lines = []
    for result in results:
        became = attempt_result(result.attempt) if result.attempt else "no kernel yet"
        lines.append(f"- {one_line(result.strategy, 240)} -> {became}")
    return shrinking(lines, 2)


def attempt_result(attempt: Attempt) -> str:
    """How an attempt ended: speed, cell, and for a kernel that missed its target the rules that decided."""
    if attempt.outcome is None:
        return _NOT_TIMED
    if attempt.outcome is not Outcome.OK:
        return OUTCOME_TEXTS[attempt.outcome]
    text = short_speed(attempt.speed)
    if attempt.cell is not None and attempt.target not in (None, attempt.cell):
        text += f", measured in {format_cell(attempt.cell)}{_missed(attempt, attempt.cell)}"
    return text + ("; took its cell" if attempt.placed else "; did not beat the elite of its cell")


def _attempt(attempt: Attempt) -> str:
    idea = one_line(attempt.idea, 160)
    return f"- {one_line(attempt.operator, 20)}: {attempt_result(attempt)}{f': {idea}' if idea else ''}"


def _missed(attempt: Attempt, cell: Cell) -> str:
    """The evidence on each axis where a kernel missed its target."""
    text = ""
    for axis, aimed, found in zip(AXES, attempt.target or cell, cell, strict=True):
        if aimed != found:
            why = one_line(attempt.evidence.get(axis.name, ""), 160)
            text += f", not in {axis.levels[aimed]} {axis.name}{f' ({why})' if why else ''}"
    return text


def _in_flight(request: InFlight) -> str:
    target = format_cell(request.target) if request.target else "no particular cell"
    start = f" from kernel {request.parents[0][:8]}" if request.parents else ""
    task = f": {one_line(request.strategy, 160)}" if request.strategy else ""
    return f"- {request.operator}{start}, aimed at {target}{task}"
