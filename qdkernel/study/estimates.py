"""Estimates from n samples of what the best of k would be, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

_RESAMPLES = 2000
_LEVELS = (2.5, 97.5)
_Z = 1.959964  # of a 95 % interval


def pass_at_k(n: int, correct: int, k: int) -> float:
    """The probability that one of k samples is correct, unbiased: ``1 - C(n - c, k) / C(n, k)``.

    Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374), eq. (1).

    Args:
        n: samples drawn.
        correct: of these.
        k: at least 1.

    Raises:
        ValueError: k is not between 1 and n, or correct not between 0 and n.
    """
    _check(n, k)
    if not 0 <= correct <= n:
        raise ValueError(f"expected 0 to {n} correct samples, got {correct}")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def eff_at_k(scores: Sequence[float], k: int) -> float:
    """The expected best score of k samples, unbiased: the mean of the maximum over all subsets of k.

    ``sum over r = k..n of C(r - 1, k - 1) / C(n, k) e(r)`` with the scores in ascending order. Qiu et al. 2024, "How
    Efficient is LLM-Generated Code?" (arXiv 2406.06647), eq. (6) and algorithm 1.

    Args:
        scores: of the samples; 0 for one that is not correct.
        k: at least 1.

    Raises:
        ValueError: k is not between 1 and the number of scores.
    """
    n = len(scores)
    _check(n, k)
    weights = [math.comb(r - 1, k - 1) / math.comb(n, k) for r in range(k, n + 1)]
    return float(np.dot(weights, sorted(scores)[k - 1 :]))


def pass_interval(n: int, correct: int, k: int) -> tuple[float, float]:
    """The 95 % interval of the probability that one of k samples is correct.

    Wilson's interval of the share of correct samples (Wilson 1927, JASA 22), of which the probability,
    ``1 - (1 - p)^k``, is an increasing function; it stays wide where all or none of few samples are correct.
    """
    share, spread = correct / n, _Z**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return 1 - (1 - low) ** k, 1 - (1 - high) ** k


def mean_interval(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The 95 % interval of the mean of independent estimates that have such intervals.

    The distances of the limits from the estimates, root mean square over the square root of their number (Zou and
    Donner 2008, Statistics in Medicine 27). Unlike a bootstrap it stays wide where all samples of a group are alike.
    """
    pairs = list(zip(values, intervals, strict=True))
    below = math.hypot(*(max(0.0, value - low) for value, (low, _) in pairs)) / len(pairs)
    above = math.hypot(*(max(0.0, high - value) for value, (_, high) in pairs)) / len(pairs)
    mean = sum(values) / len(pairs)
    return mean - below, mean + above


def bootstrap_interval(
    estimate: Callable[[Sequence[float]], float], groups: Sequence[Sequence[float]], rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of an estimate over groups, each of which is resampled.

    Args:
        estimate: from the scores of a group.
        groups: scores, e.g. of each routine.
        rng: draws the resamples.
    """
    means = [
        float(np.mean([estimate(rng.choice(np.asarray(group), len(group)).tolist()) for group in groups]))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(means, _LEVELS)
    return float(low), float(high)


def _check(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"expected k between 1 and the number of samples, {n}, got {k}")
