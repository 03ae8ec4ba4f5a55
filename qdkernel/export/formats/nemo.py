"""Formats of NeMo RL and NeMo Gym."""

from __future__ import annotations

from qdkernel.export.contract import Json, PromptRow
from qdkernel.export.formats.openai import chat
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.rows import RowFormat, examples, paired, prompted, reward_columns, said


def _preference(pair: Pair) -> Json:
    ranked = [(0, pair.chosen), (1, pair.rejected)]
    completions = [{"rank": rank, "completion": said(answer(record))} for rank, record in ranked]
    return {"context": pair.prompt, "completions": completions}


def _gym(prompt: PromptRow, split: str, index: int) -> Json:
    return {"responses_create_params": {"input": prompt.messages}, "verifier_metadata": reward_columns(prompt)}


NEMO = (
    RowFormat(
        "nemo-rl",
        "NeMo RL: messages, ranked completions, and rows of NeMo Gym.",
        {"sft": examples(chat), "preference": paired(_preference), "gym": prompted(_gym)},
    ),
)
