"""Prints a genome as C, and the snippets that the families share: vectors, shares of threads, prefetches, tiles."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qdkernel.mutators.schedule.c_text import Constant, define_lines, loop, stream_macro, wrapped
from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.families.genome import AHEAD, MAX_CHUNK, MAX_PARTS, Genome, repaired
from qdkernel.mutators.schedule.families.ideas import technique

UNROLL = "#pragma GCC unroll 16\n"
"""Before a loop over the vectors or rows of a register tile, of which there are at most 16."""
SCALAR = "#pragma omp simd if(0)\n"
"""Before a loop that the compiler must not turn into vectors (OpenMP 5.0, sec. 2.9.3.1)."""
MIN = """\
static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}"""
_LINE_BYTES = 64
_LIBM = re.compile(r"\b(fabs|sqrt|exp)\(")  # of which float has its own


def print_kernel(genome: Genome, family: Family) -> str:
    """The kernel of a genome, one C translation unit that exports the family's function.

    Args:
        genome: the choices; repaired first, so any combination prints.
        family: of the problem.

    Returns:
        C for GCC with OpenMP; it reads and writes inside the arrays only.
    """
    style = Style(repaired(genome, family), family)
    functions = "\n\n".join(family.sections(style))
    helpers = [MIN] if "min(" in functions else []
    return wrapped("\n\n".join(filter(None, [_head(style), _vectors(style), *helpers, functions]))) + "\n"


@dataclass(frozen=True)
class Style:
    """A valid genome and the family it is printed for."""

    genome: Genome
    family: Family

    @property
    def real(self) -> str:
        """The type of a number."""
        return self.family.real

    @property
    def vector(self) -> bool:
        """Whether arithmetic is done in vectors."""
        return self.genome.width > 0

    @property
    def lanes(self) -> int:
        """Numbers in a vector; 1 for scalar code."""
        return max(1, self.genome.width // (8 * self.family.element_bytes))

    @property
    def line(self) -> int:
        """Numbers in a cache line."""
        return _LINE_BYTES // self.family.element_bytes

    def c(self, text: str) -> str:
        """C in double precision as that of the problem's precision."""
        return text if self.real == "double" else _LIBM.sub(r"\1f(", text.replace("double", "float"))

    def prefetches(self, *places: str) -> list[str]:
        """Prefetch statements for what is read ``NEAR`` and ``FAR`` elements after each of the pointers."""
        genome = self.genome
        steps = [("NEAR", 3)] if genome.near else []
        steps += [("FAR", genome.locality)] if genome.far else []
        return [
            f"__builtin_prefetch({place} + {ahead}, 0, {locality});" for place in places for ahead, locality in steps
        ]

    def by_line(self, index: str, *places: str) -> list[str]:
        """The prefetches once per cache line of a loop over ``index`` that takes one number per step."""
        statements = self.prefetches(*places)
        if not statements:
            return []
        return [loop(f"if ({index} % {self.line} == 0)", *statements, *([""] if len(statements) > 1 else []))]

    def for_lines(self, count: str, *places: str) -> list[str]:
        """The prefetches for every line of ``count`` numbers; places may use the index ``line``."""
        statements = self.prefetches(*(f"{place} + line" for place in places))
        if not statements:
            return []
        body = loop(f"for (int line = 0; line < {count}; line += {self.line})", *statements)
        return [UNROLL + body]

    def share(self) -> str:
        """The pragma lines that share the loop after them among threads; empty for one thread."""
        genome = self.genome
        if genome.threads == "serial":
            return ""
        if genome.threads == "tasks":
            return "#pragma omp parallel\n#pragma omp single\n#pragma omp taskloop\n"
        chunk = ", CHUNK" if genome.dynamic and not self.family.flat else ""
        return f"#pragma omp parallel for schedule({genome.schedule}{chunk})\n"

    def parts(self, serial: str, part: str, *before: str) -> str:
        """Statements that give each of ``PARTS`` equal parts of ``n`` elements to a thread.

        Args:
            serial: the statement for one thread and all ``n`` elements.
            part: the statement for the part number ``part``: ``count`` elements from ``first`` on.
            before: statements before the loop.
        """
        if self.genome.threads == "serial":
            return serial
        body = loop(
            "for (int part = 0; part < PARTS; part++)",
            "const ptrdiff_t first = min(part * share, n), count = min(share, n - first);",
            part,
        )
        share = "const ptrdiff_t share = (n / PARTS + 64) / 64 * 64; /* whole cache lines */"
        return "\n".join([share, *before, self.share() + body])


def _head(style: Style) -> str:
    genome, family = style.genome, style.family
    headers = {"stddef.h", *family.headers}
    if genome.stream:
        headers |= {"immintrin.h", "stdint.h"}
    techniques = technique(genome).replace("; ", ";\n   ")
    includes = "\n".join(f"#include <{name}>" for name in sorted(headers))
    return "\n".join([f"/* {family.function}: {family.summary}.\n   {techniques}. */", includes, "", _constants(style)])


def _constants(style: Style) -> str:
    genome, family = style.genome, style.family
    lines: list[Constant] = [("LANES", style.lanes, f"{style.real}s in a vector")] if style.vector else []
    if family.most_rows > 1:
        lines.append(("ROWS", genome.rows, "rows computed together"))
    if family.most_vectors > 1 and (style.vector or family.sums):
        lines.append(("VECTORS", genome.vectors, "vectors side by side: as many operations do not wait"))
        lines.append(("STEP", "(VECTORS * LANES)" if style.vector else "VECTORS", "numbers in them"))
    if genome.tiled:
        tiles = family.tiles
        why = f"tune: {tiles.start}..{tiles[-1]} step {tiles.step}; {family.tile_meaning}"
        lines.append(("TILE", genome.tile, why))
    if family.flat and genome.threads != "serial":
        lines.append(("PARTS", genome.parts, f"tune: 2..{MAX_PARTS}; equal parts for the threads"))
    if not family.flat and genome.dynamic:
        lines.append(("CHUNK", genome.chunk, f"tune: 1..{MAX_CHUNK}; rows that a thread takes at a time"))
    for name, ahead, target in (("NEAR", genome.near, "L1"), ("FAR", genome.far, "an outer cache")):
        if ahead:
            why = f"tune: {AHEAD.start}..{AHEAD[-1]} step {AHEAD.step}; numbers by which data is fetched into {target}"
            lines.append((name, ahead, why))
    return define_lines(lines)


def _vectors(style: Style) -> str:
    """The type of a vector and access to one; of a scalar kernel a vector is a number."""
    genome, real = style.genome, style.real
    if not style.vector:
        return ""
    number = style.family.element_bytes
    lines = [
        f"typedef {real} vec __attribute__((vector_size({genome.width // 8}), aligned({number}), may_alias));",
        "#define AT(p) (*(vec *)(p)) /* it may lie anywhere */",
    ]
    if genome.stream:
        lines += stream_macro(real, genome.width)
    return "\n".join(lines)


def function(header: str, *statements: str, comment: str = "") -> str:
    """A C function with its comment."""
    text = loop(header, *statements, function=True)
    return f"/* {comment} */\n{text}" if comment else text
