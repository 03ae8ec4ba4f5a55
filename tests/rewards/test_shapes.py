from __future__ import annotations

import math
import re

import pytest

from qdkernel.errors import UnknownName
from qdkernel.rewards import SHAPES, Ending, Verdict, find_shape


def ok(gflops: float, **more: object) -> Verdict:
    values = {"gflops": gflops, "ratio": gflops / 40, "share": gflops / 50, "kernel_id": str(gflops), **more}
    return Verdict(Ending.OK, **values)  # type: ignore[arg-type]


FAILURES = [Verdict(ending) for ending in Ending if ending not in (Ending.OK, Ending.LOST)]


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_lost_verdict_has_no_number_in_any_shape(shape: str) -> None:
    assert find_shape(shape)([Verdict(Ending.LOST), Verdict(Ending.WRONG), ok(3.0)])[0] is None


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_no_failure_is_worth_more_than_a_correct_kernel(shape: str) -> None:
    for failure in FAILURES:
        for gflops in (1e-6, 1.0, 49.0):
            failed, correct = find_shape(shape)([failure, ok(gflops)])
            assert failed is not None
            assert correct is not None
            assert failed < correct


def test_unit_orders_failures_below_every_correct_kernel_and_stays_in_its_range() -> None:
    failed = [value for value in SHAPES["unit"](FAILURES) if value is not None]
    assert min(failed) == 0.0
    assert max(failed) == 0.2
    assert SHAPES["unit"]([ok(1e-9), ok(25.0), ok(50.0), ok(60.0)]) == [0.3, pytest.approx(1 - 0.7 / 8), 1.0, 1.0]


def test_an_attempt_to_cheat_is_worth_no_more_than_no_answer() -> None:
    assert SHAPES["unit"]([Verdict(Ending.IMPLAUSIBLE)]) == SHAPES["unit"]([Verdict(Ending.NO_KERNEL)])


def test_sqd_has_the_tiers_of_the_paper_then_gflops() -> None:
    endings = [Ending.NO_KERNEL, Ending.COMPILE_ERROR, Ending.TIMEOUT, Ending.CRASHED, Ending.WRONG]
    found = SHAPES["sqd"]([*map(Verdict, endings), ok(37.5)])
    assert found == [-100.0, -40.0, -30.0, -20.0, -10.0, 37.5]


def test_log_is_the_doublings_beside_the_baseline_and_stays_in_the_clip_range_of_openrlhf() -> None:
    assert SHAPES["log"]([ok(80.0), ok(40.0), ok(20.0)]) == [1.0, 0.0, -1.0]
    assert all(-10 <= value <= -8 for value in SHAPES["log"](FAILURES) if value is not None)


def test_share_is_the_share_of_peak() -> None:
    assert SHAPES["share"]([ok(25.0), ok(60.0), Verdict(Ending.WRONG)]) == [0.5, 1.0, 0.0]


def test_ranks_are_spread_over_the_correct_kernels_of_a_group_and_ties_share_theirs() -> None:
    assert SHAPES["rank"]([ok(1.0), ok(3.0), ok(2.0), Verdict(Ending.WRONG)]) == pytest.approx([0.3, 1.0, 0.65, 0.2])
    assert SHAPES["rank"]([ok(2.0), ok(2.0)]) == pytest.approx([0.65, 0.65])
    assert SHAPES["rank"]([ok(2.0)]) == [1.0]


def test_the_rank_in_a_cell_is_the_share_of_earlier_kernels_that_are_slower() -> None:
    assert SHAPES["cell_rank"]([ok(1.0), ok(1.0, cell_rank=0.5)]) == pytest.approx([1.0, 0.65])


def test_speeds_of_duels_take_the_place_of_single_timings() -> None:
    group = [ok(40.0, relative=1.0, tied=True), ok(44.0, relative=0.5), ok(39.0, relative=0.995, tied=True)]
    assert SHAPES["share"](group) == [0.8, 0.4, pytest.approx(0.8 * 0.995)]
    assert SHAPES["log"](group) == [0.0, -1.0, pytest.approx(math.log2(0.995))]
    assert SHAPES["rank"](group) == [pytest.approx(0.825), 0.3, pytest.approx(0.825)]


def test_an_unknown_shape_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=re.escape("no reward shape 'units'; did you mean 'unit'?")):
        find_shape("units")
