"""Verdicts to numbers. Each shape is a pure function of the verdicts of one group.

A lost verdict has no number in any shape: it is ``None``, never a low score. Of a group that was ranked by duels,
speeds are those of the duels: the fastest kernel's own figure times the ratio measured against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from qdkernel.errors import unknown
from qdkernel.rewards.verdict import Ending, Verdict

Shape = Callable[[Sequence[Verdict]], list[float | None]]

_DOUBLINGS = 8.0  # heuristic: a naive DGEMM reaches 2^-6 of the peak of a vector core, 2^-8 of that of many cores
_LOG_FLOOR = -7.0  # log2; slower than 1/128 of the baseline is not distinguished
_FAILURES = {
    Ending.NO_KERNEL: 0.0,
    Ending.IMPLAUSIBLE: 0.0,  # an attempt to cheat is worth no more than no answer
    Ending.POLICY_VIOLATION: 0.04,
    Ending.COMPILE_ERROR: 0.08,
    Ending.OUTSIDE_STAGE: 0.1,  # compiles, but ignores what was asked; whether it is correct was not looked at
    Ending.TIMEOUT: 0.12,
    Ending.CRASHED: 0.16,
    Ending.WRONG: 0.2,
    Ending.RACE: 0.2,  # right by luck
}
_SQD = {
    Ending.NO_KERNEL: -100.0,
    Ending.IMPLAUSIBLE: -100.0,
    Ending.POLICY_VIOLATION: -40.0,
    Ending.COMPILE_ERROR: -40.0,
    Ending.TIMEOUT: -30.0,
    Ending.CRASHED: -20.0,
    Ending.OUTSIDE_STAGE: -10.0,
    Ending.WRONG: -10.0,
    Ending.RACE: -10.0,
}


def unit(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Failures from 0 to 0.2 in the order of how far they came, correct kernels from 0.3 to 1 by speed.

    ``0.3 + 0.7 * clip(1 + log2(share) / 8, 0, 1)``, ``share`` of the machine's peak: each doubling of the speed adds
    0.0875. Failures: no kernel and implausible 0, policy violation 0.04, compile error 0.08, outside the stage 0.1,
    timeout 0.12, crash 0.16, wrong and race 0.2.

    Source: this project. verl's ``rate_limited`` manager, AReaL and miles score an outage as 0, and OpenRLHF clips at
    +-10, so with negative tiers an outage would be worth more than an honest failure.
    """
    return [_scored(verdict, lambda v: 0.3 + 0.7 * _speed_level(v), _FAILURES) for verdict in _compared(verdicts)]


def sqd(verdicts: Sequence[Verdict]) -> list[float | None]:
    """The tiers of Staged Quality-Diversity, then GFLOP/s (Mikasa et al. 2026, arXiv 2602.12049).

    No kernel -100, compile error -40, timeout -30, crash -20, wrong -10, correct: its GFLOP/s. Outcomes that the
    paper does not name: implausible as no kernel, policy violation as compile error, outside the stage and
    race as wrong.
    """
    return [_scored(verdict, lambda v: v.gflops or 0.0, _SQD) for verdict in _compared(verdicts)]


def log(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Base-2 logarithm of the speed relative to the baseline, at least -7; failures from -10 to -8.

    ``max(-7, log2(ratio))``; failures ``-10 + 10 * unit``, which keeps their order inside OpenRLHF's clip range of
    +-10. Source: the margin of preference pairs in this project's exports; ratios are compared by their logarithm as
    in Fleming and Wallace 1986 ("How not to lie with statistics", CACM 29(3)).
    """
    failures = {ending: -10.0 + 10.0 * value for ending, value in _FAILURES.items()}
    return [_scored(verdict, lambda v: max(_LOG_FLOOR, _log2(v.ratio)), failures) for verdict in _compared(verdicts)]


def share(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Share of the machine's measured peak (of triad for bandwidth-bound problems), at most 1; failures 0.

    Source: the roofline's attainable performance (Williams et al. 2009, CACM 52(4)).
    """
    failures = dict.fromkeys(_FAILURES, 0.0)
    return [_scored(verdict, lambda v: min(1.0, v.share or 0.0), failures) for verdict in _compared(verdicts)]


def rank(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Rank by speed among the correct kernels of the group; failures as in ``unit``.

    ``0.3 + 0.7 * (slower + ties / 2) / (n - 1)`` with ``n`` correct kernels, 1 for a single one. Kernels with the same
    code tie, and those that their duel does not tell apart from the fastest tie with it.

    Source: rank-based fitness shaping (Wierstra et al. 2014, "Natural Evolution Strategies", JMLR 15, sec. 3.1).
    """
    compared = _compared(verdicts)
    speeds = [_ranked_speed(verdict) for verdict in compared]
    found = [speed for speed in speeds if speed is not None]

    def place(own: float) -> float:
        if len(found) == 1:
            return 1.0
        slower, ties = sum(speed < own for speed in found), sum(speed == own for speed in found) - 1
        return 0.3 + 0.7 * (slower + ties / 2) / (len(found) - 1)

    return [
        place(speed) if speed is not None else _scored(verdict, lambda _: 0.0, _FAILURES)
        for verdict, speed in zip(compared, speeds, strict=True)
    ]


def cell_rank(verdicts: Sequence[Verdict]) -> list[float | None]:
    """Rank among the kernels that were judged before in the same cell of the archive; failures as in ``unit``.

    ``0.3 + 0.7 * (share of them that are slower)``; 1 for the first kernel of a cell. Rewards every way of being fast
    alike, however fast the way can be. Source: the competition within a cell of MAP-Elites (Mouret and Clune 2015).
    """

    def value(verdict: Verdict) -> float:
        return 1.0 if verdict.cell_rank is None else 0.3 + 0.7 * verdict.cell_rank

    return [_scored(verdict, value, _FAILURES) for verdict in verdicts]


SHAPES: dict[str, Shape] = {
    "unit": unit,
    "sqd": sqd,
    "log": log,
    "share": share,
    "rank": rank,
    "cell_rank": cell_rank,
}


def find_shape(name: str) -> Shape:
    """The shape with this name.

    Raises:
        UnknownName: there is none; the message lists the known ones.
    """
    if name not in SHAPES:
        raise unknown("reward shape", name, SHAPES)
    return SHAPES[name]


def _scored(verdict: Verdict, correct: Callable[[Verdict], float], failures: dict[Ending, float]) -> float | None:
    if verdict.lost:
        return None
    return correct(verdict) if verdict.ending is Ending.OK else failures[verdict.ending]


def _speed_level(verdict: Verdict) -> float:
    return min(1.0, max(0.0, 1.0 + _log2(verdict.share) / _DOUBLINGS))


def _log2(value: float | None) -> float:
    return math.log2(value) if value else -math.inf


def _ranked_speed(verdict: Verdict) -> float | None:
    if verdict.ending is not Ending.OK:
        return None
    if verdict.relative is not None:
        return 1.0 if verdict.tied else verdict.relative
    return verdict.gflops


def _compared(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts with the speeds of their duels, where there were any."""
    from dataclasses import replace

    fastest = next((verdict for verdict in verdicts if verdict.relative == 1.0 and verdict.ending is Ending.OK), None)
    if fastest is None or fastest.gflops is None or fastest.ratio is None or fastest.share is None:
        return list(verdicts)
    return [
        verdict
        if verdict.relative is None
        else replace(
            verdict,
            gflops=fastest.gflops * verdict.relative,
            ratio=fastest.ratio * verdict.relative,
            share=fastest.share * verdict.relative,
        )
        for verdict in verdicts
    ]
