"""Freivalds' check of a matrix multiply, with secret vectors, in units of the rounding error the arithmetic allows.

For a secret random vector x, ``C x`` must equal ``alpha A (B x) + beta C0 x``: three matrix-vector products instead
of a matrix product (Freivalds 1977, "Probabilistic machines can use less running time").

The bound. Let e be a kernel's error, in a row of norm ``||e_i||_2 <= L eps ||M_i||_2`` with
``M = |alpha| |A| |B| + |beta| |C0|``. L concerns the root mean square of a row's errors, not the largest: honest
kernels have 0.2 there and at most 2 at the largest, so a quarter of the problem's ``error_limit`` is generous. The
entries of x are independent of e, symmetric about 0 and at most 1, so by Hoeffding's inequality
``|sum_j e_ij x_j| <= s L eps ||M_i||_2`` except with probability ``2 exp(-s^2 / 2)``. By the triangle inequality
``||M_i||_2 <= q_i = |alpha| sum_p |A_ip| ||B_p||_2 + |beta| ||C0_i||_2``, which costs O(mk + kn).

The sketch adds in float64 in chains of ``h <= _BLOCK + n / _BLOCK`` terms, with partial sums that grow as a random
walk to at most ``s q_i``. Roundings behave randomly (Higham & Mary 2019, SIAM J. Sci. Comput. 41), so one product
contributes ``s sqrt(h / 8) eps q_i`` and the three add in squares: ``limit_i = s (L + sqrt(3 h / 8)) eps q_i``.
For U(-1, 1) entries q is within 20 % of the true norm, honest kernels reach 0.015 and one element off by 1e-9 of its
value at n = 1024 reaches 40 (measured).

What it misses. Entries of x are not only signs but have magnitudes in [1/2, 1), so two equal errors in a row do not
cancel; errors d of any pattern, larger than the limit, slip through one vector with a probability of the order of
limit / d, and through both with its square. A single element off by less than about ``100 sqrt(n) eps M_ij`` is not
seen at all.

So one secret row of each call is also compared element by element, in units of ``eps M_ij`` like the verification
step: arithmetic that is less accurate throughout shows there, in whichever row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, Arrays, Case
from qdkernel.problems.checks import DEVIATIONS, largest_ratio, random_weights
from qdkernel.problems.slabs import by_slabs, num_shares

Vector = NDArray[np.float64]

_VECTORS = 2
_ALLOWED = 0.25  # L as a share of the error limit: see above
_BLOCK = 128  # columns summed in one chain; half the size costs a third more time


@dataclass(frozen=True)
class GemmSketch:
    """What ``C @ vectors`` must be.

    Attributes:
        vectors: (2, n) secret weights.
        product: (m, 2) ``alpha A B x + beta C0 x``.
        bound: (m,) q: what errors of the product are relative to.
        chain: h: terms that the sketch adds in a row.
        row: index of the row that is compared by element; -1 for none.
        row_value: (n,) what it must hold.
        row_magnitude: (n,) what its errors are relative to.
    """

    vectors: Vector
    product: Vector
    bound: Vector
    chain: float
    row: int
    row_value: Vector
    row_magnitude: Vector


def sketch(dtype: np.dtype[Any], case: Case, arrays: Arrays, rng: np.random.Generator) -> GemmSketch:
    """The sketch of ``alpha A B + beta C`` for arrays of ``dtype``, drawn from ``rng``; O(mk + kn + mn) work."""
    m, n, k = int(case["m"]), int(case["n"]), int(case["k"])
    alpha, beta = float(dtype.type(case["alpha"])), float(dtype.type(case["beta"]))
    vectors = random_weights((_VECTORS, n), rng)
    product, bound = np.zeros((m, _VECTORS)), np.zeros(m)
    if alpha != 0 and k > 0:
        inner = _times(arrays["B"], vectors)
        product += alpha * _times(arrays["A"], inner.T)
        bound += abs(alpha) * _times(arrays["A"], _row_norms(arrays["B"])[np.newaxis], absolute=True)[:, 0]
    if beta != 0:
        product += beta * _times(arrays["C"], vectors)
        bound += abs(beta) * _row_norms(arrays["C"])
    chain = _BLOCK + max(n, k) / _BLOCK
    row = int(rng.integers(m)) if m > 0 else -1
    row_value, row_magnitude = _row(row, alpha, beta, arrays) if m > 0 else (np.zeros(n), np.zeros(n))
    return GemmSketch(vectors, product, bound, chain, row, row_value, row_magnitude)


def sketch_error(case: Case, arrays: Arrays, secret: GemmSketch, limit: float) -> float:
    """Largest ``|C x - expected| / allowed`` over rows and vectors; above 1 is wrong, NaN or infinity gives ``inf``.

    Args:
        case: of the call.
        arrays: after the call.
        secret: its sketch.
        limit: the problem's error limit.
    """
    eps = float(np.finfo(arrays["C"].dtype).eps)
    units = _ALLOWED * limit * eps + math.sqrt(3 * secret.chain / 8) * float(np.finfo(np.float64).eps)
    with np.errstate(all="ignore"):  # a wrong C may hold anything
        difference = np.abs(_times(arrays["C"], secret.vectors) - secret.product)
        worst = largest_ratio(difference, (DEVIATIONS * units * secret.bound)[:, np.newaxis])
        if secret.row >= 0 and worst < math.inf:
            row = np.abs(arrays["C"][secret.row].astype(np.float64) - secret.row_value)
            # The row's own sum in float64 errs by less than one unit.
            worst = max(worst, largest_ratio(row, (limit + 1) * eps * secret.row_magnitude))
    return worst


def _row(row: int, alpha: float, beta: float, arrays: Arrays) -> tuple[Vector, Vector]:
    """(n,) one row of ``alpha A B + beta C`` and its magnitude, in float64."""
    value, magnitude = (np.zeros(arrays["C"].shape[1]) for _ in range(2))
    if alpha != 0:
        a, b = alpha * arrays["A"][row].astype(np.float64), arrays["B"]
        sums = np.zeros((num_shares(b.size), 2, b.shape[1]))

        def add(slab: slice, share: int) -> None:
            part = b[slab].astype(np.float64, copy=False)
            sums[share, 0] += np.einsum("k,kj->j", a[slab], part)
            sums[share, 1] += np.einsum("k,kj->j", np.abs(a[slab]), np.abs(part))

        by_slabs(b.shape, add)
        value, magnitude = sums.sum(axis=0)
    if beta != 0:
        c = beta * arrays["C"][row].astype(np.float64)
        value += c
        magnitude += np.abs(c)
    return value, magnitude


def _times(matrix: Array, vectors: Vector, absolute: bool = False) -> Vector:
    """(rows, vectors) products of ``matrix`` (rows, n), or of its absolute values, with ``vectors`` (vectors, n).

    Not through a BLAS: its threads would keep spinning beside the call that is timed next.
    """
    rows, columns = matrix.shape
    product = np.zeros((rows, len(vectors)))
    chains, rest = divmod(columns, _BLOCK)
    whole = columns - rest

    def multiply(slab: slice, _: int) -> None:
        part = matrix[slab].astype(np.float64, copy=False)
        if absolute:
            part = np.abs(part)
        blocks = part[:, :whole].reshape(len(part), chains, _BLOCK)
        for index, vector in enumerate(vectors):
            sums = np.einsum("icj,cj->ic", blocks, vector[:whole].reshape(chains, _BLOCK)).sum(axis=1)
            product[slab, index] = sums + np.einsum("ij,j->i", part[:, whole:], vector[whole:])

    by_slabs(matrix.shape, multiply)
    return product


def _row_norms(matrix: Array) -> Vector:
    """Euclidean norm of each row."""
    norms = np.empty(len(matrix))

    def add(slab: slice, _: int) -> None:
        part = matrix[slab].astype(np.float64, copy=False)
        norms[slab] = np.sqrt(np.einsum("ij,ij->i", part, part))

    by_slabs(matrix.shape, add)
    return norms
