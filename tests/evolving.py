"""Runs without a model, through the command line: settings with which they are quick."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.forked import run_forked
from tests.paths import CONFIGS

QUICK = (
    "sizes=[48]",
    "threads=1",
    "timing.budget_s=0.02",
    "timing.rounds_min=2",
    "timing.rounds_max=3",
    "timing.disturbed=1000",
    "timing.held_out=0",
    "pictures=false",
)


def command(config: str, run: Path, *settings: str, more: Sequence[str] = ()) -> list[str]:
    """``qdkernel evolve`` with a shipped configuration and quick settings."""
    pairs = [part for setting in (*QUICK, *settings) for part in ("--set", setting)]
    return ["evolve", str(CONFIGS / config), "--out", str(run), *more, *pairs]


def evolve(config: str, run: Path, *settings: str, more: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Runs it to its end."""
    done = run_forked(command(config, run, *settings, more=more))
    assert done.returncode == 0, done.stderr
    return done
