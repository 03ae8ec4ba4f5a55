"""Formats of search itself: single steps that gained, and whole lineages as multi-turn conversations."""

from __future__ import annotations

from collections.abc import Sequence

from qdkernel.core import Outcome, parse_cell
from qdkernel.export.contract import Json, Source
from qdkernel.export.pairs import answer
from qdkernel.export.prompts import Messages
from qdkernel.export.record import ExportRecord
from qdkernel.export.rows import RowFormat, Rows, contents, messages_of, said
from qdkernel.export.select import for_training
from qdkernel.export.steps import Lineages, Step


def _step_rows(source: Source) -> Rows:
    """A row for each step that gained beyond the noise, by default of all kernels."""
    lineages = Lineages(source.records)

    def rows(records: Sequence[ExportRecord]) -> list[Json]:
        steps = [step for one in records if one.outcome is Outcome.OK and (step := lineages.step_to(one))]
        made = [_step_row(source, step) for step in steps if step.gained]
        return [row for row in made if source.selection.admits(*contents([*row["prompt"], *row["completion"]]))]

    return {split: rows(records) for split, records in for_training(source.records, source.selection, "all").items()}


def _step_row(source: Source, step: Step) -> Json:
    """A model's kernel keeps prompt and reply; every other one answers a prompt that shows its parent."""
    child, parent = step.child, step.parent
    if child.prompt_source == "model":
        prompt, completion = messages_of(child), child.completion
    else:
        prompt = source.makers[child.run].improvement(parent, child.stage, parse_cell(child.cell))
        completion = answer(child)
    return {
        "prompt": prompt,
        "completion": said(completion),
        "gain": step.gain,
        "parent_gflops": parent.timing.gflops,
        "gflops": child.timing.gflops,
        "task": child.task,
        "stage": child.stage,
    }


def _trajectory_rows(source: Source) -> Rows:
    """A row for each lineage of more than its seed, by default of elites."""
    lineages = Lineages(source.records)

    def rows(records: Sequence[ExportRecord]) -> list[Json]:
        paths = [path for one in records if one.outcome is Outcome.OK and (path := lineages.path_to(one))]
        made = [_trajectory_row(source, path) for path in paths]
        return [row for row in made if source.selection.admits(*contents(row["messages"]))]

    splits = for_training(source.records, source.selection, "elites")
    return {split: rows(records) for split, records in splits.items()}


def _trajectory_row(source: Source, path: Sequence[Step]) -> Json:
    """A conversation with one reply a step, and a gain for each reply."""
    maker = source.makers[path[0].child.run]
    first = path[0]
    messages: Messages = [*maker.improvement(first.parent, first.child.stage, parse_cell(first.child.cell))]
    for number, step in enumerate(path):
        if number:
            turn = maker.next_turn(step.parent, step.child.stage, parse_cell(step.child.cell))
            messages.append({"role": "user", "content": turn})
        messages += said(answer(step.child))
    return {
        "messages": messages,
        "gains": [step.gain for step in path],
        "gflops": [step.child.timing.gflops for step in path],
        "parent_gflops": first.parent.timing.gflops,
        "task": first.child.task,
        "stage": path[-1].child.stage,
    }


LINEAGES = (
    RowFormat(
        "steps",
        "Steps that gained: the parent with what was measured of it, and the faster kernel made from it.",
        {"steps": _step_rows},
    ),
    RowFormat(
        "trajectories",
        "Whole lineages as conversations, with the gain of each reply, for multi-turn training.",
        {"trajectories": _trajectory_rows},
    ),
)
