"""Every kernel that a large model once replied with is read and goes through the whole evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.core import Outcome
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.llm import Completion
from qdkernel.mutators.llm import converse
from tests.mutators.llm.test_converse import FILES, recorded

KERNELS = [file for file in FILES if "plan" not in file.stem]
ALPHA_ZERO = "alpha=0"
"""Some read A and B also for alpha = 0, which their prompts did not forbid: rightly wrong, and for nothing else."""


@pytest.mark.parametrize("file", KERNELS, ids=lambda file: file.stem)
def test_a_models_kernel_ends_as_an_evaluation(file: Path, context: EvaluationContext) -> None:
    assignment, reply = recorded(file)
    ending = converse(assignment, lambda messages: Completion(reply), "dgemm", resamples=0)
    assert ending.proposal is not None
    evaluation = evaluate(context, ending.proposal.kernel)
    assert evaluation.detail or evaluation.outcome is Outcome.OK
    if evaluation.outcome is Outcome.WRONG:
        assert ALPHA_ZERO in evaluation.detail
    else:
        assert evaluation.outcome in (Outcome.OK, Outcome.POLICY_VIOLATION)
