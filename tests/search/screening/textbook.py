"""The regression of ``Surrogate`` as a textbook has it: distances one by one, nothing kept from one fit to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.core import Array

Genome = Mapping[str, Any]  # Any: JSON values


class Regression:
    """Rasmussen and Williams 2006, algorithm 2.1, with the weights of the features chosen every 16 observations.

    Attributes:
        weights: of the features by name.
    """

    def __init__(self) -> None:
        self.weights: dict[str, float] = {}
        self._rows: list[dict[str, Any]] = []
        self._logs: list[float] = []

    def add(self, genome: Genome, objective: float) -> None:
        """Takes in an observation."""
        self._rows.append(flat(genome))
        self._logs.append(math.log(objective))
        self.weights = {name: 0.1 for name in self._rows[-1]} | self.weights
        if len(self._rows) % 16 == 0:
            for name in sorted(self.weights):
                tried = [self.weights | {name: weight} for weight in (0.0, 0.03, 0.1, 0.3, 1.0)]
                likeliest = max(tried, key=self._log_likelihood)
                if self._log_likelihood(likeliest) > self._log_likelihood(self.weights):
                    self.weights = likeliest

    def predict(self, genomes: Sequence[Genome]) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of each genome's objective."""
        targets, mean, spread = self._targets()
        across = covariance([flat(genome) for genome in genomes], self._rows, self.weights)
        solved = np.linalg.solve(self._noisy(self.weights), np.column_stack((targets, across.T)))
        variance = 1.0 - np.einsum("ij,ji->i", across, solved[:, 1:])
        return mean + spread * (across @ solved[:, 0]), spread * np.sqrt(variance)

    def _log_likelihood(self, weights: Mapping[str, float]) -> float:
        targets, _, _ = self._targets()
        noisy = self._noisy(weights)
        return float(-0.5 * targets @ np.linalg.solve(noisy, targets) - 0.5 * np.linalg.slogdet(noisy)[1])

    def _noisy(self, weights: Mapping[str, float]) -> Array:
        return covariance(self._rows, self._rows, weights) + 1e-3 * np.eye(len(self._rows))

    def _targets(self) -> tuple[Array, float, float]:
        logs = np.array(self._logs)
        return (logs - logs.mean()) / logs.std(), float(logs.mean()), float(logs.std())


def flat(genome: Genome, prefix: str = "") -> dict[str, Any]:
    """The choices of a genome by name."""
    found: dict[str, Any] = {}
    for name, value in genome.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found


def covariance(
    ones: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], weights: Mapping[str, float]
) -> Array:
    """``exp(-sum_f w_f d_f)`` of each row with each other."""

    def distances(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
        return sum(weight * distance(one.get(name, ""), other.get(name, "")) for name, weight in weights.items())

    return np.array([[math.exp(-distances(one, other)) for other in others] for one in ones])


def distance(one: object, other: object) -> float:
    """Of logarithms; where one is no number 1 more, and where both are none 0 or 1."""
    numbers = [math.log2(1 + value) if isinstance(value, int) else 0.0 for value in (one, other)]
    texts = [None if isinstance(value, int) else str(value) for value in (one, other)]
    return abs(numbers[0] - numbers[1]) + (texts[0] != texts[1])
