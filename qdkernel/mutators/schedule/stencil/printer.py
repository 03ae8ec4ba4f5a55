"""Prints a stencil genome as the C an engineer would write: named constants, short functions, only what it uses."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, stream_macro, wrapped
from qdkernel.mutators.schedule.stencil import nests, rows, scratch, wavefront
from qdkernel.mutators.schedule.stencil.genome import MAX_SWEEPS, Genome, repaired
from qdkernel.mutators.schedule.stencil.ideas import technique
from qdkernel.mutators.schedule.stencil.shape import Stencil
from qdkernel.mutators.schedule.stencil.style import PrintContext, constants


def print_stencil(genome: Genome, stencil: Stencil) -> str:
    """The kernel of a genome, one C translation unit that exports the stencil's function.

    Args:
        genome: the choices; repaired first, so any combination prints.
        stencil: the problem.

    Returns:
        C for GCC with OpenMP; it reads and writes inside the arrays only.
    """
    genome = repaired(genome, stencil.dimensions, MAX_SWEEPS if stencil.sweeps else 1)
    style = PrintContext(genome, stencil)
    sections = [_head(style), _vector(style), _functions(style), _main(style)]
    return wrapped("\n\n".join(section for section in sections if section)) + "\n"


def _head(style: PrintContext) -> str:
    text = _functions(style)
    headers = ["stddef.h"]
    if style.genome.stream:
        headers = ["immintrin.h", "stddef.h", "stdint.h"]
    if "memcpy(" in text:
        headers.append("string.h")
    techniques = technique(style.genome).replace("; ", ";\n   ")
    title = f"/* {style.stencil.function}: {style.stencil.summary}.\n   {techniques}. */"
    includes = "\n".join(f"#include <{name}>" for name in headers)
    defines = "\n".join(filter(None, (constants(style), scratch.scratch_constants(style) if style.packed else "")))
    return "\n".join([title, includes, *(["", defines] if defines else [])])


def _vector(style: PrintContext) -> str:
    genome = style.genome
    if not style.vector:
        return ""
    attributes = f"vector_size({genome.width // 8}), aligned(8), may_alias"
    lines = [
        f"typedef double vec __attribute__(({attributes})); /* may lie anywhere */",
        "#define AT(p) (*(vec *)(p))",
    ]
    if genome.stream:
        lines += stream_macro("double", genome.width)
    return "\n".join(lines)


def _functions(style: PrintContext) -> str:
    genome = style.genome
    blocks = genome.tiled or style.solid
    functions = [nests.MIN] if genome.tiled else []
    if style.packed or genome.wavefront:
        functions.append(nests.MAX)
    functions.append(rows.points(style, prefetch=not style.vector and not genome.registers))
    if style.vector:
        functions.append(rows.rows(style))
    if genome.registers:
        functions.append(rows.strip(style) if style.vector else rows.band(style))
    if blocks:
        functions.append(nests.block(style))
    if style.packed:
        functions.append(scratch.tile(style))
    if genome.wavefront:
        functions += wavefront.functions(style)
    return "\n\n".join(functions)


def _main(style: PrintContext) -> str:
    genome, stencil = style.genome, style.stencil
    lines = [f"const ptrdiff_t row = {stencil.row_stride};"]
    if style.solid:
        lines.append(f"const ptrdiff_t plane = {stencil.plane_stride};")
    nest = wavefront.nest(style) if genome.wavefront else nests.plain_nest(style)
    if genome.tiled:
        nest = nests.tiled_nest(style)
    if genome.stream and genome.threads in ("loop", "grid"):
        nest = [*nest, "_mm_sfence(); /* before another thread reads what was streamed */\n#pragma omp barrier"]
    lines.append(nests.sweeps(style, *nest))
    return f"void {stencil.function}({stencil.parameters})\n{{\n{indent(chr(10).join(lines), 1)}\n}}"
