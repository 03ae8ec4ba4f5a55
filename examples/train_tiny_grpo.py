"""Does a trainer's loop close: prompts, completions, kernels compiled, verified and timed, rewards, gradients?

    pip install 'trl>=1.16' torch        # a CPU build of torch is enough
    python examples/train_tiny_grpo.py   # writes tiny-grpo/reward.png; about a minute on two cores

A randomly initialized model of 130,000 parameters, with a tokenizer built here, is trained with TRL's ``GRPOTrainer``
on staged DGEMM prompts; the reward is the real judge of this machine. Nothing is downloaded. It shows the loop, not
skill: such a model cannot write C. So that there is something to learn, the vocabulary holds whole kernels as single
tokens (slow, faster and threaded ones, a wrong one, one that does not compile), and a completion is one token. The
stage ``blocking`` permits scalar code only, which the judge measures in the machine code: there the slow scalar kernel
earns more than the fast one, and the model learns which kernel to write in which stage.

Expected output: the probability of each kernel before and after, and the mean reward of every few steps.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRL_EXPERIMENTAL_SILENCE="1")

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from qdkernel import Reward
from qdkernel.config import load_config

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "gemm-staged.yaml"
SETTINGS = ("sizes=[64]", "threads=1", "budget.minutes=1")
STAGES = ("blocking", "simd", "everything")

HEAD = """void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
    const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
"""
DOT = """    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0.0;
            for (int l = 0; alpha != 0.0 && l < k; l++) sum += A[(size_t)i * lda + l] * B[(size_t)l * ldb + j];
            C[(size_t)i * ldc + j] = beta == 0.0 ? alpha * sum : alpha * sum + beta * C[(size_t)i * ldc + j];
        }
}
"""
ROWS = """    for (int i = 0; i < m; i++) {
        double *restrict row = C + (size_t)i * ldc;
        for (int j = 0; j < n; j++) row[j] = beta == 0.0 ? 0.0 : beta * row[j];
        for (int l = 0; alpha != 0.0 && l < k; l++) {
            double a = alpha * A[(size_t)i * lda + l];
            for (int j = 0; j < n; j++) row[j] += a * B[(size_t)l * ldb + j];
        }
    }
}
"""
KERNELS = {
    "scalar": HEAD + DOT.replace("double sum", "volatile double sum"),
    "dot products": HEAD + DOT,
    "rows": HEAD + ROWS,
    "threads": HEAD + ROWS.replace("    for (int i", "    #pragma omp parallel for\n    for (int i", 1),
    "wrong": HEAD + ROWS.replace("+= a *", "-= a *"),
    "not C": HEAD + "    return the product;\n}\n",
    "prose": "I am sorry, but I cannot write kernels.",
}


def completion(name: str) -> str:
    """A kernel as a model would say it."""
    text = KERNELS[name]
    return f"```c\n{text}```" if text.startswith("void") else text


def tiny_model() -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """A random model whose vocabulary is the stages' names and one token for each kernel."""
    names = ["<pad>", "<eos>", "<unk>", *STAGES, *map(completion, KERNELS)]
    words = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )
    config = Qwen2Config(
        vocab_size=len(names),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    return Qwen2ForCausalLM(config), tokenizer


def shares(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> dict[str, dict[str, float]]:
    """For each stage the probability of each kernel."""
    found: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        with torch.no_grad():
            logits = model(**tokenizer(stage, return_tensors="pt")).logits[0, -1]
        probabilities = logits.softmax(-1)[-len(KERNELS) :]
        found[stage] = dict(zip(KERNELS, probabilities.tolist(), strict=True))
    return found


def train(steps: int, out: Path) -> list[dict[str, Any]]:
    """Trains, and returns the trainer's log."""
    torch.manual_seed(0)
    model, tokenizer = tiny_model()
    rows = [{"prompt": stage, "stage": stage} for stage in STAGES] * 64
    before = shares(model, tokenizer)
    with Reward(load_config(CONFIG, SETTINGS)) as reward:
        trainer = GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=[reward.trl_reward],
            train_dataset=Dataset.from_list(rows),
            args=GRPOConfig(
                output_dir=str(out),
                max_steps=steps,
                per_device_train_batch_size=24,
                num_generations=8,
                shuffle_dataset=False,  # every step sees all three stages
                max_completion_length=1,
                learning_rate=1e-2,
                lr_scheduler_type="constant",
                beta=0.0,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
                dataloader_pin_memory=False,
                seed=0,
            ),
        )
        trainer.train()
    after = shares(model, tokenizer)
    for stage in STAGES:
        print(f"\nstage {stage}: probability before and after")
        for name in KERNELS:
            print(f"  {name:14} {before[stage][name]:5.2f} {after[stage][name]:5.2f}")
    return [entry for entry in trainer.state.log_history if "reward" in entry]


def plot(log: list[dict[str, Any]], path: Path) -> None:
    """The mean reward of each step."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot([entry["step"] for entry in log], [entry["reward"] for entry in log])
    axes.set(xlabel="step of GRPO", ylabel="mean reward (unit)", ylim=(0, 1), title="TRL GRPO, judged on this machine")
    figure.savefig(path, dpi=150)


def main() -> None:
    """Trains and plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("tiny-grpo"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    log = train(options.steps, options.out)
    for entry in log[:: max(1, len(log) // 10)]:
        print(f"step {entry['step']:3}: mean reward {entry['reward']:.3f}")
    plot(log, options.out / "reward.png")
    print(f"{options.out / 'reward.png'}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
