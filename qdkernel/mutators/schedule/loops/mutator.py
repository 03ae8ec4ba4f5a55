"""Transforms a loop of the parent's own text: what the schedule operator does for a problem without a template."""

from __future__ import annotations

import numpy as np

from qdkernel.core import Kernel, Proposal
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.draw import pick
from qdkernel.mutators.schedule.loops.nest import loops_of
from qdkernel.mutators.schedule.loops.transformations import TRANSFORMATIONS

_TRIES = 60  # seven transformations of several loops, of which few apply
_MOST_LOOPS = 100  # of a kernel; more are no one's


def transformed(operator: str, brief: Brief, rng: np.random.Generator) -> Proposal | None:
    """The parent with one or two of its loops transformed, which is not among the elites.

    ``None`` without a parent, or when no transformation applies. What the test of dependences takes for legal is
    verified as every kernel is.

    Args:
        operator: the name that the proposal carries.
        brief: with a parent.
        rng: of all choices.
    """
    if brief.parent is None:
        return None
    known = {elite.kernel.id for elite in brief.elites.values()} | {brief.parent.kernel.id}
    for _ in range(_TRIES):
        source = brief.parent.kernel.source
        ideas: list[str] = []
        for _ in range(pick((1, 1, 2, 3), rng)):
            loops = loops_of(source)
            if not 0 < len(loops) <= _MOST_LOOPS:
                break
            made = pick(TRANSFORMATIONS, rng)(source, pick(loops, rng), loops, rng)
            if made is not None:
                source, ideas = made.source, [*ideas, made.idea]
        kernel = Kernel(source)
        if ideas and kernel.id not in known:
            idea = "; ".join(ideas)
            return Proposal(kernel, operator, idea, (brief.parent.kernel.id,), brief.target)
    return None
