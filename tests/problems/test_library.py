"""The declared problems: every seed and every baseline is right by the reference, in the contained child."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.core import Kernel
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.problems import PROBLEMS
from tests.conftest import make_spec
from tests.problems.oracles import HAND_WRITTEN

DECLARED = [name for name in PROBLEMS if name not in HAND_WRITTEN]


@pytest.mark.parametrize("name", DECLARED[::2])
def test_every_seed_and_the_baseline_are_right(name: str, tmp_path: Path) -> None:
    context = EvaluationContext(make_spec(tmp_path, name, 40))
    try:
        for seed in context.problem.seeds:
            (tmp_path / seed).mkdir()
            made, complaint = verify_only(context, Kernel(context.problem.seed_source(seed)), tmp_path / seed)
            assert made is not None, f"{seed}: {complaint}"
        suite = context.suite
        suite.reset()
        with context.start_baseline(suite.layout, suite.inputs, suite.outputs) as child:
            child.run(0, len(suite.layout.calls), 10.0)
        assert suite.judge().complaint is None
    finally:
        context.close()
