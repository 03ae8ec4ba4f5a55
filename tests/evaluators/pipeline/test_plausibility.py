"""What memory traffic is possible: a cache holds a part of the inputs before the call and of the results after it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from qdkernel.core import Outcome, Timing
from qdkernel.evaluators.measurement import ScoredSize
from qdkernel.evaluators.pipeline.builder import Stop
from qdkernel.evaluators.pipeline.timer import Timer
from qdkernel.evaluators.pipeline.timing.plausibility import check_plausible

CACHE, TRIAD = 32 << 20, 70.0
IN_PLACE = ScoredSize(
    size={"n": 1 << 24}, flops=1e6, least_flops=1e6, bytes=2.0**28, least_bytes=2.0**28, written_bytes=1 << 27,
    first=0, warm=0, timed=1,
)  # fmt: skip


def check(gbytes_per_s: float) -> None:
    """Checks a kernel that moves the bytes of its arrays, once read and once written, so fast."""
    ns = IN_PLACE.least_bytes / gbytes_per_s
    timing = Timing(
        size=IN_PLACE.size, flops=1e6, bytes=IN_PLACE.bytes, block_calls=1, kernel_ns=(ns,), reference_ns=(ns,),
        ratio=1.0, ratio_low=1.0, ratio_high=1.0, gflops=1e6 / ns,
    )  # fmt: skip
    spec = SimpleNamespace(llc_bytes=CACHE, triad_gbytes_per_s=TRIAD)
    timer = SimpleNamespace(spec=spec, sizes=(IN_PLACE,), peak_gflops=1e3, measure_peaks_again=lambda: False)
    check_plausible(cast(Timer, timer), (timing,))


def test_a_kernel_whose_results_stay_in_the_cache_may_pass_triad() -> None:
    check(1.6 * TRIAD)


def test_traffic_that_no_cache_explains_is_implausible() -> None:
    with pytest.raises(
        Stop, match=r"GB/s of memory traffic at n=16777216 is above the measured triad of 70\.0"
    ) as stop:
        check(1.7 * TRIAD)
    assert stop.value.outcome is Outcome.IMPLAUSIBLE
