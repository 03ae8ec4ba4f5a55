"""OpenAI's fine-tuning shapes, which other services take as well."""

from __future__ import annotations

from typing import Any

from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import RowFormat, examples, messages_of, paired, said

Json = dict[str, Any]  # Any: JSON values


def chat(record: ExportRecord) -> Json:
    """The whole chat, reply included."""
    return {"messages": [*messages_of(record), *said(record.completion)]}


def _preference(pair: Pair) -> Json:
    return {
        "input": {"messages": pair.prompt, "tools": [], "parallel_tool_calls": True},
        "preferred_output": said(answer(pair.chosen)),
        "non_preferred_output": said(answer(pair.rejected)),
    }


OPENAI = (
    RowFormat(
        "openai",
        "OpenAI's fine-tuning: messages, and preference pairs.",
        {"sft": examples(chat), "preference": paired(_preference)},
    ),
)
