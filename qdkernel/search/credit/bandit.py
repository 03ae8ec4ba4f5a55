"""Which arm is played next, judged by what each has earned for its cost.

Thompson sampling (Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling") of each arm's rate of earning
per unit of cost, the order in which a budget is best spent (Ding et al. 2013, "Multi-Armed Bandit with Budget
Constraint and Variable Costs"); all evidence fades with every play that ends (Raj and Kalyani 2017, "Taming
Non-stationary Bandits: A Bayesian Approach", arXiv 1707.09727), because an operator that filled the archive early earns
less later.

Simplifications: earnings are counted in typical earnings, the mean of those above zero, as if they were events of a
Poisson process whose exposure is the cost, so that a Gamma distribution is conjugate; neither they nor the costs are
Poisson. Cost and earnings of a play are taken as independent. The evidence fades; the prior does not, as it is computed
anew from the pooled rate before each choice (empirical Bayes).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from qdkernel.core import Arm
from qdkernel.search.state import ArmState

FADING = 0.99  # share of the evidence that one more play leaves; heuristic, not measured: the last hundred plays count
_PRIOR = 1.0  # typical earnings that the prior is worth; heuristic: two or three plays outweigh it
_FLOOR = 0.02  # least probability of every arm, so that an arm that fell behind is measured again
_FLOORS = 0.25  # the floors together; heuristic: with many models evidence must still decide
_NOTHING = 1e-9  # fewer plays than this are none
TINY = 1e-200  # sums that have faded below this are 0: keeps quotients away from underflow


@dataclass
class _ArmStats:
    """What an arm did: ``plays``, ``wins``, ``earned`` and ``cost`` fade, the totals do not.

    A win is a play that earned anything.
    """

    plays: float = 0.0
    wins: float = 0.0
    earned: float = 0.0
    cost: float = 0.0
    total_plays: int = 0
    total_earned: float = 0.0
    total_cost: float = 0.0

    def add(self, earned: float, cost: float) -> None:
        self.plays += 1
        self.wins += earned > 0
        self.earned += earned
        self.cost += cost
        self.total_plays += 1
        self.total_earned += earned
        self.total_cost += cost

    def fade(self) -> None:
        self.plays *= FADING
        self.wins *= FADING
        self.earned *= FADING
        self.cost *= FADING


@dataclass(frozen=True)
class _Pool:
    """All arms taken together: a typical earning, the cost of a play, and typical earnings per unit of cost."""

    earning: float
    play_cost: float
    rate: float


class Bandit:
    """The arms of a run and their statistics; ``search.plays`` counts plays in and out.

    Plays in flight count with their arm's mean cost and no earning, so that a batch spreads over the arms. Arms
    without a weight may be played too (a run pays for reflection as well, and a resumed one for operators that its
    configuration no longer lists); their statistics are kept, but do not change those of the others.

    Args:
        weights: of the arms; an arm's prior is the pooled rate times its weight over the mean weight.

    Raises:
        ValueError: a weight that is not positive.
    """

    def __init__(self, weights: Mapping[Arm, float]) -> None:
        if any(weight <= 0 for weight in weights.values()):
            raise ValueError(f"expected weights > 0, got {dict(weights)}")
        mean = sum(weights.values()) / len(weights) if weights else 1.0
        self._weights = {arm: weight / mean for arm, weight in weights.items()}
        self._stats: dict[Arm, _ArmStats] = {arm: _ArmStats() for arm in weights}
        self._in_flight: dict[Arm, int] = {}

    def choose(self, among: Collection[Arm], rng: np.random.Generator) -> Arm:
        """The arm to play next; each has a small probability whatever it has earned.

        Args:
            among: the arms that can be played now, in any order; one without a weight counts as of mean weight.
            rng: source of all randomness; the same state and evidence give the same arm.

        Raises:
            ValueError: there is nothing to choose among.
        """
        if not among:
            raise ValueError("expected at least one arm to choose among, got none")
        arms = sorted(set(among))
        if rng.random() < min(_FLOOR * len(arms), _FLOORS):
            return arms[int(rng.integers(len(arms)))]
        pool = self._pool()
        posteriors = [self._posterior(arm, pool) for arm in arms]
        draws = [rng.gamma(shape) / rate for shape, rate in posteriors]
        return arms[int(np.argmax(draws))]

    def enter(self, arm: Arm) -> None:
        """One more play of the arm is in flight."""
        self._in_flight[arm] = self._in_flight.get(arm, 0) + 1

    def leave(self, arm: Arm) -> None:
        """One play of the arm less is in flight.

        Raises:
            ValueError: there is none.
        """
        if not self._in_flight.get(arm):
            raise ValueError(f"expected a play of {arm} in flight, got none")
        self._in_flight[arm] -= 1

    def record(self, arm: Arm, earned: float, cost: float) -> None:
        """Adds the evidence of a play that ended.

        Args:
            arm: which was played.
            earned: improvement, in any unit that is the same for all arms; 0 for none.
            cost: of the play, in any unit that is the same for all arms.

        Raises:
            ValueError: a negative or infinite number.
        """
        for name, amount in (("earned", earned), ("cost", cost)):
            if not (math.isfinite(amount) and amount >= 0):
                raise ValueError(f"expected {name} to be a finite number >= 0, got {amount}")
        for stats in self._stats.values():
            stats.fade()
        self._stats.setdefault(arm, _ArmStats()).add(earned, cost)

    def state(self) -> tuple[ArmState, ...]:
        """The evidence. Plays in flight are left out: a resume begins them again."""
        return tuple(
            ArmState(operator=arm.operator, model=arm.model, **asdict(stats)) for arm, stats in self._stats.items()
        )

    def restore(self, arms: Iterable[ArmState]) -> None:
        """The inverse of ``state``; arms with a weight that it does not contain start without evidence."""
        for arm in arms:
            evidence = arm.model_dump(exclude={"operator", "model"})
            self._stats[Arm(arm.operator, arm.model)] = _ArmStats(**evidence)

    def _pool(self) -> _Pool:
        """Over the arms with a weight, as if one play had been made and won before the first."""
        known = [self._stats[arm] for arm in self._weights]
        plays, cost = sum(stats.plays for stats in known), sum(stats.cost for stats in known)
        wins, earned = sum(stats.wins for stats in known), sum(stats.earned for stats in known)
        play_cost = cost / plays if plays > _NOTHING and cost > TINY else 1.0
        earning = earned / wins if wins > _NOTHING and earned > TINY else 1.0
        return _Pool(earning, play_cost, (1 + wins) / (play_cost + cost))

    def _posterior(self, arm: Arm, pool: _Pool) -> tuple[float, float]:
        """Shape and rate of the Gamma distribution of the arm's typical earnings per unit of cost."""
        stats = self._stats.get(arm, _ArmStats())
        play_cost = stats.cost / stats.plays if stats.plays > _NOTHING else pool.play_cost
        exposure = stats.cost + self._in_flight.get(arm, 0) * play_cost
        prior = _PRIOR / (self._weights.get(arm, 1.0) * pool.rate)
        return _PRIOR + stats.earned / pool.earning, prior + exposure
