"""pass@k and eff@k against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qdkernel.study import eff_at_k, pass_at_k
from qdkernel.study.estimates import bootstrap_interval, mean_interval, pass_interval


@pytest.mark.parametrize(("n", "correct", "k"), [(1, 1, 1), (6, 2, 1), (6, 2, 3), (6, 5, 2), (6, 0, 6), (6, 6, 1)])
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n: int, correct: int, k: int) -> None:
    samples = [True] * correct + [False] * (n - correct)
    subsets = [any(subset) for subset in itertools.combinations(samples, k)]
    assert pass_at_k(n, correct, k) == pytest.approx(np.mean(subsets))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_eff_at_k_is_the_mean_of_the_best_over_all_subsets(k: int) -> None:
    scores = [0.0, 1.4, 0.0, 0.9, 0.3]
    assert eff_at_k(scores, k) == pytest.approx(np.mean([max(s) for s in itertools.combinations(scores, k)]))


def test_large_counts_do_not_overflow() -> None:
    assert pass_at_k(2000, 1, 1000) == pytest.approx(0.5)
    assert eff_at_k([0.0] * 1999 + [1.0], 1000) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "correct", "k"), [(5, 0, 6), (5, 6, 1), (5, 2, 0)])
def test_impossible_numbers_are_refused(n: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        pass_at_k(n, correct, k)


def test_the_interval_of_few_samples_that_all_passed_is_not_a_point() -> None:
    low, high = pass_interval(3, 3, 1)
    assert (low, high) == pytest.approx((0.4385, 1.0), abs=1e-4)
    assert pass_interval(3, 3, 2)[0] == pytest.approx(1 - (1 - low) ** 2)
    assert pass_interval(4, 0, 1)[0] == 0.0


def test_the_interval_of_a_mean_combines_the_distances_of_the_limits() -> None:
    assert mean_interval([0.5, 0.7], [(0.2, 0.6), (0.3, 0.9)]) == pytest.approx(
        (0.6 - 0.25, 0.6 + math.hypot(0.1, 0.2) / 2)
    )
    assert mean_interval([1.0, 1.0], [(0.6, 0.99), (0.7, 1.0)]) == pytest.approx((0.75, 1.0))


def test_the_bootstrap_resamples_each_group_by_itself() -> None:
    rng = np.random.default_rng(0)
    assert bootstrap_interval(lambda scores: float(np.mean(scores)), [[1.0] * 4, [3.0] * 4], rng) == (2.0, 2.0)
    low, high = bootstrap_interval(lambda scores: float(np.mean(scores)), [[0.0, 1.0] * 10], rng)
    assert low == pytest.approx(0.28, abs=0.07)
    assert high == pytest.approx(0.72, abs=0.07)
