"""Proposes what another run proposed, in the same order: models' replies are read again, and no model is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qdkernel.core import Evaluation, Placement, Proposal, RunStatus, StopReason
from qdkernel.llm import CallFailed
from qdkernel.mutators.llm import converse
from qdkernel.runs import End, EventKind, RunFolder, StoredConversation
from qdkernel.search.llm import answer_of
from qdkernel.search.source import PendingProposal


class Replay:
    """A recorded run as the source of proposals.

    Models' kernels are read from the stored replies again; everything else is taken as it was proposed. When a reply
    reads differently now, an event records it, and the kernel that it gives now is evaluated.

    Args:
        recorded: the run to replay.
        folder: the new run's, which gets a copy of the conversations.
        function: the problem's function.
        resamples: how often the recorded run asked again for an unreadable reply.
        say: given what differs.
    """

    ending = StopReason.REPLAYED
    waiting = False
    together = 1  # models' proposals are numbered as they are drawn

    def __init__(
        self, recorded: RunFolder, folder: RunFolder, function: str, resamples: int, say: Callable[[str], None]
    ) -> None:
        self._recorded = recorded
        self._folder = folder
        self._function = function
        self._resamples = resamples
        self._say = say
        self._pending: Iterator[PendingProposal] = iter(())

    def next(self) -> PendingProposal | None:
        """The next recorded proposal."""
        return next(self._pending, None)

    def evaluated(
        self,
        number: int,
        pending: PendingProposal,
        evaluation: Evaluation,
        placement: Placement,
        gain: float,
        cost: float,
    ) -> None:
        """Changes nothing: the recorded run decides what comes next."""

    def parked(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Changes nothing."""

    def recorded(self, proposal: Proposal, evaluation: Evaluation, placement: Placement) -> None:
        """Changes nothing."""

    def update_status(self, status: RunStatus) -> None:
        """Nothing to add."""

    def state(self) -> dict[str, Any]:  # Any: JSON
        """Nothing: the folder shows how far the replay is."""
        return {}

    def restore(self) -> None:
        """Continues after the proposals that the new folder contains already."""
        unfinished = self._folder.evaluations.unfinished()
        held = self._folder.evaluations.count() + len(unfinished)
        self._pending = self._all(held, unfinished)

    def _all(self, held: int, unfinished: list[tuple[int, Proposal]]) -> Iterator[PendingProposal]:
        yield from (PendingProposal(proposal, number) for number, proposal in unfinished)
        for at, (number, proposal) in enumerate(self._proposals()):
            if at >= held:
                yield self._again(number, proposal)

    def _proposals(self) -> list[tuple[int, Proposal]]:
        """Every proposal of the recorded run, in the order they were made."""
        evaluated = [(record.proposal_id, record.proposal) for record in self._recorded.evaluations.records()]
        return sorted([*evaluated, *self._recorded.evaluations.unfinished()], key=lambda item: item[0])

    def _again(self, number: int, proposal: Proposal) -> PendingProposal:
        stored = self._recorded.conversations.of_proposal(number)
        if stored is None:
            return PendingProposal(proposal)
        read = self._read(stored)
        if read is None or read.kernel.id != proposal.kernel.id:
            self._tell(f"proposal {number}: the model's reply reads differently now than when it was recorded")
        made = read or proposal
        return PendingProposal(made, self._copy(stored, made))

    def _read(self, stored: StoredConversation) -> Proposal | None:
        """The proposal that the stored replies give."""
        answers = iter(stored.calls)
        try:
            ending = converse(stored.assignment, lambda _: answer_of(next(answers)), self._function, self._resamples)
        except (CallFailed, StopIteration):
            return None
        return ending.proposal

    def _copy(self, stored: StoredConversation, proposal: Proposal) -> int:
        """Commits the conversation to the new folder as it was; returns the proposal's number there."""
        conversation = self._folder.conversations.add(stored.assignment, stored.model)
        for call in stored.calls:
            copied = self._folder.conversations.add_call(conversation, call.turn, call.messages)
            try:
                self._folder.conversations.answer_call(copied, answer_of(call))
            except CallFailed as failure:
                self._folder.conversations.fail_call(copied, failure)
        number = self._folder.conversations.end(conversation, End.PROPOSAL, proposal=proposal).proposal_number
        assert number is not None
        return number

    def _tell(self, text: str) -> None:
        self._say(text)
        self._folder.events.add(EventKind.REPLAY, text)
