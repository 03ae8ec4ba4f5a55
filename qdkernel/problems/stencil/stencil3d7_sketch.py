"""Secretly weighted sums of every plane of a three-dimensional stencil's result, known before the call.

Let w be secret weights of one plane, A the stencil inside a plane (c0 at a point, c1 at its four neighbours) and u_k
the planes of u. Then ``<w, v_k> = <A^T w, u_k> + c1 (<w, u_(k-1)> + <w, u_(k+1)>)``: two dot products per plane of u
before the call and one per plane of v after it.

The bound. A correct kernel errs by ``|e| <= L eps M`` per point, with M the stencil of the absolute values and L the
problem's error limit. The weights are independent of e, symmetric about 0 and below 1, so Hoeffding's inequality gives
``|<w, e_k>| <= s L eps ||M_k||_2`` except with probability ``2 exp(-s^2 / 2)``, and by the triangle inequality
``||M_k||_2 <= q_k = (|c0| + 4 |c1|) ||u_k||_2 + |c1| (||u_(k-1)||_2 + ||u_(k+1)||_2)``. The dot products' own
roundings, in chains of one row, add ``sqrt(nx)``, and those of ``A^T w`` 4, in units of the same eps.

What it misses. For planes of 200 x 200 values of order 1 a point is off by 1e-11 before it shows here, unless others
cancel it, which the secret weights make as unlikely as limit / error. So one secret plane of each call is also
compared point by point, like the verification step: arithmetic that is less accurate throughout shows there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, Arrays, Case
from qdkernel.problems.checks import DEVIATIONS, largest_ratio, random_weights

Vector = NDArray[np.float64]

_OWN_ERROR = 4.0  # of the plane compared by point, in float64


@dataclass(frozen=True)
class PlaneSketch:
    """What the planes of v must sum to.

    Attributes:
        weights: (ny, nx) secret weights of a plane.
        sums: (nz,) ``<weights, v_k>``.
        bounds: (nz,) q: what errors of the sums are relative to.
        plane: index of the plane that is compared by point; -1 for none.
        value: (ny, nx) what it must hold.
        magnitude: (ny, nx) what its errors are relative to.
    """

    weights: Vector
    sums: Vector
    bounds: Vector
    plane: int
    value: Vector
    magnitude: Vector


def sketch(case: Case, arrays: Arrays, rng: np.random.Generator) -> PlaneSketch:
    """The sketch of the stencil of ``arrays["u"]``, with weights drawn from ``rng``."""
    c0, c1, u = float(case["c0"]), float(case["c1"]), arrays["u"]
    nz, ny, nx = (extent - 2 for extent in u.shape)
    weights = random_weights((ny, nx), rng)
    inside = _plane_sums(u[:, 1:-1, 1:-1], weights)
    norms = np.sqrt([_dot(plane, plane) for plane in u])
    sums = _plane_sums(u[1:-1], _transposed(weights, c0, c1)) + c1 * (inside[:-2] + inside[2:])
    bounds = (abs(c0) + 4 * abs(c1)) * norms[1:-1] + abs(c1) * (norms[:-2] + norms[2:])
    plane = int(rng.integers(nz)) if nz > 0 else -1
    near = u[plane : plane + 3] if nz > 0 else np.zeros((3, ny + 2, nx + 2))
    value, magnitude = _plane(near, c0, c1), _plane(np.abs(near), abs(c0), abs(c1))
    return PlaneSketch(weights, sums, bounds, plane, value, magnitude)


def sketch_error(case: Case, arrays: Arrays, secret: PlaneSketch, limit: float) -> float:
    """Largest ``|sum - expected| / allowed`` of the planes; above 1 is wrong, NaN or infinity gives ``inf``.

    Args:
        case: of the call.
        arrays: after the call.
        secret: its sketch.
        limit: the problem's error limit, L.
    """
    v, eps = arrays["v"], float(np.finfo(np.float64).eps)
    units = limit + math.sqrt(v.shape[2] + 2) + 4
    with np.errstate(all="ignore"):  # a wrong grid may hold anything
        difference = np.abs(_plane_sums(v, secret.weights) - secret.sums)
        worst = largest_ratio(difference, DEVIATIONS * units * eps * secret.bounds)
        if secret.plane >= 0 and worst < math.inf:
            of_points = np.abs(v[secret.plane] - secret.value)
            worst = max(worst, largest_ratio(of_points, (limit + _OWN_ERROR) * eps * secret.magnitude))
    return worst


def _plane(u: Array, c0: float, c1: float) -> Vector:
    """(ny, nx) the stencil of the middle one of three planes."""
    around = u[1, 1:-1, :-2] + u[1, 1:-1, 2:] + u[1, :-2, 1:-1] + u[1, 2:, 1:-1] + u[0, 1:-1, 1:-1] + u[2, 1:-1, 1:-1]
    plane: Vector = c0 * u[1, 1:-1, 1:-1] + c1 * around
    return plane


def _transposed(weights: Vector, c0: float, c1: float) -> Vector:
    """(ny + 2, nx + 2) ``A^T w``: what each point of a plane of u adds to the weighted sum of the same plane of v."""
    ny, nx = weights.shape
    field = np.zeros((ny + 2, nx + 2))
    field[1:-1, 1:-1] = c0 * weights
    for rows, columns in ((slice(0, -2), slice(1, -1)), (slice(2, None), slice(1, -1))):
        field[rows, columns] += c1 * weights
        field[columns, rows] += c1 * weights
    return field


def _plane_sums(grid: Array, weights: Vector) -> Vector:
    """The weighted sum of each plane."""
    return np.array([_dot(plane, weights) for plane in grid])


def _dot(plane: Array, weights: Array) -> float:
    """Row by row: a chain of roundings is then no longer than a row. Not through a BLAS, whose threads would spin."""
    return float(np.einsum("ij,ij->i", plane, weights).sum())
