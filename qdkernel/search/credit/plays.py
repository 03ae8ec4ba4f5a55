"""Plays: one try of an arm on a parent, counted in the bandit and in the parents' statistics together."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping

import numpy as np

from qdkernel.core import Arm, Cell
from qdkernel.search.credit.bandit import Bandit
from qdkernel.search.credit.parents import ParentStats
from qdkernel.search.state import PlaysState


class _Status(enum.Enum):
    IN_FLIGHT = enum.auto()
    """Counts for arm and parent."""
    HELD = enum.auto()
    """Counts for the parent only."""
    ENDED = enum.auto()
    """Counts as evidence."""


class Play:
    """One try of an arm on a parent; made by ``PlayLedger.begin`` and ended once, by ``settle`` or ``abandon``."""

    def __init__(self, bandit: Bandit, parents: ParentStats, arm: Arm, parent: Cell | None) -> None:
        self.arm = arm
        self.parent = parent
        self._bandit = bandit
        self._parents = parents
        self._status = _Status.IN_FLIGHT
        bandit.enter(arm)
        if parent is not None:
            parents.enter(parent)

    def hold(self) -> None:
        """The proposal waits for an evaluator and no longer counts as in flight for its arm, until ``release``.

        Otherwise an arm would be passed over because it has something to offer. For the parent it still counts:
        nothing is known yet of what came of it.
        """
        self._expect(_Status.IN_FLIGHT)
        self._status = _Status.HELD
        self._bandit.leave(self.arm)

    def release(self) -> None:
        """The proposal is handed to an evaluator and counts as in flight again.

        Raises:
            ValueError: the play was not held.
        """
        self._expect(_Status.HELD)
        self._status = _Status.IN_FLIGHT
        self._bandit.enter(self.arm)

    def settle(self, gain: float, cost: float) -> None:
        """Ends the play.

        Args:
            gain: improvement, in a unit that is the same for all arms; 0 for none.
            cost: in a unit that is the same for all arms.

        Raises:
            ValueError: the play has ended already, or a number is negative or not finite; then nothing has changed.
        """
        self._expect(_Status.IN_FLIGHT, _Status.HELD)
        self._bandit.record(self.arm, gain, cost)
        if self._status is _Status.IN_FLIGHT:
            self._bandit.leave(self.arm)
        if self.parent is not None:
            self._parents.record(self.parent, gain)
            self._parents.leave(self.parent)
        self._status = _Status.ENDED

    def abandon(self, cost: float) -> None:
        """Ends a play that led to no evaluation: a try in vain that has its cost all the same."""
        self.settle(0.0, cost)

    def _expect(self, *statuses: _Status) -> None:
        if self._status not in statuses:
            expected = " or ".join(status.name.lower() for status in statuses)
            raise ValueError(
                f"expected a play that is {expected}, but that of {self.arm} is {self._status.name.lower()}"
            )


class PlayLedger:
    """The bandit and the parents' statistics of a run, which change only through plays.

    Args:
        weights: of the arms, as ``Bandit`` takes them.
    """

    def __init__(self, weights: Mapping[Arm, float]) -> None:
        self._bandit = Bandit(weights)
        self._parents = ParentStats()

    def choose(self, among: Collection[Arm], rng: np.random.Generator) -> Arm:
        """The arm to play next (see ``Bandit.choose``)."""
        return self._bandit.choose(among, rng)

    def parent_factor(self, cell: Cell) -> float:
        """How much likelier than usual the cell's elite should be a parent (see ``ParentStats.factor``)."""
        return self._parents.factor(cell)

    def begin(self, arm: Arm, parent: Cell | None = None) -> Play:
        """A play in flight from now on.

        Args:
            arm: operator and model.
            parent: cell of the elite that the kernel is made from; ``None`` when it is made from none.
        """
        return Play(self._bandit, self._parents, arm, parent)

    def state(self) -> PlaysState:
        """The evidence. Plays in flight are left out: a resume begins them again."""
        return PlaysState(arms=self._bandit.state(), parents=self._parents.state())

    def restore(self, state: PlaysState) -> None:
        """The inverse of ``state``."""
        self._bandit.restore(state.arms)
        self._parents.restore(state.parents)
