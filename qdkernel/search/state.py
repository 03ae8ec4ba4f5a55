"""What a run commits beside its log so that a resume continues the search: typed, with a version."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from qdkernel.errors import RunFolderError
from qdkernel.runs import RunFolder


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmState(_Part):
    """Evidence on an arm; ``plays``, ``wins``, ``earned`` and ``cost`` have faded, the totals have not."""

    operator: str
    model: str
    plays: float
    wins: float
    earned: float
    cost: float
    total_plays: int
    total_earned: float
    total_cost: float


class ParentState(_Part):
    """Evidence on the elite of a cell as a parent, faded."""

    cell: str
    tries: float
    earned: float


class PlaysState(_Part):
    """Evidence of all plays that ended."""

    arms: tuple[ArmState, ...]
    parents: tuple[ParentState, ...]


class StageState(_Part):
    """The current stage, and the evaluations counted in it."""

    stage: str
    evaluations: int
    stagnation: int


class PolicyState(_Part):
    """The selection policy by name, and its own JSON."""

    name: str
    state: dict[str, Any]  # Any: JSON


class SearchState(_Part):
    """The proposer's state after an evaluation.

    Attributes:
        version: of this layout.
        rng: ``numpy.random.Generator.bit_generator.state``.
        policy: of selection.
        plays: bandit and parents' statistics.
        stage: ``None`` without stages.
    """

    key: ClassVar[str] = "search"

    version: Literal[1] = 1
    rng: dict[str, Any]  # Any: JSON
    policy: PolicyState
    plays: PlaysState
    stage: StageState | None = None


class PromptState(_Part):
    """Lessons and prompt sections of the run's models.

    Attributes:
        version: of this layout.
        lessons: what the run has learned so far, in a model's words.
        sections: ``PromptPool.to_json``.
        since_reflection: evaluations since lessons were last asked for.
        since_revision: evaluations since a section was last revised.
        skills: ``SkillPool.to_json``.
    """

    key: ClassVar[str] = "prompts"

    version: Literal[1] = 1
    lessons: str
    sections: dict[str, Any]  # Any: JSON
    since_reflection: int
    since_revision: int
    skills: dict[str, Any] = {}  # Any: JSON


class AgentState(_Part):
    """Sessions of the run's agent.

    Attributes:
        version: of this layout.
        sessions: begun so far.
        usd: US dollars booked for them.
        notes: what the agent has noted for later ones.
    """

    key: ClassVar[str] = "agent"

    version: Literal[1] = 1
    sessions: int
    usd: float
    notes: str


State = TypeVar("State", SearchState, PromptState, AgentState)


def stored(*states: SearchState | PromptState | AgentState) -> dict[str, Any]:  # Any: JSON
    """The states as a run folder commits them, by key."""
    return {state.key: state.model_dump() for state in states}


def load_state(folder: RunFolder, kind: type[State]) -> State | None:
    """The state last committed; ``None`` for a run that has committed none.

    Raises:
        RunFolderError: it is of another version, or not what this version writes.
    """
    data = folder.get_state(kind.key)
    if data is None:
        return None
    version, expected = data.get("version") if isinstance(data, dict) else None, kind.model_fields["version"].default
    if version != expected:
        raise RunFolderError(
            f"{folder.path}: expected the state '{kind.key}' in version {expected}, got version {version}; resume with "
            f"the qdkernel that wrote it (the run was begun by {folder.meta['harness']}), or start a new run"
        )
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise RunFolderError(f"{folder.path}: the state '{kind.key}' cannot be read: {error}") from error
