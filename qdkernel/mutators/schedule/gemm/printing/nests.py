"""The loop nests of the printed kernel that work on the operands where they lie: plain, cache tiles, register tiles."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, prefetch, schedule, unroll, update

_EXTENT = {"i": "m", "j": "n", "k": "k"}
_INDEX = {"i": "i", "j": "j", "k": "p"}
_TILE = {"i": "ic", "j": "jc", "k": "pc"}
_STEP = {"i": "MC", "j": "NC", "k": "KC"}


def scale(style: PrintContext) -> str:
    """C *= beta before a nest that adds to C."""
    if style.vector:
        over = loop("for (int j = 0; j < n; j += LANES)", "", _VECTOR_SCALE)
        loops = loop("for (int i = 0; i < m; i++)", over)
    else:
        down = "for (ptrdiff_t c = j; c < (ptrdiff_t)m * ldc; c += ldc) /* down column j of C */"
        loops = loop("for (int j = 0; j < n; j++)", loop(down, "C[c] = beta == 0 ? 0 : beta * C[c];"))
    whole = "; n is a multiple of LANES" if style.vector else ""
    return f"""\
/* C *= beta, so that the nest only adds{whole}. With beta = 0 old NaNs must vanish. */
{loop(f"static void scale(int m, int n, {style.real} beta, {style.real} *C, int ldc)", loops, function=True)}"""


_VECTOR_SCALE = """\
vec *c = (vec *)(C + (ptrdiff_t)i * ldc + j);
if (beta == 0)
    *c = (vec){0};
else
    *c *= beta;"""


def plain_nest(style: PrintContext) -> str:
    """Three loops, or six with cache tiles, around one multiply-add."""
    order, tiled = style.genome.order, style.genome.tiled
    inside = _INNER[order[2]](style)
    for letter in reversed(order[:2]):
        index = _INDEX[letter]
        step = f"{index} += LANES" if letter == "j" and style.vector else f"{index}++"
        header = f"for (int {index} = {_start(style, letter)}; {index} < {_end(style, letter)}; {step})"
        inside = (loop(header if tiled else _parallel(style, letter) + header, *inside),)
    return tile_loops(style, order, inside) if tiled else inside[0]


def tiled_nest(style: PrintContext) -> str:
    """Register tiles, within cache tiles where the genome has them."""
    genome, tiled = style.genome, style.genome.tiled
    depth, keep = ("p1 - pc", "keep") if tiled else ("k", "beta")
    a = "A + (ptrdiff_t)i * lda" + (" + pc" if tiled else "")
    b = ("B + (ptrdiff_t)pc * ldb" if tiled else "B") + " + j"
    size, a_step = ("MR, NV, ", ", 1") if style.vector else ("", "")
    inside = f"tile({size}{depth}, {a}, lda{a_step}, {b}, ldb,\n     alpha, {keep}, C + (ptrdiff_t)i * ldc + j, ldc);"
    for letter in reversed(genome.order[:2]):
        index = _INDEX[letter]
        step = "i += MR" if letter == "i" else "j += NR" if style.vector else "j++"
        header = f"for (int {index} = {_start(style, letter)}; {index} < {_end(style, letter)}; {step})"
        inside = loop(header if tiled else _parallel(style, letter) + header, inside)
    return tile_loops(style, genome.order, (inside,)) if tiled else inside


def tile_loops(style: PrintContext, order: str, inside: tuple[str, ...]) -> str:
    """The loops over cache tiles; the tile's ends are computed inside the loops that OpenMP takes together."""
    grid = style.genome.threads == "grid"
    first = order.endswith("k")  # the nest applies beta itself, on the first block of k
    for letter in reversed(order if style.genome.kc else order[:2]):
        start, limit = _TILE[letter], _limit(style, letter)
        ends = [x for x in order[:2] if letter == order[1]] if grid and letter != order[2] else [letter]
        lines = [f"const int {_INDEX[x]}1 = min({_TILE[x]} + {_STEP[x]}, {_limit(style, x)});" for x in ends]
        if letter == "k" and first:
            lines.append(f"const {style.real} keep = pc == 0 ? beta : 1; /* k = 0 still applies beta */")
        entry = "pc == 0 || pc < k" if letter == "k" and first else f"{start} < {limit}"
        header = f"{_parallel(style, letter)}for (int {start} = 0; {entry}; {start} += {_STEP[letter]})"
        inside = (loop(header, *lines, *inside),)
    return inside[0]


def _parallel(style: PrintContext, letter: str) -> str:
    """The pragma before the outermost loop; nothing before the others and in a serial nest."""
    if style.genome.threads == "serial" or letter != style.genome.order[0]:
        return ""
    collapse = " collapse(2)" if style.genome.threads == "grid" else ""
    return f"#pragma omp parallel for{collapse} {schedule(style)}\n"


