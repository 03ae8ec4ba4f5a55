"""The one place where pages read run folders: a run's log as values, read on only where it has grown."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdkernel.core import Arm, Behaviour, Kernel, KernelId, Measured, Timing, geometric_mean_or_none
from qdkernel.errors import RunFolderError
from qdkernel.runs import Bill, Event, EventKind, MachineFacts, Record, RunFolder, StoredConversation

_REREAD_SHARE = 1 / 300  # most of the time that reading a whole log again may take, see RunReader
_DETAIL_LIMIT = 4096  # characters kept of the message of a kernel that took no cell


@dataclass(frozen=True)
class BaselineSample:
    """The baseline's speed beside one kernel, relative to its speed at the start of the run; 1 is equal."""

    elapsed_s: float
    relative: float
    quiet: bool


@dataclass(frozen=True)
class RunData:
    """What pages show of a run.

    Records of kernels that took no cell come without source and samples, so that long runs fit in memory; use
    ``evaluation.kernel_id``, never the id of the proposal's kernel.

    Attributes:
        name: of the folder.
        path: of the folder.
        problem: registry name.
        created_at: UTC, ISO 8601.
        harness: version of qdkernel that made it.
        facts: machine, compiler, peaks and baseline.
        config: the resolved configuration.
        records: the log, in order.
        baseline: the baseline's speed over the run.
        events: what happened to the run itself, oldest first.
        bills: what each reply of a model cost, in order.
        endings: how conversations ended, by operator and model.
        bandit: the evidence on the bandit's arms as the run commits it.
        elapsed_s: seconds that the run had been active at its last commit.
    """

    name: str
    path: Path
    problem: str
    created_at: str
    harness: str
    facts: MachineFacts
    config: Mapping[str, Any]  # Any: YAML
    records: tuple[Record, ...] = ()
    baseline: tuple[BaselineSample, ...] = ()
    events: tuple[Event, ...] = ()
    bills: tuple[Bill, ...] = ()
    endings: Mapping[Arm, Counter[str]] = dataclasses.field(default_factory=dict)
    bandit: tuple[Mapping[str, Any], ...] = ()  # Any: JSON
    elapsed_s: float = 0.0


class RunReader:
    """Reads a run again and again; each time only what was committed since.

    Later measurements and retractions change earlier records. A retraction shows as an event, and then everything is
    read again; otherwise everything is read again when the last such reading is 300 times its own duration ago.

    Args:
        path: the run folder; opened for reading for the length of each call only.

    Raises:
        RunFolderError: not a readable run folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._records: list[Record] = []
        self._baseline: list[BaselineSample] = []
        self._retractions = 0
        self._whole_at = 0.0
        self._whole_took = 0.0

    def read(self) -> RunData:
        """The run as it stands."""
        with RunFolder.open(self.path) as folder:
            events = tuple(folder.events.all())
            facts = folder.facts
            self._read_records(folder, facts, sum(event.kind is EventKind.RETRACTED for event in events))
            meta = folder.meta
            return RunData(
                name=self.path.absolute().name,
                path=self.path.absolute(),
                problem=meta.get("problem", facts.problem),
                created_at=meta.get("created_at", ""),
                harness=meta.get("harness", ""),
                facts=facts,
                config=_config(folder),
                records=tuple(self._records),
                baseline=tuple(self._baseline),
                events=events,
                bills=tuple(folder.conversations.bills()),
                endings=folder.conversations.counts_by_ending(),
                bandit=_arms(folder.get_state("search")),
                elapsed_s=folder.elapsed_s,
            )

    def records(self, numbers: Iterable[int]) -> list[Record]:
        """Whole records, sources and samples included; numbers that the run does not have are left out."""
        known = {record.number: record for record in self._records if record.placed}
        wanted = list(numbers)
        if missing := [number for number in wanted if number not in known]:
            with RunFolder.open(self.path) as folder:
                for number in missing:
                    record = next(folder.evaluations.records(number - 1), None)
                    if record is not None and record.number == number:
                        known[number] = record
        return [known[number] for number in wanted if number in known]

    def conversations(self, records: Iterable[Record]) -> dict[int, StoredConversation]:
        """The conversations that brought these records, by the records' numbers."""
        wanted = [(r.number, r.conversation_id) for r in records if r.conversation_id is not None]
        if not wanted:
            return {}
        with RunFolder.open(self.path) as folder:
            return {number: folder.conversations.get(conversation) for number, conversation in wanted}

    def _read_records(self, folder: RunFolder, facts: MachineFacts, retractions: int) -> None:
        start = time.monotonic()
        due = start - self._whole_at > self._whole_took / _REREAD_SHARE
        whole = due or retractions != self._retractions or not self._records
        if whole:
            self._records, self._baseline = [], []
        last = self._records[-1].number if self._records else 0
        speeds = {tuple(speed.size.items()): speed.gflops for speed in facts.baseline}
        for record in folder.evaluations.records(last):
            if sample := _baseline_sample(record, speeds):
                self._baseline.append(sample)
            self._records.append(record if record.placed else _slim(record))
        if whole:
            self._retractions = retractions
            self._whole_at, self._whole_took = time.monotonic(), time.monotonic() - start


