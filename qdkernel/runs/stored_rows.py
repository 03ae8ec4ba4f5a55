"""What the columns of a run's database hold; every value is checked as it is read.

The file may come from elsewhere, and SQLite stores any value in any column, whatever type the column declares.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)

from qdkernel.core import AXES, Cell, Duel, KernelId, Outcome, Placement, VerificationResult
from qdkernel.errors import RunFolderError
from qdkernel.llm import FailureKind, Message
from qdkernel.mutators.llm import Assignment
from qdkernel.runs.kinds import End, EventKind

_SHOWN = 60  # characters of a wrong value that a message quotes


def _known_levels(cell: Cell) -> Cell:
    for axis, level in zip(AXES, cell, strict=True):
        if not 0 <= level < len(axis.levels):
            raise ValueError(f"expected a level of {axis.name} below {len(axis.levels)}, got {level}")
    return cell


def _parsed(text: str | None) -> Any:  # Any: a JSON value
    """The value of a JSON text; unlike pydantic's own parser it reads the escape of half a surrogate pair."""
    try:
        return None if text is None else json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("expected JSON") from None


def _of_usual_size(value: float) -> float:
    if not 1e-30 < value < 1e30:  # beyond, products and quotients of two might overflow
        raise ValueError("expected a positive number")
    return value


def _decodable(stored: str | bytes | None) -> str | bytes | None:
    if isinstance(stored, bytes):
        try:
            stored.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise ValueError("expected text in UTF-8") from None
    return stored


JSON = BeforeValidator(_parsed)
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, AfterValidator(_of_usual_size)]
Bound = Annotated[float, Field(ge=0, allow_inf_nan=True)]  # of an interval
KnownCell = Annotated[Cell, AfterValidator(_known_levels)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,63}$")]  # of a scalar argument
Flag = Annotated[int, Field(ge=0, le=1)]


class StoredRow(BaseModel):
    """A row of a table, or of a query that joins it with others."""

    model_config = ConfigDict(frozen=True)

    what: ClassVar[str]
    """Its table."""

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """The row with its values checked.

        Raises:
            RunFolderError: a value is none that a run writes.
        """
        values = dict(row)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            column, *place = map(str, first["loc"])
            number = next((f", row {values[key]}" for key in ("id", "evaluation_id") if key in values), "")
            raise damaged(
                f"{cls.what}.{column}{number}: {''.join(f'{part}: ' for part in place)}{first['msg']}, "
                f"got {str(first['input'])[:_SHOWN]!r}"
            ) from None


def damaged(what: str) -> RunFolderError:
    """The error about a content that no run writes."""
    return RunFolderError(f"run.db: {what}; it was changed or is damaged: take the folder from a backup")


class ProposalRow(StoredRow):
    """A row of ``proposals`` with the source of its kernel."""

    what: ClassVar[str] = "proposals"
    id: PositiveInt
    kernel_id: KernelId
    source: bytes
    operator: str
    idea: str
    parents: Annotated[tuple[KernelId, ...], JSON]
    target: Annotated[KnownCell | None, JSON]
    notes: Annotated[dict[str, Any], JSON]  # Any: the operator's own JSON
    proposed_at: str
    conversation_id: PositiveInt | None
    arm_operator: str | None
    arm_model: str | None
    parent_cell: Annotated[KnownCell | None, JSON]
    stage: str
    repair_of: KernelId | None
    repairs: NonNegativeInt
    sections: Annotated[dict[str, int], JSON]
    shown: Annotated[tuple[KernelId, ...], JSON]


class EvaluationRow(ProposalRow):
    """A row of ``evaluations`` with its proposal, whose number is ``proposal_id``, and the model that was asked."""

    what: ClassVar[str] = "evaluations"
    proposal_id: PositiveInt
    outcome: Outcome
    detail: str
    cell: Annotated[KnownCell | None, JSON]
    evidence: Annotated[dict[str, str], JSON]
    objective: Positive | None
    proof: Annotated[VerificationResult | None, JSON]
    duplicate_of: KernelId | None
    normal_hash: str | None
    assembly_hash: str | None
    object_hash: str | None
    duel: Annotated[Duel | None, JSON]
    step_s: Annotated[dict[str, Seconds], JSON]
    began_s: Annotated[dict[str, Seconds], JSON]
    placement: Placement
    finished_at: str
    elapsed_s: Seconds
    model: str | None


class SampleRow(StoredRow):
    """A row of ``samples``."""

    what: ClassVar[str] = "samples"
    evaluation_id: PositiveInt
    measurement: int
    size: Annotated[dict[Name, PositiveInt], JSON, Field(min_length=1)]
    flops: Positive
    bytes: Positive
    block_calls: PositiveInt
    ratio: Positive
    ratio_low: Bound
    ratio_high: Bound
    gflops: Positive
    quiet: Flag
    bound: Flag
    joules: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    kernel_ns: Annotated[tuple[Positive, ...], JSON]
    reference_ns: Annotated[tuple[Positive, ...], JSON]


class ConversationRow(StoredRow):
    """A row of ``conversations``."""

    what: ClassVar[str] = "conversations"
    id: PositiveInt
    operator: str
    model: str
    started_at: str
    ended: End | None
    reason: str
    assignment: Annotated[Assignment, JSON]


class CallRow(StoredRow):
    """A row of ``model_calls``."""

    what: ClassVar[str] = "model_calls"
    id: PositiveInt
    turn: NonNegativeInt
    asked: PositiveInt
    attempts: int
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    estimated_tokens: int
    cost: Annotated[float, Field(allow_inf_nan=False)]
    asked_at: str
    answered_at: str | None
    latency_s: Seconds | None
    failure_kind: FailureKind | None
    failure: str | None
    reply: Annotated[str | bytes | None, AfterValidator(_decodable)]
    request: Annotated[tuple[Message, ...], JSON]


class EventRow(StoredRow):
    """A row of ``events``."""

    what: ClassVar[str] = "events"
    at: str
    kind: EventKind
    text: str
    elapsed_s: Seconds


class SpendingRow(StoredRow):
    """What one model has cost, summed over its calls."""

    what: ClassVar[str] = "model_calls"
    model: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: Annotated[float, Field(allow_inf_nan=False)]
    estimated_tokens: int
    replies: int
    failures: int


class BillRow(StoredRow):
    """What one answered call has cost."""

    what: ClassVar[str] = "model_calls"
    elapsed_s: Seconds
    tokens: int
    cost: Annotated[float, Field(allow_inf_nan=False)]
    latency_s: Seconds | None
    model: str
    failed: Flag


class FailureRow(StoredRow):
    """How often a model failed in one way."""

    what: ClassVar[str] = "model_calls"
    model: str
    kind: FailureKind
    calls: PositiveInt
    text: str


class EndingRow(StoredRow):
    """How often the conversations of an operator with a model ended in one way; ``ended`` is empty for none yet."""

    what: ClassVar[str] = "conversations"
    operator: str
    model: str
    ended: End | Literal[""]
    n: PositiveInt


class MetaRow(StoredRow):
    """A row of ``meta``."""

    what: ClassVar[str] = "meta"
    key: str
    value: str


class StateRow(StoredRow):
    """A row of ``state``."""

    what: ClassVar[str] = "state"
    value: Annotated[Any, JSON]  # Any: a JSON value


class ElapsedRow(StoredRow):
    """The run's active time, as committed last."""

    what: ClassVar[str] = "evaluations"
    elapsed_s: Seconds | None
