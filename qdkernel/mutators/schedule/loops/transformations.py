"""Transformations of one loop, or of a loop and a loop inside it, each as a new text of the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from tree_sitter import Node

from qdkernel.evaluators.source import text
from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.draw import pick
from qdkernel.mutators.schedule.loops.dependence import Dependences, dependences
from qdkernel.mutators.schedule.loops.nest import Loop, below
from qdkernel.mutators.schedule.loops.rewriting import (
    as_one,
    children_of,
    header_of,
    operand,
    renamed,
    replaced,
    statements_of,
    with_constant,
    with_pragma,
)

_FIRST_TILES = (16, 32, 64, 128)
_DECLARED = re.compile(r"((?:const )?(?:double|float|int|long)) (\w+) = [^,;]+;")
_DECLARATIONS = ("declaration", "init_declarator")  # nodes above the name of a variable
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
        with_pragma(source, of, pragma), f"{schedule.split(',')[0]} shares of the loop over {of.variable}"
    )


def vectorize(source: str, of: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """A pragma that lets the compiler make vectors of an innermost loop, sums included."""
    found = dependences(of)
    if not found.independent or of.pragma or any(each.outer is of for each in loops):
        return None
    pragma = f"#pragma omp simd{_sums(found)}"
    return Transformed(with_pragma(source, of, pragma), f"vectors along {of.variable}")


def unroll(source: str, of: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """A pragma that unrolls an innermost loop; always legal."""
    if of.pragma or any(each.outer is of for each in loops):
        return None
    factor = pick((2, 4, 8), rng)
    return Transformed(
        with_pragma(source, of, f"#pragma GCC unroll {factor}"),
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
    nest = loop(header_of(inner), loop(header_of(outer), *statements_of(inner)))
    return Transformed(
        replaced(source, outer.node, nest), f"the loops over {outer.variable} and {inner.variable} changed places"
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
    inner = _one_of_several(outer, loops, rng)
    if inner is None or any(each.type == "declaration" for each in children_of(outer)):
        return None
    return Transformed(
        replaced(source, outer.node, *_apart(outer, inner, header_of(outer), {})),
        f"the loop over {inner.variable} taken out of the loop over {outer.variable}",
    )


def expand(source: str, outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Transformed | None:
    """As ``distribute``, tile by tile, where the outer loop's body has variables: they become arrays of a tile.

    From and to::

        for (int j = 0; j < n; j++) {          for (int j_tile = 0; j_tile < n; j_tile += TILE_J) {
            double sum = 0;                        const int j_end = (end of the tile);
            for (int k = 0; k < m; k++)            double sums[TILE_J];
                sum += f(j, k);                    for (int j = j_tile; j < j_end; j++)
            g(j, sum);                                 sums[j - j_tile] = 0;
        }                                          for (int k = 0; k < m; k++)
                                                       for (int j = j_tile; j < j_end; j++)
                                                           sums[j - j_tile] += f(j, k);
                                                   for (int j = j_tile; j < j_end; j++)
                                                       g(j, sums[j - j_tile]); }
    """
    inner, variable = _one_of_several(outer, loops, rng), outer.variable
    kinds = _numbers_in(outer)
    if inner is None or not kinds or _bounds_name(inner, kinds):
        return None
    end = f"{variable}_end"
    tiles = _tiles_of(outer, source, rng)
    if tiles is None or _names(source, [end, *(f"{name}s" for name in kinds)]):
        return None
    nest = loop(
        tiles.header,
        f"const {outer.kind} {end} = {tiles.end};",
        *(f"{kind} {name}s[{tiles.name}];" for name, kind in kinds.items()),
        *_apart(
            outer,
            inner,
            header_of(replace(outer, first=tiles.start, last=end)),
            {name: f"{name}s[{variable} - {tiles.start}]" for name in kinds},
        ),
    )
    return Transformed(
        with_constant(replaced(source, outer.node, nest), tiles.constant),
        f"the loop over {inner.variable} shared by {tiles.size} iterations over {variable}",
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
    tiles = _tiles_of(inner, source, rng)
    if tiles is None:
        return None
    within = replace(inner, first=tiles.start, last=f"({tiles.end})")
    nest = loop(tiles.header, loop(header_of(outer), loop(header_of(within), *statements_of(inner))))
    return Transformed(
        with_constant(replaced(source, outer.node, nest), tiles.constant),
        f"tiles of {tiles.size} along {inner.variable}",
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
    first, last = operand(outer.first), operand(outer.last)
    jammed = [
        block
        for step in range(factor)
        for block in as_one(statements_of(inner, {name: f"({name} + {step})"} if step else {}))
    ]
    whole = header_of(replace(outer, last=f"{last} - {factor - 1}"), f" += {factor}")
    count = last if first == "0" else f"({last} - {first})"
    rest = replace(outer, first=f"{'' if first == '0' else f'{first} + '}{count} / {factor} * {factor}")
    nest = [
        loop(whole, loop(header_of(inner), *jammed)),
        loop(header_of(rest), loop(header_of(inner), *statements_of(inner))),
    ]
    return Transformed(
        replaced(source, outer.node, *nest),
        f"{factor} iterations over {name} share the loop over {inner.variable}",
    )


TRANSFORMATIONS: tuple[Transformation, ...] = (
    parallelize,
    vectorize,
    unroll,
    interchange,
    distribute,
    expand,
    tile,
    unroll_and_jam,
)


@dataclass(frozen=True)
class _Tiles:
    """A loop over the tiles of another one.

    Attributes:
        name: of the size of a tile.
        size: its first value.
        start: name of the variable, the first iteration of a tile.
        header: the line of the loop.
        end: expression behind the last iteration of a tile.
    """

    name: str
    size: int
    start: str
    header: str
    end: str

    @property
    def constant(self) -> str:
        """The line that defines the size."""
        return f"#define {self.name} {self.size} /* tune: {_TILES}; of a tile */"


def _tiles_of(of: Loop, source: str, rng: np.random.Generator) -> _Tiles | None:
    """The tiles of a loop; ``None`` when the source has their names already."""
    name, start = f"TILE_{of.variable.upper()}", f"{of.variable}_tile"
    if name in source or start in source:
        return None
    last = operand(of.last)
    header = header_of(replace(of, variable=start), f" += {name}")
    return _Tiles(
        name, pick(_FIRST_TILES, rng), start, header, f"{last} - {start} < {name} ? {last} : {start} + {name}"
    )


def _perfect(outer: Loop, loops: list[Loop]) -> Loop | None:
    """The only statement of a loop where it is a loop whose bounds do not change, and they may change places.

    That is legal when one of the two is independent: no dependence points forward in one and backward in the other.
    """
    inner = next((each for each in loops if each.outer is outer and each.node == outer.only), None)
    if inner is None or outer.pragma or inner.pragma:
        return None
    if _bounds_name(inner, [outer.variable]):
        return None
    return inner if dependences(outer).independent or dependences(inner).independent else None


def _one_of_several(outer: Loop, loops: list[Loop], rng: np.random.Generator) -> Loop | None:
    """A loop among the statements of an independent one, whose bounds do not change."""
    children = children_of(outer)
    if outer.only is not None or outer.pragma or any(each.type.startswith("preproc") for each in children):
        return None
    inside = [each for each in loops if each.outer is outer and each.node in children]
    inside = [each for each in inside if not _bounds_name(each, [outer.variable])]
    if not inside:
        return None
    return pick(inside, rng) if dependences(outer).independent else None


def _apart(outer: Loop, inner: Loop, header: str, names: Mapping[str, str]) -> list[str]:
    """What stands before the inner loop, the inner loop, and what stands behind it, each in loops over the outer."""
    children = children_of(outer)
    at = children.index(inner.node)
    return [
        *_loop_over(header, children[:at], names),
        loop(header_of(inner), loop(header, *statements_of(inner, names))),
        *_loop_over(header, children[at + 1 :], names),
    ]


def _loop_over(header: str, children: list[Node], names: Mapping[str, str]) -> list[str]:
    """Statements in a loop; comments alone need none. A variable in ``names`` is assigned to, no longer declared."""
    statements = [renamed(each, names) for each in children]
    for number, child in enumerate(children):
        if (declared := _DECLARED.fullmatch(text(child))) is not None:
            statements[number] = statements[number].removeprefix(f"{declared[1]} ")
    if all(each.type == "comment" for each in children):
        return statements
    return [loop(header, *statements)]


def _numbers_in(of: Loop) -> dict[str, str]:
    """Types of the variables that a loop's statements declare; empty unless each is one number with a first value."""
    names = [text(at) for at in below(of.body) if at.parent is not None and at.parent.type in _DECLARATIONS]
    found = {}
    for child in children_of(of):
        if child.type == "declaration":
            declared = _DECLARED.fullmatch(text(child))
            if declared is None or names.count(declared[2]) != 1:
                return {}
            found[declared[2]] = declared[1].removeprefix("const ")
    return found


def _bounds_name(of: Loop, variables: Iterable[str]) -> bool:
    """Whether the bounds of a loop name one of the variables."""
    return _names(f"{of.first} {of.last}", variables)


def _names(code: str, words: Iterable[str]) -> bool:
    """Whether one of the words occurs in the text of some C."""
    return any(re.search(rf"\b{word}\b", code) for word in words)


def _sums(found: Dependences) -> str:
    return f" reduction(+ : {', '.join(found.sums)})" if found.sums else ""
