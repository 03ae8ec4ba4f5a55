"""Transformations of one loop, or of a loop and a loop inside it, each as a new text of the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from tree_sitter import Node

from qdkernel.evaluators.source import text
from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.draw import pick
from qdkernel.mutators.schedule.loops.dependence import Dependences, dependences
from qdkernel.mutators.schedule.loops.nest import Loop, below

_FIRST_TILES = (16, 32, 64, 128)
_TILES = "8, 16, 32, 64, 128, 256, 512"


@dataclass(frozen=True)
class Transformed:
    """A new text and what was done, a phrase."""

    source: str
    idea: str


Transformation = Callable[[str, Loop, list[Loop], np.random.Generator], Transformed | None]
"""``transformation(source, loop, loops, rng)``; ``None`` where it does not apply or is not legal."""


def parallelize(source: str, of: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """An independent loop's iterations for the threads, where the loop around it is not, nor shared already."""
    found = dependences(of)
    if not found.independent or of.pragma or of.in_parallel or "omp parallel" in text(of.node):
        return None
    if of.outer is not None and dependences(of.outer).independent:
        return None
    schedule = pick(("static", "static", "dynamic, 4", "guided"), rng)
    pragma = f"#pragma omp parallel for schedule({schedule}){_sums(found)}"
    return Transformed(
        _with_pragma(source, of, pragma), f"{schedule.split(',')[0]} shares of the loop over {of.variable}"
    )


