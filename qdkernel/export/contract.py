"""The contract of export formats, and what a format is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from qdkernel.core import Cell, Outcome
from qdkernel.export.prompts import Messages, PromptMaker
from qdkernel.export.record import ExportRecord
from qdkernel.mutators.llm.prompts import estimate_tokens
from qdkernel.runs import RunFolder

Json = dict[str, Any]  # Any: JSON values
Only = Literal["elites", "improvements", "all"]


@dataclass(frozen=True)
class Selection:
    """Which evaluations are exported, and how they are divided.

    Attributes:
        only: ``elites`` of the archives, ``improvements`` (all that ever took a cell), or ``all``; ``None`` for the
            format's own choice.
        split: share of the rows for training; the rest is held out by lineage and problem. ``None`` for no split.
        max_chars: longest prompt and completion together, in characters; longer ones are left out.
        max_tokens: the same in tokens, estimated as the prompts' own length is.
        failure_share: largest share of preference pairs whose rejected kernel failed.
        license: of the data, as the dataset card states it; an SPDX identifier or ``other``.
        speed_tag: whether prompts of tables for supervised training end with the speed that their kernel reaches.
        revalidate: whether elites are timed again before the export.
        unchecked: whether exported code is not called far beyond the scored sizes before.
        trust: whether the runs' configurations may name any compiler and flags.
    """

    only: Only | None = None
    split: float | None = None
    max_chars: int | None = None
    max_tokens: int | None = None
    failure_share: float = 0.3
    license: str = "other"
    speed_tag: bool = False
    revalidate: bool = False
    unchecked: bool = False
    trust: bool = False

    def admits(self, *texts: str) -> bool:
        """Whether a row with these texts is short enough."""
        within_chars = self.max_chars is None or sum(map(len, texts)) <= self.max_chars
        return within_chars and (self.max_tokens is None or sum(map(estimate_tokens, texts)) <= self.max_tokens)


@dataclass(frozen=True)
class PromptRow:
    """A prompt to train on by reward.

    Attributes:
        messages: of the chat.
        stage: name of the stage that the reward enforces; empty for none.
        permitted: the levels that the stage permits, e.g. ``blocking: none, register; simd: scalar``; empty for none.
        task: problem.
        target: the cell asked for.
        best_gflops: the fastest kernel known in that cell on this machine; 0 when there is none.
    """

    messages: Messages
    stage: str
    permitted: str
    task: str
    target: Cell
    best_gflops: float


@dataclass(frozen=True)
class Source:
    """What a format writes from.

    Attributes:
        folders: the runs, open for reading.
        records: their evaluations, all of them, run by run.
        templates: the prompt from the templates for each record, by run and evaluation.
        makers: what makes prompts about a given kernel, by run.
        prompts: for formats that train by reward: by stage and target cell.
        selection: what of them is wanted.
        again: how the elites ended that were judged again for this export; ``None`` where none was.
        say: given what a user should know while it goes on.
    """

    folders: Sequence[RunFolder]
    records: Sequence[ExportRecord]
    templates: Mapping[tuple[str, int], Messages]
    makers: Mapping[str, PromptMaker]
    prompts: Sequence[PromptRow]
    selection: Selection = field(default_factory=Selection)
    again: Sequence[Outcome] | None = None
    say: Callable[[str], None] = lambda _: None


class Format(Protocol):
    """One export format."""

    @property
    def name(self) -> str:
        """As given to ``--to``."""

    @property
    def help(self) -> str:
        """One sentence for ``--help`` and the documentation."""

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the export and returns the files.

        Args:
            source: runs, records and what is wanted of them.
            out: file or folder; ``None`` for standard output, where the format allows it.

        Raises:
            ConfigError: the format cannot do what the selection or ``out`` asks for, or nothing is left to write.
            RunFolderError: the place cannot be written, or holds something else.
        """
