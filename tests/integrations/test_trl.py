"""The rewards inside the real TRL; run where TRL and torch can be imported."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qdkernel.config import load_config
from qdkernel.export import FORMATS, open_source
from qdkernel.rewards import LocalJudge, Reward, TRLSpec, prompt_rows
from tests.evolving import QUICK
from tests.export.conformance import runs
from tests.integrations.tiny import tiny_model, tiny_tokenizer
from tests.paths import CONFIGS, ROOT

__all__ = ["runs"]  # a fixture

pytestmark = [pytest.mark.rl, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
trl = pytest.importorskip("trl", reason="needs TRL and a CPU build of torch")


TWO_STEPS: dict[str, Any] = {
    "max_steps": 2,
    "per_device_train_batch_size": 2,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": [],
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
}
"""Arguments of every trainer."""


def exported(runs: list[Path], name: str, folder: Path) -> Any:
    """The train split of an export as ``datasets`` opens it."""
    from datasets import load_dataset

    with open_source(runs) as source:
        FORMATS[name].write(source, folder / name)
    return load_dataset(str(folder / name), split="train", cache_dir=str(folder / "cache"))


@pytest.mark.parametrize("kind", ["sft", "dpo", "kto"])
def test_trainers_take_two_steps_on_their_export(kind: str, runs: list[Path], tmp_path: Path) -> None:
    from trl.experimental.kto import KTOConfig, KTOTrainer

    make, config = {
        "sft": (trl.SFTTrainer, trl.SFTConfig),
        "dpo": (trl.DPOTrainer, trl.DPOConfig),
        "kto": (KTOTrainer, KTOConfig),
    }[kind]
    tokenizer = tiny_tokenizer()
    for part in (tiny_model(tokenizer), tokenizer):  # these trainers want the name of a model
        part.save_pretrained(tmp_path / "model")
    trainer = make(
        model=str(tmp_path / "model"),
        processing_class=tokenizer,
        train_dataset=exported(runs, f"trl-{kind}", tmp_path).select(range(4)),
        args=config(output_dir=str(tmp_path), max_length=16384, **TWO_STEPS),
    )
    done = trainer.train()
    assert done.global_step == 2
    assert 0 < done.training_loss < math.inf


@pytest.mark.parametrize("asynchronous", [False, True])
def test_grpo_takes_two_steps_with_the_real_judge_on_staged_prompts(tmp_path: Path, asynchronous: bool) -> None:
    config = load_config(CONFIGS / "gemm-staged.yaml", (*QUICK, "budget.minutes=1"))
    judge = LocalJudge.open(config)
    try:
        spec = TRLSpec(Reward(judge), prompt_rows(config, 4))
        functions = [Reward(judge).trl_reward_async] if asynchronous else spec.reward_funcs
        tokenizer = tiny_tokenizer()
        trainer = trl.GRPOTrainer(
            model=tiny_model(tokenizer),
            processing_class=tokenizer,
            reward_funcs=functions,
            environment_factory=spec.environment_factory,
            train_dataset=spec.train_dataset,
            args=trl.GRPOConfig(output_dir=str(tmp_path), num_generations=2, max_completion_length=8, **TWO_STEPS),
        )
        trainer.train()
    finally:
        judge.close()
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert [entry["reward"] for entry in logged] == [0.0, 0.0]  # random bytes hold no kernel
    assert all(entry["kernel/correct"] == 0.0 for entry in logged)


def test_the_example_trains_a_model_that_prefers_what_the_judge_rewards(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "train_tiny_grpo.py"), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    learned = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.endswith(" 1.00")]
    assert learned == ["scalar", "rows", "rows"]  # in the stages blocking, simd and everything
    rewards = [float(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("step ")]
    assert rewards[-1] > rewards[0]
    assert (tmp_path / "reward.png").stat().st_size > 0
