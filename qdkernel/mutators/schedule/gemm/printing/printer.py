"""Prints a genome as the C an engineer would write: named constants, short functions, only the parts it uses."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop, wrapped
from qdkernel.mutators.schedule.gemm.genome import LEAST_SHARED, Genome, repaired
from qdkernel.mutators.schedule.gemm.printing import nests, packed, panels
from qdkernel.mutators.schedule.gemm.printing.rest import rest
from qdkernel.mutators.schedule.gemm.printing.scalar_tile import scalar_tile
from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, constants
from qdkernel.mutators.schedule.gemm.printing.tiles import block, direct, edge, tile

ELEMENT_BYTES = {"dgemm": 8, "sgemm": 4}
_REAL = {8: "double", 4: "float"}


def print_gemm(genome: Genome, function: str) -> str:
    """The kernel of a genome, one C translation unit that exports ``function``.

    Args:
        genome: the choices; repaired first, so any combination prints.
        function: ``dgemm`` or ``sgemm``.

    Returns:
        C for GCC with OpenMP: full BLAS semantics, row major; no access past the last element of any argument.
    """
    element_bytes = ELEMENT_BYTES[function]
    style = PrintContext(repaired(genome, element_bytes), function, _REAL[element_bytes], element_bytes)
    body = _main(style)
    sections = [_title(style), "", _typedef(style), constants(style), *_functions(style), body]
    text = "\n\n".join(section for section in sections if section)
    head, tail = text.split("\n\n", 1)
    return wrapped(f"{head}\n{_includes(text)}\n\n{tail}\n")


def _title(style: PrintContext) -> str:
    genome = style.genome
    width = f"{genome.width}-bit vectors" if style.vector else "scalar arithmetic"
    blocking = {
        "none": "plain loops",
        "register": "a register tile",
        "cache": "cache tiles",
        "cache+register": "a register tile in cache tiles",
        "packed": "a register tile in cache tiles, " + ("A and B packed" if genome.packing == "ab" else "B packed"),
    }[genome.blocking]
    shares = {
        "serial": "one thread",
        "rows": "threads share the rows",
        "columns": "threads share the columns",
        "grid": "threads share a grid of tiles",
        "depth": "threads share k and add up their sums",
    }
    threads = shares[genome.threads]
    return f"""\
/* {style.function}: C = alpha * A * B + beta * C, row major.
   {width.capitalize()}, {blocking}; {threads}. */"""


def _includes(text: str) -> str:
    names = ["stddef.h"] + (["string.h"] if "memcpy(" in text else []) + (["omp.h"] if "omp_get" in text else [])
    return "\n".join(f"#include <{name}>" for name in names)


def _typedef(style: PrintContext) -> str:
    if not style.vector:
        return ""
    size, align = style.genome.width // 8, style.element_bytes
    attributes = f"vector_size({size}), aligned({align}), may_alias"
    return f"typedef {style.real} vec __attribute__(({attributes})); /* may lie anywhere */"


def _functions(style: PrintContext) -> list[str]:
    genome = style.genome
    functions = [_MIN] if genome.tiled or genome.edges == "padded" or genome.packing != "none" else []
    if style.packed_a:
        functions.append(panels.transpose(style))
    if genome.registers:
        functions.append(tile(style) if style.vector else scalar_tile(style))
    elif not genome.order.endswith("k"):
        functions.append(nests.scale(style))
    if style.narrow or genome.small:
        functions.append(edge(style))
    if genome.small:
        functions.append(direct(style))
    if genome.packing != "none":
        if genome.packing == "ab":
            functions.append(panels.pack_a(style))
        functions += [panels.pack_b(style), block(style), packed.multiply(style)]
        if style.cuts_shares or (genome.small > LEAST_SHARED and genome.threads != "serial"):
            functions.append(packed.cut())
    if _rest_calls(style):
        functions.append(rest(style))
    return functions


_MIN = """\
static inline int min(int a, int b)
{
    return a < b ? a : b;
}"""


def _rest_calls(style: PrintContext) -> list[str]:
    """Calls for the rows and the columns that whole tiles leave over."""
    tail = "k, alpha, A, lda, B, ldb, beta, C, ldc);"
    calls = []
    if style.whole_rows:
        calls.append(f"rest(m0, m, 0, n, {tail}")
    if style.whole_columns:
        calls.append(f"rest(0, {'m0' if style.whole_rows else 'm'}, n0, n, {tail}")
    return calls


def _main(style: PrintContext) -> str:
    genome, real = style.genome, style.real
    lines = packed.buffers(style) if genome.packing != "none" else []
    lines.append(loop("if (alpha == 0 || k == 0)", "alpha = k = 0; /* A and B must not be read, C is still scaled */"))
    if genome.small:
        small = "if ((double)m * n * k <= SMALL && n % LANES == 0)"
        lines.append(loop(small, packed.direct_call(style), "return;"))
    wholes = ["m0 = m - m % MR"] if style.whole_rows else []
    if style.whole_columns:
        wholes.append(f"n0 = n - n % {'NR' if genome.registers else 'LANES'}")
    if wholes:
        what = "tiles" if genome.registers else "vectors"
        lines.append(f"const int {', '.join(wholes)}; /* whole {what} end here */")
    if not genome.registers and not genome.order.endswith("k"):
        lines.append(f"scale(m, {'n0' if style.vector else 'n'}, beta, C, ldc);")
    if genome.packing != "none":
        lines.append(packed.packed_nest(style))
    else:
        lines.append(nests.tiled_nest(style) if genome.registers else nests.plain_nest(style))
    lines += _rest_calls(style)
    return f"""\
void {style.function}(int m, int n, int k, {real} alpha, const {real} *restrict A, int lda,
           const {real} *restrict B, int ldb, {real} beta, {real} *restrict C, int ldc)
{{
{indent(chr(10).join(lines), 1)}
}}"""
