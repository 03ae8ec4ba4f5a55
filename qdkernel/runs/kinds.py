"""How conversations with models end, and what happens to a run itself; the values are those in its database."""

from __future__ import annotations

import enum


class End(enum.StrEnum):
    """How a conversation ended."""

    PROPOSAL = "proposal"
    """With a kernel."""
    PLAN = "plan"
    """With strategies for other conversations."""
    TEXT = "text"
    """With a text, e.g. lessons or a prompt section."""
    NOTHING = "nothing"
    """The model answered, but nothing could be read from it."""
    FAILED = "failed"
    """The model gave no usable reply, after all attempts."""
    CANCELLED = "cancelled"
    """The run has no use for it any more."""


class EventKind(enum.StrEnum):
    """What happened to a run itself."""

    STOPPED = "stopped"
    """A session ended; the text is the reason."""
    RETRACTED = "retracted"
    """A kernel that had ended ``ok`` failed when it was timed again."""
    STAGE = "stage"
    """Another stage began."""
    REMEASURE = "remeasure"
    """An elite that was timed again ended in a way that changes nothing."""
    REPLAY = "replay"
    """What a replayed conversation did not have."""
    NODE = "node"
    """A node of a cluster is slow, or cannot evaluate kernels."""
    MODEL = "model"
    """A model backs off, answers again, or is not asked any more."""
