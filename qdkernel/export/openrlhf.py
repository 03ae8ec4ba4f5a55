"""Format of OpenRLHF (0.11): the default keys of its data flags."""

from __future__ import annotations

import json
from typing import Any

from qdkernel.export.contract import PromptRow
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import RowFormat, examples, messages_of, paired, prompted, reward_columns, said

Json = dict[str, Any]  # Any: JSON values


def _sft(record: ExportRecord) -> Json:
    return {"input": messages_of(record), "output": said(record.completion)}


def _preference(pair: Pair) -> Json:
    chosen, rejected = said(answer(pair.chosen)), said(answer(pair.rejected))
    return {"prompt": pair.prompt, "chosen": chosen, "rejected": rejected, "margin": pair.margin}


def _prompt(prompt: PromptRow, split: str, index: int) -> Json:
    return {"input": prompt.messages, "label": json.dumps(reward_columns(prompt)), "datasource": prompt.task}


OPENRLHF = (
    RowFormat(
        "openrlhf",
        "OpenRLHF: input and output, preference pairs with margin, prompts with label.",
        {"sft": examples(_sft), "preference": paired(_preference), "prompts": prompted(_prompt)},
    ),
)
