"""A stage: the techniques that a kernel may or must use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from qdkernel.core.axes import AXES
from qdkernel.core.cells import Cell

Levels = Mapping[str, frozenset[str]]
"""Names of levels by the name of their axis; an axis left out permits all its levels."""


@dataclass(frozen=True)
class Stage:
    """A set of permitted techniques; holds plain values only, so that workers can be handed one.

    Attributes:
        name: shown to users and stored with proposals.
        permits: levels a kernel may be at.
        requires: levels a kernel must be at one of; those of ``permits`` count as well.
    """

    name: str
    permits: Levels = field(default_factory=dict)
    requires: Levels = field(default_factory=dict)

    def cells(self, reachable: Collection[Cell]) -> frozenset[Cell]:
        """Those of the cells that a kernel of this stage may be in."""
        return frozenset(cell for cell in reachable if next(self._objections(cell), None) is None)

    def refusal(self, cell: Cell, evidence: Mapping[str, str]) -> str | None:
        """Why a kernel that behaves so is outside the stage, for a person or a model to act on; ``None`` if it is not.

        Args:
            cell: the measured behaviour.
            evidence: the facts behind it, a text by axis; axes may be missing.
        """
        found = []
        for axis, level, verb, wanted in self._objections(cell):
            fact = f" ({evidence[axis]})" if evidence.get(axis) else ""
            found.append(f"{axis} is {level}{fact}, but the stage {verb} {wanted}")
        return f"outside stage '{self.name}': {'; '.join(found)}" if found else None

    def _objections(self, cell: Cell) -> Iterator[tuple[str, str, str, str]]:
        """For each axis on which the cell is outside: axis, its level there, ``permits`` or ``requires``, what."""
        for axis, index in zip(AXES, cell, strict=True):
            level = axis.levels[index]
            for verb, levels in (("permits", self.permits), ("requires", self.requires)):
                wanted = levels.get(axis.name)
                if wanted is not None and level not in wanted:
                    yield axis.name, level, verb, _either([one for one in axis.levels if one in wanted])
                    break  # one reason per axis is enough


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
