"""The innermost functions of a printed stencil kernel: points, rows, strips and bands."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.stencil.style import LINE_ELEMENTS, PrintContext


def points(style: PrintContext, *, prefetch: bool) -> str:
    """A row, point by point. What lies east is carried along instead of read again, which also keeps it scalar."""
    at = "from + j + 1"
    ring = [f"*({place})" for place in style.neighbors("east", south=True)[2:]]
    first = [f"*({place})" for place in style.neighbors("from", south=True) if place != "from + 1"]
    fetch = _by_line(style, style.prefetches(style.newest("from + j"))) if prefetch else []
    body = loop(
        "for (int j = 0; j < count; j++)",
        *fetch,
        f"const double *east = {at};",
        f"to[j] = {style.point('center', '(ring + *east)')};",
        f"ring = center + {' + '.join(ring)};",
        "center = *east;",
    )
    unroll = style.unroll() if prefetch else ""
    return "\n".join(
        [
            "/* A row, point by point: the eastern neighbor of a point is the center of the next one. */",
            loop(
                f"static inline void relax_points(int count, {style.parameters(one_row=True)})",
                f"double center = *from, ring = {' + '.join(first)};",
                unroll + body,
                function=True,
            ),
        ]
    )


def _by_line(style: PrintContext, statements: list[str]) -> list[str]:
    """The statements once per cache line of a loop over ``j`` that takes less than a line per step."""
    if style.genome.lanes >= LINE_ELEMENTS or not statements:
        return statements
    return [loop(f"if (j % {LINE_ELEMENTS} == 0)", *statements, *([""] if len(statements) > 1 else []))]


def rows(style: PrintContext) -> str:
    """Whole vectors along a row, several rows at a time where the genome has it; the rest of the row point by point."""
    genome, many, tasks = style.genome, style.genome.rows > 1, style.genome.threads == "tasks"
    count = "int rows, " if many else ""
    at = f"from + r * {style.row} + j" if many else "from + j"
    sums = " + ".join(style.neighbors("at", south=True, value="AT({})"))
    value = style.point("AT(at)", f"({sums})")
    fetch = [] if genome.strips else _by_line(style, style.prefetches(_first_new_row(style)))
    if many:
        step = [
            "vec sum[ROWS];",
            "#pragma GCC unroll 8\n"
            + loop("for (int r = 0; r < rows; r++)", f"const double *at = {at};", f"sum[r] = {value};"),
            "#pragma GCC unroll 8\n"
            + loop("for (int r = 0; r < rows; r++)", f"AT(to + r * {style.to_row} + j) = sum[r];"),
        ]
    else:
        store = f"STREAM(to + j, {value});" if genome.stream else f"AT(to + j) = {value};"
        step = [f"const double *at = {at};", store]
    main = style.unroll() + loop("for (; j + LANES <= count; j += LANES)", *fetch, *step)
    tail = f"relax_points(count - j, {style.arguments(' + j', one_row=True)});"
    if many:
        tail = loop(
            "for (int r = 0; r < rows; r++)",
            f"relax_points(count - j, {style.arguments(' + r * {row} + j', one_row=True)});",
        )
    return "\n".join(
        [
            f"/* {'Some rows' if many else 'A row'} in vectors, and what is left of {'them' if many else 'it'}. */",
            loop(
                f"static inline void relax_rows({count}int count, {style.parameters(one_row=not many)})",
                "int j = 0;",
                *_aligned(style),
                main,
                loop("if (j < count)", tail),
                "_mm_sfence(); /* before another task reads the row */" if genome.stream and tasks else "",
                function=True,
            ),
        ]
    )


def _first_new_row(style: PrintContext) -> str:
    last = "rows * " if style.genome.rows > 1 and not style.solid else ""
    return f"from + j + {last}{style.read_strides[-1]}"


def _aligned(style: PrintContext) -> list[str]:
    """The points before the first aligned vector: a streaming store needs one."""
    if not style.genome.stream:
        return []
    return [
        "const int past = (int)((uintptr_t)to / sizeof *to % LANES); /* a streaming store needs an aligned vector */",
        "j = past == 0 ? 0 : count < LANES - past ? count : LANES - past;",
        loop("if (j > 0)", f"relax_points(j, {style.arguments(one_row=True)});"),
    ]


def strip(style: PrintContext) -> str:
    """Vectors side by side that walk down the rows and read each of them once."""
    ring = [f"AT({place})" for place in style.neighbors("south", south=True)]
    ring = ring[:2] + ring[4:]  # without north and south: north is the old center, south comes with the next row
    first = style.neighbors("at", south=False, value="AT({})")
    below = "from" if not style.solid else f"from + {style.read_strides[1]}"
    fetch = [
        f"#pragma GCC unroll 8\n{loop(f'for (int line = 0; line < STRIP; line += {LINE_ELEMENTS})', statement)}"
        for statement in style.prefetches(f"{below} + line", stride=style.row)
    ]
    each = "#pragma GCC unroll 8\n"
    step = each + loop(
        "for (int v = 0; v < VECTORS; v++)",
        "const double *south = from + v * LANES;",
        f"AT(to + v * LANES) = {style.point('center[v]', '(ring[v] + AT(south))')};",
        f"ring[v] = center[v] + {' + '.join(ring)};",
        "center[v] = AT(south);",
    )
    return "\n".join(
        [
            "/* A strip of vectors walks down the rows and reads each row once; ring holds every sum of neighbors but",
            "   the southern one, which comes with the next row. */",
            loop(
                f"static inline void relax_strip(int rows, {style.parameters()})",
                "vec center[VECTORS], ring[VECTORS];",
                each
                + loop(
                    "for (int v = 0; v < VECTORS; v++)",
                    "const double *at = from + v * LANES;",
                    "center[v] = AT(at);",
                    f"ring[v] = {' + '.join(first)};",
                ),
                style.unroll()
                + loop(f"for (int i = 0; i < rows; i++, to += {style.to_row})", f"from += {style.row};", *fetch, step),
                function=True,
            ),
        ]
    )


def band(style: PrintContext) -> str:
    """Rows that walk from left to right together, point by point; each keeps its sums in registers."""
    count = range(style.genome.rows)
    row, fetch = style.row, _by_line(style, style.prefetches(f"from + j + {_last_row(style)}"))
    starts = []
    for r in count:
        around = [f"*({_at('from', r, row)} - 1)", _value("from", r - 1, row), _value("from", r + 1, row)]
        if style.solid:
            around += [f"*({_at('from', r, row)} {sign} {style.read_strides[1]})" for sign in "-+"]
        starts.append(f"double center{r} = {_value('from', r, row)};")
        starts.append(f"double ring{r} = {' + '.join(around)};")
    loads = ["const double *east = from + j + 1;", f"const double north = {_value('east', -1, row)};"]
    loads += [f"const double east{r} = {_value('east', r, row)};" for r in count]
    loads.append(f"const double south = {_value('east', len(count), row)};")
    steps = []
    for r in count:
        above = "north" if r == 0 else f"east{r - 1}"
        under = "south" if r == len(count) - 1 else f"east{r + 1}"
        target = f"to[{_at('j', r, style.to_row)}]"
        around = [above, under]
        if style.solid:
            around += [f"*({_at('east', r, row)} {sign} {style.read_strides[1]})" for sign in "-+"]
        steps.append(f"{target} = {style.point(f'center{r}', f'(ring{r} + east{r})')};")
        steps.append(f"ring{r} = center{r} + {' + '.join(around)};")
        steps.append(f"center{r} = east{r};")
    return "\n".join(
        [
            "/* ROWS rows walk from left to right together and read each point once; ring holds every sum of neighbors",
            "   but the eastern one, which comes with the next column. */",
            loop(
                f"static inline void relax_band(int count, {style.parameters()})",
                *starts,
                loop("for (int j = 0; j < count; j++)", *fetch, *loads, *steps),
                function=True,
            ),
        ]
    )


def _last_row(style: PrintContext) -> str:
    return style.read_strides[1] if style.solid else f"ROWS * {style.row}"


def _at(base: str, rows: int, stride: str) -> str:
    """An address some rows below another one, e.g. ``from + 2 * row``."""
    if rows == 0:
        return base
    step = stride if abs(rows) == 1 else f"{abs(rows)} * {stride}"
    return f"{base} {'-' if rows < 0 else '+'} {step}"


def _value(base: str, rows: int, stride: str) -> str:
    return f"*{base}" if rows == 0 else f"*({_at(base, rows, stride)})"
