from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from qdkernel.core import geometric_mean, geometric_mean_or_none, median_ratio
from qdkernel.core.statistics import Interval, quantile, tail


def test_equal_samples_have_no_spread() -> None:
    found = median_ratio([[1.25, 1.25, 1.25]], np.random.default_rng(0))
    assert (found.median, found.low, found.high) == pytest.approx((1.25, 1.25, 1.25))


def test_groups_are_combined_by_geometric_mean() -> None:
    found = median_ratio([[2.0, 2.0], [0.5, 0.5]], np.random.default_rng(0))
    assert found.median == pytest.approx(1.0)


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        found = median_ratio([np.exp(rng.normal(0.0, 0.05, 15)).tolist()], rng)
        covered += found.low <= 1.0 <= found.high
    assert 0.93 <= covered / 300 <= 1.0


def test_geometric_mean_of_speeds() -> None:
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert geometric_mean([0.0, 100.0]) == 0.0


@pytest.mark.parametrize(("samples", "student"), [(4, 3.182), (6, 2.571), (16, 2.131), (1001, 1.962)])
def test_the_tails_are_students_for_few_samples(samples: int, student: float) -> None:
    expected = NormalDist().cdf(-student * (samples / (samples - 1)) ** 0.5)
    assert tail(samples) == pytest.approx(expected, rel=0.15)


def test_a_single_sample_has_no_tails() -> None:
    assert tail(1) == 0.0
    assert median_ratio([[1.5]], np.random.default_rng(0)) == Interval(1.5, 1.5, 1.5)


@pytest.mark.slow
def test_a_duel_that_is_looked_at_again_and_again_is_seldom_won_by_luck() -> None:
    rng = np.random.default_rng(7)
    won = 0
    for _ in range(2000):
        ratios = np.exp(0.1 * rng.standard_t(3, 16))  # as heavy in the tails as a noisy host
        for rounds in range(6, 17, 2):
            found = median_ratio([ratios[:rounds].tolist()], rng)
            if not found.low <= 1.015 <= found.high:
                break
        won += found.low > 1 and found.median > 1.015
    assert won / 2000 < 0.025 + 3 * (0.025 / 2000) ** 0.5


def test_no_geometric_mean_of_nothing_or_of_what_is_not_positive() -> None:
    assert geometric_mean_or_none([2.0, 8.0]) == pytest.approx(4.0)
    assert [geometric_mean_or_none(values) for values in ([], [1.0, 0.0], [1.0, float("nan")])] == [None] * 3


@pytest.mark.parametrize("count", [1, 2, 7, 40])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_quantile_is_numpys(count: int, share: float) -> None:
    samples = np.random.default_rng(count).uniform(1.0, 2.0, count).tolist()
    assert quantile(samples, share) == pytest.approx(float(np.quantile(samples, share)), rel=1e-15)
