"""The secret check of timed calls of every declared problem, against kernels that cheat at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.evaluators.measurement import TimingBuffers, TimingRule, WrongResult
from qdkernel.evaluators.pipeline import EvaluationContext
from tests.conftest import make_spec
from tests.problems.compiled_cheats import CALLS, cheating_kernel, ways
from tests.problems.test_library import DECLARED, one_precision

SIZE = 40
RULE = TimingRule()
CALL_S = 1e-3 * RULE.block_ms / CALLS
"""A guess of one call's time for which a block has so many calls."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [one_precision(at + 1, file) for at, file in enumerate(DECLARED)])
def test_the_check_of_timed_calls_stops_each_way_to_cheat(name: str, tmp_path: Path) -> None:
    context = EvaluationContext(make_spec(tmp_path, name, SIZE))
    problem = context.problem
    buffers = TimingBuffers(problem, [problem.size_from_int(SIZE)], [CALL_S], RULE)
    (scored,) = buffers.sizes
    timed = range(scored.first, scored.first + CALLS)
    made = context.compile(cheating_kernel(problem, problem.scored_case(scored.size)), tmp_path)
    accepted = []
    try:
        child = context.start(made, buffers.layout, buffers.inputs, buffers.outputs("cheat"), 1)
        with child:
            for way in ways(problem):
                buffers.refresh(timed, ["cheat"])
                child.run(timed.start, CALLS, context.spec.run.run_s)
                try:
                    buffers.check(timed, "cheat")
                    accepted.append(way)
                except WrongResult:
                    pass
    finally:
        buffers.close()
        context.close()
    assert accepted == ["honest"]
