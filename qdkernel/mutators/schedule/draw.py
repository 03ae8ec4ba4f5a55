"""Random choices as every template's moves use them: an item, a neighbour, a child of two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from qdkernel.core import PrefetchLevel
from qdkernel.mutators.schedule.choices import LOCALITIES, FetchingGenome, changed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    class _Fetching(FetchingGenome, DataclassInstance, Protocol): ...


Item = TypeVar("Item")
G = TypeVar("G", bound="DataclassInstance")
F = TypeVar("F", bound="_Fetching")
C = TypeVar("C")


def pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """One of the items, each with the same probability."""
    return items[int(rng.integers(len(items)))]


def neighbour(
    genome: G,
    moves: Sequence[tuple[float, Callable[[G, C, np.random.Generator], G]]],
    context: C,
    bounded: Callable[[G], G],
    rng: np.random.Generator,
) -> G:
    """The genome after one move, sometimes two or three; never the genome itself.

    Args:
        genome: where to start.
        moves: weight and function of each.
        context: handed to the moves.
        bounded: makes what a move returns valid.
        rng: of all choices.
    """
    weights = np.array([weight for weight, _ in moves])
    child, left = genome, int(min(3, rng.geometric(0.65)))
    while left > 0 or child == genome:
        left -= 1
        move = moves[int(rng.choice(len(moves), p=weights / weights.sum()))][1]
        child = bounded(move(child, context, rng))
    return child


def inherited(one: G, other: G, groups: Iterable[Sequence[str]], rng: np.random.Generator) -> G:
    """A child that has each group of fields from one of two genomes; it may not be valid."""
    child = one
    for group in groups:
        if rng.random() < 0.5:
            child = changed(child, {name: getattr(other, name) for name in group})
    return child


def towards_prefetch(genome: F, level: int, distance: Callable[[], int], rng: np.random.Generator) -> F:
    """The genome without what fetches into an unwanted level, and with what is missing.

    Args:
        genome: where to start.
        level: of the archive's prefetch axis.
        distance: draws the distance of a prefetch.
        rng: of the other choices.
    """
    near, far = bool(level & PrefetchLevel.NEAR), bool(level & PrefetchLevel.FAR)
    genome = changed(genome, {"near": (genome.near or distance()) if near else 0})
    if not far:
        return changed(genome, {"far": 0, "stream": False})
    if genome.far or genome.stream:
        return genome
    if rng.random() < 0.5:
        return changed(genome, {"stream": True})  # becomes a prefetch where the nest cannot stream
    return changed(genome, {"far": distance(), "locality": pick(LOCALITIES, rng)})
