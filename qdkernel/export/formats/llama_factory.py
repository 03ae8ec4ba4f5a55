"""Format of LLaMA-Factory: ShareGPT rows, with the ``dataset_info.json`` that describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from qdkernel.export.contract import Json
from qdkernel.export.pairs import Pair, answer
from qdkernel.export.prompts import Messages
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import RowFormat, examples, labelled, messages_of, paired, said

_SPEAKERS = {"user": "human", "assistant": "gpt"}
_COLUMNS = {
    "sft": {"messages": "conversations", "system": "system"},
    "preference": {"messages": "conversations", "system": "system", "chosen": "chosen", "rejected": "rejected"},
    "kto": {"messages": "conversations", "system": "system", "kto_tag": "kto_tag"},
}


def _turns(messages: Messages) -> list[Json]:
    return [{"from": _SPEAKERS[m["role"]], "value": m["content"]} for m in messages if m["role"] != "system"]


def _system(messages: Messages) -> str:
    return "\n\n".join(message["content"] for message in messages if message["role"] == "system")


def _sft(record: ExportRecord) -> Json:
    messages = [*messages_of(record), *said(record.completion)]
    return {"conversations": _turns(messages), "system": _system(messages)}


def _preference(pair: Pair) -> Json:
    (chosen,), (rejected,) = _turns(said(answer(pair.chosen))), _turns(said(answer(pair.rejected)))
    system = _system(pair.prompt)
    return {"conversations": _turns(pair.prompt), "system": system, "chosen": chosen, "rejected": rejected}


def _kto(record: ExportRecord, label: bool) -> Json:
    return {**_sft(record), "kto_tag": label}


def _dataset_info(files: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    info = {
        f"qdkernel_{table}_{split}": {
            "file_name": path,
            "formatting": "sharegpt",
            **({"ranking": True} if table == "preference" else {}),
            "columns": _COLUMNS[table],
            "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
        }
        for table, splits in files.items()
        for split, path in splits.items()
    }
    return {"dataset_info.json": (json.dumps(info, indent=1) + "\n").encode()}


LLAMA_FACTORY = (
    RowFormat(
        "llama-factory",
        "LLaMA-Factory: ShareGPT rows for SFT, preference and KTO, with dataset_info.json.",
        {"sft": examples(_sft), "preference": paired(_preference), "kto": labelled(_kto)},
        ending="json",
        extra=_dataset_info,
    ),
)
