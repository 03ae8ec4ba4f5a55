"""Reward functions by import path, for trainers that take a name instead of an object.

They share one ``Reward`` made from the environment: ``QDKERNEL_REWARD`` is the path of a configuration or the address
of a ``qdkernel serve``, ``QDKERNEL_REWARD_SHAPE`` the shape (default ``unit``), ``QDKERNEL_REWARD_GROUP`` ``single``
or ``duel``, ``QDKERNEL_SERVE_TOKEN`` the service's token.

    trl grpo --reward_funcs qdkernel.rewards.configured.trl_reward
    verl     reward.custom_reward_function.path=.../qdkernel/rewards/configured.py  (name: compute_score)
    slime    --custom-rm-path qdkernel.rewards.configured.custom_rm
    OpenRLHF --reward.remote_url .../qdkernel/rewards/configured.py
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, Literal, cast

from qdkernel.errors import ConfigError
from qdkernel.rewards.completion import Text
from qdkernel.rewards.reward import Columns, Reward

VARIABLE = "QDKERNEL_REWARD"


@functools.cache
def configured_reward() -> Reward:
    """The reward that the environment describes, made once per process.

    Raises:
        ConfigError: ``QDKERNEL_REWARD`` is not set, or ``QDKERNEL_REWARD_GROUP`` is neither single nor duel.
    """
    judge = os.environ.get(VARIABLE)
    if not judge:
        raise ConfigError(f"expected {VARIABLE} to be a configuration's path or a judge's address, but it is not set")
    group = os.environ.get(f"{VARIABLE}_GROUP", "single")
    if group not in ("single", "duel"):
        raise ConfigError(f"{VARIABLE}_GROUP: expected single or duel, got {group!r}")
    shape = os.environ.get(f"{VARIABLE}_SHAPE", "unit")
    return Reward(judge, shape, group=cast(Literal["single", "duel"], group))


def trl_reward(prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> list[float | None]:
    """See ``Reward.trl_reward``."""
    return configured_reward().trl_reward(prompts, completions, **columns)


async def trl_reward_async(prompts: Sequence[Text], completions: Sequence[Text], **columns: Any) -> list[float | None]:
    """See ``Reward.trl_reward_async``."""
    return await configured_reward().trl_reward_async(prompts, completions, **columns)


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: Columns | None = None, **more: Any
) -> dict[str, Any]:
    """See ``Reward.compute_score``."""
    return configured_reward().compute_score(data_source, solution_str, ground_truth, extra_info, **more)


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
    """See ``Reward.reward_func``."""
    return configured_reward().reward_func(queries, prompts, labels)


async def custom_rm(args: Any, sample: Any, **more: Any) -> float:
    """See ``Reward.custom_rm``."""
    return await configured_reward().custom_rm(args, sample, **more)


async def custom_rm_group(args: Any, samples: Sequence[Any], **more: Any) -> list[float]:
    """See ``Reward.custom_rm_group``."""
    return await configured_reward().custom_rm_group(args, samples, **more)
