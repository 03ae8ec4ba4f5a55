"""Runs without a model, through the command line: settings with which they are quick."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.forked import run_forked
from tests.paths import CONFIGS

BUSY = ("timing.disturbed=1000", "timing.quiet_s=0.5")
"""On a host that is never quiet: all rounds count, and waits for quiet cores are short."""

QUICK = (
    *BUSY,
    "sizes=[48]",
    "threads=1",
    "timing.block_ms=0.2",
    "timing.budget_s=0.02",
    "timing.rounds_min=2",
    "timing.rounds_max=3",
    "timing.remeasure=false",
    "pictures=false",
    "evaluators.backend=serial",
)

WORKERS = "evaluators.backend=local"
"""For a test of what worker processes do; starting them takes longer than a dozen evaluations."""


def as_arguments(settings: Sequence[str]) -> list[str]:
    """The settings as options of a command."""
    return [part for setting in settings for part in ("--set", setting)]


def command(config: str, run: Path, *settings: str, more: Sequence[str] = ()) -> list[str]:
    """``qdkernel evolve`` with a shipped configuration and quick settings."""
    return ["evolve", str(CONFIGS / config), "--out", str(run), *more, *as_arguments((*QUICK, *settings))]


def evolve(config: str, run: Path, *settings: str, more: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Runs it to its end."""
    done = run_forked(command(config, run, *settings, more=more))
    assert done.returncode == 0, done.stderr
    return done
