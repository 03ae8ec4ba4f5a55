"""A secret checksum of the field after t sweeps, known before the sweeps are made.

Let P be one sweep as a linear map of the whole grid (boundary points map to themselves) and w secret weights on the
interior. Then ``<w, P^t u> = <(P^T)^t w, u>``: the adjoint field ``(P^T)^t w`` depends on n, t and the secret only, so
it is made once per process and each timed call costs one dot product before it and one after.

The bound. A correct kernel errs by ``|e| <= L t eps M`` per point with ``M = P^t |u|`` and L the problem's
``error_limit`` (see the reference). The weights are independent of e, symmetric about 0 and below 1, so Hoeffding's
inequality gives ``|<w, e>| <= s L t eps ||M||_2`` except with probability ``2 exp(-s^2 / 2)``. Rows of P^t sum to 1
and its columns to at most ``1 + t / 5`` (each sweep lets a boundary point feed one interior point with weight 1/5,
and interior points pass on no more than they hold), hence ``||M||_2 <= sqrt(1 + t / 5) ||u||_2``. The dot products'
own roundings, with partial sums bounded likewise and chains of one row, add ``sqrt(n)``, and those of the adjoint
field ``3 t``, in units of the same eps.

What it misses. For the scored grid (n about 3000) the limit is about 2e-10 for values of order 1: a row left
unwritten (NaN or older values), single-precision sums, or one point off by 1e-6 of its value are far above it and
are caught unless the secret weights cancel them to within the limit, probability about limit / error. One point off
by less than about 1e-9 is not seen here; the verification step sees it. The weights are reused for all calls of a
process: the kernel's process never holds them and learns nothing but whether it passed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, Arrays, Case
from qdkernel.problems.checks import DEVIATIONS, largest_ratio

_SLAB = 64  # rows per partial product: 64 rows of 6000 float64 are 3 MB
_SCALE = 128.0  # weights are stored as integers -127..-64 and 64..127, an eighth of their size as float64
_KEPT_SECRETS = 4  # sizes scored at a time; one of n = 3000 holds 80 MB


@dataclass(frozen=True)
class _Secret:
    """Weights (n, n) of the interior in units of 1 / 128 and their adjoint field (n + 2, n + 2)."""

    weights: NDArray[np.int8]
    adjoint: NDArray[np.float64]


@dataclass(frozen=True)
class JacobiSketch:
    """What the grid must sum to, and must still hold on its boundary.

    Attributes:
        weights: (n, n) secret integer weights of the interior.
        checksum: ``<weights, field after t sweeps> / 128``.
        norm: ``sqrt(1 + t / 5) ||u||_2``, what errors of the checksum are relative to.
        boundary: the boundary points, row by row.
    """

    weights: NDArray[np.int8]
    checksum: float
    norm: float
    boundary: Array


_secrets: dict[tuple[int, int], _Secret] = {}


def sketch(case: Case, arrays: Arrays, rng: np.random.Generator) -> JacobiSketch:
    """The sketch of t sweeps over ``arrays["u"]``; the first call for an (n, t) also makes its secret from ``rng``."""
    n, t = int(case["n"]), int(case["t"])
    secret = _secret(n, t, int(rng.integers(2**63)))  # one draw, cached or not: the caller's stream stays the same
    u = arrays["u"]
    checksum = float(np.einsum("ij,ij->i", secret.adjoint, u).sum())
    norm = math.sqrt(float(np.einsum("ij,ij->i", u, u).sum()) * (1 + t / 5))
    return JacobiSketch(secret.weights, checksum, norm, _boundary(u))


def sketch_error(case: Case, arrays: Arrays, expected: JacobiSketch, limit: float) -> float:
    """``|checksum - expected| / allowed``; above 1 is wrong, ``inf`` for NaN, infinity or a changed boundary.

    Args:
        case: of the call.
        arrays: after the call.
        expected: its sketch.
        limit: the problem's error limit, L.
    """
    n, t = int(case["n"]), int(case["t"])
    units = limit * t + math.sqrt(n + 2) + 3 * t
    allowed = DEVIATIONS * units * float(np.finfo(np.float64).eps) * expected.norm
    result = arrays["u" if t % 2 == 0 else "v"]
    for name in ("u", "v"):
        if not np.array_equal(_boundary(arrays[name]), expected.boundary):
            return math.inf
    with np.errstate(all="ignore"):  # a wrong field may hold anything
        difference = abs(_weighted_sum(expected.weights, result[1:-1, 1:-1]) - expected.checksum)
    return largest_ratio(np.asarray(difference), allowed)


def _secret(n: int, t: int, seed: int) -> _Secret:
    """The process's weights for (n, t), made from ``seed`` on first use."""
    if (n, t) not in _secrets:
        while len(_secrets) >= _KEPT_SECRETS:
            del _secrets[next(iter(_secrets))]
        rng = np.random.default_rng(seed)
        weights = rng.integers(64, 128, (n, n), dtype=np.int8)
        np.negative(weights, out=weights, where=rng.integers(0, 2, (n, n), dtype=np.uint8).astype(bool))
        _secrets[n, t] = _Secret(weights, _adjoint(weights, t))
    return _secrets[n, t]


def _adjoint(weights: NDArray[np.int8], t: int) -> NDArray[np.float64]:
    """``(P^T)^t w`` on the whole grid: an interior point feeds itself and its four neighbours, boundary points rest."""
    n = len(weights)
    field = np.zeros((n + 2, n + 2))
    field[1:-1, 1:-1] = weights / _SCALE
    for _ in range(t):
        inner = 0.2 * field[1:-1, 1:-1]
        field[1:-1, 1:-1] = inner
        field[:-2, 1:-1] += inner
        field[2:, 1:-1] += inner
        field[1:-1, :-2] += inner
        field[1:-1, 2:] += inner
    return field


def _weighted_sum(weights: NDArray[np.int8], interior: Array) -> float:
    total = np.float64(0)
    for top in range(0, len(weights), _SLAB):
        slab = weights[top : top + _SLAB].astype(np.float64)
        total += np.einsum("ij,ij->i", slab, interior[top : top + _SLAB]).sum()
    return float(total) / _SCALE


def _boundary(grid: Array) -> Array:
    return np.concatenate((grid[0], grid[-1], grid[1:-1, 0], grid[1:-1, -1]))