def _limit(style: PrintContext, letter: str) -> str:
    if letter == "i" and style.genome.registers:
        return "m0"
    return "n0" if letter == "j" and style.vector else _EXTENT[letter]


def _is_tiled(style: PrintContext, letter: str) -> bool:
    return style.genome.tiled and (letter != "k" or style.genome.kc > 0)


def _start(style: PrintContext, letter: str) -> str:
    return _TILE[letter] if _is_tiled(style, letter) else "0"


def _end(style: PrintContext, letter: str) -> str:
    return f"{_INDEX[letter]}1" if _is_tiled(style, letter) else _limit(style, letter)


def _inner_k(style: PrintContext) -> tuple[str, ...]:
    """The inner dimension innermost: one sum per element or vector of C."""
    start, end = _start(style, "k"), _end(style, "k")
    beta = "keep" if style.genome.kc else "beta"
    fetch = [prefetch(style, "a", "a + AHEAD_A")] if style.genome.prefetch_a else []
    a = "A + (ptrdiff_t)i * lda" + ("" if start == "0" else f" + {start}")
    if style.vector:
        if style.genome.prefetch_b:
            fetch.append(prefetch(style, "b", "B + (ptrdiff_t)(p + AHEAD_B) * ldb + j"))
        header = f"for (int p = {start}; p < {end}; p++, a++)"
        add = "sum += *a * *(const vec *)(B + (ptrdiff_t)p * ldb + j);"
        declare, target = "vec sum = {0};", "vec *c = (vec *)(C + (ptrdiff_t)i * ldc + j);"
    else:
        if style.genome.prefetch_b:
            fetch.append(prefetch(style, "b", "B + b + (ptrdiff_t)AHEAD_B * ldb"))
        first = "j" if start == "0" else f"(ptrdiff_t){start} * ldb + j"
        header = f"for (ptrdiff_t b = {first}; b < (ptrdiff_t){end} * ldb; b += ldb, a++)"
        add = "sum += *a * B[b];"
        declare, target = f"{style.real} sum = 0;", f"{style.real} *c = C + (ptrdiff_t)i * ldc + j;"
    body = loop(unroll(style) + header, *fetch, add)
    return f"const {style.real} *a = {a};", declare, body, target, update("*c", "sum").replace("beta", beta)


def _inner_j(style: PrintContext) -> tuple[str, ...]:
    """Columns innermost: a row of C += an element of A times a row of B."""
    fetch = []
    if style.genome.prefetch_b:
        fetch.append(prefetch(style, "b", "B + (ptrdiff_t)p * ldb + j + AHEAD_B * LANES"))
    if style.genome.prefetch_c:
        fetch.append(prefetch(style, "c", "C + (ptrdiff_t)i * ldc + j + AHEAD_C * LANES"))
    header = f"{unroll(style)}for (int j = {_start(style, 'j')}; j < {_end(style, 'j')}; j += LANES)"
    add = "*(vec *)(C + (ptrdiff_t)i * ldc + j) += a * *(const vec *)(B + (ptrdiff_t)p * ldb + j);"
    return f"const {style.real} a = alpha * A[(ptrdiff_t)i * lda + p];", loop(header, *fetch, add)


def _inner_i(style: PrintContext) -> tuple[str, ...]:
    """Rows innermost: a column of C += a column of A times an element or vector of B."""
    start, end, genome, fetch = _start(style, "i"), _end(style, "i"), style.genome, []
    if style.vector:
        if genome.prefetch_a:
            fetch.append(prefetch(style, "a", "A + (ptrdiff_t)(i + AHEAD_A) * lda + p"))
        if genome.prefetch_c:
            fetch.append(prefetch(style, "c", "C + (ptrdiff_t)(i + AHEAD_C) * ldc + j"))
        header = f"for (int i = {start}; i < {end}; i++)"
        add = "*(vec *)(C + (ptrdiff_t)i * ldc + j) += A[(ptrdiff_t)i * lda + p] * b;"
        b = "const vec b = alpha * *(const vec *)(B + (ptrdiff_t)p * ldb + j);"
    else:
        if genome.prefetch_a:
            fetch.append(prefetch(style, "a", "A + a + (ptrdiff_t)AHEAD_A * lda"))
        if genome.prefetch_c:
            fetch.append(prefetch(style, "c", "C + c + (ptrdiff_t)AHEAD_C * ldc"))
        first = ("p", "j") if start == "0" else (f"(ptrdiff_t){start} * lda + p", f"(ptrdiff_t){start} * ldc + j")
        header = f"for (ptrdiff_t a = {first[0]}, c = {first[1]}; c < (ptrdiff_t){end} * ldc; a += lda, c += ldc)"
        add = "C[c] += A[a] * b;"
        b = f"const {style.real} b = alpha * B[(ptrdiff_t)p * ldb + j];"
    return b, loop(unroll(style) + header, *fetch, add)


_INNER = {"k": _inner_k, "j": _inner_j, "i": _inner_i}
