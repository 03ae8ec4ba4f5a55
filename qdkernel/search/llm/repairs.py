"""Repairs: a conversation whose kernel failed continues with what became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import replace

from qdkernel.core import Evaluation, Proposal
from qdkernel.llm import Message
from qdkernel.mutators.llm import Assignment
from qdkernel.mutators.llm.prompts import compose_repair
from qdkernel.runs import RunFolder
from qdkernel.search.history import REPAIRABLE


class Repairs:
    """The repairs that wait for a free request slot, in the order in which their kernels failed.

    Args:
        folder: contains the conversations.
        models: names of the run's models.
        most: repairs in a row of one kernel; 0 for none.
    """

    def __init__(self, folder: RunFolder, models: Collection[str], most: int) -> None:
        self._folder = folder
        self._models = models
        self._most = most
        self._waiting: deque[tuple[str, Assignment]] = deque()

    def evaluated(self, number: int, proposal: Proposal, evaluation: Evaluation) -> None:
        """Plans a repair when a model's kernel failed in a way that it can mend."""
        provenance = proposal.provenance
        turn = provenance.repairs + 1
        if provenance.arm is None or evaluation.outcome not in REPAIRABLE or turn > self._most:
            return
        said = self._said(number)
        model = provenance.arm.model
        if not said or model not in self._models:
            return
        repair = compose_repair(
            said,
            proposal.kernel.source,
            evaluation.outcome,
            evaluation.detail,
            turn,
            replace(provenance, repairs=turn, repair_of=proposal.kernel.id),
            proposal.parents,
            proposal.target,
        )
        self._waiting.append((model, repair))

    def next(self, free: Collection[str]) -> Assignment | None:
        """The first repair that one of the free models is asked for; ``None`` when there is none."""
        for at, (model, repair) in enumerate(self._waiting):
            if model in free:
                del self._waiting[at]
                return repair
        return None

    def _said(self, number: int) -> tuple[Message, ...]:
        """Everything said in the conversation that a proposal came from, the last reply included."""
        stored = self._folder.conversations.of_proposal(number)
        if stored is None or not stored.calls or stored.calls[-1].reply is None:
            return ()
        last = stored.calls[-1]
        return (*last.messages, Message("assistant", last.reply or ""))