def find_runs(folder: Path) -> dict[str, Path]:
    """The runs directly in a folder, by name, newest first; the folder itself when it is a run.

    Raises:
        RunFolderError: there is no such folder, or no run in it.
    """
    folder = Path(folder)
    if (folder / "run.db").is_file():
        return {folder.absolute().name: folder}
    try:
        found = [path for path in folder.iterdir() if (path / "run.db").is_file()]
    except OSError as error:
        raise RunFolderError(f"expected a run folder or a folder of runs, but {folder}: {error.strerror}") from error
    if not found:
        raise RunFolderError(f"{folder} holds no run; give a folder made by `qdkernel evolve`, or one of such folders")
    return {path.name: path for path in sorted(found, key=lambda path: -(path / "run.db").stat().st_mtime)}


def commit_stamp(path: Path) -> tuple[int, int]:
    """Changes with every commit to a run; found without opening the database."""
    status = (Path(path) / "run.db").stat()
    return status.st_mtime_ns, status.st_size


def _slim(record: Record) -> Record:
    """The record without what only its own page shows."""
    evaluation = record.evaluation
    behaviour, measured = evaluation.behaviour, evaluation.measured
    return dataclasses.replace(
        record,
        proposal=dataclasses.replace(record.proposal, kernel=Kernel(""), notes={}),
        evaluation=dataclasses.replace(
            evaluation,
            kernel_id=KernelId(str(evaluation.kernel_id)),
            behaviour=None if behaviour is None else Behaviour(behaviour.cell),
            measured=None if measured is None else _without_samples(measured),
            detail=evaluation.detail[:_DETAIL_LIMIT],
        ),
    )


def _without_samples(measured: Measured) -> Measured:
    timings = tuple(dataclasses.replace(timing, kernel_ns=(), reference_ns=()) for timing in measured.timings)
    duel = None if measured.duel is None else dataclasses.replace(measured.duel, kernel_ns=(), incumbent_ns=())
    return Measured(measured.objective, timings, duel)


def _baseline_sample(record: Record, speeds: Mapping[tuple[tuple[str, int], ...], float]) -> BaselineSample | None:
    timings = record.evaluation.timings
    ratios = [_relative(timing, speeds.get(tuple(timing.size.items()))) for timing in timings]
    known = [ratio for ratio in ratios if ratio is not None]
    relative = geometric_mean_or_none(known)
    if relative is None:
        return None
    return BaselineSample(record.elapsed_s, relative, all(timing.quiet for timing in timings))


def _relative(timing: Timing, gflops: float | None) -> float | None:
    if not timing.reference_ns or not gflops:
        return None
    return timing.flops / statistics.median(timing.reference_ns) / gflops


def _config(folder: RunFolder) -> Mapping[str, Any]:  # Any: YAML
    """The run's configuration; empty where it cannot be read: a page shows what else there is."""
    try:
        return folder.config
    except RunFolderError:
        return {}


def _arms(state: Any) -> tuple[Mapping[str, Any], ...]:  # Any: JSON, whatever wrote it
    plays = state.get("plays") if isinstance(state, dict) else None
    arms = plays.get("arms") if isinstance(plays, dict) else None
    return tuple(arm for arm in arms if isinstance(arm, dict)) if isinstance(arms, list) else ()
