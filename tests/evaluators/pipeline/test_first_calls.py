"""The first calls of a kernel at the scored sizes: what they count for, and when a slow one is told."""

from __future__ import annotations

from typing import Any

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.evaluators.pipeline.timing import challenger, estimates
from tests.conftest import naive

pytestmark = pytest.mark.isa_dependent


@pytest.mark.parametrize(("wait", "told"), [("", False), ("for (volatile long x = 0; x < 100000000; x++) ;", True)])
def test_a_first_call_that_takes_many_times_the_later_ones_is_told(
    wait: str, told: bool, context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._LONG_S", 10.0)  # such a call would be the only sample
    once = f"{{ static int called; if (m == 48 && n == 48 && k == 48 && !called++) {{ {wait} }} "
    found = evaluate(context, Kernel(naive().replace("{", once, 1)))
    assert found.outcome is Outcome.OK, found.detail
    assert ("first call" in found.evidence) is told
    assert not told or found.evidence["first call"].startswith("m=48 n=48 k=48: ")


def test_a_first_call_that_only_the_host_delayed_is_not_told(
    context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays_ns = iter([1e9])

    def delayed_once(*args: Any) -> float:
        return estimates.first_call_ns(*args) + next(delays_ns, 0.0)

    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._LONG_S", 10.0)  # such a call would be the only sample
    monkeypatch.setattr(challenger, "first_call_ns", delayed_once)
    found = evaluate(context, Kernel(naive()))
    assert found.outcome is Outcome.OK, found.detail
    assert next(delays_ns, None) is None
    assert "first call" not in found.evidence


def test_the_first_call_of_a_kernel_with_long_calls_is_its_sample(
    context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._LONG_S", 1e-9)
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._SLOW", 1e-9)
    found = evaluate(context, Kernel(naive()))
    assert found.outcome is Outcome.OK, found.detail
    [timing] = found.timings
    assert len(timing.kernel_ns) == len(timing.reference_ns) == 1
    assert timing.ratio_low <= timing.ratio <= timing.ratio_high


def test_a_long_call_is_enough_to_fill_an_empty_cell_and_to_meet_its_elite(
    context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._LONG_S", 1e-9)
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._SLOW", 1e9)
    empty = evaluate(context, Kernel(naive()))
    assert empty.cell is not None
    assert len(empty.timings[0].kernel_ns) == 1
    context.scratch.set_incumbent(empty.cell, Kernel(naive()), 1e-9)
    slower = "{\n    for (volatile int w = 0; w < 100000; w++) ;\n"  # it does not win, so it is not timed any further
    held = evaluate(context, Kernel(naive().replace("{", slower, 1)))
    assert held.duel is not None
    assert len(held.timings[0].kernel_ns) == 1
