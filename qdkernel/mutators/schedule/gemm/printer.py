"""Prints a genome as the C an engineer would write: named constants, short functions, only the parts it uses."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm import nests, packed, parts
from qdkernel.mutators.schedule.gemm.genome import Genome, repaired
from qdkernel.mutators.schedule.gemm.style import PrintContext, constants

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
    return f"{head}\n{_includes(text)}\n\n{tail}\n"


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
    shares = {"serial": "one thread", "rows": "threads share the rows", "columns": "threads share the columns"}
    threads = shares.get(genome.threads, "threads share a grid of tiles")
    return f"""\
/* {style.function}: C = alpha * A * B + beta * C, row major.
   {width.capitalize()}, {blocking}; {threads}. */"""


def _includes(text: str) -> str:
    names = ["stddef.h"] + (["string.h"] if "memcpy(" in text else [])
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
    if genome.registers:
        functions.append(parts.tile(style))
    if not style.genome.registers and not genome.order.endswith("k"):
        functions.append(nests.scale(style))
    if genome.packing != "none":
        if genome.packing == "ab":
            functions.append(parts.pack_a(style))
        functions.append(parts.pack_b(style))
        functions.append(parts.block(style))
    if _rest_calls(style) or genome.small:
        functions.append(parts.rest(style))
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
    if _cut_rows(style):
        calls.append(f"rest(m0, m, 0, n, {tail}")
    if _cut_columns(style):
        calls.append(f"rest(0, {'m0' if _cut_rows(style) else 'm'}, n0, n, {tail}")
    return calls


def _cut_rows(style: PrintContext) -> bool:
    return style.genome.registers and not (style.padded_panels and style.genome.packing == "ab")


def _cut_columns(style: PrintContext) -> bool:
    return style.vector and not style.padded_panels


def _main(style: PrintContext) -> str:
    genome, real = style.genome, style.real
    lines = packed.buffers(style) if genome.packing != "none" else []
    lines.append(loop("if (alpha == 0 || k == 0)", "alpha = k = 0; /* A and B must not be read, C is still scaled */"))
    if genome.small:
        direct = "rest(0, m, 0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);"
        lines.append(loop("if ((double)m * n * k <= SMALL)", direct, "return;"))
    wholes = ["m0 = m - m % MR"] if _cut_rows(style) else []
    if _cut_columns(style):
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
