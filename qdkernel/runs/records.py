"""Rows of a run's database as the project's own values, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qdkernel.core import (
    Arm,
    Behaviour,
    Cell,
    CodeHashes,
    Evaluation,
    Kernel,
    Measured,
    Outcome,
    Placement,
    Proposal,
    Provenance,
    Timing,
    geometric_mean,
    pool,
)
from qdkernel.runs.kinds import EventKind
from qdkernel.runs.stored_rows import EvaluationRow, ProposalRow, SampleRow, damaged

RECORD_QUERY = """
    SELECT e.*, p.operator, p.idea, p.parents, p.target, p.notes, p.proposed_at, p.conversation_id, p.arm_operator,
    p.arm_model, p.parent_cell, p.stage, p.repair_of, p.repairs, p.sections, p.shown, c.model, k.source
    FROM evaluations e JOIN proposals p ON p.id = e.proposal_id JOIN kernels k ON k.id = e.kernel_id
    LEFT JOIN conversations c ON c.id = p.conversation_id
    WHERE e.id > ? ORDER BY e.id LIMIT ?"""


HELD_OUT = -1  # number of the measurement at held-out sizes in the table of samples


@dataclass(frozen=True)
class Record:
    """One line of a run's log: a proposal, what happened to it, and what the archive did with it.

    Attributes:
        number: from 1, in the order in which evaluations were committed.
        proposal_id: the proposal's number in its run.
        proposal: the kernel with its origin.
        evaluation: what happened to it; when remeasured, objective and timings from all measurements.
        placement: the archive's answer.
        proposed_at: UTC, ISO 8601.
        finished_at: UTC, ISO 8601.
        elapsed_s: seconds the run had been active, pauses between sessions left out.
        conversation_id: the conversation with a model that brought the proposal; ``None`` for built-in operators.
        model: the model of that conversation.
        num_measurements: how many times the kernel was timed; 1 when it was never remeasured.
        held_out: timings at held-out sizes; of the run's best elites only.
    """

    number: int
    proposal_id: int
    proposal: Proposal
    evaluation: Evaluation
    placement: Placement
    proposed_at: str
    finished_at: str
    elapsed_s: float
    conversation_id: int | None
    model: str | None
    num_measurements: int
    held_out: tuple[Timing, ...] = ()

    @property
    def source(self) -> str:
        """The kernel's source."""
        return self.proposal.kernel.source

    @property
    def placed(self) -> bool:
        """Whether the kernel took its cell."""
        return self.placement.placed


def elites(records: Iterable[Record]) -> dict[Cell, Record]:
    """Who holds each cell: the last record that took it, ordered by cell."""
    holders = {
        record.evaluation.cell: record for record in records if record.placed and record.evaluation.cell is not None
    }
    return dict(sorted(holders.items()))


@dataclass(frozen=True)
class Event:
    """Something that happened to the run itself, e.g. ``stopped`` with the reason; ``at`` is UTC, ISO 8601."""

    at: str
    kind: EventKind
    text: str
    elapsed_s: float


def to_json(value: Any) -> str:  # Any: JSON values, numpy scalars among them
    """Compact JSON; NaN and infinity as Python writes them."""
    return _JSON.encode(value)


