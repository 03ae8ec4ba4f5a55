"""The schedule operator: turns the knobs of a genome and prints it, for the problems that have a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from qdkernel.core import Kernel, KernelId, Notes, Proposal
from qdkernel.mutators.contract import Brief, Elite
from qdkernel.mutators.schedule.gemm import (
    ELEMENT_BYTES,
    Genome,
    TuningContext,
    crossed,
    difference,
    fresh,
    mutated,
    pick,
    print_gemm,
    setting_of,
    summary,
    towards,
)

_TRIES = 20  # draws before giving up on a kernel that the archive does not hold


@dataclass(frozen=True)
class Template:
    """A problem's template: how to print a genome, and the size of an element in bytes."""

    print: Callable[[Genome], str]
    element_bytes: int


TEMPLATES: Mapping[str, Template] = {
    name: Template(partial(print_gemm, function=name), size) for name, size in ELEMENT_BYTES.items()
}


def genome_of(notes: Notes) -> Genome | None:
    """The genome kept beside a kernel, or ``None`` when there is none (a seed, a model's kernel, an older version)."""
    values = notes.get("genome")
    if not isinstance(values, Mapping):
        return None
    try:
        return Genome.from_json(values)
    except TypeError:
        return None


class ScheduleMutator:
    """Proposes kernels from a genome of scheduling choices; the genome is kept in ``Proposal.notes["genome"]``."""

    name = "schedule"

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` for a problem without a template, or when every draw is known."""
        template = TEMPLATES.get(brief.problem.name)
        if template is None:
            return None
        setting = setting_of(brief, template.element_bytes)
        known = {elite.kernel.id for elite in brief.elites.values()}
        for _ in range(_TRIES):
            genome, idea, parents = _draw(brief, setting, rng)
            kernel = Kernel(template.print(genome))
            if kernel.id not in known:
                notes = {"genome": genome.to_json()}
                return Proposal(kernel, self.name, idea, parents, brief.target, notes)
        return None


def _draw(brief: Brief, setting: TuningContext, rng: np.random.Generator) -> tuple[Genome, str, tuple[KernelId, ...]]:
    """A genome, what is new about it, and the kernels it came from."""
    parent = brief.parent
    before = genome_of(parent.notes) if parent is not None else None
    # Now and then start over from the cache model: it finds fast kernels wherever the search has got stuck.
    if parent is None or before is None or rng.random() < 0.2:
        genome = fresh(setting, rng)
        if brief.target is not None:
            genome = towards(genome, brief.target, setting, rng)
        return genome, summary(genome), ()
    mates = [elite for elite in brief.elites.values() if elite is not parent and genome_of(elite.notes) is not None]
    if mates and rng.random() < 0.25:
        return _cross(brief, setting, before, parent, pick(mates, rng), rng)
    if brief.target is None:
        genome = mutated(before, setting, rng)
    else:
        # Half of the time only what the target asks for, so that good neighbours spread unharmed.
        moved = mutated(before, setting, rng) if rng.random() < 0.5 else before
        genome = towards(moved, brief.target, setting, rng)
    return genome, difference(before, genome), (parent.kernel.id,)


def _cross(
    brief: Brief, setting: TuningContext, before: Genome, parent: Elite, mate: Elite, rng: np.random.Generator
) -> tuple[Genome, str, tuple[KernelId, ...]]:
    other = genome_of(mate.notes)
    assert other is not None  # mates are elites with a genome
    genome = crossed(before, other, setting, rng)
    if brief.target is not None:
        genome = towards(genome, brief.target, setting, rng)
    return genome, f"crossed with another elite: {difference(before, genome)}", (parent.kernel.id, mate.kernel.id)
