"""TRL's spec object: one constructor, three properties that plug into ``GRPOTrainer``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qdkernel.rewards.completion import Text
from qdkernel.rewards.curriculum import current_rows
from qdkernel.rewards.reward import Reward, Score


class TRLSpec:
    """Data set, reward and environment for TRL, in the form of its ``HarborSpec`` and ``OpenRewardSpec``.

        spec = TRLSpec(reward, prompt_rows(config, 64))
        GRPOTrainer(model, train_dataset=spec.train_dataset, reward_funcs=spec.reward_funcs,
                    environment_factory=spec.environment_factory)

    Args:
        reward: judges; its curriculum, if it has one, chooses the stage of the prompts.
        rows: of the data set, each with ``prompt`` and, for staged training, ``stage``.
        tools: the model judges kernels while it works: the environment offers ``judge_kernel`` as a tool and owns the
            reward, that of the best kernel of the rollout. Otherwise each completion is one kernel.
    """

    def __init__(self, reward: Reward, rows: Sequence[dict[str, Any]], tools: bool = False) -> None:
        self._reward = reward
        self._rows = list(rows)
        self._tools = tools

    @property
    def train_dataset(self) -> Any:  # Any: a datasets.Dataset; the package comes with TRL
        """The rows as a ``datasets.Dataset``; with a curriculum those of its stage when a batch is fetched.

        TRL's loader fetches one batch ahead, so a new stage begins a batch later.
        """
        from datasets import Dataset

        rows, curriculum = self._rows, self._reward.curriculum
        if curriculum is None:
            return Dataset.from_list(rows)
        numbered = Dataset.from_list([{**row, "number": number} for number, row in enumerate(rows)])
        return numbered.with_transform(lambda batch: current_rows(rows, batch["number"], curriculum))

    @property
    def reward_funcs(self) -> list[Callable[..., list[float | None]]]:
        """The reward function; none where the environment owns the reward."""
        return [] if self._tools else [self._reward.trl_reward]

    @property
    def environment_factory(self) -> Callable[[], KernelEnvironment] | None:
        """Makes one environment per rollout; ``None`` without tools."""
        return (lambda: KernelEnvironment(self._reward)) if self._tools else None


class KernelEnvironment:
    """One rollout in which the model may have kernels judged; its public methods are TRL's."""

    def __init__(self, reward: Reward) -> None:
        self._reward = reward
        self._stage = ""
        self._scores: list[Score] = []

    def reset(self, prompt: Text | None = None, stage: str | None = None, **row: Any) -> str | None:
        """Begins a rollout; nothing is appended to the prompt."""
        self._stage = stage or ""
        self._scores = []
        return None

    def judge_kernel(self, source: str) -> str:
        """Compile, verify and time a C kernel on the judge's machine.

        Args:
            source: One complete C translation unit that defines the kernel's function.

        Returns:
            How it ended, and its speed or what was wrong with it.
        """
        (score,) = self._reward.score([f"```c\n{source}\n```"], None, [self._stage], whole_groups=False)
        self._scores.append(score)
        return score.verdict.feedback

    def get_reward(self) -> float | None:
        """The best reward of the rollout's kernels; 0 without any, ``None`` when nothing is known of them."""
        if not self._scores:
            return 0.0
        known = [score.value for score in self._scores if score.value is not None]
        return max(known) if known else None