def storable(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (bytes a compiler or a model let slip through) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def source_bytes(kernel: Kernel) -> bytes:
    """The bytes of a kernel's source, those its id is the hash of."""
    return kernel.source.encode("utf-8", "surrogateescape")


def kernel_of(source: bytes, kernel_id: str) -> Kernel:
    """The kernel with these bytes.

    Raises:
        RunFolderError: they are not what ``kernel_id`` is the hash of.
    """
    kernel = Kernel(bytes(source).decode("utf-8", "surrogateescape"))
    if kernel.id != kernel_id:
        raise damaged(f"the source stored for kernel {kernel_id[:12]} is that of {kernel.id[:12]}")
    return kernel


def proposal_row(proposal: Proposal) -> dict[str, Any]:  # Any: what SQLite stores
    """Columns of ``proposals``, all but the id and the time."""
    return {
        "kernel_id": proposal.kernel.id,
        "operator": proposal.operator,
        "idea": storable(proposal.idea),
        "parents": to_json(list(proposal.parents)),
        "target": _cell_json(proposal.target),
        "notes": to_json(dict(proposal.notes)),
        **_provenance_row(proposal.provenance),
    }


def _provenance_row(provenance: Provenance) -> dict[str, Any]:  # Any: what SQLite stores
    return {
        "arm_operator": provenance.arm.operator if provenance.arm else None,
        "arm_model": provenance.arm.model if provenance.arm else None,
        "parent_cell": _cell_json(provenance.parent_cell),
        "stage": provenance.stage,
        "repair_of": provenance.repair_of,
        "repairs": provenance.repairs,
        "sections": to_json(dict(provenance.sections)),
        "shown": to_json(list(provenance.shown)),
    }


def _provenance_of(row: ProposalRow) -> Provenance:
    return Provenance(
        arm=None if row.arm_operator is None else Arm(row.arm_operator, row.arm_model or ""),
        parent_cell=row.parent_cell,
        stage=row.stage,
        repair_of=row.repair_of,
        repairs=row.repairs,
        sections=row.sections,
        shown=row.shown,
    )


def proposal_of(row: ProposalRow) -> Proposal:
    """The proposal in a row.

    Raises:
        RunFolderError: the source is not the one that the kernel's id is the hash of.
    """
    return Proposal(
        kernel=kernel_of(row.source, row.kernel_id),
        operator=row.operator,
        idea=row.idea,
        parents=row.parents,
        target=row.target,
        notes=row.notes,
        provenance=_provenance_of(row),
    )


def evaluation_row(evaluation: Evaluation) -> dict[str, Any]:  # Any: what SQLite stores
    """Columns of ``evaluations`` that come from the evaluation itself."""
    return {
        "kernel_id": evaluation.kernel_id,
        "outcome": str(evaluation.outcome),
        "detail": storable(evaluation.detail),
        "cell": _cell_json(evaluation.cell),
        "evidence": to_json(dict(evaluation.evidence)),
        "objective": _real(evaluation.objective),
        "proof": to_json(vars(evaluation.verification)) if evaluation.verification else None,
        "duplicate_of": evaluation.duplicate_of,
        "normal_hash": evaluation.hashes.normal,
        "assembly_hash": evaluation.hashes.assembly,
        "object_hash": evaluation.hashes.object,
        "duel": to_json(asdict(evaluation.duel)) if evaluation.duel else None,
        "step_s": to_json(dict(evaluation.step_s)),
        "began_s": to_json(dict(evaluation.began_s)),
    }


def evaluation_of(row: EvaluationRow, timings: tuple[Timing, ...], objective: float | None) -> Evaluation:
    """The evaluation in a row, with the objective of the measurement that the timings are from."""
    return Evaluation(
        kernel_id=row.kernel_id,
        outcome=row.outcome,
        detail=row.detail,
        behaviour=None if row.cell is None else Behaviour(row.cell, row.evidence),
        measured=_measured_of(row, timings, objective),
        verification=row.proof,
        duplicate_of=row.duplicate_of,
        hashes=CodeHashes(row.normal_hash, row.assembly_hash, row.object_hash),
        step_s=row.step_s,
        began_s=row.began_s,
    )


def _measured_of(row: EvaluationRow, timings: tuple[Timing, ...], objective: float | None) -> Measured | None:
    if objective is None and not timings:
        return None
    if objective is None:  # the kernel failed after it was timed
        objective = geometric_mean([timing.gflops for timing in timings])
    return Measured(objective, timings, row.duel)


def timing_row(timing: Timing) -> dict[str, Any]:  # Any: what SQLite stores
    """Columns of ``samples``, all but the key."""
    return {
        "size": to_json(dict(timing.size)),
        "flops": float(timing.flops),
        "bytes": float(timing.bytes),
        "block_calls": int(timing.block_calls),
        "ratio": float(timing.ratio),
        "ratio_low": float(timing.ratio_low),
        "ratio_high": float(timing.ratio_high),
        "gflops": float(timing.gflops),
        "quiet": int(timing.quiet),
        "bound": int(timing.bound),
        "joules": timing.joules,
        "kernel_ns": to_json(list(timing.kernel_ns)),
        "reference_ns": to_json(list(timing.reference_ns)),
    }


def timing_of(row: SampleRow) -> Timing:
    """The timing in a row.

    Raises:
        RunFolderError: kernel and reference do not have as many samples.
    """
    if len(row.kernel_ns) != len(row.reference_ns):
        raise damaged(
            f"samples, row {row.evaluation_id}: {len(row.kernel_ns)} blocks of the kernel, but "
            f"{len(row.reference_ns)} of the reference"
        )
    return Timing(
        size=row.size,
        flops=row.flops,
        bytes=row.bytes,
        block_calls=row.block_calls,
        kernel_ns=row.kernel_ns,
        reference_ns=row.reference_ns,
        ratio=row.ratio,
        ratio_low=row.ratio_low,
        ratio_high=row.ratio_high,
        gflops=row.gflops,
        quiet=bool(row.quiet),
        bound=bool(row.bound),
        joules=row.joules,
    )


def record_of(row: EvaluationRow, samples: Mapping[int, tuple[Timing, ...]]) -> Record:
    """The record in a row, with the timings of its measurements by their numbers.

    Raises:
        RunFolderError: values that do not go with one another.
    """
    measurements = [timings for number, timings in sorted(samples.items()) if number != HELD_OUT]
    timings, objective = measurements[0] if measurements else (), row.objective
    if contradiction := _contradiction(row, measurements):
        raise damaged(f"evaluations, row {row.id}: {contradiction}")
    if objective is not None and len(measurements) > 1:  # a kernel that failed later keeps its own samples
        timings = pool(measurements)
        objective = geometric_mean([timing.gflops for timing in timings])
    return Record(
        number=row.id,
        proposal_id=row.proposal_id,
        proposal=proposal_of(row),
        evaluation=evaluation_of(row, timings, objective),
        placement=row.placement,
        proposed_at=row.proposed_at,
        finished_at=row.finished_at,
        elapsed_s=row.elapsed_s,
        conversation_id=row.conversation_id,
        model=row.model,
        num_measurements=max(1, len(measurements)),
        held_out=samples.get(HELD_OUT, ()),
    )


def _contradiction(row: EvaluationRow, measurements: Sequence[Sequence[Timing]]) -> str | None:
    """What of a record does not go together; ``None`` for every record that a run writes."""
    if row.outcome is Outcome.OK and (row.objective is None or row.cell is None or not measurements):
        return "the kernel ended ok, but has no cell, no speed or no samples"
    if row.placement.placed and row.outcome is not Outcome.OK:
        return f"the kernel took a cell, but ended {row.outcome}"
    if row.conversation_id is not None and row.model is None:
        return f"it is from conversation {row.conversation_id}, which is not there"
    sizes = [[timing.size for timing in timings] for timings in measurements]
    if any(each != sizes[0] for each in sizes):
        return "its measurements have different sizes"
    return "its sizes have different names" if len({tuple(size) for each in sizes for size in each}) > 1 else None


def insert(table: str, row: Mapping[str, Any]) -> str:
    """The statement that inserts a row with these columns."""
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(':' + column for column in row)})"


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _cell_json(cell: Cell | None) -> str | None:
    return None if cell is None else to_json([int(level) for level in cell])


def _plain(value: Any) -> Any:
    """The Python number or list in a numpy scalar or array."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"expected a JSON value, got {type(value).__name__}: {value!r}")


_JSON = json.JSONEncoder(separators=(",", ":"), default=_plain)
