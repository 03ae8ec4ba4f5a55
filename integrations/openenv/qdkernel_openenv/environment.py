"""The environment: an episode is one prompt and up to ``turns`` kernels, each judged and answered with the verdict."""

from __future__ import annotations

import uuid
from typing import Any

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import State

from qdkernel import Reward
from qdkernel_openenv.models import KernelAction, KernelObservation

SPLIT = "train"


class KernelEnvironment(Environment[KernelAction, KernelObservation, State]):
    """Judges kernels; sessions share the judge, which takes calls from several threads.

    Args:
        reward: judges, in a shape from 0 to 1.
        rows: the tasks: ``prompt`` and ``stage``, as ``qdkernel.rewards.prompt_rows`` makes them.
        turns: kernels of an episode.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, reward: Reward, rows: list[dict[str, Any]], turns: int = 4) -> None:
        super().__init__()
        self._reward = reward
        self._rows = rows
        self._turns = turns
        self._row = rows[0]
        self._state = State(episode_id=str(uuid.uuid4()), step_count=0)

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str = SPLIT,
        index: int | None = None,
        **_: Any,
    ) -> KernelObservation:
        """Begins an episode with the task at ``index``; without one, ``seed`` chooses."""
        self._row = self.get_task(split, index if index is not None else (seed or 0) % len(self._rows))
        self._state = State(episode_id=episode_id or str(uuid.uuid4()), step_count=0)
        return KernelObservation(prompt=self._row["prompt"], stage=self._row["stage"])

    def step(self, action: KernelAction, timeout_s: float | None = None, **_: Any) -> KernelObservation:
        """Judges the kernel of a reply; the episode ends after the last turn."""
        self._state.step_count += 1
        prompts, stages = [self._row["prompt"]], [self._row["stage"]]
        (score,) = self._reward.score([action.completion], prompts, stages, whole_groups=False)
        verdict = score.verdict
        return KernelObservation(
            stage=self._row["stage"],
            turn=self._state.step_count,
            ending=verdict.ending.value,
            feedback=verdict.feedback,
            gflops=verdict.gflops or 0.0,
            ratio=verdict.ratio or 0.0,
            reward=score.value,
            done=self._state.step_count >= self._turns,
        )

    @property
    def state(self) -> State:
        """Episode and turns so far."""
        return self._state

    def list_splits(self) -> list[str]:
        """There is one split."""
        return [SPLIT]

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """The rows of a split."""
        self._check(split)
        return self._rows

    def num_tasks(self, split: str) -> int:
        """How many rows a split has."""
        self._check(split)
        return len(self._rows)

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """The row at a place.

        Raises:
            IndexError: no such split, or no such row.
        """
        self._check(split)
        if not 0 <= index < len(self._rows):
            raise IndexError(f"expected a task from 0 to {len(self._rows) - 1}, got {index}")
        return self._rows[index]

    @staticmethod
    def _check(split: str) -> None:
        if split != SPLIT:
            raise IndexError(f"expected the split {SPLIT}, got {split!r}")
