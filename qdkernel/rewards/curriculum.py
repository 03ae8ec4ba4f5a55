"""Staged curriculum: prompts of one stage after the other, each for some steps or until enough kernels succeed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from qdkernel.errors import ConfigError

Row = Mapping[str, Any]  # Any: columns of a data set


class Curriculum:
    """The stage that the next prompts are of; may be used from several threads.

    A stage ends when the share of correct kernels among its latest completions reaches ``success``, or after ``steps``
    optimizer steps, whichever is given and comes first; the last one stays. Kernels outside the stage are not correct;
    those of which nothing is known do not count. Source: the stages of Staged Quality-Diversity (Mikasa et al. 2026,
    arXiv 2602.12049), with the success rate as in curricula by competence (Platanios et al. 2019).

    Each process of a trainer counts for itself. With several processes use ``steps``, as all see the same step.

    Args:
        stages: their names, in order.
        success: share that ends a stage, above 0 to 1; ``None`` for steps only.
        window: how many of a stage's latest completions are looked at; it lasts at least that long.
        steps: most optimizer steps of a stage; ``None`` for no such limit.

    Raises:
        ConfigError: no stage, neither ``success`` nor ``steps``, or a number out of range.
    """

    def __init__(
        self, stages: Sequence[str], *, success: float | None = None, window: int = 64, steps: int | None = None
    ) -> None:
        if not stages or (success is None and steps is None):
            raise ConfigError("a curriculum needs stages, and success or steps as the end of each")
        if (success is not None and not 0 < success <= 1) or window < 1 or (steps is not None and steps < 1):
            raise ConfigError(
                "a curriculum: expected success in (0, 1], window and steps of at least 1, "
                f"got {success}, {window}, {steps}"
            )
        self._stages = list(stages)
        self._success = success
        self._steps = steps
        self._latest: deque[bool] = deque(maxlen=window)
        self._at = 0
        self._began = 0
        self._step = 0
        self._lock = threading.Lock()

    @property
    def stage(self) -> str:
        """Name of the current stage."""
        with self._lock:
            return self._stages[self._at]

    def observe(self, stage: str, correct: bool) -> None:
        """Counts a judged kernel; one of another stage, from a batch that was fetched earlier, changes nothing."""
        with self._lock:
            if stage != self._stages[self._at]:
                return
            self._latest.append(correct)
            full = len(self._latest) == self._latest.maxlen
            if self._success is not None and full and sum(self._latest) >= self._success * len(self._latest):
                self._advance()

    def at_step(self, step: int) -> None:
        """Takes in the trainer's number of optimizer steps so far."""
        with self._lock:
            self._step = step
            if self._steps is not None and step - self._began >= self._steps:
                self._advance()

    def _advance(self) -> None:
        self._at = min(self._at + 1, len(self._stages) - 1)
        self._began = self._step
        self._latest.clear()


def current_rows(rows: Sequence[Row], numbers: Sequence[int], curriculum: Curriculum) -> dict[str, list[Any]]:
    """Columns of the current stage's rows; equal numbers give equal rows, so that the prompts of a group stay equal.

    Args:
        rows: of all stages, each with ``stage``.
        numbers: which rows, counted within the stage and from its beginning again when it has fewer.
        curriculum: names the stage.

    Raises:
        ConfigError: the stage has no row.
    """
    stage = curriculum.stage
    own = [row for row in rows if row["stage"] == stage]
    if not own:
        raise ConfigError(f"the curriculum has reached the stage {stage!r}, but no row of the data set is of it")
    chosen = [own[number % len(own)] for number in numbers]
    return {name: [row[name] for row in chosen] for name in own[0]}
