"""The archive as a fold over a run's evaluations, with what follows from each: elites, known kernels, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from qdkernel.archives import Entry, KernelArchive
from qdkernel.core import (
    Cell,
    Evaluation,
    Fault,
    KernelId,
    Outcome,
    Placement,
    Proposal,
    RunStatus,
    cell_name,
    geometric_mean,
)
from qdkernel.evaluators.pipeline import SharedScratch
from qdkernel.runs import Record, RunFolder, elites


@dataclass
class HeldCell:
    """The evaluation that won a cell, and the objectives measured since.

    Attributes:
        record: number of the evaluation.
        proposal: the elite.
        objectives: GFLOP/s of its evaluation and its remeasurements.
    """

    record: int
    proposal: Proposal
    objectives: list[float]


class ArchiveFold:
    """Folds evaluations into the archive, and keeps workers and status up to date with it.

    Args:
        folder: of the run.
        archive: empty; it is rebuilt by ``restore``.
        scratch: shared with the workers: incumbents, and the kernels known.
        status: its outcomes, elites, best objective and news are kept up to date.

    Attributes:
        held: the cells that are held, by cell.
    """

    def __init__(self, folder: RunFolder, archive: KernelArchive, scratch: SharedScratch, status: RunStatus) -> None:
        self.held: dict[Cell, HeldCell] = {}
        self._folder = folder
        self._archive = archive
        self._scratch = scratch
        self._status = status
        self._judged: set[KernelId] = set()

    def judged(self, kernel_id: KernelId) -> bool:
        """Whether the kernel was evaluated before, with an outcome that would be the same again."""
        return kernel_id in self._judged

    def entry(self, cell: Cell | None) -> Entry | None:
        """The archive's entry in a cell."""
        return None if cell is None else self._archive.get(cell)

    def offer(self, evaluation: Evaluation) -> Placement:
        """Offers an evaluation to the archive; what follows is up to ``add``."""
        return self._archive.offer(evaluation)

    def add(self, proposal: Proposal, evaluation: Evaluation, placement: Placement, before: Entry | None) -> float:
        """Draws the consequences of an evaluation that was offered.

        Args:
            proposal: the kernel with its origin.
            evaluation: what happened to it.
            placement: what the archive did with it.
            before: the entry of its cell before it was offered.

        Returns:
            What it added to the QD score, in units of the best objective.
        """
        if placement.placed:
            self._install(proposal, evaluation, before)
        elif all(entry.kernel_id != evaluation.kernel_id for entry in self._archive):
            self._scratch.forget(evaluation.kernel_id)  # not an elite that was proposed once more
        self._make_known(evaluation)
        self._count(evaluation)
        if not placement.placed or evaluation.objective is None:
            return 0.0
        gained = evaluation.objective - (before.objective if before else 0.0)
        return max(0.0, gained) / self._archive.stats.best

    def committed(self, record: int, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """Takes in the number under which an evaluation was committed, and the fault its duel found, if any."""
        if placement.placed and evaluation.cell is not None:
            self._hold(evaluation.cell, record, proposal, evaluation)
        if evaluation.duel and evaluation.duel.fault:
            self._recount(elites(self._folder.evaluations()))

    def restore(self, record: Record) -> None:
        """Takes in an evaluation of an earlier session."""
        self._make_known(record.evaluation)
        if record.placed:
            self._restore_elite(record)
        self._count(record.evaluation)

    def add_speed(self, cell: Cell, evaluation: Evaluation) -> None:
        """Takes in a remeasurement of a cell's elite; the highest objective counts."""
        entry = self._archive.get(cell)
        assert entry is not None
        assert evaluation.objective is not None
        self.held[cell].objectives.append(evaluation.objective)
        if evaluation.objective > entry.objective:
            self._archive.put(replace(entry, objective=evaluation.objective))
            self._note_best(evaluation)
        self._count_elites()

    def retract(self, cell: Cell, evaluation: Evaluation) -> None:
        """Takes a cell from an elite that failed when it was timed again: its predecessor holds it again, if any."""
        self._folder.retract(evaluation.kernel_id, Fault(evaluation.outcome, evaluation.detail))
        left = elites(self._folder.evaluations())
        if cell in left:
            self._restore_elite(left[cell])
        else:
            self._archive.remove(cell)
            self._scratch.remove_incumbent(cell)
            del self.held[cell]
        self._recount(left)

    def _hold(self, cell: Cell, record: int, proposal: Proposal, evaluation: Evaluation) -> None:
        assert evaluation.objective is not None
        self.held[cell] = HeldCell(record, proposal, [evaluation.objective])

    def _install(self, proposal: Proposal, evaluation: Evaluation, before: Entry | None) -> None:
        cell, objective = evaluation.cell, evaluation.objective
        assert cell is not None
        assert objective is not None
        self._scratch.set_incumbent(cell, proposal.kernel, objective)
        was = f" (was {before.objective:.1f})" if before else ""
        self._status.news = f"{objective:.1f} GFLOP/s in {cell_name(cell)}{was}: {proposal.idea}"
        self._note_best(evaluation)

    def _restore_elite(self, record: Record) -> None:
        """Gives its cell to a record's kernel, as the log has it."""
        evaluation, proposal = record.evaluation, record.proposal
        assert evaluation.cell is not None
        assert evaluation.objective is not None
        before = self._archive.get(evaluation.cell)
        self._archive.put(Entry(evaluation.cell, evaluation.kernel_id, evaluation.objective))
        self._install(proposal, evaluation, before)
        self._hold(evaluation.cell, record.number, proposal, evaluation)

    def _note_best(self, evaluation: Evaluation) -> None:
        if (evaluation.objective or 0.0) >= self._archive.stats.best:
            self._status.best_ratio = geometric_mean([timing.ratio for timing in evaluation.timings])

    def _make_known(self, evaluation: Evaluation) -> None:
        """Makes the kernel known to workers, so that its equals are recognized."""
        if evaluation.outcome in (Outcome.DUPLICATE, Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE):
            return  # not a lasting fact about the kernel, or its original is known
        for code in (evaluation.normal_hash, evaluation.object_hash):
            if code:
                self._scratch.add_known(code, evaluation.kernel_id)

    def _count(self, evaluation: Evaluation) -> None:
        status = self._status
        if evaluation.outcome not in (Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE):
            self._judged.add(evaluation.kernel_id)  # the others may end otherwise another time
        status.evaluations += 1
        status.session_evaluations += 1
        status.outcomes[evaluation.outcome] += 1
        self._count_elites()

    def _count_elites(self) -> None:
        status, stats = self._status, self._archive.stats
        status.elites, status.qd_score, status.best = stats.num_elites, stats.qd_score, stats.best

    def _recount(self, left: Mapping[Cell, Record]) -> None:
        """Counts again after a record was retracted; ``left``: the elites of the log."""
        self._status.outcomes = Counter(self._folder.counts_by_outcome())
        for record in left.values():
            self._note_best(record.evaluation)
        self._count_elites()
