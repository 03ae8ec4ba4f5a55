"""What the loop gets its proposals from, and a proposal until it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qdkernel.core import Evaluation, Placement, Proposal, RunStatus, StopReason
from qdkernel.evaluators.pipeline import Accept
from qdkernel.search.credit import Play


@dataclass(frozen=True)
class PendingProposal:
    """A proposal that is not evaluated yet.

    Attributes:
        proposal: the kernel with its origin.
        number: in the run folder; ``None`` while the folder does not contain it.
        accept: which behaviors its stage accepts; ``None`` for all.
        play: settled by its evaluation; ``None`` for seeds and replays.
        cost: of the conversation that brought it, as a share of the budget.
    """

    proposal: Proposal
    number: int | None = None
    accept: Accept | None = None
    play: Play | None = None
    cost: float = 0.0


class Source(Protocol):
    """Where the loop gets its proposals from.

    Attributes:
        together: how many proposals may be drawn before the first of them is committed.
    """

    together: int

    def next(self) -> PendingProposal | None:
        """The next proposal; ``None`` when there is none at the moment."""

    @property
    def waiting(self) -> bool:
        """Whether one may still come, e.g. from a model that has been asked."""

    @property
    def ending(self) -> StopReason:
        """Why the run ends when there is none and none may come."""

    def evaluated(
        self,
        number: int,
        pending: PendingProposal,
        evaluation: Evaluation,
        placement: Placement,
        gain: float,
        cost: float,
    ) -> None:
        """What became of a proposal of this session.

        Args:
            number: of the proposal.
            pending: from ``next``.
            evaluation: of its kernel.
            placement: what the archive did with it.
            gain: what it added to the QD score, in units of the best objective.
            cost: of the evaluation, as a share of the budget.
        """

    def parked(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """A model's kernel could not be timed and will be tried again; ``evaluated`` follows."""

    def recorded(self, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """What became of a proposal of an earlier session; its gain and cost are in the saved state."""

    def update_status(self, status: RunStatus) -> None:
        """Adds stage and models to the status."""

    def state(self) -> Mapping[str, Any]:  # Any: JSON
        """What is committed with each evaluation, for ``restore``."""

    def restore(self) -> None:
        """Continues where an earlier session stopped; called after every ``recorded``."""
