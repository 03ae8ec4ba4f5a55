"""Formats of verl (0.9): Parquet files for its reinforcement-learning and its multi-turn SFT data sets."""

from __future__ import annotations

import json

from qdkernel.export.contract import Json, PromptRow
from qdkernel.export.formats.openai import chat
from qdkernel.export.rows import RowFormat, examples, prompted, reward_columns


def _prompt(prompt: PromptRow, split: str, index: int) -> Json:
    columns = reward_columns(prompt)
    return {
        "data_source": f"qdkernel/{prompt.task}",
        "prompt": prompt.messages,
        "ability": "kernel_optimization",
        "reward_model": {"style": "rule", "ground_truth": json.dumps(columns)},
        "extra_info": {"split": split, "index": index, **columns},
    }


VERL = (
    RowFormat(
        "verl",
        "verl: prompts for its RL data set, chats for its SFT data set, as Parquet.",
        {"rl": prompted(_prompt), "sft": examples(chat)},
        ending="parquet",
    ),
)
