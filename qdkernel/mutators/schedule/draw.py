"""Random choice among a few items, as every template's moves use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """One of the items, each with the same probability."""
    return items[int(rng.integers(len(items)))]
