"""One sweep of the seven-point stencil from one array into another."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.families.kernels.elementwise import Update, update_function
from qdkernel.mutators.schedule.families.style import Style, function

_ROW = Update(
    "int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v, int ldv",
    ("center", "west", "east", "south", "north", "below", "above", "out"),
    {"out": "c0 * {center} + c1 * ({west} + {east} + {south} + {north} + {below} + {above})"},
    ("double c0", "double c1"),
)


def stencil3d(style: Style) -> list[str]:
    """Row by row, each an update of seven rows; in tiles of rows that go through all planes of a thread."""
    row = function(
        "static void row_of(int j, int k, int nx, int ny, double c0, double c1, const double *restrict u, int ldu, "
        "double *restrict v, int ldv)",
        "const ptrdiff_t row = ldu, plane = row * (ny + 2);",
        "const double *at = u + (k + 1) * plane + (j + 1) * row + 1;",
        "double *out = v + ((ptrdiff_t)k * ny + j) * ldv;",
        "update(nx, c0, c1, at, at - 1, at + 1, at - row, at + row, at - plane, at + plane, out);",
    )
    body = "row_of(j, k, nx, ny, c0, c1, u, ldu, v, ldv);"
    planes = "for (int k = 0; k < nz; k++)"
    if style.genome.tiled:
        last = "const int last = (int)min(top + TILE, ny);"
        tile = loop(planes, loop("for (int j = top; j < last; j++)", body))
        nest = loop("for (int top = 0; top < ny; top += TILE)", last, tile)
    else:
        nest = loop(planes, loop("for (int j = 0; j < ny; j++)", body))
    main = function(f"void {style.family.function}({_ROW.parameters})", style.share() + nest)
    return [*update_function(style, _ROW, tiled=False), row, main]


FAMILIES = (
    Family(
        function="stencil3d7",
        summary="v = c0 u + c1 (sum of u's six neighbors)",
        real="double",
        sections=stencil3d,
        blockings=("none", "cache"),
        tiles=range(8, 129, 8),
        tile_meaning="rows of a plane that stay in cache for the next planes",
        streams=True,
    ),
)
"""The seven-point stencil."""
