"""Formats of TRL (1.16): conversational prompt and completion columns."""

from __future__ import annotations

from qdkernel.export.contract import Json
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import (
    RowFormat,
    examples,
    labelled,
    messages_of,
    paired,
    preference_row,
    prompt_row,
    prompted,
    said,
)


def _sft(record: ExportRecord) -> Json:
    return {"prompt": messages_of(record), "completion": said(record.completion)}


def _kto(record: ExportRecord, label: bool) -> Json:
    return {**_sft(record), "label": label}


TRL = (
    RowFormat(
        "trl-sft", "TRL's SFTTrainer: prompt and completion of kernels that took a cell.", {"sft": examples(_sft)}
    ),
    RowFormat("trl-dpo", "TRL's DPOTrainer: prompt, chosen, rejected and margin.", {"dpo": paired(preference_row)}),
    RowFormat("trl-kto", "TRL's KTOTrainer: prompt, completion and label.", {"kto": labelled(_kto)}),
    RowFormat(
        "trl-grpo",
        "TRL's GRPOTrainer: prompts, and the stage that the reward enforces.",
        {"grpo": prompted(prompt_row)},
    ),
)
