"""``qdkernel bench``: elites against the baseline again, in fresh processes, with confidence intervals."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from qdkernel.analysis import ratio_to_baseline
from qdkernel.commands.judge.kernel_file import problem_config, read_kernel
from qdkernel.config import Config, check_foreign, load_config
from qdkernel.core import (
    Cell,
    Evaluation,
    Kernel,
    KernelId,
    Outcome,
    Timing,
    cell_name,
    geometric_mean,
    one_line,
    parse_cell,
    printable,
)
from qdkernel.errors import QdkernelError, RunFolderError
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask, perform
from qdkernel.runs import RunFolder, elites, format_conditions
from qdkernel.search import (
    BUSY_HOST,
    RunEnvironment,
    calibrated,
    draw_sizes,
    held_out_spec,
    longer_spec,
    open_environment,
    recorded_baseline,
    time_again,
)


@dataclass(frozen=True)
class Entrant:
    """A kernel to time; ``held`` is the objective its archive holds for it."""

    kernel: Kernel
    cell: Cell | None
    held: float | None


def bench(
    target: Path,
    problem: str | None,
    top: int,
    cell: str | None,
    repeats: int,
    overrides: Sequence[str],
    as_json: bool,
    trust: bool = False,
) -> int:
    """Times a run's elites, or a kernel file, against the baseline.

    Each is timed ``repeats`` times with all the others between, as what disturbs a shared host lasts for tens of
    seconds; all measurements count. ``trust`` accepts the compiler, flags
    and library of a run folder whatever they are.
    """
    if target.is_dir():
        config, entrants, known = _from_run(target, top, cell, overrides, trust)
    elif problem is None:
        raise QdkernelError(f"{target} is not a run folder; to time a kernel file, add --problem NAME")
    else:
        config, entrants, known = problem_config(problem, overrides), [Entrant(read_kernel(target), None, None)], ()
    with open_environment(config, lambda _: None) as environment:  # calibrated anew: quiet is what the host is now
        if environment.busy:
            print(f"qdkernel: {BUSY_HOST}", file=sys.stderr)
        spec = longer_spec(environment)
        again = time_again(spec, [entrant.kernel for entrant in entrants], repeats, known)
        held_out = _held_out(environment, spec, config, entrants) if target.is_dir() else {}
        results = list(zip(entrants, again, strict=True))
        failed = [e for _, e in results if e.outcome is not Outcome.OK]
        for evaluation in failed:
            detail = printable(evaluation.detail, keep="\n\t")
            print(f"{evaluation.kernel_id[:12]}: {evaluation.outcome.value}: {detail}", file=sys.stderr)
        if as_json:
            print(json.dumps(_report(environment, results, held_out), indent=2))
        else:
            _print_table(environment, results, held_out)
    return 1 if failed else 0


def _held_out(
    environment: RunEnvironment, spec: EvaluationSpec, config: Config, entrants: Sequence[Entrant]
) -> dict[KernelId, tuple[Timing, ...]]:
    """Timings of the entrants at the run's held-out sizes; without those that failed there."""
    sizes = draw_sizes(environment.timing.sizes, config.timing.held_out, config.seed)
    if not sizes:
        return {}
    elsewhere = calibrated(held_out_spec(spec, sizes))
    found = {e.kernel.id: perform(EvaluationTask(elsewhere, e.kernel, again=True)) for e in entrants}
    for kernel_id, evaluation in found.items():
        if evaluation.score is None:
            detail = printable(evaluation.detail, keep="\n\t")
            print(f"{kernel_id[:12]} at held-out sizes: {evaluation.outcome.value}: {detail}", file=sys.stderr)
    return {kernel_id: evaluation.timings for kernel_id, evaluation in found.items() if evaluation.score}


