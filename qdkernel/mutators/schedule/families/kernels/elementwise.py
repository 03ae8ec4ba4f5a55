"""Vectors updated element by element: axpy, scal, copy, swap, rot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.style import SCALAR, UNROLL, Style, function


@dataclass(frozen=True)
class Update:
    """An update of vectors of n elements.

    Attributes:
        parameters: of the problem's function.
        vectors: those that are read or written, each with its increment named ``inc`` and its name.
        values: what each written vector gets, in terms of ``{x}`` and so on.
        scalars: declarations of the other parameters.
        guard: condition under which there is nothing to do.
    """

    parameters: str
    vectors: tuple[str, ...]
    values: Mapping[str, str]
    scalars: tuple[str, ...] = ()
    guard: str = ""

    @property
    def pointers(self) -> list[str]:
        """The vectors as parameters of a function."""
        return [f"{'' if name in self.values else 'const '}double *restrict {name}" for name in self.vectors]

    @property
    def names(self) -> list[str]:
        """The scalars as arguments of a call."""
        return [each.split()[-1] for each in self.scalars]


def update_function(style: Style, update: Update, *, tiled: bool) -> list[str]:
    """The function ``update`` of contiguous vectors, in tiles on demand."""
    parameters = ", ".join(["ptrdiff_t n", *update.scalars, *update.pointers])
    name = "update_tile" if tiled else "update"
    functions = [(_vectors if style.vector else _scalar)(style, update, name, parameters)]
    if tiled:
        shifted = ", ".join([*update.names, *(f"{vector} + first" for vector in update.vectors)])
        tiles = loop(
            "for (ptrdiff_t first = 0; first < n; first += TILE)", f"update_tile(min(TILE, n - first), {shifted});"
        )
        functions.append(function(f"static void update({parameters})", tiles))
    return [style.c(text) for text in functions]


def _scalar(style: Style, update: Update, name: str, parameters: str) -> str:
    fetch = style.by_line("i", *(f"{vector} + i" for vector in update.vectors))
    body = SCALAR + loop("for (ptrdiff_t i = 0; i < n; i++)", *fetch, *_statements(update, "{0}[i]"))
    return function(f"static void {name}({parameters})", body, comment="Contiguous vectors, number by number.")


def _statements(update: Update, place: str, store: str = "", kind: str = "double") -> list[str]:
    """Loads, then stores, of one number or vector of each.

    Args:
        update: what is computed.
        place: C of an element of the vector ``{0}``.
        store: C that sets it to ``{1}``; by default an assignment.
        kind: type of an element.
    """
    loads = [f"const {kind} {vector}0 = {place.format(vector)};" for vector in update.vectors if _used(update, vector)]
    named = {vector: f"{vector}0" for vector in update.vectors}
    stores = [
        (store or f"{place} = {{1}}").format(vector, value.format(**named)) + ";"
        for vector, value in update.values.items()
    ]
    return [*loads, *stores]


def _used(update: Update, vector: str) -> bool:
    return any(f"{{{vector}}}" in value for value in update.values.values())


def _vectors(style: Style, update: Update, name: str, parameters: str) -> str:
    streamed = style.genome.stream
    aligned = next(iter(update.values))
    store = "STREAM({0} + i + v, {1})" if streamed else ""
    step = UNROLL + loop(
        "for (int v = 0; v < STEP; v += LANES)", *_statements(update, "AT({0} + i + v)", store, "vec"), ""
    )
    one = loop("for (ptrdiff_t e = from; e < to; e++)", *_statements(update, "{0}[e]"), "")
    rest = f"static inline void update_some(ptrdiff_t from, ptrdiff_t to, {parameters.partition(', ')[2]})"
    call = ", ".join([*update.names, *update.vectors])
    first = [
        f"const ptrdiff_t past = (ptrdiff_t)((uintptr_t){aligned} / sizeof *{aligned} % LANES);",
        "ptrdiff_t i = past == 0 ? 0 : min(n, LANES - past); /* a streaming store needs an aligned vector */",
        f"update_some(0, i, {call});",
    ]
    return "\n\n".join(
        [
            function(rest, SCALAR + one, comment="Contiguous vectors, number by number."),
            function(
                f"static void {name}({parameters})",
                *(first if streamed else ["ptrdiff_t i = 0;"]),
                loop(
                    "for (; i + STEP <= n; i += STEP)",
                    *style.for_lines("STEP", *(f"{vector} + i" for vector in update.vectors)),
                    step,
                    "",
                ),
                f"update_some(i, n, {call});",
                "_mm_sfence(); /* before another thread reads what was streamed */" if streamed else "",
                comment="Contiguous vectors: whole steps, then what is left.",
            ),
        ]
    )


def sections(update: Update, style: Style) -> list[str]:
    """The C of an update: contiguous vectors by threads, others number by number."""
    called = ", ".join([*update.names, *update.vectors])
    shifted = ", ".join([*update.names, *(f"{vector} + first" for vector in update.vectors)])
    contiguous = " && ".join(f"inc{vector} == 1" for vector in update.vectors)
    main = function(
        f"void {style.family.function}({update.parameters})",
        loop(f"if ({update.guard})", "return;") if update.guard else "",
        loop(f"if ({contiguous})", style.parts(f"update(n, {called});", f"update(count, {shifted});"), "return;"),
        *(f"const ptrdiff_t {vector}_first = {first_index(vector)};" for vector in update.vectors),
        SCALAR + loop("for (ptrdiff_t i = 0; i < n; i++)", *_statements(update, "{0}[{0}_first + i * inc{0}]"), ""),
    )
    return [*update_function(style, update, tiled=style.genome.tiled), style.c(main)]


def first_index(vector: str, count: str = "n") -> str:
    """C expression of the index of a vector's first element: as in the BLAS, a negative increment starts at the end."""
    return f"inc{vector} < 0 ? (ptrdiff_t)(1 - {count}) * inc{vector} : 0"


_UPDATES = {
    "daxpy": Update(
        "int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy",
        ("x", "y"),
        {"y": "{y} + alpha * {x}"},
        ("double alpha",),
        "alpha == 0",
    ),
    "dscal": Update(
        "int n, double alpha, double *restrict x, int incx", ("x",), {"x": "alpha * {x}"}, ("double alpha",)
    ),
    "dcopy": Update(
        "int n, const double *restrict x, int incx, double *restrict y, int incy", ("x", "y"), {"y": "{x}"}
    ),
    "dswap": Update(
        "int n, double *restrict x, int incx, double *restrict y, int incy", ("x", "y"), {"x": "{y}", "y": "{x}"}
    ),
    "drot": Update(
        "int n, double *restrict x, int incx, double *restrict y, int incy, double c, double s",
        ("x", "y"),
        {"x": "c * {x} + s * {y}", "y": "c * {y} - s * {x}"},
        ("double c", "double s"),
    ),
}

_SUMMARIES = {
    "daxpy": "y = alpha x + y",
    "dscal": "x = alpha x",
    "dcopy": "y = x",
    "dswap": "x and y exchange their contents",
    "drot": "a plane rotation of x and y",
}

FAMILIES = tuple(
    Family(
        function=function_name,
        summary=_SUMMARIES[name],
        real=real,
        sections=partial(sections, update),
        blockings=("none", "cache"),
        flat=True,
        streams=len(update.values) == 1,
        arithmetic=name not in ("dcopy", "dswap"),
    )
    for name, update in _UPDATES.items()
    for function_name, real in both(name)
)
"""The element-wise routines, each in both precisions."""
