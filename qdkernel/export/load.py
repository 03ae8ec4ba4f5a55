"""Runs opened and read for an export."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qdkernel.config import Config, load_config
from qdkernel.core import Cell, Outcome, Stage, cell_name, parse_cell
from qdkernel.errors import ConfigError
from qdkernel.export.contract import PromptRow, Selection, Source
from qdkernel.export.prompts import Messages, PromptMaker
from qdkernel.export.record import ExportRecord
from qdkernel.export.revalidation import elites_timed_again
from qdkernel.export.run_records import run_records
from qdkernel.runs import RunFolder
from qdkernel.search import plan_of


@contextlib.contextmanager
def open_source(
    runs: Sequence[Path],
    selection: Selection | None = None,
    stages: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[Source]:
    """The runs as a source of exports; they stay open inside the block.

    Args:
        runs: run folders, at least one.
        selection: what of them is wanted.
        stages: a configuration whose stages replace those of the runs in prompts to train on.
        say: given what a user should know while it goes on, e.g. that elites are timed again.

    Raises:
        RunFolderError: a folder is no run of this version.
        ConfigError: two runs share a name, no run has an evaluation, the configuration is of another problem, or
            elites cannot be timed again here.
    """
    selection = selection or Selection()
    config = load_config(stages, files_must_exist=False) if stages else None
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(RunFolder.open(run)) for run in runs]
        _must_differ([folder.path.resolve().name for folder in folders])
        plan = _stage_plan(config, folders)
        records: list[ExportRecord] = []
        templates: dict[tuple[str, int], Messages] = {}
        makers: dict[str, PromptMaker] = {}
        prompts: dict[tuple[str, str, str, Cell], PromptRow] = {}
        outcomes: list[Outcome] = []
        for folder in folders:
            maker = makers[folder.path.resolve().name] = PromptMaker(folder)
            again = elites_timed_again(folder, say, selection.trust) if selection.revalidate else {}
            outcomes += [evaluation.outcome for evaluation in again.values()]
            own = list(run_records(folder, maker, again))
            records += own
            for record in own:
                templates[record.run, record.evaluation] = maker.prompt(record.stage, _aim(record))
            for row in _prompt_rows(PromptMaker(folder, plan) if plan else maker, own, plan):
                key = (row.task, folder.facts.fingerprint, row.stage, row.target)
                if key not in prompts or prompts[key].best_gflops < row.best_gflops:
                    prompts[key] = row
        if not records:
            names = ", ".join(str(run) for run in runs)
            raise ConfigError(f"{names}: expected a run with evaluations, but it holds none yet; nothing to export")
        judged_again = outcomes if selection.revalidate else None
        yield Source(folders, records, templates, makers, list(prompts.values()), selection, judged_again, say)


def _aim(record: ExportRecord) -> Cell | None:
    """The cell that the record's prompt asks for: where it ended, else where it was meant to."""
    name = record.cell or record.target
    return parse_cell(name) if name else None


def _prompt_rows(
    maker: PromptMaker, records: Sequence[ExportRecord], plan: Sequence[Stage] | None
) -> Iterator[PromptRow]:
    """With a plan every permitted cell, stage after stage; otherwise the stages and cells that the run met."""
    best: dict[str, float] = {}
    for record in records:
        if record.outcome is Outcome.OK:
            best[record.cell] = max(best.get(record.cell, 0.0), record.timing.gflops)
    met = dict.fromkeys((record.stage, cell) for record in records if (cell := _aim(record)) is not None)
    wanted = [(stage.name, cell) for stage in plan for cell in maker.permitted(stage.name)] if plan else list(met)
    for stage, cell in wanted:
        task = records[0].task
        speed = best.get(cell_name(cell), 0.0)
        yield PromptRow(maker.prompt(stage, cell), stage, maker.permitted_levels(stage), task, cell, speed)


def _stage_plan(config: Config | None, folders: Sequence[RunFolder]) -> tuple[Stage, ...] | None:
    if config is None:
        return None
    for folder in folders:
        if folder.facts.problem != config.problem:
            raise ConfigError(
                f"--stages: expected a configuration of {folder.facts.problem}, the problem of {folder.path}, "
                f"but it is of {config.problem}"
            )
    plan = plan_of(config.stages, config.stage_order)
    if plan is None:
        raise ConfigError(
            "--stages: expected a configuration with stages, but it has none; see configs/gemm-staged.yaml"
        )
    return plan.stages


def _must_differ(names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(
            f"expected runs with different names, but {twice[0]} is given twice; rename one of the folders"
        )
