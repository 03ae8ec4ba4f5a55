"""A model of the objective over genomes: Gaussian process regression of the logarithm of GFLOP/s.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1. The covariance of two genomes is
``exp(-sum_f w_f d_f)``; ``d_f`` is their distance in feature ``f``: that of the logarithms for numbers, else 0 or 1.
The weights ``w_f`` maximize the marginal likelihood, by coordinate ascent over a few values each.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Array

Features = Mapping[str, Any]  # Any: JSON values

_WEIGHTS = (0.0, 0.03, 0.1, 0.3, 1.0)  # of a feature, from irrelevant to decisive
_FIRST_WEIGHT = 0.1
_NOISE = 1e-3  # variance of an observation as a share of the objective's: 3 % of its spread
_REFIT = 16  # observations between two choices of the weights
_FITTED = 128  # observations, the latest, by which weights are chosen
_REMEMBERED = 256  # observations, the latest, that predict


class Surrogate:
    """Observations and what they predict; the same observations in the same order give the same predictions.

    Args:
        every: so many observations are taken in together, which costs less.
    """

    def __init__(self, every: int = 1) -> None:
        self._every = every
        self._rows: list[Mapping[str, float | str]] = []
        self._logs: list[float] = []
        self._weights: dict[str, float] = {}
        self._chosen_at = 0
        self._model: _Model | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, genome: Features, objective: float) -> None:
        """Takes in an observation; ``objective`` is positive."""
        self._rows.append(_flat(genome))
        self._logs.append(math.log(objective))
        if len(self._rows) <= self._every or len(self._rows) % self._every == 0:
            self._model = None
        if len(self._rows) % (_REFIT * self._every) == 0:
            self._choose_weights()

    def predict(self, genomes: Sequence[Features]) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of each genome's objective.

        Raises:
            ValueError: nothing was observed yet.
        """
        if not self._rows:
            raise ValueError("expected an observation before the first prediction")
        if self._model is None:
            known = len(self._rows) - len(self._rows) % self._every or len(self._rows)
            latest = slice(max(0, known - _REMEMBERED), known)
            self._model = _Model.of(self._rows[latest], self._logs[latest], self._weights)
        return self._model.predict([_flat(genome) for genome in genomes])

    def _choose_weights(self) -> None:
        rows, logs = self._rows[-_FITTED:], np.array(self._logs[-_FITTED:])
        names = sorted({name for row in rows for name in row})
        table, targets = _Table.of(rows, names), (logs - logs.mean()) / _spread(logs)
        distances = np.array([table.distances(table, index) for index in range(len(names))])
        weights = np.array([self._weights.get(name, _FIRST_WEIGHT) for name in names])
        best = _log_likelihood(distances, weights, targets)
        for index in range(len(names)):
            for weight in _WEIGHTS:
                tried = weights.copy()
                tried[index] = weight
                likelihood = _log_likelihood(distances, tried, targets)
                if likelihood > best:
                    best, weights = likelihood, tried
        self._weights |= dict(zip(names, weights.tolist(), strict=True))


@dataclass(frozen=True)
class _Table:
    """Rows by features: ``numbers``, 0 for other values, and ``codes`` of other values, the same for all numbers.

    So distances are those of points in a space with the 1-norm, and covariances are positive definite.
    """

    numbers: Array
    codes: Array

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, float | str]], names: Sequence[str]) -> _Table:
        values = [[row.get(name, "") for name in names] for row in rows]
        numbers = [[value if isinstance(value, float) else 0.0 for value in row] for row in values]
        codes = [[zlib.crc32(value.encode()) if isinstance(value, str) else -1 for value in row] for row in values]
        return cls(np.array(numbers), np.array(codes))

    def distances(self, other: _Table, feature: int) -> Array:
        """Of each row to each of the other's in one feature."""
        apart = np.abs(self.numbers[:, None, feature] - other.numbers[None, :, feature])
        differ = self.codes[:, None, feature] != other.codes[None, :, feature]
        distances: Array = apart + differ
        return distances

    def covariance(self, other: _Table, weights: Array) -> Array:
        total = np.zeros((len(self.numbers), len(other.numbers)))
        for feature in np.flatnonzero(weights):
            total += weights[feature] * self.distances(other, int(feature))
        return np.exp(-total)


@dataclass(frozen=True)
class _Model:
    """A fitted regression; ``inverse`` is that of the covariance's Cholesky factor."""

    names: Sequence[str]
    weights: Array
    table: _Table
    mean: float
    spread: float
    inverse: Array
    alpha: Array

    @classmethod
    def of(
        cls, rows: Sequence[Mapping[str, float | str]], logs: Sequence[float], weights: Mapping[str, float]
    ) -> _Model:
        names = sorted({name for row in rows for name in row})
        vector = np.array([weights.get(name, _FIRST_WEIGHT) for name in names])
        table, values = _Table.of(rows, names), np.array(logs)
        mean, spread = float(values.mean()), _spread(values)
        inverse = np.linalg.inv(_factor(table.covariance(table, vector)))
        alpha = inverse.T @ (inverse @ ((values - mean) / spread))
        return cls(names, vector, table, mean, spread, inverse, alpha)

    def predict(self, rows: Sequence[Mapping[str, float | str]]) -> tuple[Array, Array]:
        across = _Table.of(rows, self.names).covariance(self.table, self.weights)
        variance = np.maximum(1.0 - ((across @ self.inverse.T) ** 2).sum(axis=1), 1e-12)
        return self.mean + self.spread * (across @ self.alpha), self.spread * np.sqrt(variance)


def _flat(genome: Features, prefix: str = "") -> dict[str, float | str]:
    """The choices of a genome by name: numbers as logarithms, everything else as text."""
    found: dict[str, float | str] = {}
    for name, value in genome.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + name] = math.copysign(math.log2(1 + abs(value)), value)
        else:
            found[prefix + name] = str(value)
    return found


def _spread(logs: Array) -> float:
    return float(logs.std()) or 1.0


def _factor(covariance: Array) -> Array:
    """The lower Cholesky factor of the covariance of noisy observations."""
    return np.linalg.cholesky(covariance + _NOISE * np.eye(len(covariance)))


def _log_likelihood(distances: Array, weights: Array, targets: Array) -> float:
    """Rasmussen and Williams, eq. (2.30), without its constant."""
    factor = _factor(np.exp(-np.tensordot(weights, distances, 1)))
    whitened = np.linalg.solve(factor, targets)
    return float(-0.5 * whitened @ whitened - np.log(np.diag(factor)).sum())
