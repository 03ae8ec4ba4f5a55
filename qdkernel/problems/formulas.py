"""How the shapes and scalars of a problem's calls follow from one another, as expressions of Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qdkernel.core import ArrayArgument, Problem
from qdkernel.problems.declared import load_declaration

_APART = 10_000  # between the sizes that are tried; the extent of an array is a size plus or minus a few


@dataclass(frozen=True)
class Formulas:
    """Expressions over the scalar arguments.

    Attributes:
        extents: of each array, outermost first.
        bounds: of each index array: its values are below this.
        scalars: scalars that are neither sizes nor strides: a number, or an expression over those before.
    """

    extents: Mapping[str, tuple[str, ...]]
    bounds: Mapping[str, str]
    scalars: Mapping[str, str]


def formulas_of(problem: Problem) -> Formulas:
    """The formulas of a problem: those that its declaration has, else found from the calls that it makes."""
    if not (problem.folder / "problem.yaml").is_file():
        return Formulas({a.name: _extents(problem, a) for a in problem.arrays}, {}, _scalars(problem))
    declaration = load_declaration(problem.folder)
    entries = declaration.arrays
    return Formulas(
        {a.name: tuple(str(extent) for extent in entries[a.name].shape) for a in problem.arrays},
        {name: str(entry.index) for name, entry in entries.items() if entry.index is not None},
        {
            name: repr(given[0]) if isinstance(given, list) else str(given)
            for name, given in declaration.scalars.items()
        },
    )


def _extents(problem: Problem, argument: ArrayArgument) -> tuple[str, ...]:
    """Each extent of an array as a size plus a number, e.g. ``n + 2``."""
    sizes = {name: _APART * (at + 1) for at, name in enumerate(problem.size_names)}
    found = []
    for extent in argument.shape(problem.scored_case(sizes)):
        name = min(sizes, key=lambda name: abs(extent - sizes[name]))
        rest = extent - sizes[name]
        found.append(name + (f" {'+' if rest > 0 else '-'} {abs(rest)}" if rest else ""))
    return tuple(found)


def _scalars(problem: Problem) -> dict[str, str]:
    strides = {name for argument in problem.arrays for name in argument.strides if name}
    case = problem.scored_case({name: _APART for name in problem.size_names})
    return {name: repr(value) for name, value in case.items() if name not in strides.union(problem.size_names)}
