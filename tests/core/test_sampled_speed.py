from __future__ import annotations

from dataclasses import replace

import pytest

from qdkernel.core import sampled_speed
from tests.mutators.briefs import timing


def test_without_samples_there_is_no_speed() -> None:
    assert sampled_speed(()) is None
    assert sampled_speed((replace(timing(70.0), kernel_ns=()),)) is None


def test_fast_blocks_and_the_median_are_of_the_same_samples() -> None:
    speed = sampled_speed((timing(52.0, baseline=104.0),))
    assert speed is not None
    assert speed.fast == pytest.approx(52.0)
    assert speed.median.median == pytest.approx(52.0 / 1.025, rel=0.001)
    assert (speed.median.low, speed.median.high) == pytest.approx((52.0 / 1.1, 52.0))
    assert speed.reference_fast == pytest.approx(2 * speed.fast)
    assert (speed.ratio.low, speed.ratio.median, speed.ratio.high) == pytest.approx((0.49, 0.5, 0.51))
    assert not speed.loaded


def test_a_baseline_that_is_often_slower_than_its_fast_blocks_shows_a_loaded_host() -> None:
    one = timing(52.0)
    slowed = tuple(ns * slower for ns, slower in zip(one.reference_ns, (1, 1, 2, 2, 2, 2), strict=True))
    speed = sampled_speed((replace(one, reference_ns=slowed),))
    assert speed is not None
    assert speed.loaded
    quiet = sampled_speed((one,))
    assert quiet is not None
    assert speed.reference_fast == pytest.approx(quiet.reference_fast, rel=0.01)


def test_a_measurement_that_was_not_quiet_shows_a_loaded_host() -> None:
    speed = sampled_speed((timing(52.0), replace(timing(50.0), quiet=False)))
    assert speed is not None
    assert speed.loaded
