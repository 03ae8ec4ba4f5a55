"""A judge on this machine, at a size that is measured quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qdkernel.config import Config, load_config
from qdkernel.rewards import LocalJudge
from tests.evolving import QUICK
from tests.paths import CONFIGS


@pytest.fixture(scope="session")
def config() -> Config:
    return load_config(CONFIGS / "gemm-staged.yaml", (*QUICK, "budget.minutes=1", "workers=2"))


@pytest.fixture(scope="module")
def judge(config: Config) -> Iterator[LocalJudge]:
    made = LocalJudge.open(config)
    yield made
    made.close()
