"""The same configuration and seed propose the same kernels, whatever is rebuilt inside.

The digests depend on the streams of ``numpy.random.Generator``, which a new numpy may change (NEP 19).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from qdkernel.runs import RunFolder
from tests.fake_runs import new_run
from tests.search.offline import configured, search

STAGES = [
    {"name": "one thread", "permits": {"threading": ["serial"]}, "until": {"stagnation": 12}},
    {"name": "rest"},
]


def proposed(folder: RunFolder) -> list[str]:
    """The hashes of all sources in the order of their proposal."""
    found = [(record.proposal_id, record.proposal.kernel.id) for record in folder.evaluations.records()]
    return [kernel for _, kernel in sorted(found)]


def digest(hashes: list[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "golden"),
    [
        ({}, "19a5d2cd2607f235"),
        ({"seed": 7, "stages": STAGES}, "96938147e22323dd"),
        ({"search": "best-of-n"}, "a540372d35b1c741"),
        ({"search": "random-parents"}, "572a1b34d86228cf"),
    ],
    ids=["map-elites", "stages", "best-of-n", "random-parents"],
)
def test_a_hundred_proposals_are_those_recorded(tmp_path: Path, settings: dict[str, Any], golden: str) -> None:
    with new_run(tmp_path) as folder, search(configured(100, **settings), folder) as run:
        run.evolution.run()
        hashes = proposed(folder)
    assert len(hashes) == 100
    assert digest(hashes) == golden
