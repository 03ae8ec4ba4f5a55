"""OpenAI's fine-tuning shapes, which other services take as well."""

from __future__ import annotations

from qdkernel.core import Outcome
from qdkernel.export.contract import Json, Source
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import RowFormat, Rows, examples, messages_of, paired, said
from qdkernel.export.select import for_training


def chat(record: ExportRecord) -> Json:
    """The whole chat, reply included."""
    return {"messages": [*messages_of(record), *said(record.completion)]}


def _preference(pair: Pair) -> Json:
    return {
        "input": {"messages": pair.prompt, "tools": [], "parallel_tool_calls": True},
        "preferred_output": said(answer(pair.chosen)),
        "non_preferred_output": said(answer(pair.rejected)),
    }


def _repair(record: ExportRecord) -> Json:
    return {**chat(record), "rounds": sum(message.role == "assistant" for message in record.prompt)}


def _repairs(source: Source) -> Rows:
    """Conversations whose earlier kernel failed and whose last one passed, by default all of them."""
    splits = for_training(source.records, source.selection, "all")
    return {
        split: [_repair(one) for one in records if one.repair_of and one.outcome is Outcome.OK]
        for split, records in splits.items()
    }


OPENAI = (
    RowFormat(
        "openai",
        "OpenAI's fine-tuning: messages, and preference pairs.",
        {"sft": examples(chat), "preference": paired(_preference)},
    ),
    RowFormat(
        "repairs",
        "Messages of repairs: the failing kernel, what was wrong with it, the kernel that then passed.",
        {"repairs": _repairs},
    ),
)
