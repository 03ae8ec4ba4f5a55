"""Offsets past 2^31 elements in arrays without a row stride, by zeros that are put into a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec
from qdkernel.evaluators.pipeline.beyond import far_offsets
from qdkernel.evaluators.pipeline.beyond.far_offsets import verify_far_offsets
from qdkernel.evaluators.pipeline.builder import Stop

ATAX = """#include <stddef.h>
#include <stdlib.h>
void atax(int n, const double *restrict A, const double *restrict x, double *restrict t, double *restrict y)
{
    GUARD
    for (int i = 0; i < n; i++) {
        t[i] = y[i] = 0.0;
        for (int j = 0; j < n; j++)
            if (x[j] != 0.0)
                t[i] += A[AT] * x[j];
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n && t[i] != 0.0; j++)
            y[j] += A[AT] * t[i];
}
"""
WIDE, NARROW = "(ptrdiff_t)i * n + j", "(int)((unsigned)i * (unsigned)n + (unsigned)j)"

Tried = Callable[[str], str]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """``tried(source)``: why a kernel of atax was not tried."""
    context = EvaluationContext(
        EvaluationSpec("atax", str(tmp_path_factory.mktemp("scratch")), CompileSpec("gcc", ("-O2", "-fopenmp")))
    )

    def run(source: str) -> str:
        with context.build_folder() as folder:
            made = context.compile(Kernel(source).source, Path(folder))
            return verify_far_offsets(context, made, np.random.default_rng())

    yield run
    context.close()


def atax(at: str, guard: str = "") -> str:
    return ATAX.replace("AT]", f"{at}]").replace("GUARD", guard)


@pytest.mark.slow
def test_a_kernel_that_computes_offsets_in_64_bits_is_right_past_2_to_the_31(tried: Tried) -> None:
    assert tried(atax(WIDE)) == ""


@pytest.mark.slow
def test_a_kernel_that_computes_offsets_in_32_bits_is_found(tried: Tried) -> None:
    with pytest.raises(Stop, match=r"in a call with 2\.147e\+09 elements in an array") as caught:
        tried(atax(NARROW))
    assert caught.value.outcome is Outcome.CRASHED


def test_a_wrong_result_past_the_limit_is_found(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_offsets, "FAR", 1 << 24)
    with pytest.raises(Stop, match=r"the result is wrong, in a call with 1\.67.e\+07 elements") as caught:
        tried(atax(f"({WIDE}) & 0xffffff"))
    assert caught.value.outcome is Outcome.WRONG


def test_a_kernel_that_fails_with_shorter_arrays_as_well_is_not_accused(
    tried: Tried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_offsets, "FAR", 1 << 24)
    assert tried(atax(WIDE, "if (n > 1000) abort();")).startswith("with fewer elements the kernel fails as well: ")
