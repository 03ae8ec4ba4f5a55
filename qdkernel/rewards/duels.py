"""Ranks the correct kernels of a group by interleaved duels, which removes the machine's drift within the group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qdkernel.core import Duel
from qdkernel.rewards.verdict import Ending, Verdict

Duels = Callable[[str, str], Duel | None]
"""``duels(challenger, reference)``: kernel ids to their duel; ``None`` when it has no result."""

_WORTHWHILE = 2.0  # heuristic: drift on a shared host is below a factor of two, so slower kernels need no duel


@dataclass(frozen=True)
class _Standing:
    relative: float
    tied: bool


def ranked_by_duels(verdicts: Sequence[Verdict], duels: Duels) -> list[Verdict]:
    """The verdicts of one group with ``relative`` and ``tied`` filled in.

    A tournament against the fastest: each correct kernel with code of its own is timed against the kernel with the
    highest single timing, in blocks that alternate (ABBA), and ``relative`` is the ratio of that duel. ``n - 1`` duels
    instead of the ``n (n - 1) / 2`` of a round robin; a duel takes 0.1 to 0.3 s for each scored size. A kernel that
    beats the reference by its interval becomes the reference of the rest; earlier ratios are divided by that of the
    duel that it won, so their errors add up. Kernels more than twice as slow by their single timings keep those.
    A kernel whose duel came to nothing keeps its single timing, too. Failures stay as they are.

    Args:
        verdicts: of one group.
        duels: times two kernels against each other.
    """
    entrants: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.ending is Ending.OK and verdict.gflops is not None:
            entrants.setdefault(_code(verdict), verdict)
    if len(entrants) < 2:
        return list(verdicts)
    standings = _tournament(entrants, duels)
    return [_with_standing(verdict, standings.get(_code(verdict))) for verdict in verdicts]


def _tournament(entrants: dict[str, Verdict], duels: Duels) -> dict[str, _Standing]:
    order = sorted(entrants, key=lambda code: -(entrants[code].gflops or 0.0))
    best = order[0]
    standings = {best: _Standing(1.0, tied=True)}
    for code in order[1:]:
        single = (entrants[code].gflops or 0.0) / (entrants[best].gflops or math.inf)
        duel = duels(code, best) if single * _WORTHWHILE >= 1.0 else None
        if duel is None or not math.isfinite(duel.ratio):
            standings[code] = _Standing(min(1.0, single), tied=False)
        elif duel.low > 1.0:
            standings = {each: _Standing(at.relative / duel.ratio, tied=False) for each, at in standings.items()}
            standings[code] = _Standing(1.0, tied=True)
            best = code
        else:
            tied = duel.low <= 1.0 <= duel.high
            standings[code] = _Standing(min(1.0, duel.ratio), tied)
    return standings


def _code(verdict: Verdict) -> str:
    return verdict.duplicate_of or verdict.kernel_id


def _with_standing(verdict: Verdict, standing: _Standing | None) -> Verdict:
    if standing is None or verdict.ending is not Ending.OK:
        return verdict
    return replace(verdict, relative=standing.relative, tied=standing.tied)
