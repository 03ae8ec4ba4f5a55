"""What became of a kernel that was offered to the archive."""

from __future__ import annotations

import enum


class Placement(enum.StrEnum):
    """What the archive did with an evaluation."""

    NEW = "new"
    """The first kernel of its cell."""
    IMPROVED = "improved"
    """Took the cell: faster than the incumbent, significantly and by more than a tie; or the incumbent failed."""
    NOT_ADDED = "not_added"
    """Not faster than the incumbent, as far as the measurement can tell."""
    NONE = "none"
    """The evaluation did not end ``ok``, so there was nothing to place."""
    CONTESTED = "contested"
    """Fast enough, but not timed against the kernel that holds the cell now; evaluate it again."""

    @property
    def placed(self) -> bool:
        """Whether the kernel took its cell."""
        return self in (Placement.NEW, Placement.IMPROVED)
