"""Speeds between the measured thread counts."""

from __future__ import annotations

import pytest

from qdkernel.machine import scaled_to_threads


@pytest.mark.parametrize(("threads", "speed"), [(1, 50.0), (3, 150.0), (7, 300.0), (8, 300.0), (99, 300.0)])
def test_a_speed_is_scaled_from_the_smaller_count_and_bounded_by_the_larger(threads: int, speed: float) -> None:
    assert scaled_to_threads({1: 50.0, 8: 300.0}, threads) == speed


def test_below_the_smallest_count_nothing_is_known() -> None:
    assert scaled_to_threads({4: 100.0}, 2) is None
    assert scaled_to_threads({}, 2) is None


def test_a_single_measurement_counts_for_all_larger_numbers() -> None:
    assert scaled_to_threads({1: 50.0}, 4) == 50.0
