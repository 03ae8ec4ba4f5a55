"""Speeds in words: of the kernel and of the baseline at the same moments, with intervals and shares of a ceiling."""

from __future__ import annotations

from collections.abc import Iterable

from qdkernel.core import SIMD, Interval, SampledSpeed, Threading, geometric_mean
from qdkernel.mutators.contract import Brief, Elite
from qdkernel.mutators.llm.prompts.wording import number

_OFTEN = 0.2  # share of measurements on a loaded host from which prompts mention it (heuristic)


def format_speed(brief: Brief, elite: Elite) -> str:
    """An elite's speed in full: fast blocks and their share of the ceiling, median block, ratio to the baseline."""
    speed = elite.speed
    if speed is None:
        return f"{number(elite.objective)} GFLOP/s" if elite.objective else "not timed yet"
    text = f"{number(speed.fast)} GFLOP/s in its fast blocks{_share(brief, elite, speed.fast)}, {_median(speed)}"
    text += f"; {_ratio(speed)}, which made {number(speed.reference_fast)} GFLOP/s in its fast blocks meanwhile"
    return text + ("; the host had other work, so trust the ratio more than the median" if speed.loaded else "")


def short_speed(speed: SampledSpeed | None, objective: float | None = None) -> str:
    """A speed for a line of a table: ``43.9 GFLOP/s, 1.03 [1.00, 1.06] x the baseline``."""
    if speed is None:
        return "not timed" if objective is None else f"{number(objective)} GFLOP/s"
    return f"{number(speed.fast)} GFLOP/s, {_ratio(speed)}"


def baseline_gflops(brief: Brief) -> float:
    """The baseline's speed in quiet moments: the highest of its calibration and of its fast blocks beside the elites.

    Other work on the host only ever slows it down, also while it is calibrated. 0 when unknown.
    """
    calibrated = [speed for speed in brief.reference_speeds.baseline_gflops if speed > 0]
    known = [geometric_mean(calibrated)] if calibrated else []
    return max([*known, *(speed.reference_fast for speed in _speeds(brief.elites.values()))], default=0.0)


def host_line(brief: Brief) -> str:
    """A sentence when many of the elites were timed beside other work; empty otherwise."""
    loaded = [speed.loaded for speed in _speeds(brief.elites.values())]
    if not loaded or sum(loaded) < _OFTEN * len(loaded):
        return ""
    share = f"{sum(loaded)} of {len(loaded)} elites"
    return (
        f"- the host also does other work: it slowed the timing of {share}. GFLOP/s are of the fast blocks (the "
        "fastest tenth); ratios compare kernel and baseline at the same moments and are the safer numbers"
    )


def _speeds(elites: Iterable[Elite]) -> list[SampledSpeed]:
    return [elite.speed for elite in elites if elite.speed]


def _share(brief: Brief, elite: Elite, gflops: float) -> str:
    ceiling = brief.reference_speeds.ceiling_gflops(elite.cell, brief.threads)
    if ceiling <= 0:
        return ""
    level = SIMD.described[elite.cell.simd].label
    threads = " of one thread" if brief.threads > 1 and elite.cell.threading == Threading.SERIAL else ""
    return f" ({percent(gflops / ceiling)} of the {level} peak{threads})"


def _median(speed: SampledSpeed) -> str:
    return f"{with_interval(speed.median)} in the median block"


def _ratio(speed: SampledSpeed) -> str:
    return f"{with_interval(speed.ratio)} x the baseline"


def with_interval(interval: Interval) -> str:
    """A number with its interval: ``1.03 [1.00, 1.06]``."""
    return f"{number(interval.median)} [{number(interval.low)}, {number(interval.high)}]"


def percent(share: float) -> str:
    """A share in per cent: ``85 %``, ``3.1 %``."""
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"
