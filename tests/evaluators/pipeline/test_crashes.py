"""Crashes of real kernels in the contained child: the message names the array and the side, or what else it was."""

from __future__ import annotations

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from tests.compiled import dgemm
from tests.paths import CASES

FULL = "if (m == 0 || n == 0 || k == 0) return;\n"
CRASHES = {
    "C[(size_t)(m - 1) * ldc + n] = 1;": "a write just behind the end of C",
    "C[-1] = 0;": "a write 8 bytes before the start of C",
    "((double *)A)[0] = 1;": "a write to A, which is const",
    "volatile double s = B[(size_t)(k - 1) * ldb + n + 1]; (void)s;": "a read 8 bytes behind the end of B",
    "volatile double s = A[-2]; (void)s;": "a read 16 bytes before the start of A",
    "*(volatile int *)8 = 1;": "a write far from every array, through a wild or null pointer",
    "volatile char *p = __builtin_alloca(1u << 28); p[5] = 1; C[0] = p[7];": " KiB is full",
    "typedef double v4 __attribute__((vector_size(32))); volatile v4 s = *(v4 *)(B + 1);": "a misaligned access",
}


@pytest.mark.parametrize("body", CRASHES)
def test_a_crash_names_the_array_and_the_side(body: str, context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(dgemm(FULL + body)))
    assert found.outcome is Outcome.CRASHED, found.detail
    assert CRASHES[body] in found.detail
    assert " (in case " in found.detail


def test_a_crash_in_another_thread_is_described_as_well(context: EvaluationContext) -> None:
    body = "#pragma omp parallel\nif (omp_get_thread_num() == omp_get_num_threads() - 1) C[(size_t)m * ldc] = 1;"
    found = evaluate(context, Kernel(dgemm(FULL + body, "#include <omp.h>")))
    assert found.outcome is Outcome.CRASHED, found.detail
    assert "the end of C" in found.detail


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("p06_nested_function", "the object needs an executable stack"),
        ("g07_cpu_supports", "the kernel asks for the CPU's features (__builtin_cpu_supports"),
        ("p09_set_num_threads", "the kernel calls omp_set_num_threads, which changes settings"),
        ("g12_cr_only", "the lines end in CR alone"),
    ],
)
def test_refusals_speak_of_the_source(name: str, said: str, context: EvaluationContext) -> None:
    source = (CASES / "kernels" / f"{name}.c").read_bytes().decode()
    found = evaluate(context, Kernel(source))
    assert found.outcome is Outcome.POLICY_VIOLATION
    assert said in found.detail


def test_the_contract_stands_in_the_complaint(context: EvaluationContext) -> None:
    body = """for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double s = 0;
            for (int p = 0; p < k; p++)
                s += A[(size_t)i * lda + p] * B[(size_t)p * ldb + j];
            C[(size_t)i * ldc + j] = alpha * s + (beta == 0 ? 0 : beta * C[(size_t)i * ldc + j]);
        }"""
    found = evaluate(context, Kernel(dgemm(body)))
    assert found.outcome is Outcome.WRONG
    assert "is nan and should be" in found.detail
    assert "with alpha = 0 or k = 0 neither A nor B is read" in found.detail
