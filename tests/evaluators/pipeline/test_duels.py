"""Challengers against the incumbents of their cells, with real children and timings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.measurement import TimingRule
from qdkernel.evaluators.pipeline import DUEL_RULE, EvaluationContext, evaluate
from tests.compiled import HEAD
from tests.conftest import make_spec, naive, run_with, timed_with

pytestmark = pytest.mark.isa_dependent


@pytest.mark.slow
def test_on_a_slow_host_a_duel_decides_whatever_the_objectives(tmp_path: Path) -> None:
    rule = TimingRule(block_ms=0.2, rounds_min=2, rounds_max=4, half_width=0.5, budget_s=0.0, disturbed=1000)
    unreached = (1e6,)  # GFLOP/s of the baseline on quiet cores
    spec = timed_with(make_spec(tmp_path), rule=rule, baseline_gflops=unreached, peak_gflops=1e9)
    context = EvaluationContext(timed_with(spec, drop_ratio=1e9))  # a cold first call drops nobody
    try:
        incumbent = evaluate(context, Kernel(naive()))
        assert incumbent.cell is not None
        assert incumbent.objective is not None
        assert [timing.quiet for timing in incumbent.timings] == [False]
        context.scratch.set_incumbent(incumbent.cell, Kernel(naive()), 1.3 * incumbent.objective)
        found = evaluate(context, Kernel(naive().replace("int i = 0", "int i = 0 * 1")))
        assert found.duel is not None
    finally:
        context.close()


def test_a_challenger_that_fails_in_the_duel_only_has_not_won_it(tmp_path: Path) -> None:
    long_duel = TimingRule(rounds_min=100, rounds_max=100, budget_s=100.0, half_width=0.0, disturbed=math.inf)
    context = EvaluationContext(timed_with(make_spec(tmp_path), duel_rule=long_duel))
    counting = naive().replace("{", "{\n    static long calls;\n    if (m == 48 && ++calls > 80)\n        return;\n", 1)
    try:
        incumbent = evaluate(context, Kernel(naive()))
        assert incumbent.cell is not None
        context.scratch.set_incumbent(incumbent.cell, Kernel(naive()), 1e-9)
        found = evaluate(context, Kernel(counting))
    finally:
        context.close()
    assert len(found.timings) == 1, "it was right until the duel"
    assert found.outcome is Outcome.WRONG, found.detail
    assert found.duel is None


def test_an_incumbent_that_is_only_late_in_a_duel_keeps_its_cell(tmp_path: Path) -> None:
    context = EvaluationContext(run_with(make_spec(tmp_path), run_s=0.5))
    try:
        found = evaluate(context, Kernel(naive()))
        assert found.cell is not None
        incumbent = Kernel(HEAD + "\n{\n    volatile int x = 1;\n    while (x) {}\n}\n")
        context.scratch.set_incumbent(found.cell, incumbent, 1e-9)
        found = evaluate(context, Kernel(naive() + "/* again */"))
    finally:
        context.close()
    assert found.outcome is Outcome.LOST
    assert "the incumbent of its cell was stopped in their duel: not done after 0.5 s" in found.detail


def test_an_incumbent_that_is_late_in_two_duels_has_lost_its_cell(tmp_path: Path) -> None:
    context = EvaluationContext(run_with(make_spec(tmp_path), run_s=0.5))
    try:
        found = evaluate(context, Kernel(naive()))
        assert found.cell is not None
        incumbent = Kernel(HEAD + "\n{\n    volatile int x = 1;\n    while (x) {}\n}\n")
        context.scratch.set_incumbent(found.cell, incumbent, 1e-9)
        first, second = (evaluate(context, Kernel(f"{naive()}/* {n} */")) for n in range(2))
    finally:
        context.close()
    assert first.outcome is Outcome.LOST
    assert second.outcome is Outcome.OK, second.detail
    assert second.duel is not None
    assert (second.duel.incumbent, second.duel.low) == (incumbent.id, math.inf)
    assert second.duel.fault is not None
    assert second.duel.fault.outcome is Outcome.TIMEOUT
    assert second.duel.fault.detail.startswith("it was stopped in 2 duels in a row: not done after 0.5 s")


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["*(volatile int *)8 = 1;", ""], ids=["crashes", "is wrong"])
def test_an_incumbent_that_fails_in_a_duel_has_lost_it(failing: str, context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(naive()))
    assert found.cell is not None
    incumbent = Kernel(HEAD + "\n{\n    " + failing + "\n}\n")  # as if it had been right whenever it was looked at
    context.scratch.set_incumbent(found.cell, incumbent, 0.5 * (found.objective or 0.0))
    found = evaluate(context, Kernel(naive() + "/* again */"))
    assert found.outcome is Outcome.OK, found.detail
    assert found.duel is not None
    assert (found.duel.incumbent, found.duel.low) == (incumbent.id, math.inf)
    assert found.duel.fault is not None
    assert found.duel.fault.outcome == (Outcome.CRASHED if failing else Outcome.WRONG)


def test_a_challenger_is_timed_against_the_incumbent_of_its_cell(context: EvaluationContext) -> None:
    incumbent = evaluate(context, Kernel(naive()))
    assert incumbent.cell is not None
    context.scratch.set_incumbent(incumbent.cell, Kernel(naive()), 1e-9)
    found = evaluate(context, Kernel(naive().replace("int i = 0", "int i = 0 * 1")))
    assert found.duel is not None
    assert found.duel.incumbent == incumbent.kernel_id
    assert found.duel.low <= found.duel.ratio <= found.duel.high
    assert [len(row) for row in found.duel.kernel_ns] == [len(row) for row in found.duel.incumbent_ns]
    assert min(*found.duel.kernel_ns[0], *found.duel.incumbent_ns[0]) > 0


def test_a_duel_has_enough_rounds_for_its_verdict_however_slow_the_kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = EvaluationContext(
        timed_with(make_spec(tmp_path), duel_rule=dataclasses.replace(DUEL_RULE, budget_s=1e-6, decisive=None))
    )
    names_of_rounds: list[tuple[str, ...]] = []
    refresh = context.timer.buffers.refresh

    def recording(calls: range, names: Sequence[str], unchecked: int = 0) -> None:
        names_of_rounds.append(tuple(names))
        refresh(calls, names, unchecked)

    monkeypatch.setattr(context.timer.buffers, "refresh", recording)
    try:
        incumbent = evaluate(context, Kernel(naive()))
        assert incumbent.cell is not None
        context.scratch.set_incumbent(incumbent.cell, Kernel(naive()), 1e-9)
        assert evaluate(context, Kernel(naive().replace("int i = 0", "int i = 0 * 1"))).duel is not None
    finally:
        context.close()
    assert names_of_rounds.count(("challenger", "incumbent")) >= DUEL_RULE.rounds_min


def test_a_kernel_far_behind_the_incumbent_is_dropped_after_a_first_estimate(context: EvaluationContext) -> None:
    incumbent = evaluate(context, Kernel(naive()))
    assert incumbent.cell is not None
    context.scratch.set_incumbent(incumbent.cell, Kernel(naive()), 1e9)
    found = evaluate(context, Kernel(naive().replace("int i = 0", "int i = 0 * 1")))
    assert found.outcome is Outcome.OK
    assert found.duel is None
    assert len(found.timings[0].kernel_ns) == 2
    assert "slower than the incumbent of its cell" in found.detail


@pytest.mark.parametrize(("sizes", "hopeful"), [((48,), [None, 1.015]), ((48, 64), [None, None])])
def test_with_one_size_rounds_that_take_long_go_on_only_while_the_challenger_is_ahead(
    sizes: Sequence[int], hopeful: list[float | None], tmp_path: Path
) -> None:
    scored = tuple({"m": n, "n": n, "k": n} for n in sizes)
    spec = timed_with(make_spec(tmp_path), sizes=scored, baseline_gflops=(1.0,) * len(sizes), duel_rule=DUEL_RULE)
    context = EvaluationContext(spec)
    try:
        assert [context.timer.duel_rule(0, call_ns).hopeful for call_ns in (4e6, 6e6)] == hopeful
    finally:
        context.close()
