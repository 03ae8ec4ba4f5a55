"""Formats of TRL (1.16): conversational prompt and completion columns."""

from __future__ import annotations

from typing import Any

from qdkernel.export.contract import PromptRow
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import (
    RowFormat,
    examples,
    labelled,
    messages_of,
    paired,
    prompted,
    reward_columns,
    said,
)

Json = dict[str, Any]  # Any: JSON values


def _sft(record: ExportRecord) -> Json:
    return {"prompt": messages_of(record), "completion": said(record.completion)}


def _dpo(pair: Pair) -> Json:
    chosen, rejected = said(answer(pair.chosen)), said(answer(pair.rejected))
    return {"prompt": pair.prompt, "chosen": chosen, "rejected": rejected, "margin": pair.margin}


def _kto(record: ExportRecord, label: bool) -> Json:
    return {**_sft(record), "label": label}


def _grpo(prompt: PromptRow, split: str, index: int) -> Json:
    return {"prompt": prompt.messages, **reward_columns(prompt)}


TRL = (
    RowFormat(
        "trl-sft", "TRL's SFTTrainer: prompt and completion of kernels that took a cell.", {"sft": examples(_sft)}
    ),
    RowFormat("trl-dpo", "TRL's DPOTrainer: prompt, chosen, rejected and margin.", {"dpo": paired(_dpo)}),
    RowFormat("trl-kto", "TRL's KTOTrainer: prompt, completion and label.", {"kto": labelled(_kto)}),
    RowFormat(
        "trl-grpo", "TRL's GRPOTrainer: prompts, and the stage that the reward enforces.", {"grpo": prompted(_grpo)}
    ),
)
