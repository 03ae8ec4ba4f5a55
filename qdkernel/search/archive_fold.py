"""The archive as a fold over a run's evaluations, with what follows from each: elites, known kernels, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from qdkernel.archives import Entry, KernelArchive
from qdkernel.core import (
    Cell,
    Evaluation,
    Fault,
    KernelId,
    Measured,
    Outcome,
    Placement,
    Proposal,
    RunStatus,
    cell_name,
    geometric_mean,
    pooled,
)
from qdkernel.evaluators.pipeline import SharedScratch
from qdkernel.runs import Record, RunFolder, elites


@dataclass
class HeldCell:
    """The evaluation that won a cell, and how fast its kernel was then and later.

    Attributes:
        record: number of the evaluation.
        proposal: the elite.
        measurements: of its evaluation and its remeasurements.
    """

    record: int
    proposal: Proposal
    measurements: list[Measured]

    @property
    def bound(self) -> bool:
        """Whether its speed is an upper bound, of a seed that was stopped."""
        return self.measurements[0].bound


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

    def objective(self, cell: Cell) -> float:
        """GFLOP/s of a cell's elite by all its measurements; 0 for an empty cell."""
        entry = self._archive.get(cell)
        return entry.objective if entry else 0.0

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
        taken = Entry.of(evaluation) if placement.placed else None
        if taken and evaluation.score:
            self._install(proposal, taken, evaluation.score, before)
        elif not self._archive.holds(evaluation.kernel_id):
            # Not an elite that was proposed once more. Its object may have been kept for a duel; its source never is.
            self._scratch.object_path(evaluation.kernel_id).unlink(missing_ok=True)
        self._make_known(evaluation)
        self._count(evaluation)
        if taken is None:
            return 0.0
        gained = taken.objective - (before.objective if before else 0.0)
        return max(0.0, gained) / self._archive.stats.best

    def committed(self, record: int, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """Takes in the number under which an evaluation was committed, and the fault its duel found, if any."""
        taken = Entry.of(evaluation) if placement.placed else None
        if taken and evaluation.score:
            self.held[taken.cell] = HeldCell(record, proposal, [evaluation.score])
        if evaluation.duel and evaluation.duel.fault:
            self._recount(elites(self._folder.evaluations.records()))

    def restore(self, record: Record) -> None:
        """Takes in an evaluation of an earlier session."""
        self._make_known(record.evaluation)
        if record.placed:
            self._restore_elite(record)
        self._count(record.evaluation)

    def add_speed(self, cell: Cell, speed: Measured) -> None:
        """Takes in a remeasurement of a cell's elite; all its measurements count."""
        held = self.held[cell]
        held.measurements.append(speed)
        together = pooled(held.measurements)
        self._archive.put(Entry(cell, held.proposal.kernel.id, together.objective))
        self._note_best(together)
        self._count_elites()

    def retract(self, cell: Cell, evaluation: Evaluation) -> None:
        """Takes a cell from an elite that failed when it was timed again: its predecessor holds it again, if any."""
        self._folder.evaluations.retract(evaluation.kernel_id, Fault(evaluation.outcome, evaluation.detail))
        left = elites(self._folder.evaluations.records())
        if cell in left:
            self._restore_elite(left[cell])
        else:
            self._archive.remove(cell)
            self._scratch.remove_incumbent(cell)
            del self.held[cell]
        self._recount(left)

    def _install(self, proposal: Proposal, taken: Entry, score: Measured, before: Entry | None) -> None:
        self._scratch.set_incumbent(taken.cell, proposal.kernel, taken.objective, score.bound)
        was = f" (was {before.objective:.1f})" if before else ""
        self._status.news = f"{taken.objective:.1f} GFLOP/s in {cell_name(taken.cell)}{was}: {proposal.idea}"
        self._note_best(score)

    def _restore_elite(self, record: Record) -> None:
        """Gives its cell to a record's kernel, as the log has it."""
        taken, score = Entry.of(record.evaluation), record.evaluation.score
        if taken is None or score is None:
            return
        before = self._archive.get(taken.cell)
        self._archive.put(taken)
        self._install(record.proposal, taken, score, before)
        self.held[taken.cell] = HeldCell(record.number, record.proposal, [score])

    def _note_best(self, speed: Measured | None) -> None:
        if speed and speed.objective >= self._archive.stats.best:
            self._status.best_ratio = geometric_mean([timing.ratio for timing in speed.timings])

    def _make_known(self, evaluation: Evaluation) -> None:
        """Makes the kernel known to workers, so that its equals are recognized."""
        if evaluation.outcome in (Outcome.DUPLICATE, Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE):
            return  # not a lasting fact about the kernel, or its original is known
        for code in evaluation.hashes.identities:
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
        self._status.outcomes = Counter(self._folder.evaluations.counts_by_outcome())
        for record in left.values():
            self._note_best(record.evaluation.score)
        self._count_elites()
