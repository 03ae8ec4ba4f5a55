"""The schedule operator: changes the choices of a genome and prints it; without a template it transforms loops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from qdkernel.core import Kernel, KernelId, Proposal
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.draw import pick
from qdkernel.mutators.schedule.loops import transformed
from qdkernel.mutators.schedule.registry import TEMPLATES, Templates, genome_of
from qdkernel.mutators.schedule.template import G, ScheduleTemplate

_TRIES = 20  # draws before giving up on a kernel that the archive does not hold


class ScheduleMutator:
    """Proposes kernels from a genome of scheduling choices; the genome is kept in ``Proposal.notes["genome"]``.

    Args:
        templates: by problem.
    """

    name = "schedule"

    def __init__(self, templates: Templates = TEMPLATES) -> None:
        self._templates = templates

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` when every draw is known.

        For a problem without a template it is the parent with transformed loops; ``None`` without a parent.
        """
        template = self._templates.get(brief.problem.name)
        if template is None:
            return transformed(self.name, brief, rng)
        if brief.target is not None and not template.reaches(brief.target):
            brief = replace(brief, target=None)  # no genome comes nearer than those that aim at nothing
        known = {elite.kernel.id for elite in brief.elites.values()}
        for _ in range(_TRIES):
            draw = _draw(template, brief, rng)
            kernel = Kernel(template.print(draw.genome))
            if kernel.id not in known:
                notes = {"genome": template.to_json(draw.genome)}
                return Proposal(kernel, self.name, draw.idea, draw.parents, brief.target, notes)
        return None


@dataclass(frozen=True)
class _Draw(Generic[G]):
    """A genome, what is new about it, and the kernels it came from."""

    genome: G
    idea: str
    parents: tuple[KernelId, ...] = ()


def _draw(template: ScheduleTemplate[G], brief: Brief, rng: np.random.Generator) -> _Draw[G]:
    parent = brief.parent
    if all(genome_of(elite.notes, template) is None for elite in brief.elites.values()):
        genome = template.fresh(brief, rng)
        # The first kernels are the template's best guess wherever the target is: all others descend from them.
        if brief.permitted is not None and template.cell_of(genome) not in brief.permitted:
            genome = _aimed(template, genome, brief, rng)
        return _Draw(genome, template.summary(genome))
    before = genome_of(parent.notes, template) if parent is not None else None
    # One draw in five starts over: a fresh genome finds fast kernels wherever the search no longer improves.
    if parent is None or before is None or rng.random() < 0.2:
        genome = _aimed(template, template.fresh(brief, rng), brief, rng)
        return _Draw(genome, template.summary(genome))
    mates = [each for each in brief.elites.values() if each is not parent and "genome" in each.notes]
    if mates and rng.random() < 0.25:
        mate = pick(mates, rng)
        if (other := genome_of(mate.notes, template)) is not None:
            genome = _aimed(template, template.cross(before, other, brief, rng), brief, rng)
            idea = f"crossed with another elite: {template.difference(before, genome)}"
            return _Draw(genome, idea, (parent.kernel.id, mate.kernel.id))
    # Half of the time only what the target asks for, so that good neighbors spread unharmed.
    moved = template.mutate(before, brief, rng) if brief.target is None or rng.random() < 0.5 else before
    genome = _aimed(template, moved, brief, rng)
    return _Draw(genome, template.difference(before, genome), (parent.kernel.id,))


def _aimed(template: ScheduleTemplate[G], genome: G, brief: Brief, rng: np.random.Generator) -> G:
    return genome if brief.target is None else template.towards(genome, brief.target, brief, rng)
