"""Formats for trainers: tables of rows, each a projection of records, pairs or prompts, with a dataset card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Outcome, Placement, cell_name
from qdkernel.errors import ConfigError
from qdkernel.export.card import card_text
from qdkernel.export.contract import Json, PromptRow, Source
from qdkernel.export.files import CARD, ENCODINGS, must_be_ours, write_file
from qdkernel.export.pairs import Pair, answer, preference_pairs
from qdkernel.export.prompts import Messages, speed_tag
from qdkernel.export.record import ExportRecord
from qdkernel.export.select import for_training

Rows = dict[str, list[Json]]
"""Rows by split."""


@dataclass(frozen=True)
class RowFormat:
    """A folder with a file for each table and split, and a dataset card.

    Attributes:
        name: as given to ``--to``.
        help: one sentence.
        tables: what makes the rows, by table; a table without rows is left out.
        ending: of the files: ``jsonl``, ``json`` or ``parquet``.
        extra: further files, made from the files of the tables: by name, their contents.
    """

    name: str
    help: str
    tables: Mapping[str, Callable[[Source], Rows]]
    ending: str = "jsonl"
    extra: Callable[[Mapping[str, Mapping[str, str]]], Mapping[str, bytes]] | None = None

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the tables and the card; see ``Format``."""
        folder = needed(out, self.name)
        must_be_ours(folder)
        made = {table: rows for table, make in self.tables.items() if any((rows := make(source)).values())}
        if not made:
            raise ConfigError(
                f"--to {self.name}: the runs hold no row for it (preference pairs need kernels that differ beyond "
                "the noise, repairs a model); give more runs, or try --only all"
            )
        named = {
            table: {split: f"{table}-{split}.{self.ending}" for split, rows in splits.items() if rows}
            for table, splits in made.items()
        }
        counts = {t: {s: (path, len(made[t][s])) for s, path in files.items()} for t, files in named.items()}
        card = card_text(self.name, counts, source)
        written = [write_file(folder / CARD, card.encode("utf-8", "replace"))]
        for table, files in named.items():
            for split, path in files.items():
                written.append(write_file(folder / path, ENCODINGS[self.ending](made[table][split])))
        for stale in self._files(folder) - set(written):
            stale.unlink(missing_ok=True)
        for path, content in (self.extra(named) if self.extra else {}).items():
            written.append(write_file(folder / path, content))
        return written

    def _files(self, folder: Path) -> set[Path]:
        """Every file that a table may have."""
        return {folder / f"{table}-{split}.{self.ending}" for table in self.tables for split in ("train", "test")}


def needed(out: Path | None, name: str) -> Path:
    """The folder to write.

    Raises:
        ConfigError: there is none.
    """
    if out is None:
        raise ConfigError(f"export --to {name} writes a folder of files; name it with --out")
    return out


def examples(row: Callable[[ExportRecord], Json]) -> Callable[[Source], Rows]:
    """Rows for supervised training: a correct kernel each, by default those that ever took a cell."""

    def make(source: Source) -> Rows:
        tagged = _tagger(source) if source.selection.speed_tag else lambda record: record
        splits = for_training(source.records, source.selection, "improvements")
        return {
            split: [row(tagged(one)) for one in records if one.outcome is Outcome.OK]
            for split, records in splits.items()
        }

    return make


def labelled(row: Callable[[ExportRecord, bool], Json]) -> Callable[[Source], Rows]:
    """Rows with a label: true for kernels that took a cell, false for failures; correct ones between are left out."""

    def make(source: Source) -> Rows:
        splits = for_training(source.records, source.selection, "all")
        return {split: [row(*one) for one in _labels(records)] for split, records in splits.items()}

    return make


def paired(row: Callable[[Pair], Json]) -> Callable[[Source], Rows]:
    """Rows of preference pairs, by default of all kernels; both kernels of a pair are in the same split."""

    def make(source: Source) -> Rows:
        splits = for_training(source.records, source.selection, "all")
        share = source.selection.failure_share
        return {
            split: [
                row(pair)
                for pair in preference_pairs(records, source.templates, share)
                if source.selection.admits(
                    *contents(pair.prompt), max(answer(pair.chosen), answer(pair.rejected), key=len)
                )
            ]
            for split, records in splits.items()
        }

    return make


def prompted(row: Callable[[PromptRow, str, int], Json]) -> Callable[[Source], Rows]:
    """Rows of prompts for training by reward, with split and index; whole target cells of a problem are held out."""

    def make(source: Source) -> Rows:
        share = source.selection.split
        splits: dict[str, list[PromptRow]] = {"train": [], "test": []}
        for prompt in filter(lambda one: source.selection.admits(*contents(one.messages)), source.prompts):
            splits["test" if share is not None and _draw(prompt) >= share else "train"].append(prompt)
        return {split: [row(one, split, i) for i, one in enumerate(rows)] for split, rows in splits.items() if rows}

    return make


def preference_row(pair: Pair) -> Json:
    """A pair as columns of messages, with its margin."""
    chosen, rejected = said(answer(pair.chosen)), said(answer(pair.rejected))
    return {"prompt": pair.prompt, "chosen": chosen, "rejected": rejected, "margin": pair.margin}


def prompt_row(prompt: PromptRow, split: str, index: int) -> Json:
    """A prompt with the columns of the reward; see ``prompted``."""
    return {"prompt": prompt.messages, **reward_columns(prompt)}


def said(text: str) -> Messages:
    """An assistant's message, as a list of one."""
    return [{"role": "assistant", "content": text}]


def messages_of(record: ExportRecord) -> Messages:
    """The record's prompt."""
    return [message.model_dump() for message in record.prompt]


def contents(messages: Iterable[Mapping[str, str]]) -> list[str]:
    """The texts of a chat."""
    return [message["content"] for message in messages]


def joined(messages: Iterable[Mapping[str, str]]) -> str:
    """A chat as one text, for trainers that take plain prompts."""
    return "\n\n".join(contents(messages))


def reward_columns(prompt: PromptRow) -> Json:
    """What the reward and the reader of logs need of a prompt, one type per column."""
    return {
        "stage": prompt.stage,
        "permitted": prompt.permitted,
        "task": prompt.task,
        "target": cell_name(prompt.target),
        "best_gflops": float(prompt.best_gflops),
    }


def _tagger(source: Source) -> Callable[[ExportRecord], ExportRecord]:
    """Adds the speed that a kernel reaches to the last message of its prompt."""
    facts = {folder.path.resolve().name: folder.facts for folder in source.folders}

    def tagged(record: ExportRecord) -> ExportRecord:
        tag = speed_tag(record, facts[record.run])
        if not tag:
            return record
        *before, last = record.prompt
        last = last.model_copy(update={"content": f"{last.content}\n\n{tag}"})
        return record.model_copy(update={"prompt": [*before, last]})

    return tagged


def _labels(records: Sequence[ExportRecord]) -> Iterable[tuple[ExportRecord, bool]]:
    for record in records:
        correct = record.outcome is Outcome.OK
        if not correct or Placement(record.placement).placed:
            yield record, correct


def _draw(prompt: PromptRow) -> float:
    """A number in [0, 1) that depends on problem and target only."""
    digest = hashlib.sha256(f"{prompt.task} {cell_name(prompt.target)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
