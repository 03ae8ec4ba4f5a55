"""The genomes of a run's elites, and drafts that are none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Generic

import numpy as np

from qdkernel.core import Cell, Proposal
from qdkernel.mutators.contract import Brief, Drafter, Elite
from qdkernel.mutators.schedule.registry import genome_of
from qdkernel.mutators.schedule.template import G, ScheduleTemplate

TRIES = 20  # draws before giving up on a kernel that the archive does not hold


class EliteGenomes(Generic[G]):
    """Reads the genome of each elite once: a run hands the same elites to every brief.

    Attributes:
        template: of the genomes.
    """

    def __init__(self, template: ScheduleTemplate[G]) -> None:
        self.template = template
        self._read: dict[Cell, tuple[Elite, G | None]] = {}
        self._elites: list[Elite] = []
        self._genomes: dict[G, Elite] = {}

    def of(self, elite: Elite) -> G | None:
        """An elite's genome; ``None`` when it has none."""
        read = self._read.get(elite.cell)
        if read is None or read[0] is not elite:
            read = self._read[elite.cell] = elite, genome_of(elite.notes, self.template)
        return read[1]

    def among(self, elites: Collection[Elite]) -> Mapping[G, Elite]:
        """The elites that have a genome, by their genomes."""
        listed = list(elites)
        if listed != self._elites:
            self._elites = listed
            self._genomes = {genome: elite for elite in listed if (genome := self.of(elite)) is not None}
        return self._genomes


def first_new(drafter: Drafter, brief: Brief, rng: np.random.Generator) -> Proposal | None:
    """A kernel of a drafter that is not among the elites; ``None`` when every draw is."""
    known = {elite.kernel.id for elite in brief.elites.values()}
    for _ in range(TRIES):
        drafts = drafter.drafts(brief, 1, rng)
        if not drafts:
            return None
        proposal = drafts[0].proposal()
        if proposal.kernel.id not in known:
            return proposal
    return None
