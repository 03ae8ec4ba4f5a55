"""Judged kernels as a run folder, on which ``show``, ``plot`` and ``export`` work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from qdkernel.archives import CONTESTS, Entry, KernelArchive
from qdkernel.core import Evaluation, Kernel, KernelId, Placement, Proposal, reachable_cells
from qdkernel.runs import RunFolder
from qdkernel.search import RunEnvironment

OPERATOR = "reward"


class RunRecorder:
    """Places every judged kernel in a MAP-Elites archive and commits it to a run folder.

    An incumbent is only replaced by a kernel that beat it in a duel, as in a search.

    Args:
        environment: the configuration on this machine.
        folder: the run's folder, open for writing; what it holds is continued.
    """

    def __init__(self, environment: RunEnvironment, folder: RunFolder) -> None:
        self._scratch = environment.scratch
        self._folder = folder
        reachable = frozenset(reachable_cells(environment.machine.simd_widths))
        self._archive = KernelArchive(reachable, environment.config.timing.tie)
        self._contests: Counter[KernelId] = Counter()
        self._unfinished = {proposal.kernel.id: number for number, proposal in folder.evaluations.unfinished()}

    def restore(self) -> Iterator[tuple[Kernel, Evaluation]]:
        """Rebuilds the archive from the folder; gives every evaluation that it holds."""
        for record in self._folder.evaluations.records():
            if record.placed:
                self._place(record.proposal.kernel, record.evaluation)
            yield record.proposal.kernel, record.evaluation

    def record(self, kernel: Kernel, stage: str, evaluation: Evaluation) -> bool:
        """Places and commits an evaluation; true when the kernel must be evaluated again, against a new incumbent."""
        placement = self._archive.offer(evaluation)
        if placement is Placement.CONTESTED:
            if self._contests[kernel.id] < CONTESTS:
                self._contests[kernel.id] += 1
                return True
            placement = Placement.NOT_ADDED
        self._contests.pop(kernel.id, None)
        number = self._unfinished.pop(kernel.id, None)
        if number is None:
            notes: dict[str, Any] = {"stage": stage} if stage else {}  # Any: JSON
            number = self._folder.evaluations.add_proposal(Proposal(kernel, OPERATOR, "", notes=notes))
        self._folder.evaluations.add(number, evaluation, placement, {})
        if placement.placed:
            self._place(kernel, evaluation)
        return False

    def _place(self, kernel: Kernel, evaluation: Evaluation) -> None:
        if entry := Entry.of(evaluation):
            self._archive.put(entry)
            self._scratch.set_incumbent(entry.cell, kernel, entry.objective)
