"""Every kernel that a large model once replied with is read and goes through the whole evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.llm import Completion
from qdkernel.machine import flags_of
from qdkernel.mutators.llm import converse
from tests.conftest import FLAGS, compiled_with, make_spec
from tests.mutators.llm.test_converse import FILES, recorded

pytestmark = pytest.mark.isa_dependent

KERNELS = [file for file in FILES if "plan" not in file.stem]
AVX512 = ["01-rewrite", "02-rewrite", "03-rewrite", "04-rewrite", "08-rewrite"]
AVX512 += ["12-edit", "15-cross", "16-cross", "18-repair", "19-repair"]
AVX2 = ["06-rewrite", "07-rewrite"]
NEEDS = {stem: pytest.mark.isa("avx512f") for stem in AVX512} | {stem: pytest.mark.isa("avx2", "fma") for stem in AVX2}
"""The instruction sets of replies with intrinsics: their prompts named a machine that had them."""
ALPHA_ZERO = "alpha=0"
"""Some read A and B also for alpha = 0, which their prompts did not forbid: rightly wrong, and for nothing else."""


def kernel_of(file: Path) -> Kernel:
    assignment, reply = recorded(file)
    ending = converse(assignment, lambda messages: Completion(reply), "dgemm", resamples=0)
    assert ending.proposal is not None
    return ending.proposal.kernel


@pytest.mark.slow
@pytest.mark.parametrize("file", [pytest.param(f, marks=NEEDS.get(f.stem, ()), id=f.stem) for f in KERNELS])
def test_a_models_kernel_ends_as_an_evaluation(file: Path, context: EvaluationContext) -> None:
    evaluation = evaluate(context, kernel_of(file))
    assert evaluation.detail or evaluation.outcome is Outcome.OK
    if evaluation.outcome is Outcome.WRONG:
        assert ALPHA_ZERO in evaluation.detail
    else:
        assert evaluation.outcome in (Outcome.OK, Outcome.POLICY_VIOLATION)


@pytest.mark.slow
@pytest.mark.isa("sse2")
@pytest.mark.parametrize("file", [f for f in KERNELS if f.stem in NEEDS], ids=lambda file: file.stem)
def test_a_models_kernel_for_a_wider_machine_does_not_compile_here(file: Path, tmp_path: Path) -> None:
    context = EvaluationContext(compiled_with(replace(make_spec(tmp_path), isa="sse2"), flags=flags_of(FLAGS, "sse2")))
    try:
        evaluation = evaluate(context, kernel_of(file))
    finally:
        context.close()
    assert evaluation.outcome is Outcome.COMPILE_ERROR
    assert "this machine lacks or the run leaves out" in evaluation.detail
