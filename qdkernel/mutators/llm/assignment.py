"""What is said to a model and what comes of it: messages, assignments, endings, and how a call can fail."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from qdkernel.core import Cell, KernelId, Notes, Proposal, Provenance
from qdkernel.llm import Message


class Expect(enum.StrEnum):
    """What an assignment asks for; how its replies are read."""

    KERNEL = "kernel"
    """A whole kernel; edit blocks are accepted too when there is a base."""
    EDITS = "edits"
    """SEARCH/REPLACE blocks for the base; a whole kernel is accepted too."""
    PLAN = "plan"
    """A list of strategies."""
    TEXT = "text"
    """Plain text, e.g. lessons or a prompt section."""


@dataclass(frozen=True)
class Assignment:
    """A conversation about to be held; with the replies it gives the same ending every time.

    Attributes:
        operator: e.g. ``edit``.
        messages: the opening: system, user, and for a repair everything said before.
        expects: how replies are read.
        base: source that edit blocks apply to; empty when there is none.
        parents: the elites the result will descend from.
        target: the cell asked for.
        notes: the operator's own JSON, which the resulting proposal carries too.
        provenance: of the resulting proposal.
    """

    operator: str
    messages: tuple[Message, ...]
    expects: Expect
    base: str = ""
    parents: tuple[KernelId, ...] = ()
    target: Cell | None = None
    notes: Notes = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """As stored in a run folder."""
        return {
            "operator": self.operator,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "expects": self.expects.value,
            "base": self.base,
            "parents": list(self.parents),
            "target": None if self.target is None else list(self.target),
            "notes": dict(self.notes),
            "provenance": self.provenance.to_json(),
        }


@dataclass(frozen=True)
class Strategy:
    """What a plan hands to one programmer.

    Attributes:
        parent: which of the kernels shown to the manager to start from, from 1.
        target: the cell in the manager's words.
        text: two or three sentences.
    """

    parent: int
    target: str
    text: str


@dataclass(frozen=True)
class Ending:
    """How a conversation ended: with a proposal, a plan or a text; otherwise the reason why not.

    Attributes:
        proposal: the kernel read from the reply.
        plan: one strategy per programmer.
        text: what was asked for as text.
        reason: why there is nothing, for people, models and statistics; empty when there is something.
        understood: whether the last reply could be read, though nothing came of it, e.g. of an edit that misses.
        messages: the whole conversation, replies included; a repair continues it.
    """

    proposal: Proposal | None = None
    plan: tuple[Strategy, ...] = ()
    text: str = ""
    reason: str = ""
    messages: tuple[Message, ...] = ()
    understood: bool = False
