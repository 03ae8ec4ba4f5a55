"""A model of the objective over genomes: Gaussian process regression of the logarithm of GFLOP/s.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1. The covariance of two genomes is
``exp(-sum_f w_f d_f)`` with their distances ``d_f``; see ``Points``. The weights ``w_f`` maximize the marginal
likelihood, by coordinate ascent over a few values each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from qdkernel.core import Array
from qdkernel.search.screening.features import Features, Genome, Points

_WEIGHTS = (0.0, 0.03, 0.1, 0.3, 1.0)  # of a feature, from irrelevant to decisive
_FIRST_WEIGHT = 0.1
_NOISE = 1e-3  # variance of an observation as a share of the objective's: 3 % of its spread
_REFIT = 16  # observations between two choices of the weights
_FITTED = 128  # observations, the latest, by which weights are chosen
_TIE = 1e-9  # by which a likelihood must be higher to count: two features that always agree tie but for rounding
_REMEMBERED = 256  # observations, the latest, that predict; up to the next choice of the weights also later ones


class Surrogate:
    """Observations and what they predict; the same observations in the same order give the same predictions.

    An observation costs a fraction of a millisecond, the choice of the weights some 20 ms.
    """

    def __init__(self) -> None:
        self._features = Features()
        self._weights = np.zeros(0)
        self._points = Points(np.zeros((0, 0)), np.zeros((0, 0), int))
        self._logs: list[float] = []
        self._observed = 0
        self._whitening = _Whitening(_REMEMBERED + _REFIT)

    def __len__(self) -> int:
        return self._observed

    def add(self, genome: Genome, objective: float) -> None:
        """Takes in an observation; ``objective`` is positive."""
        self._features.learn(genome)
        new = len(self._features) - len(self._weights)
        self._weights = np.pad(self._weights, (0, new), constant_values=_FIRST_WEIGHT)
        point = self._features.points([genome])
        self._points, self._logs = self._points.and_then(point), [*self._logs, math.log(objective)]
        self._observed += 1
        if self._observed % _REFIT == 0:
            self._choose_weights()
            self._points, self._logs = self._points.latest(_REMEMBERED), self._logs[-_REMEMBERED:]
            self._whitening.start(self._points.covariance(self._points, self._weights))
        else:
            self._whitening.extend(point.covariance(self._points, self._weights)[0])

    def predict(self, genomes: Sequence[Genome]) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm of each genome's objective.

        Raises:
            ValueError: nothing was observed yet.
        """
        if not self._observed:
            raise ValueError("expected an observation before the first prediction")
        logs, inverse = np.array(self._logs), self._whitening.inverse
        mean, spread = float(logs.mean()), _spread(logs)
        across = self._features.points(genomes).covariance(self._points, self._weights) @ inverse.T
        variance = np.maximum(1.0 - (across**2).sum(axis=1), 1e-12)
        return mean + spread * (across @ (inverse @ ((logs - mean) / spread))), spread * np.sqrt(variance)

    def _choose_weights(self) -> None:
        points, logs = self._points.latest(_FITTED), np.array(self._logs[-_FITTED:])
        distances = np.array([points.distances(points, feature) for feature in range(len(self._features))])
        targets = (logs - logs.mean()) / _spread(logs)
        self._weights = _likelier(self._weights, self._features.by_name, distances, targets)


class _Whitening:
    """The inverse of the lower Cholesky factor of the covariance of noisy observations, which grows by one at a time.

    Args:
        most: observations.
    """

    def __init__(self, most: int) -> None:
        self._rows = np.zeros((most, most))
        self._count = 0

    @property
    def inverse(self) -> Array:
        """Lower triangular, a row for each observation."""
        return self._rows[: self._count, : self._count]

    def start(self, covariance: Array) -> None:
        """From the covariance of the first observations, without their noise."""
        self._count = count = len(covariance)
        factor = np.linalg.cholesky(covariance + _NOISE * np.eye(count))
        self._rows[:count, :count] = np.tril(np.linalg.inv(factor))

    def extend(self, covariances: Array) -> None:
        """By an observation whose covariances with those before and with itself, without its noise, are given.

        A bordered Cholesky factor: Golub and Van Loan 2013, "Matrix Computations", section 4.2.
        """
        inverse, count = self.inverse, self._count
        across = inverse @ covariances[:-1]
        pivot = math.sqrt(max(covariances[-1] + _NOISE - float(across @ across), _NOISE))  # below it by rounding only
        self._rows[count, :count] = -(across @ inverse) / pivot
        self._rows[count, count] = 1 / pivot
        self._count += 1


def _likelier(weights: Array, order: Iterable[int], distances: Array, targets: Array) -> Array:
    """The weights after each was set in turn, in the given order, to the value that makes the targets likeliest.

    Args:
        weights: (features) to start from.
        order: the features.
        distances: (features, observations, observations) in each feature.
        targets: (observations) with mean 0 and variance 1.
    """
    weights, exponent = weights.copy(), np.tensordot(weights, distances, 1)
    best = _log_likelihoods(exponent[None], targets)[0]
    for feature in order:
        if not distances[feature].any():
            continue
        tried = np.array([weight for weight in _WEIGHTS if weight != weights[feature]])
        exponents = exponent + (tried - weights[feature])[:, None, None] * distances[feature]
        likelihoods = _log_likelihoods(exponents, targets)
        top = int(np.argmax(likelihoods))
        if likelihoods[top] > best + _TIE:
            best, exponent, weights[feature] = likelihoods[top], exponents[top], tried[top]
    return weights


def _log_likelihoods(exponents: Array, targets: Array) -> Array:
    """Rasmussen and Williams, eq. (2.30), without its constant, for each of several covariances ``exp(-exponents)``.

    The targets are a last row of the matrix that is factorized: in the factor that row is ``L^-1 targets``. Its own
    pivot is large enough to be positive, as no eigenvalue of the covariance is below the noise, and is not used.
    """
    count = len(targets)
    bordered = np.empty((len(exponents), count + 1, count + 1))
    np.exp(-exponents, out=bordered[:, :count, :count])
    bordered[:, range(count), range(count)] += _NOISE
    bordered[:, count, :count] = bordered[:, :count, count] = targets
    bordered[:, count, count] = 1 + targets @ targets / _NOISE
    factors = np.linalg.cholesky(bordered)
    whitened, pivots = factors[:, count, :count], factors[:, range(count), range(count)]
    likelihoods: Array = -0.5 * (whitened**2).sum(axis=1) - np.log(pivots).sum(axis=1)
    return likelihoods


def _spread(logs: Array) -> float:
    return float(logs.std()) or 1.0
