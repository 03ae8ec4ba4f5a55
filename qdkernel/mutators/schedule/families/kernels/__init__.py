"""The families of loop nests, one module each."""

from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.families.kernels import (
    elementwise,
    matrix_vector,
    reductions,
    rows,
    small_products,
    sparse,
    stencil3d,
    transpose,
    triangular,
)

FAMILIES: tuple[Family, ...] = (
    *elementwise.FAMILIES,
    *reductions.FAMILIES,
    *matrix_vector.FAMILIES,
    *transpose.FAMILIES,
    *sparse.FAMILIES,
    *stencil3d.FAMILIES,
    *triangular.FAMILIES,
    *rows.FAMILIES,
    *small_products.FAMILIES,
)
"""Every family, by problem."""

__all__ = ["FAMILIES"]
