"""Softmax and layer normalization over the rows of a matrix."""

from __future__ import annotations

import math

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.style import SCALAR, UNROLL, Style, function

_SOFTMAX = "int rows, int n, const double *restrict x, int ldx, double *restrict y, int ldy"
_LAYERNORM = (
    "int rows, int n, double epsilon, const double *restrict x, int ldx, const double *restrict gain, "
    "const double *restrict bias, double *restrict y, int ldy"
)
_EACH = UNROLL + "for (int v = 0; v < VECTORS; v++)"


def softmax(style: Style) -> list[str]:
    """The maximum of a row, the exponentials and their sum, the division."""
    largest = _pass(
        style,
        "static double largest_of(int n, const double *restrict x)",
        ["largest = x[e] > largest ? x[e] : largest;"],
        ["part[v] = LARGER(part[v], AT(x + at));"],
        result="largest",
        start="x[0]",
        operator="max",
    )
    exponentials = _pass(
        style,
        "static double exponentials(int n, double largest, const double *restrict x, double *restrict y)",
        ["y[e] = exp(x[e] - largest);", "sum += y[e];"],
        [*_exponential(style, "AT(x + at) - largest"), "AT(y + at) = power;", "part[v] += power;"],
        result="sum",
    )
    scale = _pass(
        style,
        "static void scale(int n, double factor, double *restrict y)",
        ["y[e] *= factor;"],
        ["AT(y + at) *= factor;"],
    )
    row = [
        "const double largest = largest_of(n, from);",
        "scale(n, 1 / exponentials(n, largest, from, to), to);",
    ]
    helpers = [_helpers(style)] if style.vector else []
    return [style.c(text) for text in (*helpers, largest, exponentials, scale, *_main(style, _SOFTMAX, "", row))]


def layernorm(style: Style) -> list[str]:
    """The mean of a row, the variance, the row itself."""
    mean = _pass(
        style,
        "static double sum_of(int n, const double *restrict x)",
        ["sum += x[e];"],
        ["part[v] += AT(x + at);"],
        result="sum",
    )
    squares = _pass(
        style,
        "static double squares_of(int n, double mean, const double *restrict x)",
        ["sum += (x[e] - mean) * (x[e] - mean);"],
        ["const vec far = AT(x + at) - mean;", "part[v] += far * far;"],
        result="sum",
    )
    parameters = "const double *restrict gain, const double *restrict bias, double *restrict y"
    normalize = _pass(
        style,
        f"static void normalize(int n, double mean, double scale, const double *restrict x, {parameters})",
        ["y[e] = gain[e] * (x[e] - mean) * scale + bias[e];"],
        ["AT(y + at) = AT(gain + at) * (AT(x + at) - mean) * scale + AT(bias + at);"],
    )
    row = [
        "const double mean = sum_of(n, from) / n;",
        "const double scale = 1 / sqrt(squares_of(n, mean, from) / n + epsilon);",
        "normalize(n, mean, scale, from, gain, bias, to);",
    ]
    extra = "double epsilon, const double *restrict gain, const double *restrict bias, "
    return [style.c(text) for text in (mean, squares, normalize, *_main(style, _LAYERNORM, extra, row))]


def _main(style: Style, parameters: str, extra: str, row: list[str]) -> list[str]:
    """The function for rows ``first`` to ``last - 1`` and the problem's, whose threads share rows or tiles of rows."""
    each = [
        "const double *from = x + (ptrdiff_t)r * ldx;",
        "double *to = y + (ptrdiff_t)r * ldy;",
        *row,
    ]
    names = "".join(f"{word.split()[-1].lstrip('*')}, " for word in extra.split(", ") if word)
    some = function(
        f"static void some_rows(int first, int last, int n, {extra}const double *restrict x, int ldx, "
        "double *restrict y, int ldy)",
        loop("for (int r = first; r < last; r++)", *each),
    )
    last, step = ("(int)min(r + TILE, rows)", "r += TILE") if style.genome.tiled else ("r + 1", "r++")
    nest = loop(f"for (int r = 0; r < rows; {step})", f"some_rows(r, {last}, n, {names}x, ldx, y, ldy);")
    return [some, function(f"void {style.family.function}({parameters})", style.share() + nest)]


