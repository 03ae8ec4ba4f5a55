"""What the stencil template needs of a problem: its C declaration, its extents, and the arithmetic of a point."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stencil:
    """A star of radius 1 in two or three dimensions, swept from one buffer into another.

    Buffers hold one layer of fixed boundary points around the interior, so the first interior point of a dimension has
    index 1. C expressions may use the parameters of the function.

    Attributes:
        function: the problem's name.
        summary: what the kernel computes, for its first comment.
        parameters: the parameter list as in the prototype.
        rows: C expression of the interior points along the row index.
        columns: C expression of the interior points along the contiguous index.
        row_stride: C expression of the elements between a point and the one south of it.
        point: the new value; ``{center}`` is the old one, ``{ring}`` the sum of its neighbors.
        extents: the scored size's names of planes, rows and columns; of rows and columns in two dimensions.
        planes: C expression of the interior points along the outermost index; empty in two dimensions.
        plane_stride: C expression of the elements between a point and the one in the next plane.
        sweeps: C expression of the number of sweeps; empty when there is one.
        buffers: the buffer that the first sweep reads and the one that it writes.
    """

    function: str
    summary: str
    parameters: str
    rows: str
    columns: str
    row_stride: str
    point: str
    extents: tuple[str, ...]
    planes: str = ""
    plane_stride: str = ""
    sweeps: str = ""
    buffers: tuple[str, str] = ("u", "v")

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return 3 if self.planes else 2


JACOBI2D = Stencil(
    function="jacobi2d",
    summary="t sweeps of the five-point mean, alternating between u and v",
    parameters="int n, int t, double *restrict u, double *restrict v, int ld",
    rows="n",
    columns="n",
    row_stride="ld",
    point="0.2 * ({center} + {ring})",
    extents=("n", "n"),
    sweeps="t",
)
