"""Sums over vectors: dot, nrm2, asum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.kernels.elementwise import first_index
from qdkernel.mutators.schedule.families.style import SCALAR, UNROLL, Style, function


@dataclass(frozen=True)
class Sum:
    """A sum over vectors of n elements.

    Attributes:
        summary: what is computed.
        parameters: of the problem's function.
        vectors: those that are read, each with its increment named ``inc`` and its name.
        term: of the sum, in terms of ``{x}`` and so on; ``fabs`` is there for numbers and vectors.
        result: of ``sum``.
    """

    summary: str
    parameters: str
    vectors: tuple[str, ...]
    term: str
    result: str = "sum"


_BLOCK = 4096  # numbers that are added one by one; their sums are added up next

_SUMS = {
    "ddot": Sum(
        "the sum of x[i] y[i]",
        "int n, const double *restrict x, int incx, const double *restrict y, int incy, double *restrict result",
        ("x", "y"),
        "{x} * {y}",
    ),
    "dnrm2": Sum(
        "the Euclidean norm of x",
        "int n, const double *restrict x, int incx, double *restrict result",
        ("x",),
        "{x} * {x}",
        "sqrt(sum)",
    ),
    "dasum": Sum(
        "the sum of |x[i]|",
        "int n, const double *restrict x, int incx, double *restrict result",
        ("x",),
        "fabs({x})",
    ),
}


def sections(what: Sum, style: Style) -> list[str]:
    """The C of a sum: contiguous vectors by threads, others number by number."""
    pointers = ", ".join(f"const double *restrict {vector}" for vector in what.vectors)
    shifted = ", ".join(f"{vector} + first" for vector in what.vectors)
    name = "sum_of_tile" if style.genome.tiled else "sum_of"
    functions = [(_vectors if style.vector else _scalar)(style, what, name, pointers)]
    if style.vector and "fabs" in what.term:
        functions.insert(0, _magnitude(style))
    if style.genome.tiled:
        tiles = loop(
            "for (ptrdiff_t first = 0; first < n; first += TILE)",
            f"sum += sum_of_tile(min(TILE, n - first), {shifted});",
        )
        functions.append(
            function(f"static double sum_of(ptrdiff_t n, {pointers})", "double sum = 0;", tiles, "return sum;")
        )
    return [style.c(text) for text in (*functions, _main(style, what, shifted))]


def _scalar(style: Style, what: Sum, name: str, pointers: str) -> str:
    count = range(style.genome.vectors)
    sums = ", ".join(f"sum{v}" for v in count)
    steps = []
    for v in count:
        at = {vector: f"{vector}[i + {v}]" if v else f"{vector}[i]" for vector in what.vectors}
        steps.append(f"sum{v} += {what.term.format(**at)};")
    rest = what.term.format(**{vector: f"{vector}[i]" for vector in what.vectors})
    return function(
        f"static double {name}(ptrdiff_t n, {pointers})",
        f"double {', '.join(f'sum{v} = 0' for v in count)};",
        "const ptrdiff_t whole = n - n % STEP;",
        f"#pragma omp simd if(0) reduction(+ : {sums})\n"
        + loop(
            "for (ptrdiff_t i = 0; i < whole; i += STEP)",
            *style.by_line("i", *(f"{vector} + i" for vector in what.vectors)),
            *steps,
        ),
        "#pragma omp simd if(0) reduction(+ : sum0)\n"
        + loop("for (ptrdiff_t i = whole; i < n; i++)", f"sum0 += {rest};"),
        f"return {' + '.join(f'sum{v}' for v in count)};",
        comment="Contiguous vectors, in VECTORS sums.",
    )


def _vectors(style: Style, what: Sum, name: str, pointers: str) -> str:
    term = what.term.replace("fabs", "MAGNITUDE")
    at = {vector: f"AT({vector} + i + v * LANES)" for vector in what.vectors}
    rest = what.term.format(**{vector: f"{vector}[e]" for vector in what.vectors})
    return function(
        f"static double {name}(ptrdiff_t n, {pointers})",
        "vec sum[VECTORS];",
        UNROLL + loop("for (int v = 0; v < VECTORS; v++)", "sum[v] = (vec){0};"),
        "ptrdiff_t i = 0;",
        loop(
            "for (; i + STEP <= n; i += STEP)",
            *style.for_lines("STEP", *(f"{vector} + i" for vector in what.vectors)),
            UNROLL + loop("for (int v = 0; v < VECTORS; v++)", f"sum[v] += {term.format(**at)};"),
            "",
        ),
        *total(),
        "#pragma omp simd if(0) reduction(+ : total)\n"
        + loop("for (ptrdiff_t e = i; e < n; e++)", f"total += {rest};"),
        "return total;",
        comment="Contiguous vectors: whole steps, then what is left.",
    )


def total() -> list[str]:
    """Statements that add the vectors ``sum`` up to the number ``total``."""
    return [
        UNROLL + loop("for (int v = 1; v < VECTORS; v++)", "sum[0] += sum[v];"),
        "const vec all = sum[0];",
        "double total = 0;",
        SCALAR.replace("if(0)", "if(0) reduction(+ : total)")
        + loop("for (int lane = 0; lane < LANES; lane++)", "total += all[lane];"),
    ]


def _magnitude(style: Style) -> str:
    integer, mask = ("long long", "0x7fffffffffffffff") if style.real == "double" else ("int", "0x7fffffff")
    return (
        f"typedef {integer} bits __attribute__((vector_size({style.genome.width // 8})));\n"
        f"#define MAGNITUDE(v) ((vec)((bits)(v) & {mask})) /* without the sign */"
    )


def _main(style: Style, what: Sum, shifted: str) -> str:
    contiguous = " && ".join(f"inc{vector} == 1" for vector in what.vectors)
    names = ", ".join(what.vectors)
    at = {vector: f"{vector}[{vector}_first + i * inc{vector}]" for vector in what.vectors}
    add = loop("for (int part = 0; part < PARTS; part++)", "sum += sums[part];")
    of_parts = style.parts(
        f"sum = sum_of(n, {names});", f"sums[part] = sum_of(count, {shifted});", "double sums[PARTS];"
    )
    return function(
        f"void {style.family.function}({what.parameters})",
        "double sum = 0;",
        loop(f"if ({contiguous})", of_parts, add if style.genome.threads != "serial" else "")
        + "\n"
        + loop(
            "else",
            *(f"const ptrdiff_t {vector}_first = {first_index(vector)};" for vector in what.vectors),
            loop(
                f"for (ptrdiff_t first = 0; first < n; first += {_BLOCK})",
                f"const ptrdiff_t end = min(first + {_BLOCK}, n);",
                "double block = 0; /* of its own: a number added to the sum of millions is rounded off */",
                "#pragma omp simd if(0) reduction(+ : block)\n"
                + loop("for (ptrdiff_t i = first; i < end; i++)", f"block += {what.term.format(**at)};"),
                "sum += block;",
            ),
        ),
        f"*result = {what.result};",
    )


FAMILIES = tuple(
    Family(
        function=function_name,
        summary=what.summary,
        real=real,
        sections=partial(sections, what),
        blockings=("none", "register", "cache", "cache+register"),
        flat=True,
        headers=("math.h",) if "sqrt" in what.result or "fabs" in what.term else (),
    )
    for name, what in _SUMS.items()
    for function_name, real in both(name)
)
"""The sums, each in both precisions."""
