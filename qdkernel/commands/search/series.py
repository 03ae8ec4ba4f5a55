"""``qdkernel evolve`` with a configuration of several problems: run after run, then one table and one picture."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.analysis import Best, best_of
from qdkernel.commands.search.evolve import EvolveOptions, checked, evolve
from qdkernel.commands.search.session import say
from qdkernel.config import EVERY, Config, load_member, series_problems
from qdkernel.core import StopReason, cell_name, geometric_mean_or_none, write_atomically
from qdkernel.errors import ConfigError, QdkernelError, RunFolderError
from qdkernel.plots import draw_against_baseline, picture
from qdkernel.problems import PROBLEMS, find_problem, problem_label
from qdkernel.reports import columns_text
from qdkernel.runs import EventKind, RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INTERRUPTED = 130


def is_series(path: Path) -> bool:
    """Whether a file lists ``problems`` in place of a ``problem``."""
    return series_problems(path) is not None


def evolve_series(
    path: Path, out: Path | None, resume: bool, overrides: Sequence[str], dry_run: bool, other_run: Path | None
) -> int:
    """Runs the problems one after the other, each in a folder of its own below ``out``.

    A problem that cannot be run is reported and the next one begins; runs that have ended are not repeated on resume.

    Returns:
        0, 1 when a run failed, 130 when the user interrupted one.

    Raises:
        ConfigError: the configuration does not fit a problem, or a run is given to repeat or to start from.
        RunFolderError: ``out`` holds runs and ``resume`` is not given, or there is nothing to resume.
    """
    if other_run is not None:
        raise ConfigError(f"{path}: expected one problem for --replay and --seed-from, got several; give a run's own")
    configs = {problem_label(name): config for name, config in member_configs(path, overrides).items()}
    if dry_run:
        minutes = [config.budget.minutes for config in configs.values()]
        print("\n".join(configs))
        took = "unlimited time" if None in minutes else f"at most {sum(filter(None, minutes)):g} minutes of search"
        say(f"{len(configs)} problems, {took}; the elites are timed again after each")
        return 0
    root = _root(path, out, resume)
    failed: dict[str, str] = {}
    interrupted = False
    for number, (label, config) in enumerate(configs.items(), 1):
        if interrupted or _has_ended(root / label):
            continue
        say(f"{label}, {number} of {len(configs)}")
        try:
            code = _run(config, path, root / label, overrides)
        except QdkernelError as error:
            failed[label] = str(error).splitlines()[0]
            say(f"{label}: {error}")
        else:
            interrupted = code == _INTERRUPTED
            if code == 1:
                failed[label] = f"see {root / label}.txt"
    _summarize(root, list(configs), failed)
    return _INTERRUPTED if interrupted else int(bool(failed))


def member_configs(path: Path, overrides: Sequence[str]) -> dict[str, Config]:
    """The configuration of each problem, by name.

    Raises:
        ConfigError: one does not fit, or there is no such problem.
    """
    names = series_problems(path, overrides) or ()
    problems = tuple(PROBLEMS) if names == (EVERY,) else names
    for name in problems:
        find_problem(name)
    return {name: load_member(path, name, overrides) for name in problems}


def _root(path: Path, out: Path | None, resume: bool) -> Path:
    """The folder of the runs: the given one, on resume else the newest, else a new one."""
    if out is None and resume:
        found = sorted(Path("runs").glob(f"{path.stem}-*"), key=lambda folder: folder.stat().st_mtime)
        if not found:
            raise RunFolderError(f"no series of {path.stem} below runs/ to resume; name one with --out")
        return found[-1]
    root = out or Path("runs") / f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    if not resume and root.exists() and any(root.iterdir()):
        raise RunFolderError(
            f"{root} already holds something; add --resume to continue a series, or choose another --out"
        )
    return root


def _run(config: Config, path: Path, folder: Path, overrides: Sequence[str]) -> int:
    """One run, whose summary goes into its folder."""
    begun = (folder / "run.db").exists()
    summary = folder.parent / f"{folder.name}.txt"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with summary.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        return evolve(checked(config), path, EvolveOptions(folder, begun, overrides))


def _has_ended(folder: Path) -> bool:
    """Whether a run spent its budget."""
    if not (folder / "run.db").exists():
        return False
    with RunFolder.open(folder) as run:
        stops = [event.text for event in run.events.all() if event.kind is EventKind.STOPPED]
    return bool(stops) and stops[-1] != StopReason.INTERRUPTED.value


def _summarize(root: Path, labels: Sequence[str], failed: Mapping[str, str]) -> None:
    """Prints the table and writes it, and the picture, into the folder of the runs.

    Raises:
        ConfigError: no run has an elite.
    """
    found = {label: best for label in labels if (best := _best(root / label)) is not None}
    if not found:
        raise ConfigError(f"{root}: no run has an elite, so there is nothing to compare; see the messages above")
    text = _table(found, failed)
    write_atomically(root / "table.txt", text.encode())

    def drawn(figure: Figure) -> None:
        draw_against_baseline(found, figure.subplots())
        figure.tight_layout()

    write_atomically(root / "library.png", picture((10, 1.8 + 0.3 * len(found)), drawn))
    print(text, end="")
    print(f"table    {root / 'table.txt'}\npicture  {root / 'library.png'}\nruns     {root}")


def _best(folder: Path) -> Best | None:
    if not (folder / "run.db").exists():
        return None
    with RunFolder.open(folder) as run:
        return best_of(run)


def _table(found: Mapping[str, Best], failed: Mapping[str, str]) -> str:
    heads = [
        "problem",
        "GFLOP/s",
        "GB/s",
        "of baseline",
        "95 % interval",
        "of peak or triad",
        "cell",
        "evaluated",
        "baseline",
    ]
    rows = []
    for label, best in found.items():
        interval = f"[{best.ratio.low:.2f}, {best.ratio.high:.2f}]"
        share = "-" if best.share is None else f"{best.share:.0%}"
        speeds = [f"{best.gflops:.4g}", f"{best.gbytes_per_s:.3g}", f"{best.ratio.median:.3f}", interval, share]
        rows.append([label, *speeds, cell_name(best.cell), str(best.evaluations), best.baseline])
    mean = geometric_mean_or_none([best.ratio.median for best in found.values()])
    rows.append(["geometric mean", "", "", f"{mean:.3f}", "", "", "", "", ""])
    rows += [[label, "-", "-", "-", "-", "-", "-", "-", reason] for label, reason in failed.items()]
    return columns_text(heads, rows)
