"""The looser rule that Strassen-like multiplications can meet: errors relative to the largest element, not to each.

Fast algorithms add blocks before they multiply them, so an error is bounded by the norms of whole matrices only
(Higham 2002, "Accuracy and Stability of Numerical Algorithms", sec. 23.2; Ballard et al. 2016, SIAM J. Matrix Anal.
Appl. 37). Inputs are therefore of one scale throughout, and an element may err by ``error_limit * eps`` times the
largest magnitude of its matrix. Four levels of Strassen's algorithm reach half of that at n = 64 and 256 (measured).
NaN and infinities spread through sums of blocks, so what becomes of them is not judged.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from qdkernel.core import Array, Arrays, Case, Expected, Problem
from qdkernel.problems.gemm.inputs import even_families
from qdkernel.problems.gemm.reference import reference
from qdkernel.problems.gemm.sketch import GemmSketch, sketch

_LEAST_BLOCK = 32  # heuristic: below it the additions of a level cost more than the multiplication they save


def normwise(problem: Problem) -> Problem:
    """A matrix multiply judged by the looser rule.

    Timed by the usual ``2 m n k`` operations, as "effective GFLOP/s" (Benson & Ballard 2015, PPoPP), such a kernel may
    pass the machine's peak; ``least_flops`` states how far.
    """
    dtype = problem.dtype

    def even_sketch(case: Case, arrays: Arrays, rng: np.random.Generator) -> GemmSketch:
        found = sketch(dtype, case, arrays, rng)
        return replace(found, bound=_largest(found.bound), row_magnitude=_largest(found.row_magnitude))

    return replace(
        problem,
        families=even_families(dtype),
        reference=_reference,
        sketch=even_sketch,
        least_flops=_least_flops,
        error_words="the largest sum of the magnitudes of its terms that any result has",
    )


def _reference(case: Case, arrays: Arrays) -> dict[str, Expected]:
    """As ``reference``; where a product is formed every element may err as much as the largest."""
    expected = reference(case, arrays, exact=False)
    if case["alpha"] == 0 or case["k"] == 0:
        return expected
    return {name: Expected(each.value, _largest(each.magnitude)) for name, each in expected.items()}


def _least_flops(case: Case) -> float:
    """Strassen's recursion saves an eighth of the multiplications at every level; its additions are left out."""
    levels = max(0, int(math.log2(max(1.0, min(case["m"], case["n"], case["k"]) / _LEAST_BLOCK))))
    return float(2.0 * case["m"] * case["n"] * case["k"] * (7 / 8) ** levels)


def _largest(values: Array) -> Array:
    return np.full_like(values, values.max(initial=0.0))
