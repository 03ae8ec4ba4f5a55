"""Evaluations in a run folder: proposals, what happened to them, and what later timings of the elites found."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from qdkernel.core import Evaluation, Fault, Kernel, KernelId, Outcome, Placement, Proposal, Timing
from qdkernel.errors import UnknownName
from qdkernel.runs.kinds import EventKind
from qdkernel.runs.records import (
    HELD_OUT,
    RECORD_QUERY,
    Record,
    evaluation_row,
    insert,
    kernel_of,
    proposal_of,
    record_of,
    storable,
    timing_of,
    timing_row,
)
from qdkernel.runs.store import RunStore, insert_event, insert_proposal, insert_row, now, put_state
from qdkernel.runs.stored_rows import EvaluationRow, ProposalRow, SampleRow

# A reader's lock delays the writer, so readers take their rows in pages; one is read in a few milliseconds.
_PAGE = 200


@dataclass(frozen=True)
class Evaluated:
    """An evaluation to commit.

    Attributes:
        proposal_id: from ``EvaluationLog.add_proposal``.
        evaluation: of the proposal's kernel.
        placement: what the archive did with it.
    """

    proposal_id: int
    evaluation: Evaluation
    placement: Placement


class EvaluationLog:
    """The proposals and evaluations of a run; every method may be called from several threads.

    Args:
        store: the database of the run folder.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def add_proposal(self, proposal: Proposal) -> int:
        """Commits a proposal and returns its number; until it has an evaluation it counts as in flight."""
        [number] = self.add_proposals([proposal])
        return number

    def add_proposals(self, proposals: Sequence[Proposal]) -> list[int]:
        """Commits proposals together; see ``add_proposal``."""
        if not proposals:
            return []
        with self._store.transaction() as database:
            return [insert_proposal(database, proposal, None) for proposal in proposals]

    def add(
        self,
        proposal_id: int,
        evaluation: Evaluation,
        placement: Placement,
        state: Mapping[str, Any],  # Any: JSON values
    ) -> int:
        """Commits an evaluation with its samples and the state that follows from it, all or nothing.

        When the incumbent of the cell failed in its duel, its record ends with that fault.

        Args:
            proposal_id: from ``add_proposal``.
            evaluation: of the proposal's kernel.
            placement: what the archive did with it.
            state: JSON values to keep for a resume, by key, e.g. the random generator's.

        Raises:
            ValueError: no such proposal, one evaluated already, or another kernel's evaluation.
        """
        [number] = self.add_all([Evaluated(proposal_id, evaluation, placement)], state)
        return number

    def add_all(self, evaluated: Sequence[Evaluated], state: Mapping[str, Any]) -> list[int]:  # Any: JSON values
        """Commits evaluations in this order, with the state that follows from the last; see ``add``."""
        with self._store.transaction() as database:
            numbers = [self._insert(database, each) for each in evaluated]
            put_state(database, state)
        return numbers

    def _insert(self, database: sqlite3.Connection, evaluated: Evaluated) -> int:
        evaluation = evaluated.evaluation
        self._check_in_flight(evaluated.proposal_id, evaluation.kernel_id)
        row = {
            **evaluation_row(evaluation),
            "proposal_id": evaluated.proposal_id,
            "placement": evaluated.placement,
            "finished_at": now(),
            "elapsed_s": self._store.elapsed_s,
        }
        number = insert_row(database, "evaluations", row)
        _insert_samples(database, number, 0, evaluation.timings)
        if evaluation.hashes.normal:
            database.execute(
                "UPDATE kernels SET normal_hash = ? WHERE id = ?", (evaluation.hashes.normal, evaluation.kernel_id)
            )
        if evaluation.duel and evaluation.duel.fault:
            _retract(database, evaluation.duel.incumbent, evaluation.duel.fault, self._store.elapsed_s)
        return number

    def add_remeasurement(self, number: int, evaluation: Evaluation) -> int:
        """Commits another timing of a kernel that was evaluated before and returns its number, from 1.

        Args:
            number: of the record.
            evaluation: a later one of the same kernel; its objective and timings are kept.

        Raises:
            ValueError: no such record, one that is not ``ok``, another kernel's evaluation, or one that is not ``ok``.
        """
        if evaluation.score is None:
            raise ValueError(f"a measurement is an evaluation that ended ok; got {evaluation.outcome}")
        with self._store.transaction() as database:
            self._check_timed(number, evaluation.kernel_id)
            query = "SELECT count(*) AS n FROM remeasurements WHERE evaluation_id = ?"
            measurement = 1 + int(self._store.rows(query, (number,))[0]["n"])
            row = {
                "evaluation_id": number,
                "measurement": measurement,
                "objective": float(evaluation.score.objective),
                "measured_at": now(),
            }
            insert_row(database, "remeasurements", row)
            _insert_samples(database, number, measurement, evaluation.timings)
        return measurement

    def add_held_out(self, number: int, evaluation: Evaluation) -> None:
        """Commits the timings of a kernel at held-out sizes; they replace earlier ones.

        Args:
            number: of the record.
            evaluation: of the same kernel at other sizes than the scored ones.

        Raises:
            ValueError: no such record, one that is not ``ok``, or another kernel's evaluation.
        """
        with self._store.transaction() as database:
            self._check_timed(number, evaluation.kernel_id)
            database.execute("DELETE FROM samples WHERE evaluation_id = ? AND measurement = ?", (number, HELD_OUT))
            _insert_samples(database, number, HELD_OUT, evaluation.timings)

    def retract(self, kernel_id: KernelId, fault: Fault) -> None:
        """Commits that a kernel which had ended ``ok`` failed when it was timed again.

        Its record ends with the fault from now on, without an objective, and holds no cell: the elite
        before it holds the cell again. The samples stay, and an event records what happened.
        """
        with self._store.transaction() as database:
            _retract(database, kernel_id, fault, self._store.elapsed_s)

    def unfinished(self) -> list[tuple[int, Proposal]]:
        """Proposals in flight, oldest first: committed, but not evaluated; a resume evaluates them again."""
        rows = self._store.rows(
            """SELECT p.*, k.source FROM proposals p JOIN kernels k ON k.id = p.kernel_id
            WHERE NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.proposal_id = p.id) ORDER BY p.id"""
        )
        return [(row.id, proposal_of(row)) for row in map(ProposalRow.of, rows)]

    def records(self, after: int = 0) -> Iterator[Record]:
        """The log: every evaluation in the order of its commit; the archive is a fold over it.

        A remeasured kernel has objective and timings from all its measurements (``pooled``).

        Args:
            after: only the records with a higher number, for a reader that has the earlier ones.
        """
        last = after
        while rows := [EvaluationRow.of(row) for row in self._store.rows(RECORD_QUERY, (last, _PAGE))]:
            first, last = last, rows[-1].id
            timings = self._timings(first, last)
            yield from (record_of(row, timings[row.id]) for row in rows)

    def count(self) -> int:
        """How many evaluations were committed."""
        return int(self._store.rows("SELECT count(*) AS n FROM evaluations")[0]["n"])

    def counts_by_outcome(self) -> dict[Outcome, int]:
        """How many evaluations ended in each outcome, in the outcomes' order; those that never came are left out."""
        rows = self._store.rows("SELECT outcome, count(*) AS n FROM evaluations GROUP BY outcome")
        counts = {row["outcome"]: int(row["n"]) for row in rows}
        return {outcome: counts[outcome] for outcome in Outcome if outcome in counts}

    def kernel(self, kernel_id: KernelId) -> Kernel:
        """The kernel with this id.

        Raises:
            UnknownName: the run has no such kernel.
        """
        rows = self._store.rows("SELECT source FROM kernels WHERE id = ?", (kernel_id,))
        if not rows:
            raise UnknownName(f"no kernel {kernel_id!r} in {self._store.path}; ids are 64 hexadecimal digits")
        return kernel_of(rows[0]["source"], kernel_id)

    def _timings(self, after: int, until: int) -> Mapping[int, dict[int, tuple[Timing, ...]]]:
        """Timings of a page of evaluations by number of the measurement; the evaluation's own is 0."""
        rows = self._store.rows(
            """SELECT * FROM samples WHERE evaluation_id > ? AND evaluation_id <= ?
            ORDER BY evaluation_id, measurement, position""",
            (after, until),
        )
        timings: dict[int, dict[int, tuple[Timing, ...]]] = defaultdict(dict)
        found = map(SampleRow.of, rows)
        for (number, at), measurement in groupby(found, key=lambda row: (row.evaluation_id, row.measurement)):
            timings[number][at] = tuple(map(timing_of, measurement))
        return timings

    def _check_timed(self, number: int, kernel_id: KernelId) -> None:
        rows = self._store.rows("SELECT kernel_id, outcome FROM evaluations WHERE id = ?", (number,))
        if not rows:
            raise ValueError(f"expected the number of a record of this run, got {number}")
        if rows[0]["outcome"] != Outcome.OK:
            raise ValueError(f"record {number} ended {rows[0]['outcome']}; only a kernel that was ok is timed again")
        if rows[0]["kernel_id"] != kernel_id:
            raise ValueError(
                f"record {number} is of kernel {rows[0]['kernel_id'][:12]}, but the measurement is at {kernel_id[:12]}"
            )

    def _check_in_flight(self, proposal_id: int, kernel_id: KernelId) -> None:
        rows = self._store.rows(
            """SELECT p.kernel_id, e.id AS number FROM proposals p LEFT JOIN evaluations e ON e.proposal_id = p.id
            WHERE p.id = ?""",
            (proposal_id,),
        )
        if not rows:
            raise ValueError(f"expected the number of a proposal of this run, got {proposal_id}")
        if rows[0]["number"] is not None:
            raise ValueError(f"proposal {proposal_id} was evaluated already (evaluation {rows[0]['number']})")
        if rows[0]["kernel_id"] != kernel_id:
            raise ValueError(
                f"proposal {proposal_id} is of kernel {rows[0]['kernel_id'][:12]}, "
                f"but the evaluation is of {kernel_id[:12]}"
            )


def _insert_samples(database: sqlite3.Connection, number: int, measurement: int, timings: Iterable[Timing]) -> None:
    for position, timing in enumerate(timings):
        row = {"evaluation_id": number, "measurement": measurement, "position": position, **timing_row(timing)}
        database.execute(insert("samples", row), row)


def _retract(database: sqlite3.Connection, kernel_id: KernelId, fault: Fault, elapsed_s: float) -> None:
    detail = f"ended ok, then failed when it was timed again: {fault.detail}"
    changed = database.execute(
        """UPDATE evaluations SET outcome = ?, detail = ?, objective = NULL, placement = ?
        WHERE kernel_id = ? AND outcome = ?""",
        (str(fault.outcome), storable(detail), str(Placement.NONE), kernel_id, str(Outcome.OK)),
    )
    if changed.rowcount:  # not when two duels at once found the same
        insert_event(
            database, EventKind.RETRACTED, f"kernel {kernel_id[:12]} is {fault.outcome}: it {detail}", elapsed_s
        )
