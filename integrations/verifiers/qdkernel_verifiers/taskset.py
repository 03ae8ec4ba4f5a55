"""The taskset: prompts of a configuration's stages and cells; the reward is the judge's."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from pathlib import Path

import verifiers.v1 as vf

from qdkernel import Reward
from qdkernel.config import load_config
from qdkernel.problems import find_problem
from qdkernel.rewards import JudgeUnreachable, Score, prompt_rows


class KernelData(vf.TaskData):
    """A prompt with the stage that is enforced, and the seed kernel that the judge must accept."""

    stage: str
    seed_kernel: str


class KernelTaskConfig(vf.TaskConfig):
    """How kernels are judged."""

    judge: str = ""
    """A configuration, judged on this machine, or the address of a ``qdkernel serve``."""
    shape: str = "unit"
    """How a verdict becomes a number; ranks need whole groups, which a task does not see."""
    patience_s: float = 1800.0
    """Seconds that a kernel may wait at a service."""


class KernelConfig(vf.TasksetConfig):
    """Which tasks there are."""

    task: KernelTaskConfig = KernelTaskConfig()
    tasks: str = "configs/gemm-staged.yaml"
    """The configuration whose problem and stages make the tasks; also the judge, unless ``task.judge`` names one."""
    num_tasks: int = 64
    """How many prompts."""


class KernelTask(vf.Task[KernelData, vf.State, KernelTaskConfig]):
    """Scores the kernel in the last reply."""

    @vf.reward
    async def kernel(self, trace: vf.Trace) -> float:
        """The judge's reward. Raises where nothing is known of the kernel: the rollout is an error, not a low score."""
        score = await self._score(trace.last_reply)
        if score.value is None:
            raise JudgeUnreachable(f"nothing is known of the kernel: {score.verdict.detail}")
        return score.value

    @vf.metric
    async def measured(self, trace: vf.Trace) -> dict[str, float]:
        """The raw values beside the reward; the judge measures a kernel once."""
        return (await self._score(trace.last_reply)).raw()

    async def validate(self, runtime: vf.Runtime) -> bool:
        """Whether the judge accepts the problem's seed kernel; asks no model."""
        score = await asyncio.to_thread(self._judge, f"```c\n{self.data.seed_kernel}\n```", "")
        return score.verdict.ending == "ok"

    async def _score(self, completion: str) -> Score:
        return await asyncio.to_thread(self._judge, completion, self.data.stage)

    def _judge(self, completion: str, stage: str) -> Score:
        reward = _reward(self.config.judge, self.config.shape, self.config.patience_s)
        (score,) = reward.score([completion], [self.data.prompt_text], [stage], whole_groups=False)
        return score


class KernelTaskset(vf.Taskset[KernelTask, KernelConfig]):
    """Prompts in the order of the configuration's stages."""

    def load(self) -> Iterable[KernelTask]:
        """Makes the tasks."""
        config = load_config(Path(self.config.tasks))
        problem = find_problem(config.problem, config.accuracy)
        task = self.config.task
        if not task.judge:
            task = task.model_copy(update={"judge": self.config.tasks})
        for row in prompt_rows(config, self.config.num_tasks):
            system, user = row["prompt"]
            data = KernelData(
                name=row["stage"] or problem.name,
                prompt=user["content"],
                system_prompt=system["content"],
                stage=row["stage"],
                seed_kernel=problem.seed_source(problem.seeds[0]),
            )
            yield KernelTask(data, task)


@functools.cache
def _reward(judge: str, shape: str, patience_s: float) -> Reward:
    return Reward(judge, shape, patience_s=patience_s)
