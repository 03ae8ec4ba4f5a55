"""The schedule operator: changes the choices of a genome and prints it; without a template it transforms loops."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

import numpy as np

from qdkernel.core import Kernel, KernelId, Proposal
from qdkernel.mutators.contract import Brief, Draft, Elite
from qdkernel.mutators.schedule.draw import pick
from qdkernel.mutators.schedule.elite_genomes import TRIES, EliteGenomes, first_new
from qdkernel.mutators.schedule.loops import transformed
from qdkernel.mutators.schedule.registry import TEMPLATES, Templates
from qdkernel.mutators.schedule.template import G, ScheduleTemplate


class ScheduleMutator:
    """Proposes kernels from a genome of scheduling choices; the genome is kept in ``Proposal.notes["genome"]``.

    Args:
        templates: by problem.
    """

    name = "schedule"

    def __init__(self, templates: Templates = TEMPLATES) -> None:
        self._genomes = {problem: EliteGenomes(template) for problem, template in templates.items()}

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` when every draw is known.

        For a problem without a template it is the parent with transformed loops; ``None`` without a parent.
        """
        return first_new(self, brief, rng)

    def drafts(self, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """Draws whose genome no elite has; transformed loops are printed."""
        genomes = self._genomes.get(brief.problem.name)
        if genomes is None:
            made = [transformed(self.name, brief, rng) for _ in range(count)]
            return [Draft.of(proposal) for proposal in made if proposal is not None]
        return self._drawn(_Drawing.of(brief, genomes), count, rng)

    def further(self, draft: Draft, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """Draws that change the genome of a draft in place of the parent's; none of transformed loops."""
        genomes = self._genomes.get(brief.problem.name)
        if genomes is None:
            return ()
        drawing = replace(_Drawing.of(brief, genomes), start=draft.key, ancestors=draft.parents)
        return self._drawn(drawing, count, rng)

    def _drawn(self, drawing: _Drawing[Any], count: int, rng: np.random.Generator) -> Sequence[Draft]:  # Any: a genome
        draws = [drawing.new(rng) for _ in range(count)]
        return [self._draft(drawing, draw) for draw in draws if draw is not None]

    def _draft(self, drawing: _Drawing[Any], draw: _Draw[Any]) -> Draft:  # Any: each template has its own genome
        genome, target = drawing.template.to_json(draw.genome), drawing.brief.target

        def proposal() -> Proposal:
            kernel = Kernel(drawing.template.print(draw.genome))
            return Proposal(kernel, self.name, drawing.idea(draw), draw.parents, target, {"genome": genome})

        return Draft(draw.genome, genome, draw.parents, proposal)


@dataclass(frozen=True)
class _Draw(Generic[G]):
    """A genome and the kernels it came from."""

    genome: G
    parents: tuple[KernelId, ...] = ()


@dataclass(frozen=True)
class _Drawing(Generic[G]):
    """What the draws of a brief begin from.

    Attributes:
        template: of the genomes.
        brief: whose target, if any, the template reaches.
        known: the genomes of the elites.
        before: the parent's genome; ``None`` when it has none.
        mates: the other elites that have a genome, each with it.
        start: the genome that is changed: the parent's, or that of a draft.
        ancestors: the kernels that it came from.
    """

    template: ScheduleTemplate[G]
    brief: Brief
    known: Collection[G]
    before: G | None
    mates: Sequence[tuple[G, Elite]]
    start: G | None
    ancestors: tuple[KernelId, ...]

    @classmethod
    def of(cls, brief: Brief, genomes: EliteGenomes[G]) -> _Drawing[G]:
        template, parent = genomes.template, brief.parent
        if brief.target is not None and not template.reaches(brief.target):
            brief = replace(brief, target=None)  # no genome comes nearer than those that aim at nothing
        known = genomes.among(brief.elites.values())
        mates = [each for each in known.items() if each[1] is not parent]
        before = genomes.of(parent) if parent is not None else None
        return cls(template, brief, known, before, mates, before, (parent.kernel.id,) if parent is not None else ())

    def new(self, rng: np.random.Generator) -> _Draw[G] | None:
        """A draw whose genome no elite has; ``None`` when every draw is known."""
        draws = (self._draw(rng) for _ in range(TRIES))
        return next((draw for draw in draws if draw.genome not in self.known), None)

    def idea(self, draw: _Draw[G]) -> str:
        """What is new about a draw."""
        parent = self.brief.parent
        if parent is None or self.before is None or parent.kernel.id not in draw.parents:
            return self.template.summary(draw.genome)
        difference = self.template.difference(self.before, draw.genome)
        return difference if len(draw.parents) == 1 else f"crossed with another elite: {difference}"

    def _draw(self, rng: np.random.Generator) -> _Draw[G]:
        template, brief, start = self.template, self.brief, self.start
        if not self.known:
            genome = template.fresh(brief, rng)
            # The first kernels are the template's best guess wherever the target is: all others descend from them.
            if brief.permitted is not None and template.cell_of(genome) not in brief.permitted:
                genome = self._aimed(genome, rng)
            return _Draw(genome)
        # One draw in five starts over: a fresh genome finds fast kernels wherever the search no longer improves.
        if start is None or rng.random() < 0.2:
            return _Draw(self._aimed(template.fresh(brief, rng), rng))
        if self.mates and rng.random() < 0.25:
            other, mate = pick(self.mates, rng)
            crossed = self._aimed(template.cross(start, other, brief, rng), rng)
            return _Draw(crossed, tuple(dict.fromkeys((*self.ancestors, mate.kernel.id))))
        # Half of the time only what the target asks for, so that good neighbors spread unharmed.
        moved = template.mutate(start, brief, rng) if brief.target is None or rng.random() < 0.5 else start
        return _Draw(self._aimed(moved, rng), self.ancestors)

    def _aimed(self, genome: G, rng: np.random.Generator) -> G:
        target = self.brief.target
        return genome if target is None else self.template.towards(genome, target, self.brief, rng)
