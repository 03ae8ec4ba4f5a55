"""What operators, models and parents have gained: the bandit, parents' statistics, plays."""

from qdkernel.search.credit.plays import Play, PlayLedger

__all__ = [
    "Play",
    "PlayLedger",
]
