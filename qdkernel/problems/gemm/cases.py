"""The calls that a matrix multiply must get right before it is timed."""

from __future__ import annotations

import itertools

import numpy as np

from qdkernel.core import Case

_SIZES: tuple[tuple[int, int, int], ...] = (  # m, n, k
    # around the SIMD widths (2 to 16 elements) and small register tiles
    (7, 8, 9), (8, 9, 7), (9, 15, 16), (15, 16, 17), (16, 17, 31), (17, 31, 33), (31, 33, 15), (33, 7, 31),
    (32, 24, 64),
    # around common register tiles (4x24, 6x16, 6x32, 8x24, 12x32, 14x32 ...)
    (6, 24, 50), (5, 23, 61), (7, 25, 49), (12, 32, 40), (13, 25, 41), (11, 47, 29), (14, 48, 37), (29, 64, 3),
    # around powers of two and larger primes, where cache tiles begin and end
    (64, 63, 65), (5, 66, 64), (97, 37, 101), (129, 65, 131), (73, 131, 97),
    # one long side at a time, beyond the usual cache tiles of k, n and m
    (17, 23, 701), (11, 19, 769), (3, 1103, 300), (2, 2111, 7), (531, 5, 301), (523, 9, 13),
)  # fmt: skip
_SCALARS: tuple[tuple[float, float], ...] = (  # alpha, beta
    (1.0, 0.0), (0.7, 1.3), (1.0, 1.0), (-1.0, 0.0), (0.7, 0.0), (-1.0, 1.0), (1.0, 1.3),
)  # fmt: skip
_EXACT_SCALARS: tuple[tuple[float, float], ...] = ((1.0, 0.0), (-1.0, 1.0), (1.0, 1.0))  # keep integers integers
_FAMILIES = ("uniform", "integers", "uniform", "graded", "integers", "uniform", "cancellation")  # 7: no factor of 3
_PADDING = ((0, 0, 0), (3, 0, 5), (1, 8, 2), (0, 7, 0), (5, 1, 1))  # columns behind each row of A, B, C

_SPECIAL: tuple[tuple[int, int, int, float, float], ...] = (  # m, n, k, alpha, beta
    # empty matrices
    (0, 5, 3, 1.0, 0.0), (4, 0, 3, 0.7, 1.3), (0, 0, 0, 1.0, 1.0),
    # k = 0: C = beta C, and the NaN in C vanishes when beta is 0
    (4, 5, 0, 1.0, 0.0), (9, 17, 0, 0.7, 1.3), (3, 8, 0, 1.0, 1.0),
    # alpha = 0: the NaN in A and B is never read
    (7, 9, 5, 0.0, 0.0), (13, 33, 8, 0.0, 1.0), (17, 16, 21, 0.0, 1.3), (65, 41, 300, 0.0, 0.0),
    # vectors
    (1, 1, 1, 1.0, 0.0), (1, 17, 5, 0.7, 1.3), (19, 1, 23, 1.0, 0.0), (13, 11, 1, -1.0, 1.0), (1, 1, 97, 0.7, 0.0),
)  # fmt: skip

_NUMERIC: tuple[tuple[int, int, int, float, float, str], ...] = (  # m, n, k, alpha, beta, family
    # integers of 25 bits and more: two floats do not hold their products
    (9, 17, 2, 1.0, 0.0, "integers"), (12, 16, 3, -1.0, 1.0, "integers"), (16, 24, 1, 1.0, 1.0, "integers"),
    # even and square enough for fast algorithms, with the scalars of the scored call
    (32, 32, 32, 1.0, 0.0, "graded"), (48, 40, 56, 1.0, 0.0, "graded"), (64, 64, 64, 1.0, 0.0, "uniform"),
    # alpha is 1 or -1 here: how much of a subnormal alpha A is lost depends on where a kernel multiplies by it
    (17, 31, 33, 1.0, 0.0, "subnormal"), (8, 16, 12, -1.0, 1.0, "subnormal"), (33, 9, 5, 1.0, 1.3, "subnormal"),
    # NaN and infinities, by class
    (17, 16, 21, 1.0, 0.0, "special"), (9, 33, 24, 0.7, 1.3, "special"), (31, 8, 40, -1.0, 1.0, "special"),
    (40, 48, 65, 1.0, 0.0, "special"), (5, 7, 0, 1.0, 1.3, "special"),
)  # fmt: skip


def verify_cases(rng: np.random.Generator) -> list[tuple[Case, str]]:
    """Some sixty (case, family) pairs; six have sizes drawn from ``rng``, so no list can be memorised.

    A reference in extended precision computes all of them in some 50 ms.
    """
    paddings = itertools.cycle(_PADDING)
    cases = [(_case((m, n, k), (alpha, beta), next(paddings)), "uniform") for m, n, k, alpha, beta in _SPECIAL]
    drawn = [(int(m), int(n), int(k)) for m, n, k in rng.integers(1, 48, size=(6, 3))]
    scalars, exact_scalars = itertools.cycle(_SCALARS), itertools.cycle(_EXACT_SCALARS)
    for size, family in zip((*_SIZES, *drawn), itertools.cycle(_FAMILIES), strict=False):
        chosen = next(exact_scalars if family == "integers" else scalars)
        cases.append((_case(size, chosen, next(paddings)), family))
    cases += [(_case((m, n, k), (alpha, beta), next(paddings)), family) for m, n, k, alpha, beta, family in _NUMERIC]
    return cases


def _case(size: tuple[int, int, int], scalars: tuple[float, float], padding: tuple[int, int, int]) -> Case:
    (m, n, k), (alpha, beta) = size, scalars
    lda, ldb, ldc = (max(1, columns) + extra for columns, extra in zip((k, n, n), padding, strict=True))
    return {"m": m, "n": n, "k": k, "alpha": alpha, "lda": lda, "ldb": ldb, "beta": beta, "ldc": ldc}
