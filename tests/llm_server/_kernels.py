"""An endless supply of correct DGEMM kernels, each another one, for benchmarks and runs without a model."""

from __future__ import annotations

import itertools
import json
import threading
from string import Template

from tests.llm_server._answer import Body, Script
from tests.llm_server._replies import LESSON
from tests.llm_server._requests import asks_for

# The textbook kernel in blocks: every row block scales its part of C and then adds products of blocks to it.
_SOURCE = Template("""\
#include <stddef.h>
$defines
static void add_block(int rows, int depth, int columns, double alpha, const double *restrict A, int lda,
                      const double *restrict B, int ldb, double *restrict C, int ldc)
{
$nest
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
$pragma    for (int i0 = 0; i0 < m; i0 += IB) {
        int rows = m - i0 < IB ? m - i0 : IB;
        for (int i = i0; i < i0 + rows; i++)
            for (int j = 0; j < n; j++)
                C[(size_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(size_t)i * ldc + j];
        if (alpha == 0)
            continue;
        for (int p0 = 0; p0 < k; p0 += PB)
            for (int j0 = 0; j0 < n; j0 += JB)
                add_block(rows, k - p0 < PB ? k - p0 : PB, n - j0 < JB ? n - j0 : JB, alpha, A + (size_t)i0 * lda + p0,
                          lda, B + (size_t)p0 * ldb + j0, ldb, C + (size_t)i0 * ldc + j0, ldc);
    }
}
""")

_NESTS = {
    "rows of C": """\
    for (int i = 0; i < rows; i++)
        for (int p = 0; p < depth; p++) {
            double a = alpha * A[(size_t)i * lda + p];
#pragma GCC unroll $unroll
            for (int j = 0; j < columns; j++)
                C[(size_t)i * ldc + j] += a * B[(size_t)p * ldb + j];
        }""",
    "rows of B": """\
    for (int p = 0; p < depth; p++)
        for (int i = 0; i < rows; i++) {
            double a = alpha * A[(size_t)i * lda + p];
#pragma GCC unroll $unroll
            for (int j = 0; j < columns; j++)
                C[(size_t)i * ldc + j] += a * B[(size_t)p * ldb + j];
        }""",
    "dot products": """\
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            double sum = 0;
#pragma GCC unroll $unroll
            for (int p = 0; p < depth; p++)
                sum += A[(size_t)i * lda + p] * B[(size_t)p * ldb + j];
            C[(size_t)i * ldc + j] += alpha * sum;
        }""",
}
_PRAGMAS = {
    "serial": "",
    "a static loop": "#pragma omp parallel for schedule(static)\n",
    "a dynamic loop": "#pragma omp parallel for schedule(dynamic)\n",
}
_UNROLLS = (1, 2, 4)
_IB, _PB, _JB = (8, 12, 16, 24, 32), (48, 64, 96, 128), (64, 96, 128, 256)

_CHOICES = tuple(itertools.product(_NESTS, _PRAGMAS, _UNROLLS, _IB, _PB, _JB))

NUM_KERNELS = len(_CHOICES)
"""Different kernels there are."""

_STRIDE = 1013  # has no factor in common with NUM_KERNELS, so neighbours differ in everything and none comes twice

PLAN = json.dumps(
    [
        {
            "parent": 1,
            "target": f"cache, 256-bit, {threading_words}",
            "strategy": "Block all three loops for the second-level cache; let the compiler vectorise the inner one.",
        }
        for threading_words in ("serial", "static loop", "dynamic loop")
    ]
)


def kernel_source(number: int) -> str:
    """A correct DGEMM kernel; another one for each number from 0 to ``NUM_KERNELS - 1``, then from the start."""
    nest, pragma, unroll, *blocks = _choice(number)
    defines = "".join(f"#define {name} {value}\n" for name, value in zip(("IB", "PB", "JB"), blocks, strict=True))
    body = Template(_NESTS[nest]).substitute(unroll=unroll)
    return _SOURCE.substitute(defines=defines, nest=body, pragma=_PRAGMAS[pragma])


def kernels() -> Script:
    """Answers every request for a kernel with another one, a plan with a plan, and anything else with a sentence."""
    number = itertools.count()
    lock = threading.Lock()

    def script(body: Body, _: int) -> str:
        kind = asks_for(body)
        if kind == "plan":
            return PLAN
        if kind == "text":
            return LESSON
        with lock:
            chosen = next(number)
        return f"IDEA: {_idea(chosen)}\n```c\n{kernel_source(chosen)}```\n"

    return script


def _choice(number: int) -> tuple[str, str, int, int, int, int]:
    return _CHOICES[number * _STRIDE % NUM_KERNELS]


def _idea(number: int) -> str:
    nest, pragma, unroll, ib, pb, jb = _choice(number)
    return f"blocks of {ib} x {pb} x {jb} along {nest}, {pragma}, unrolled by {unroll}"
