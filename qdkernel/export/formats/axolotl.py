"""Formats of Axolotl: chat_template, its DPO variant ``chat_template.default``, KTO and GRPO."""

from __future__ import annotations

from qdkernel.export.contract import Json
from qdkernel.export.formats.openai import chat
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import (
    RowFormat,
    examples,
    joined,
    labelled,
    messages_of,
    paired,
    prompt_row,
    prompted,
    said,
)


def _dpo(pair: Pair) -> Json:
    (chosen,), (rejected,) = said(answer(pair.chosen)), said(answer(pair.rejected))
    return {"messages": pair.prompt, "chosen": chosen, "rejected": rejected}


def _kto(record: ExportRecord, label: bool) -> Json:
    return {"prompt": joined(messages_of(record)), "completion": record.completion, "label": label}


AXOLOTL = (
    RowFormat(
        "axolotl",
        "Axolotl: messages, DPO (chat_template.default), KTO, and prompts for GRPO.",
        {"sft": examples(chat), "dpo": paired(_dpo), "kto": labelled(_kto), "grpo": prompted(prompt_row)},
    ),
)
