"""The schedule operator: changes a genome of scheduling choices and prints it, for problems that have a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from qdkernel.core import Kernel, KernelId, Notes, Proposal
from qdkernel.mutators.contract import Brief, Elite
from qdkernel.mutators.schedule.template import ScheduleTemplate
from qdkernel.mutators.schedule.templates import TEMPLATES

Item = TypeVar("Item")
Template = ScheduleTemplate[Any]  # Any: each template has genomes of its own

_TRIES = 20  # draws before giving up on a kernel that the archive does not hold
_FRESH_SHARE = 0.2  # heuristic: starting over finds fast kernels when the search is stuck
_CROSS_SHARE = 0.25  # heuristic


def genome_of(template: Template, notes: Notes) -> Any | None:
    """The genome stored with a kernel; ``None`` if there is none (a seed, a model's kernel, another version)."""
    values = notes.get("genome")
    return template.from_json(values) if isinstance(values, Mapping) else None


class ScheduleMutator:
    """Proposes kernels from a genome of scheduling choices, stored in ``Proposal.notes["genome"]``."""

    name = "schedule"

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` for a problem without a template, or when every draw is known."""
        template = TEMPLATES.get(brief.problem.name)
        if template is None:
            return None
        known = {elite.kernel.id for elite in brief.elites.values()}
        for _ in range(_TRIES):
            genome, idea, parents = _draw(template, brief, rng)
            kernel = Kernel(template.print(genome))
            if kernel.id not in known:
                notes = {"genome": template.to_json(genome)}
                return Proposal(kernel, self.name, idea, parents, brief.target, notes)
        return None


def _draw(template: Template, brief: Brief, rng: np.random.Generator) -> tuple[Any, str, tuple[KernelId, ...]]:
    """A genome, what is new about it, and the kernels it came from."""
    parent = brief.parent
    before = genome_of(template, parent.notes) if parent is not None else None
    if parent is None or before is None or rng.random() < _FRESH_SHARE:
        genome = template.fresh(brief, rng)
        if brief.target is not None:
            genome = template.towards(genome, brief.target, brief, rng)
        return genome, template.summary(genome), ()
    mates = [elite for elite in brief.elites.values() if elite is not parent and genome_of(template, elite.notes)]
    if mates and rng.random() < _CROSS_SHARE:
        return _cross(template, brief, before, parent, _pick(mates, rng), rng)
    if brief.target is None:
        genome = template.mutate(before, brief, rng)
    else:
        # In half of the draws only what the target asks for, so that good choices spread unchanged.
        moved = template.mutate(before, brief, rng) if rng.random() < 0.5 else before
        genome = template.towards(moved, brief.target, brief, rng)
    return genome, template.difference(before, genome), (parent.kernel.id,)


def _cross(
    template: Template, brief: Brief, before: Any, parent: Elite, mate: Elite, rng: np.random.Generator
) -> tuple[Any, str, tuple[KernelId, ...]]:
    genome = template.cross(before, genome_of(template, mate.notes), brief, rng)
    if brief.target is not None:
        genome = template.towards(genome, brief.target, brief, rng)
    idea = f"crossed with another elite: {template.difference(before, genome)}"
    return genome, idea, (parent.kernel.id, mate.kernel.id)


def _pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
