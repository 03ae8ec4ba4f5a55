"""The loop nests of the printed kernel that copy operands into contiguous panels first."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm.style import PrintContext, schedule

_KEEP = "pc == 0 ? beta : 1"


def packed_nest(style: PrintContext) -> str:
    """The five loops of Goto and van de Geijn (2008): NC, KC, MC around the register tiles of ``block``."""
    if style.genome.threads == "grid":
        return _grid_nest(style)
    shared = style.genome.threads == "rows"
    nest = loop(_columns_loop(style), *_private_panels(style), _columns(style), _depth_loop(style))
    if not shared:
        return nest
    lines = [nest]
    if style.genome.packing == "ab":
        own = f"{style.real} packed_a[MC * KC] __attribute__((aligned(64))); /* each thread packs its own rows */"
        lines = ["{", indent(f"{own}\n{nest}", 1), "}"]
    return "\n".join(["#pragma omp parallel", *lines])


def buffers(style: PrintContext) -> list[str]:
    """The panels that outlive a call: fresh memory would fault page by page, every time."""
    genome = style.genome
    lines = []
    if not style.private_b:
        lines.append(f"static {style.real} packed_b[KC * NC] __attribute__((aligned(64)));")
    if genome.packing == "ab" and genome.threads in ("serial", "grid"):
        lines.append(f"static {style.real} packed_a[MC * KC] __attribute__((aligned(64)));")
    if lines:
        lines[0] += " /* static: fresh memory would fault at every call */"
    return lines


def _limits(style: PrintContext) -> tuple[str, str]:
    """Rows and columns that the packed nest covers; ``rest`` takes the others."""
    rows = "m" if style.padded_panels and style.genome.packing == "ab" else "m0"
    columns = "n" if style.padded_panels or not style.vector else "n0"
    return rows, columns


def _columns_loop(style: PrintContext) -> str:
    pragma = f"#pragma omp parallel for {schedule(style)}\n" if style.private_b else ""
    return f"{pragma}for (int jc = 0; jc < {_limits(style)[1]}; jc += NC)"


def _private_panels(style: PrintContext) -> list[str]:
    if not style.private_b:
        return []
    lines = [
        f"{style.real} packed_b[KC * NC] __attribute__((aligned(64))); /* each thread packs for itself: no barrier */"
    ]
    if style.genome.packing == "ab":
        lines.append(f"{style.real} packed_a[MC * KC] __attribute__((aligned(64)));")
    return lines


def _columns(style: PrintContext) -> str:
    return f"const int nc = min(NC, {_limits(style)[1]} - jc);"


def _depth_loop(style: PrintContext) -> str:
    statements = [
        "const int kc = min(KC, k - pc);",
        f"const {style.real} keep = {_KEEP}; /* k = 0 still applies beta */",
        _pack_b(style),
        _rows_loop(style),
    ]
    return loop("for (int pc = 0; pc == 0 || pc < k; pc += KC)", *statements)


def _pack_b(style: PrintContext) -> str:
    """Packs KC x NC of B; where it is shared all threads take part and wait for each other."""
    shared = style.genome.threads in ("rows", "grid")
    source = "B + (ptrdiff_t)pc * ldb + jc"
    if not style.vector:
        pragma = "#pragma omp single /* the others wait until B is packed */\n" if shared else ""
        return f"{pragma}copy(kc, nc, {source}, ldb, packed_b);"
    pragma = "#pragma omp for schedule(static) /* ends in a barrier: all of B is packed */\n" if shared else ""
    columns = ", min(NR, nc - j)" if style.padded_panels else ""
    call = f"pack_b(kc{columns}, {source} + j, ldb, packed_b + j * kc);"
    return loop(pragma + "for (int j = 0; j < nc; j += NR)", call)


def _rows_loop(style: PrintContext) -> str:
    pragma = ""
    if style.genome.threads == "rows":
        pragma = f"#pragma omp for {schedule(style)} /* ends in a barrier: B may be packed anew */\n"
    rows = _limits(style)[0]
    statements = [f"const int mc = min(MC, {rows} - ic);", _a_block(style)]
    a, b = "a, lda", "packed_b" if style.vector else "packed_b, nc"
    if style.genome.packing == "ab":
        statements.append(_pack_a(style))
        a = "packed_a" if style.vector else "packed_a, kc"
    statements.append(f"block(mc, nc, kc, alpha, {a}, {b}, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);")
    return loop(f"{pragma}for (int ic = 0; ic < {rows}; ic += MC)", *statements)


def _pack_a(style: PrintContext) -> str:
    if not style.vector:
        return "copy(mc, kc, a, lda, packed_a);"
    rows = ", min(MR, mc - i)" if style.padded_panels else ""
    call = f"pack_a(kc{rows}, a + (ptrdiff_t)i * lda, lda, packed_a + i * kc);"
    return loop("for (int i = 0; i < mc; i += MR)", call)


def _a_block(style: PrintContext) -> str:
    return f"const {style.real} *a = A + (ptrdiff_t)ic * lda + pc;"


def _grid_nest(style: PrintContext) -> str:
    """Both panels shared; the register tiles of a block are dealt out over rows and columns."""
    rows, columns = _limits(style)
    pack_a = _pack_a(style)
    note = " /* ends in a barrier: all of A is packed */"
    pragma = f"#pragma omp for schedule(static){note}\n" if style.vector else f"#pragma omp single{note}\n"
    step = "j += NR" if style.vector else "j++"
    loops = ["for (int i = 0; i < mc; i += MR)", f"for (int j = 0; j < nc; {step})"]
    outer, inner = loops if style.genome.order.startswith("i") else reversed(loops)
    a, b = ("packed_a", "packed_b") if style.vector else ("packed_a, kc", "packed_b, nc")
    sizes = "i, j, mc, nc" if style.padded_panels else "i, j"
    call = f"block({sizes}, kc, alpha, {a}, {b}, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);"
    deal = loop(f"#pragma omp for collapse(2) {schedule(style)}\n{outer}", loop(inner, call))
    over_rows = loop(
        f"for (int ic = 0; ic < {rows}; ic += MC)",
        f"const int mc = min(MC, {rows} - ic);",
        _a_block(style),
        pragma + pack_a,
        deal,
    )
    over_k = loop(
        "for (int pc = 0; pc == 0 || pc < k; pc += KC)",
        "const int kc = min(KC, k - pc);",
        f"const {style.real} keep = {_KEEP}; /* k = 0 still applies beta */",
        _pack_b(style),
        over_rows,
    )
    nest = loop(f"for (int jc = 0; jc < {columns}; jc += NC)", _columns(style), over_k)
    return "#pragma omp parallel\n" + nest
