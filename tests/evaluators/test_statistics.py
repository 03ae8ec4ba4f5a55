from __future__ import annotations

import numpy as np
import pytest

from qdkernel.evaluators._statistics import geometric_mean, median_ratio


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
    assert 0.88 <= covered / 300 <= 1.0


def test_geometric_mean_of_speeds() -> None:
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
