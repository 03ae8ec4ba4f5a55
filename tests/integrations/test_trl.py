"""The rewards inside the real TRL; run where TRL and torch can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qdkernel.config import load_config
from qdkernel.rewards import LocalJudge, Reward, TRLSpec, prompt_rows
from tests.evolving import QUICK
from tests.paths import CONFIGS, ROOT

pytestmark = [pytest.mark.rl, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
trl = pytest.importorskip("trl", reason="needs TRL and a CPU build of torch")


def tiny() -> tuple[Any, Any]:
    """A random model and a byte-level tokenizer with a chat template; nothing is downloaded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "<|im_start|>", "<|im_end|>", *alphabet]
    raw = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="<|im_end|>", padding_side="left"
    )
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    config = Qwen2Config(
        vocab_size=len(names),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16384,
        eos_token_id=2,
        pad_token_id=0,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config), tokenizer


@pytest.mark.parametrize("asynchronous", [False, True])
def test_grpo_takes_two_steps_with_the_real_judge_on_staged_prompts(tmp_path: Path, asynchronous: bool) -> None:
    config = load_config(CONFIGS / "gemm-staged.yaml", (*QUICK, "budget.minutes=1"))
    judge = LocalJudge.open(config)
    try:
        spec = TRLSpec(Reward(judge), prompt_rows(config, 4))
        functions = [Reward(judge).trl_reward_async] if asynchronous else spec.reward_funcs
        model, tokenizer = tiny()
        trainer = trl.GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=functions,
            environment_factory=spec.environment_factory,
            train_dataset=spec.train_dataset,
            args=trl.GRPOConfig(
                output_dir=str(tmp_path),
                max_steps=2,
                per_device_train_batch_size=2,
                num_generations=2,
                max_completion_length=8,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
            ),
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
