"""``qdkernel evolve``: a run from configuration to archive, pictures and elites."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from qdkernel.config import Config, dump_config, load_config
from qdkernel.errors import RunFolderError
from qdkernel.evaluators import find_problem, this_machine
from qdkernel.evolve import Evolution, StopReason
from qdkernel.progress import make_progress
from qdkernel.run_folder import RunFolder, write_elites
from qdkernel.workplace import (
    Workplace,
    check_names,
    open_workplace,
    recorded_baseline,
    resolve_sizes,
    resolve_threads,
)

_REASONS = {
    StopReason.EVALUATIONS: "the budgeted number of evaluations is done",
    StopReason.MINUTES: "the budgeted time is over",
    StopReason.INTERRUPTED: "interrupted; continue with --resume",
    StopReason.EXHAUSTED: "no operator has anything left to propose",
}
_SECONDS_PER_EVALUATION = 0.35  # measured at n = 256 with two workers; for the estimate of a dry run


def evolve(path: Path, out: Path | None, resume: bool, overrides: Sequence[str]) -> int:
    """Runs a configuration; see ``qdkernel evolve --help``."""
    config = load_config(path, overrides)
    check_names(config)
    if resume:
        target = _run_to_resume(config, out)
        with RunFolder.open(target, writable=True) as folder:
            known = _known_baseline(folder, config)
            with open_workplace(config, _say, known) as place:
                return _run(place, folder)
    if out is not None and (out / "run.db").exists():
        raise RunFolderError(f"{out} already holds a run; add --resume to continue it, or choose another --out")
    with open_workplace(config, _say) as place, _new_folder(config, place, out) as folder:
        return _run(place, folder)


def dry_run(path: Path, overrides: Sequence[str]) -> int:
    """Prints the resolved configuration and what it would cost; needs no compiler."""
    config = load_config(path, overrides)
    check_names(config)
    problem, machine = find_problem(config.problem), this_machine()
    threads, sizes = resolve_threads(config, machine), resolve_sizes(config, problem, machine)
    print(dump_config(config), end="")
    budget = config.budget
    shown = "; ".join(", ".join(f"{name}={value}" for name, value in size.items()) for size in sizes)
    print(f"# scored: {shown}; with {threads} of {machine.cores} cores", file=sys.stderr)
    costs = []
    if budget.minutes is not None:
        costs.append(f"at most {budget.minutes:g} minutes")
    if budget.evaluations is not None:
        minutes = budget.evaluations * _SECONDS_PER_EVALUATION / 60
        costs.append(f"at most {budget.evaluations} evaluations (very roughly {minutes:.1f} minutes)")
    print(f"# would cost: {' and '.join(costs)}, whichever ends first; no model, no money", file=sys.stderr)
    return 0


def _run(place: Workplace, folder: RunFolder) -> int:
    _say(f"run folder {folder.path}")
    progress = make_progress(place.spec.peak_gflops, place.baseline)
    evolution = Evolution(place, folder, progress.show)
    with _interruptible(evolution), progress:
        reason = evolution.run()
    _finish(folder, reason)
    return 130 if reason is StopReason.INTERRUPTED else 0


def _finish(folder: RunFolder, reason: StopReason) -> None:
    """Pictures, elites, and the closing words."""
    from qdkernel.plots import plot_run
    from qdkernel.show import print_view, show_run

    elites = write_elites(folder)
    pictures = plot_run(folder)
    print_view(show_run(folder))
    print(f"\nstopped: {_REASONS[reason]}")
    print(f"elites   {folder.path / 'elites'} ({len(elites)} files)")
    for picture in pictures:
        print(f"picture  {picture}")
    print(f"again    qdkernel show {folder.path}; qdkernel bench {folder.path}")


def _new_folder(config: Config, place: Workplace, out: Path | None) -> RunFolder:
    root, exact = (Path("runs"), False) if out is None else (out, True)
    return RunFolder.create(root, config.problem, dump_config(config), place.facts(), exact=exact)


def _run_to_resume(config: Config, out: Path | None) -> Path:
    if out is not None:
        return out
    found = sorted(Path("runs").glob(f"{config.problem}-*/run.db"), key=lambda db: db.stat().st_mtime)
    if not found:
        raise RunFolderError(f"no run of {config.problem} below runs/ to resume; name one with --out, or drop --resume")
    return found[-1].parent


def _known_baseline(folder: RunFolder, config: Config) -> tuple[float, ...]:
    """The baseline's speeds that the run's objectives refer to.

    Raises:
        RunFolderError: the run was made on another machine, or scores something else.
    """
    known = recorded_baseline(folder.machine, config)
    if known is None:
        raise RunFolderError(
            f"{folder.path} was made on another machine, or with other sizes or threads, than the configuration asks "
            "for here; its timings do not compare: start a new run"
        )
    return known


@contextlib.contextmanager
def _interruptible(evolution: Evolution) -> Iterator[None]:
    """The first interrupt drains the run, the second stops it where it is; both leave a folder that resumes."""

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        evolution.stop()
        _say("finishing what is under way; interrupt again to stop at once")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    print(f"qdkernel: {text}", file=sys.stderr, flush=True)
