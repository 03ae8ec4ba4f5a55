"""The run under load, in small; benchmarks/load.py does the same with 2,000 kernels and 50 kills."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests import load


@pytest.mark.slow
def test_a_mixed_load_is_accounted_for_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before, kinds = load.present(), load.write_kernels(tmp_path, 110)
    config = load.write_config(tmp_path, kinds)
    with load.start(config, tmp_path / "run") as process:
        peak = load.watch(process, every_s=0.5)
    assert process.returncode == 0
    assert load.complaints(tmp_path / "run", kinds) == []
    assert load.leftovers(before, [process.pid]) == []
    quarter = len(peak.files) // 4  # the first half also starts workers; a file kept per kernel would be 27 a quarter
    assert np.median(peak.files[-quarter:]) <= np.median(peak.files[2 * quarter : 3 * quarter]) + 20


@pytest.mark.slow
def test_after_random_kills_and_resumes_the_ledger_adds_up(tmp_path: Path) -> None:
    before, kinds = load.present(), load.write_kernels(tmp_path, 66)
    config = load.write_config(tmp_path, kinds)
    mains = load.kill_at_random(config, tmp_path / "run", kills := 8, random.Random(1))
    assert load.complaints(tmp_path / "run", kinds, forgiven=kills) == []
    assert load.leftovers(before, mains) == []