def _from_run(
    path: Path, top: int, cell: str | None, overrides: Sequence[str], trust: bool
) -> tuple[Config, list[Entrant], tuple[float, ...]]:
    """What to time, and the baseline's speeds that the run's objectives refer to (none if they do not apply here)."""
    with RunFolder.open(path) as folder:
        config = load_config(folder.path / "config.yaml", overrides, files_must_exist=False)
        if not trust:
            check_foreign(config, overrides, path)
        held = elites(folder.evaluations.records())
        known = recorded_baseline(folder.machine, config)
    if not held:
        raise RunFolderError(f"{path} has no elite yet; let it run longer (qdkernel evolve --resume --out {path})")
    if cell is not None:
        wanted = parse_cell(cell)
        if wanted not in held:
            raise RunFolderError(f"the cell {cell} of {path} is empty; qdkernel show {path} lists the filled ones")
        held = {wanted: held[wanted]}
    ranked = sorted(held.items(), key=lambda item: -(item[1].evaluation.objective or 0.0))[:top]
    return config, [Entrant(Kernel(r.source), at, r.evaluation.objective) for at, r in ranked], known or ()


def _rows(results: list[tuple[Entrant, Evaluation]]) -> Iterator[tuple[Entrant, Evaluation]]:
    return ((entrant, evaluation) for entrant, evaluation in results if evaluation.outcome is Outcome.OK)


def _report(
    environment: RunEnvironment,
    results: list[tuple[Entrant, Evaluation]],
    held_out: Mapping[KernelId, tuple[Timing, ...]],
) -> dict[str, Any]:  # Any: JSON
    """Ratios are medians of elite over baseline, interleaved; over several sizes their geometric mean.

    Speeds in GFLOP/s are ratios times the recorded speed of the baseline; ``median_ns`` is what a call took now.
    """
    facts = environment.facts().model_dump(mode="json")
    rows = []
    for entrant, evaluation in _rows(results):
        cell = entrant.cell or evaluation.cell
        timings, ratio = evaluation.timings, ratio_to_baseline(evaluation)
        assert ratio is not None  # an evaluation that ended ok was timed
        rows.append(
            {
                "id": evaluation.kernel_id,
                "cell": None if cell is None else cell_name(cell),
                "sizes": [_size_report(timing) for timing in timings],
                "threads": environment.timing.threads,
                "accuracy": environment.spec.accuracy,
                "gflops": evaluation.objective,
                "ratio": ratio.median,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
                "held_gflops": entrant.held,
                "held_out": [_size_report(timing) for timing in held_out.get(evaluation.kernel_id, ())],
            }
        )
    return {"elites": rows, "baseline": facts["baseline"], "machine": facts["machine"]}


def _elsewhere(timings: Sequence[Timing]) -> str:
    return f"{geometric_mean([timing.ratio for timing in timings]):.3f}" if timings else "failed"


def _size_report(timing: Timing) -> dict[str, Any]:  # Any: JSON
    return {
        **timing.size,
        "gflops": timing.gflops,
        "median_ns": median(timing.kernel_ns),
        "ratio": timing.ratio,
        "ratio_low": timing.ratio_low,
        "ratio_high": timing.ratio_high,
    }


def _print_table(
    environment: RunEnvironment,
    results: list[tuple[Entrant, Evaluation]],
    held_out: Mapping[KernelId, tuple[Timing, ...]],
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rule = format_conditions(environment.spec.accuracy, environment.timing.cache)
    title = f"{environment.problem.name}, {environment.timing.threads} threads, against {environment.baseline}{rule}"
    columns = ("kernel", "cell", "GFLOP/s", "held", "ratio [95 % interval]", *(["held out"] if held_out else []))
    table = Table(*columns, title=Text(one_line(title), style="table.title"))
    for entrant, evaluation in _rows(results):
        cell = entrant.cell or evaluation.cell
        ratio = ratio_to_baseline(evaluation)
        assert ratio is not None
        table.add_row(
            evaluation.kernel_id[:8],
            "" if cell is None else cell_name(cell),
            f"{evaluation.objective:.1f}",
            "" if entrant.held is None else f"{entrant.held:.1f}",
            f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]",
            *([_elsewhere(held_out.get(evaluation.kernel_id, ()))] if held_out else []),
        )
    Console().print(table)