def vectorize(source: str, of: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """A pragma that lets the compiler make vectors of an innermost loop, sums included."""
    found = dependences(of)
    if not found.independent or of.pragma or any(each.outer is of for each in loops):
        return None
    pragma = f"#pragma omp simd{_sums(found)}"
    return Transformed(_with_pragma(source, of, pragma), f"vectors along {of.variable}")


def unroll(source: str, of: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """A pragma that unrolls an innermost loop; always legal."""
    if of.pragma or any(each.outer is of for each in loops):
        return None
    factor = pick((2, 4, 8), rng)
    return Transformed(
        _with_pragma(source, of, f"#pragma GCC unroll {factor}"),
        f"the loop over {of.variable} unrolled {factor} times",
    )


def interchange(source: str, outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """The only loop inside goes outside.

    From and to::

        for (int i = 0; i < m; i++)          for (int j = 0; j < n; j++)
            for (int j = 0; j < n; j++)          for (int i = 0; i < m; i++)
    """
    inner = _perfect(outer, loops)
    if inner is None:
        return None
    nest = loop(_header(inner), loop(_header(outer), *_statements(inner)))
    return Transformed(
        _replaced(source, outer.node, nest), f"the loops over {outer.variable} and {inner.variable} changed places"
    )


def distribute(source: str, outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """A loop inside goes outside; the statements before and behind it remain, in loops of their own.

    Legal when the outer loop is independent: whatever its iterations pass on is an element of their own.

    From and to::

        for (int j = 0; j < n; j++) {          for (int j = 0; j < n; j++)
            f(j);                                  f(j);
            for (int k = 0; k < m; k++)        for (int k = 0; k < m; k++)
                g(j, k);                           for (int j = 0; j < n; j++)
        }                                              g(j, k);
    """
    children = _children(outer)
    inside = [each for each in loops if each.outer is outer and each.node in children]
    if len(children) < 2 or not inside or outer.pragma or any(each.pragma for each in inside):
        return None
    if any(each.type == "declaration" or each.type.startswith("preproc") for each in children):
        return None
    inner = pick(inside, rng)
    if _depends_on(inner, outer) or not dependences(outer).independent:
        return None
    statements, at = [_shifted(each, "", 0) for each in children], children.index(inner.node)
    nest = [
        *([loop(_header(outer), *_block(statements[:at]))] if at else []),
        loop(_header(inner), loop(_header(outer), *_statements(inner))),
        *([loop(_header(outer), *_block(statements[at + 1 :]))] if statements[at + 1 :] else []),
    ]
    return Transformed(
        _replaced(source, outer.node, *nest),
        f"the loop over {inner.variable} taken out of the loop over {outer.variable}",
    )


def tile(source: str, outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """The only loop inside in tiles, the loop over tiles outside.

    From and to::

        for (int i = 0; i < m; i++)          for (int j_tile = 0; j_tile < n; j_tile += TILE_J)
            for (int j = 0; j < n; j++)          for (int i = 0; i < m; i++)
                                                     for (int j = j_tile; j < (end of the tile); j++)
    """
    inner = _perfect(outer, loops)
    if inner is None:
        return None
    name, start = f"TILE_{inner.variable.upper()}", f"{inner.variable}_tile"
    if name in source or start in source:
        return None
    size, last = pick(_FIRST_TILES, rng), _operand(inner.last)
    within = replace(inner, first=start, last=f"({last} - {start} < {name} ? {last} : {start} + {name})")
    tiles = f"for ({inner.kind} {start} = {inner.first}; {start} < {inner.last}; {start} += {name})"
    nest = loop(tiles, loop(_header(outer), loop(_header(within), *_statements(inner))))
    constant = f"#define {name} {size} /* tune: {_TILES}; of a tile */"
    return Transformed(
        _defined(_replaced(source, outer.node, nest), constant), f"tiles of {size} along {inner.variable}"
    )


def unroll_and_jam(source: str, outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """Several iterations of a loop share the iterations of the only loop inside.

    From and to::

        for (int i = 0; i < m; i++)          for (int i = 0; i < m - 1; i += 2)
            for (int j = 0; j < n; j++)          for (int j = 0; j < n; j++) {
                f(i, j);                             f(i, j); f(i + 1, j); }   and what is left as before
    """
    inner = _perfect(outer, loops)
    if inner is None or outer.kind.startswith(("size_t", "unsigned")):  # the last whole step may lie below zero
        return None
    factor, name = pick((2, 4), rng), outer.variable
    first, last = _operand(outer.first), _operand(outer.last)
    jammed = [
        block for step in range(factor) for block in _block([_shifted(each, name, step) for each in _children(inner)])
    ]
    whole = f"for ({outer.kind} {name} = {outer.first}; {name} < {last} - {factor - 1}; {name} += {factor})"
    count = last if first == "0" else f"({last} - {first})"
    rest = replace(outer, first=f"{'' if first == '0' else f'{first} + '}{count} / {factor} * {factor}")
    nest = [
        loop(whole, loop(_header(inner), *jammed)),
        loop(_header(rest), loop(_header(inner), *_statements(inner))),
    ]
    return Transformed(
        _replaced(source, outer.node, *nest),
        f"{factor} iterations over {name} share the loop over {inner.variable}",
    )


TRANSFORMATIONS: tuple[Transformation, ...] = (
    parallelize,
    vectorize,
    unroll,
    interchange,
    distribute,
    tile,
    unroll_and_jam,
)


def _perfect(outer: Loop, loops: list[Loop]) -> Loop | None:
    """The only statement of a loop where it is a loop whose bounds do not change, and they may change places.

    That is legal when one of the two is independent: no dependence points forward in one and backward in the other.
    """
    inner = next((each for each in loops if each.outer is outer and each.node == outer.only), None)
    if inner is None or outer.pragma or inner.pragma:
        return None
    if _depends_on(inner, outer):
        return None
    return inner if dependences(outer).independent or dependences(inner).independent else None


def _depends_on(inner: Loop, outer: Loop) -> bool:
    """Whether the bounds of the inner loop name the outer one's variable."""
    return re.search(rf"\b{outer.variable}\b", f"{inner.first} {inner.last}") is not None


def _sums(found: Dependences) -> str:
    return f" reduction(+ : {', '.join(found.sums)})" if found.sums else ""


def _with_pragma(source: str, of: Loop, pragma: str) -> str:
    """The source with a pragma on the line before a loop."""
    data, start = source.encode(), of.node.start_byte
    line = data.rfind(b"\n", 0, start) + 1
    at, lead = (line, b"") if not data[line:start].strip() else (start, b"\n")
    return (data[:at] + lead + pragma.encode() + b"\n" + data[at:]).decode()


def _replaced(source: str, node: Node, *statements: str) -> str:
    """The source with a statement replaced, and those that follow a line break moved right to where it begins.

    Several statements that become the body of a loop are put in braces, behind the loop's parenthesis.
    """
    data, start, column = source.encode(), node.start_byte, node.start_point.column
    around = node.parent
    if len(statements) > 1 and around is not None and around.type != "compound_statement":
        header = data[:start].rstrip()
        if header.endswith(b")"):
            start, column, opening = len(header), around.start_point.column, " {"
        else:  # a comment is between them
            opening = "{"
        statements = ("\n".join([opening, *(indent(each, 1) for each in statements), "}"]),)
    first, *others = "\n".join(statements).split("\n")
    lines = [first, *(line if not line or line.startswith("#") else " " * column + line for line in others)]
    return (data[:start] + "\n".join(lines).encode() + data[node.end_byte :]).decode()


def _defined(source: str, line: str) -> str:
    """The source with a ``#define`` behind its last ``#include``, or at its beginning."""
    included = [match.end() for match in re.finditer(r"^#include.*\n", source, re.MULTILINE)]
    at = included[-1] if included else 0
    return f"{source[:at]}{line}\n{source[at:]}"


def _header(of: Loop) -> str:
    return f"for ({of.kind} {of.variable} = {of.first}; {of.variable} < {of.last}; {of.variable}++)"


def _operand(expression: str) -> str:
    return expression if re.fullmatch(r"\w+", expression) else f"({expression})"


def _children(of: Loop) -> list[Node]:
    return of.body.named_children if of.body.type == "compound_statement" else [of.body]


def _statements(of: Loop) -> list[str]:
    """The statements of a loop's body, without their indentation."""
    return [_shifted(each, "", 0) for each in _children(of)]


def _block(statements: list[str]) -> list[str]:
    """One statement as it is; several, which may declare variables, in braces."""
    if len(statements) == 1:
        return statements
    return ["{\n" + indent("\n".join(statements), 1) + "\n}"]


def _shifted(statement: Node, name: str, step: int) -> str:
    """The text of a statement without its indentation, and with ``name`` replaced by ``(name + step)``."""
    data, start = (statement.text or b""), statement.start_byte
    pieces, done = [], 0
    for at in below(statement):
        if step and at.type == "identifier" and text(at) == name:
            pieces += [data[done : at.start_byte - start], f"({name} + {step})".encode()]
            done = at.end_byte - start
    lines = b"".join([*pieces, data[done:]]).decode().rstrip("\n").split("\n")
    pad = " " * statement.start_point.column
    return "\n".join([lines[0], *(line.removeprefix(pad) for line in lines[1:])])
