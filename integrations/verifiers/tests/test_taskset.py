"""The taskset in verifiers' own commands and scoring; no model is asked, the judge is the real one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import verifiers.v1 as vf
from qdkernel_verifiers import KernelTaskset
from qdkernel_verifiers.taskset import KernelConfig, KernelTask

from qdkernel.problems import find_problem

CONFIG = """
problem: dgemm
sizes: [48]
threads: 1
workers: 1
budget: {minutes: 1}
timing: {budget_s: 0.02, rounds_min: 2, rounds_max: 3, disturbed: 1000}
stage_order: advance
stages:
  - {name: serial, permits: {threading: [serial]}, until: {evaluations: 10}}
  - {name: threads, requires: {threading: [static, dynamic, nested]}}
"""
KERNEL = find_problem("dgemm").seed_source(find_problem("dgemm").seeds[0])


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.yaml"
    path.write_text(CONFIG)
    return path


def scored(task: KernelTask, reply: str) -> vf.Trace:
    """What a rollout that ended with this reply is worth."""
    agent = vf.AgentInfo.model_construct()
    trace = vf.Trace(task=vf.TraceTask(type="KernelTask", data=task.data), agent=agent, root_reply=reply)
    asyncio.run(task.score(trace))
    return trace


def test_a_reply_is_rewarded_by_the_judge_and_stages_are_enforced(tasks: Path) -> None:
    reply = f"IDEA: plain loops\n```c\n{KERNEL}\n```"
    serial, threads = KernelTaskset(KernelConfig(tasks=str(tasks), num_tasks=2))
    assert (serial.data.stage, threads.data.stage) == ("serial", "threads")
    assert "dgemm" in serial.data.prompt
    good = scored(serial, reply)
    assert 0.3 <= good.rewards["kernel"].value <= 1.0
    assert good.metrics["gflops"] > 0
    outside = scored(threads, reply)
    assert (outside.rewards["kernel"].value, outside.metrics["correct"]) == (0.1, 0.0)
    assert scored(serial, "no kernel").rewards["kernel"].value == 0.0


def test_where_nothing_is_known_the_rollout_is_an_error_and_not_a_low_score(tasks: Path) -> None:
    config = KernelConfig(tasks=str(tasks), num_tasks=1)
    config.task.judge, config.task.patience_s = "http://127.0.0.1:9", 0.1
    (task,) = KernelTaskset(config)
    with pytest.raises(vf.TaskError, match="no verdict within 0 s"):
        scored(task, f"```c\n{KERNEL}\n```")


def test_vf_validate_has_the_seed_kernel_judged(tasks: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("vf-validate")
    options = f"--taskset.tasks {tasks} --taskset.num-tasks 1 --runtime.type subprocess"
    command = [program, "qdkernel-verifiers", *options.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = tmp_path.rglob("*.jsonl")
    assert [json.loads(line)["valid"] for line in written.read_text().splitlines()] == [True]
