"""The environment as a server: ``uvicorn qdkernel_openenv.app:app``.

Settings come from the environment: ``QDKERNEL_TASKS`` is the configuration whose problem and stages make the tasks,
``QDKERNEL_REWARD`` the judge (a configuration or the address of a ``qdkernel serve``; default: ``QDKERNEL_TASKS``, on
this machine), ``QDKERNEL_NUM_TASKS`` (default 64) and ``QDKERNEL_TURNS`` (default 4).
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from openenv.core.env_server.http_server import create_app

from qdkernel import Reward
from qdkernel.config import load_config
from qdkernel.rewards import prompt_rows
from qdkernel_openenv.environment import KernelEnvironment
from qdkernel_openenv.models import KernelAction, KernelObservation

SESSIONS = 64  # a rollout holds one; kernels wait at the judge, so sessions are cheap


def kernel_app(tasks: str, judge: str, num_tasks: int, turns: int) -> FastAPI:
    """The server of tasks made from a configuration."""
    rows = prompt_rows(load_config(Path(tasks)), num_tasks)
    reward = Reward(judge)
    return create_app(
        lambda: KernelEnvironment(reward, rows, turns),
        KernelAction,
        KernelObservation,
        env_name="qdkernel",
        max_concurrent_envs=SESSIONS,
    )


def __getattr__(name: str) -> FastAPI:
    """Makes ``app`` when a server asks for it."""
    if name != "app":
        raise AttributeError(name)
    if not (tasks := os.environ.get("QDKERNEL_TASKS")):
        raise SystemExit("expected QDKERNEL_TASKS to be the path of a configuration, e.g. configs/gemm-staged.yaml")
    judge = os.environ.get("QDKERNEL_REWARD", tasks)
    return kernel_app(
        tasks, judge, int(os.environ.get("QDKERNEL_NUM_TASKS", "64")), int(os.environ.get("QDKERNEL_TURNS", "4"))
    )
