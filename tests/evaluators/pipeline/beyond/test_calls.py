"""Kernels are called far beyond the scored sizes: larger ones, skinny ones, and rows that stand gigabytes apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec
from qdkernel.evaluators.pipeline.beyond import calls, verify_beyond
from qdkernel.evaluators.pipeline.builder import Stop
from qdkernel.problems import find_problem

FLAGS = ("-O2", "-fopenmp")
SIZES = ({"m": 24, "n": 24, "k": 24},)
DGEMM = """#include <stddef.h>
void dgemm(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta,
           double *C, int ldc)
{
    GUARD
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0.0;
            for (int p = 0; p < k && alpha != 0.0; p++)
                sum += A[INDEX] * B[(ptrdiff_t)p * ldb + j];
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = (alpha == 0.0 ? 0.0 : alpha * sum) + (beta == 0.0 ? 0.0 : beta * *c);
        }
}
"""
WIDE, NARROW = "(ptrdiff_t)i * lda + p", "(int)((unsigned)i * (unsigned)lda + (unsigned)p)"

Tried = Callable[[str, str], tuple[str, ...]]


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Tried]:
    """``tried(problem, source)``: what was left out."""
    contexts: list[EvaluationContext] = []

    def run(problem: str, source: str) -> tuple[str, ...]:
        context = EvaluationContext(EvaluationSpec(problem, str(tmp_path), CompileSpec("gcc", FLAGS)))
        contexts.append(context)
        with context.build_folder() as folder:
            made = context.compile(Kernel(source).source, Path(folder))
            sizes = SIZES if problem == "dgemm" else (context.problem.size_from_int(24),)
            return verify_beyond(context, made, sizes)

    yield run
    for context in contexts:
        context.close()


def test_a_kernel_that_computes_offsets_in_64_bits_is_right_past_2_to_the_31(tried: Tried) -> None:
    assert tried("dgemm", DGEMM.replace("INDEX", WIDE).replace("GUARD", "")) == ()


@pytest.mark.parametrize(
    ("index", "guard", "outcome", "where"),
    [
        (NARROW, "", Outcome.CRASHED, "in a call with offsets past 2^31 elements"),
        (WIDE, "if (m > 29 && n > 29 && lda < 10000) return;", Outcome.WRONG, "in a call of size m="),
        (WIDE, "if (m < 4 || n < 4 || k < 4) return;", Outcome.WRONG, "in a call of size m="),
        (WIDE, "if (m < 24 && n < 24 && k < 24 && m * n * k > 1 && lda < 99) return;", Outcome.WRONG, "of size m="),
    ],
    ids=["32-bit offsets", "nothing for larger sizes", "nothing for skinny sizes", "nothing for smaller sizes"],
)
def test_what_fails_only_there_is_found(index: str, guard: str, outcome: Outcome, where: str, tried: Tried) -> None:
    with pytest.raises(Stop) as caught:
        tried("dgemm", DGEMM.replace("INDEX", index).replace("GUARD", guard))
    assert caught.value.outcome is outcome
    assert where in caught.value.detail


def test_what_cannot_be_tried_is_told_with_the_reason(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    lu = find_problem("lu")
    monkeypatch.setattr(calls, "free_bytes", lambda: 0)  # then nothing is called at all
    left_out = tried("lu", lu.seed_source(lu.seeds[0]))
    assert left_out[0].startswith("a call of size ")
    assert left_out[0].endswith(" GiB of memory")
    assert left_out[-1] == (
        "offsets past 2^31 elements were not tried: a call of lu with arrays so long has 7e+13 operations"
    )
