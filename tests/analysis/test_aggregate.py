"""Interquartile means over seeds and their intervals."""

from __future__ import annotations

import numpy as np
import pytest

from qdkernel.analysis import aggregate, interquartile_mean


@pytest.mark.parametrize(
    ("values", "mean"),
    [([3.0], 3.0), ([1.0, 2.0], 1.5), ([0.0, 1.0, 2.0, 100.0], 1.5), ([-50.0, 1, 2, 3, 4, 5, 6, 900.0], 3.5)],
)
def test_the_middle_half_is_averaged(values: list[float], mean: float) -> None:
    assert interquartile_mean(values) == pytest.approx(mean)


def test_the_interval_covers_the_truth_about_as_often_as_it_promises() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        found = aggregate([list(rng.normal(10, 1, 20))], rng)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 10 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_runs_are_resampled_within_their_stratum() -> None:
    found = aggregate([[1.0, 1.0, 1.0], [9.0, 9.0, 9.0]], np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (5.0, 5.0, 5.0)


def test_one_run_has_no_interval() -> None:
    found = aggregate([[4.0]], np.random.default_rng(0))
    assert (found.value, found.low, found.high, found.runs) == (4.0, None, None, 1)
