"""Energy in timings, by a meter on files that somebody else counts up, as the hardware does."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome, pool
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.machine import EnergyMeter
from tests.conftest import naive
from tests.fake_runs import timing


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[EnergyMeter]:
    """A package whose counter goes up some times in each block, for as long as the test runs."""
    counter = tmp_path / "energy_uj"
    counter.write_text("0")
    ended = threading.Event()

    def count() -> None:
        total = 0
        while not ended.wait(2e-5):
            total += 5000
            part = counter.with_suffix(".new")
            part.write_text(str(total))
            part.replace(counter)

    thread = threading.Thread(target=count)
    thread.start()
    yield EnergyMeter((counter,), (1 << 60,))
    ended.set()
    thread.join()


def test_a_timing_has_the_energy_of_a_call_where_the_host_reports_it(
    context: EvaluationContext, meter: EnergyMeter
) -> None:
    context.timer.placement = dataclasses.replace(context.timer.placement, energy=meter)
    found = evaluate(context, Kernel(naive()))
    assert found.outcome is Outcome.OK, found.detail
    (timed,) = found.timings
    assert timed.joules is not None
    assert timed.joules > 0
    context.timer.placement = dataclasses.replace(context.timer.placement, energy=None)
    without = evaluate(context, Kernel(naive()))
    assert [each.joules for each in without.timings] == [None]


def test_measurements_are_pooled_by_their_rounds() -> None:
    alone = timing({"m": 8, "n": 8, "k": 8}, 2.0, 1.0)
    one = dataclasses.replace(alone, kernel_ns=(1.0,) * 2, reference_ns=(2.0,) * 2, joules=0.2)
    other = dataclasses.replace(alone, kernel_ns=(1.0,) * 6, reference_ns=(2.0,) * 6, joules=0.4)
    silent = dataclasses.replace(alone, kernel_ns=(1.0,) * 9, reference_ns=(2.0,) * 9)
    (together,) = pool([(one,), (other,), (silent,)])
    assert together.joules == pytest.approx((0.2 * 2 + 0.4 * 6) / 8)
    assert together.gflop_per_joule == pytest.approx(1e-9 * alone.flops / 0.35)
    assert pool([(silent,), (silent,)])[0].joules is None
