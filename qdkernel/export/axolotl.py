"""Formats of Axolotl: chat_template, its DPO variant ``chat_template.default``, KTO and GRPO."""

from __future__ import annotations

from typing import Any

from qdkernel.export.contract import PromptRow
from qdkernel.export.openai import chat
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import (
    RowFormat,
    examples,
    joined,
    labelled,
    messages_of,
    paired,
    prompted,
    reward_columns,
    said,
)

Json = dict[str, Any]  # Any: JSON values


def _dpo(pair: Pair) -> Json:
    (chosen,), (rejected,) = said(answer(pair.chosen)), said(answer(pair.rejected))
    return {"messages": pair.prompt, "chosen": chosen, "rejected": rejected}


def _kto(record: ExportRecord, label: bool) -> Json:
    return {"prompt": joined(messages_of(record)), "completion": record.completion, "label": label}


def _grpo(prompt: PromptRow, split: str, index: int) -> Json:
    return {"prompt": prompt.messages, **reward_columns(prompt)}


AXOLOTL = (
    RowFormat(
        "axolotl",
        "Axolotl: messages, DPO (chat_template.default), KTO, and prompts for GRPO.",
        {"sft": examples(chat), "dpo": paired(_dpo), "kto": labelled(_kto), "grpo": prompted(_grpo)},
    ),
)
