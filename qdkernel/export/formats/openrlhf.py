"""Format of OpenRLHF (0.11): the default keys of its data flags."""

from __future__ import annotations

import json

from qdkernel.export.contract import Json, PromptRow
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import (
    RowFormat,
    examples,
    messages_of,
    paired,
    preference_row,
    prompted,
    reward_columns,
    said,
)


def _sft(record: ExportRecord) -> Json:
    return {"input": messages_of(record), "output": said(record.completion)}


def _prompt(prompt: PromptRow, split: str, index: int) -> Json:
    return {"input": prompt.messages, "label": json.dumps(reward_columns(prompt)), "datasource": prompt.task}


OPENRLHF = (
    RowFormat(
        "openrlhf",
        "OpenRLHF: input and output, preference pairs with margin, prompts with label.",
        {"sft": examples(_sft), "preference": paired(preference_row), "prompts": prompted(_prompt)},
    ),
)