def _pass(
    style: Style,
    header: str,
    number: list[str],
    vector: list[str],
    *,
    result: str = "",
    start: str = "0",
    operator: str = "+",
) -> str:
    """A function that goes over a row once.

    Args:
        style: of the kernel.
        header: of the function; the row that is read first is called ``x``, or ``y``.
        number: statements for the number at ``e``.
        vector: statements for the vector at ``at``; they update ``part[v]`` where there is a result.
        result: the variable that the function returns; empty for none.
        start: its value before the first number.
        operator: ``+`` or ``max``, by which parts of it are joined.
    """
    place = "x" if "*restrict x" in header else "y"
    pragma = SCALAR.replace("if(0)", f"if(0) reduction({operator} : {result})") if result else SCALAR
    rest = pragma + loop("for (int e = i; e < n; e++)", *number, "")
    returned = [f"return {result};"] if result else []
    if not style.vector:
        fetch = style.by_line("e", f"{place} + e")
        body = pragma + loop("for (int e = 0; e < n; e++)", *fetch, *number, "")
        return function(header, *([f"double {result} = {start};"] if result else []), body, *returned)
    steps = [
        "int i = 0;",
        loop(
            "for (; i + STEP <= n; i += STEP)",
            *style.for_lines("STEP", f"{place} + i"),
            loop(_EACH, "const int at = i + v * LANES;", *vector),
        ),
    ]
    if not result:
        return function(header, *steps, rest)
    joined = {"+": "part[0] + part[v]", "max": "LARGER(part[0], part[v])"}[operator]
    lane = {"+": f"{result} += all[lane];", "max": f"{result} = all[lane] > {result} ? all[lane] : {result};"}[operator]
    return function(
        header,
        f"double {result} = {start};",
        "vec part[VECTORS];",
        loop(_EACH, "part[v] = (vec){0}" + (f" + {result};" if start != "0" else ";")),
        *steps,
        UNROLL + loop("for (int v = 1; v < VECTORS; v++)", f"part[0] = {joined};"),
        "const vec all = part[0];",
        pragma + loop("for (int lane = 0; lane < LANES; lane++)", lane),
        rest,
        *returned,
    )


def _helpers(style: Style) -> str:
    integer = "long long" if style.real == "double" else "int"
    return (
        f"typedef {integer} bits __attribute__((vector_size({style.genome.width // 8})));\n"
        "#define LARGER(a, b) ((vec)(((bits)(a) & (bits)((a) > (b))) | ((bits)(b) & ~(bits)((a) > (b)))))"
    )


def _exponential(style: Style, value: str) -> list[str]:
    """Statements that set ``power`` to e to the power of a vector of numbers that are not positive.

    ``e^x = 2^k e^r`` with ``|r| <= ln 2 / 2`` (Cody & Waite 1980, Software Manual for the Elementary Functions, ch. 6);
    e^r by its Taylor polynomial, whose error is below half a rounding error. The parts of ln 2 are those of fdlibm.
    """
    wide = style.real == "double"
    suffix, degree, mantissa = ("", 13, 52) if wide else ("f", 7, 23)
    high, low = (
        (6.93147180369123816490e-01, 1.90821492927058770002e-10) if wide else (0.693145751953125, 1.4286067653e-6)
    )
    steps = "".join(f"power = power * rest + {1 / math.factorial(n)!r}{suffix};\n" for n in range(degree - 1, -1, -1))
    return [
        f"const vec lowest = (vec){{0}} - {700 if wide else 87};",
        f"const vec value = LARGER({value}, lowest); /* the smallest power is a normal number */",
        f"const vec shifted = value * {1 / math.log(2)!r}{suffix} + 0x1.8p{mantissa}{suffix}; /* k in its last bits */",
        f"const vec k = shifted - 0x1.8p{mantissa}{suffix};",
        f"const vec rest = value - k * {high!r}{suffix} - k * {low!r}{suffix};",
        f"vec power = (vec){{0}} + {1 / math.factorial(degree)!r}{suffix};",
        steps.rstrip(),
        f"power = (vec)((bits)power + ((bits)shifted << {mantissa})); /* times 2^k */",
    ]


FAMILIES = tuple(
    Family(
        function=function_name,
        summary=summary,
        real=real,
        sections=sections,
        blockings=("none", "cache"),
        tiles=range(8, 129, 8),
        tile_meaning="rows that a thread takes at a time",
        most_vectors=3,  # a fourth sum would make it a register tile
        headers=("math.h",),
    )
    for name, summary, sections in (
        ("dsoftmax", "y[r] = exp(x[r] - max x[r]) / its sum, for each row r", softmax),
        ("dlayernorm", "y[r] = gain (x[r] - mean) / sqrt(variance + epsilon) + bias, for each row r", layernorm),
    )
    for function_name, real in both(name)
)
"""Softmax and layer normalization in both precisions."""
