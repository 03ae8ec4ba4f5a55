"""Sweeps: a model's new elite is tried with other values of its tunable constants."""

from __future__ import annotations

from collections import deque

import numpy as np

from qdkernel.core import Cell, Proposal
from qdkernel.mutators import MUTATORS, Brief, Elite
from qdkernel.mutators.schedule import tunables
from qdkernel.search.briefs import BriefFactory


class Sweeps:
    """The sweeps that are planned.

    Args:
        briefs: of the sweeps' proposals.
        length: proposals per sweep; 0 for no sweeps.
    """

    def __init__(self, briefs: BriefFactory, length: int) -> None:
        self._briefs = briefs
        self._length = length
        self._planned: deque[Brief] = deque()
        self._tune = MUTATORS["tune"]()

    def plan(self, proposal: Proposal, elite: Elite, cell: Cell) -> None:
        """Plans a sweep of a new elite that a model wrote with tunable constants."""
        arm = proposal.provenance.arm
        if arm is not None and arm.model and tunables(proposal.kernel.source):
            brief = self._briefs.brief_on(elite, proposal.provenance.stage, cell)
            self._planned.extend([brief] * self._length)

    def next(self, rng: np.random.Generator) -> tuple[Proposal, Brief] | None:
        """The next proposal and its brief, which may be a kernel seen before; ``None`` when nothing is planned."""
        while self._planned:
            brief = self._planned.popleft()
            proposal = self._tune.propose(brief, rng)
            if proposal is not None:
                return proposal, brief
        return None
