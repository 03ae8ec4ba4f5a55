"""The recorded evaluator: known kernels, duels with incumbents, stages, remeasurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from qdkernel.core import Cell, Kernel, Outcome, Stage
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, EvaluationTask, SharedScratch
from qdkernel.recorded import RecordedEvaluator, RecordedKernel
from tests.fake_runs import SIZES, kernel, timing

CELL = Cell(4, 3, 0, 0)
SLOW, FAST, UNKNOWN = kernel("slow"), kernel("fast"), kernel("unknown")
EVALUATE = RecordedEvaluator(
    {
        SLOW.id: RecordedKernel(CELL, timing(SIZES[0], 50.0, 88.0)),
        FAST.id: RecordedKernel(CELL, timing(SIZES[0], 60.0, 88.0)),
    }
)


@pytest.fixture
def scratch() -> Iterator[SharedScratch]:
    made = SharedScratch.make()
    yield made
    made.remove()


def task(scratch: SharedScratch, subject: Kernel) -> EvaluationTask:
    spec = EvaluationSpec("dgemm", str(scratch.folder), CompileSpec("gcc", ()))
    return EvaluationTask(spec, subject)


def test_a_kernel_in_an_empty_cell_gets_its_recorded_timing_without_a_duel(scratch: SharedScratch) -> None:
    found = EVALUATE(task(scratch, SLOW))
    assert (found.outcome, found.cell, found.objective, found.duel) == (Outcome.OK, CELL, 50.0, None)


def test_a_kernel_that_was_not_recorded_is_lost(scratch: SharedScratch) -> None:
    found = EVALUATE(task(scratch, UNKNOWN))
    assert (found.outcome, found.detail) == (Outcome.LOST, "this kernel was not recorded")


def test_a_duel_is_decided_by_the_recorded_objectives(scratch: SharedScratch) -> None:
    scratch.set_incumbent(CELL, SLOW, 50.0)
    duel = EVALUATE(task(scratch, FAST)).duel
    assert duel is not None
    assert (duel.incumbent, duel.ratio, duel.low, duel.high) == (SLOW.id, 1.2, 1.2, 1.2)
    assert EVALUATE(replace(task(scratch, FAST), again=True)).duel is None


def test_a_kernel_much_slower_than_the_incumbent_fights_no_duel(scratch: SharedScratch) -> None:
    scratch.set_incumbent(CELL, FAST, 60.0)
    assert EVALUATE(task(scratch, SLOW)).duel is None


def test_a_stage_refuses_what_it_does_not_permit(scratch: SharedScratch) -> None:
    stage = Stage("narrow", permits={"simd": frozenset({"scalar"})})
    found = EVALUATE(replace(task(scratch, SLOW), accept=stage.refusal))
    assert found.outcome is Outcome.OUTSIDE_STAGE
    assert "512" in found.detail
