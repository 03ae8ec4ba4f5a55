"""The operators without a model are deterministic: one seed proposes the same kernels, on every machine."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from qdkernel.core import AXES, Cell, reachable_cells
from qdkernel.mutators import MUTATORS, Brief, Elite
from tests.mutators.briefs import brief

# Changes with the operators and, rarely, with numpy's generators; then look at what changed and put in the new one.
EXPECTED = "806c7b8c5935bf8e084763116ebf9488010d52f71a1abf847fbf7bdf4e24b24d"


def test_one_seed_proposes_the_same_two_hundred_kernels() -> None:
    assert digest_of_proposals(brief(), 200) == EXPECTED


def digest_of_proposals(start: Brief, number: int) -> str:
    """Hash of the sources' hashes; each proposal is placed in the cell it aims at, with a made-up speed."""
    rng = np.random.default_rng(7)
    operators = [MUTATORS[name]() for name in ("schedule", "tune")]
    targets = sorted(reachable_cells((128, 256, 512)))
    elites: dict[Cell, Elite] = {}
    digest = hashlib.sha256()
    for i in range(number):
        operator = operators[int(rng.random() < 0.3)]
        parent = list(elites.values())[int(rng.integers(len(elites)))] if elites else None
        target = targets[int(rng.integers(len(targets)))] if rng.random() < 0.7 else None
        proposal = operator.propose(replace(start, elites=elites, parent=parent, target=target), rng)
        if proposal is None:
            continue
        digest.update(proposal.kernel.id.encode())
        cell = target or tuple(i % len(axis.levels) for axis in AXES)
        elites[cell] = Elite(proposal.kernel, cell, 1.0 + i, operator.name, proposal.idea, proposal.notes)
    return digest.hexdigest()
