"""How good is the search, beside other tuners, when measuring is taken out of the question?

Question: how many evaluations does each search need to reach 95 % and 99 % of the best kernel of a finite space, and
how does its QD score grow?
Method: the space of packed matrix multiplies that benchmarks/record_space.py recorded is replayed, so nothing is
compiled or measured here; an evaluation is a configuration that the search had not asked for before. Medians over the
seeds with 95 % bootstrap intervals. The QD score is the sum over the cells of the fastest kernel found in each, as a
share of the same sum over the whole space.

    pip install kernel_tuner optuna cmaes
    python benchmarks/search_efficiency.py [--seeds 100] [--evaluations 200] [--only NAME ...] [--out FOLDER]

Traces are kept in FOLDER, so that it can be stopped and continued, and the picture is drawn there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from search_peers import SEARCHES, Trace

from qdkernel.core import Array
from qdkernel.plots import style
from qdkernel.recorded import PACKED_DGEMM, RecordedSpace, read_t4

RECORDING = Path(__file__).parent / "data" / "packed-dgemm.t4.json.gz"
GOALS = (0.95, 0.99)
RESAMPLES = 2000
AT = (50, 100, 200)  # evaluations at which the QD score is shown


def main() -> None:
    """Runs what is missing in the folder of traces, then prints the table and draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=list(SEARCHES), choices=list(SEARCHES), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("search-efficiency"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    space = RecordedSpace.load(PACKED_DGEMM, read_t4(RECORDING))
    found = {}
    for name in given.only:
        traces = run(name, space, given.seeds, given.evaluations, given.out / f"{name.replace(' ', '-')}.jsonl")
        found[name] = Outcomes(space, traces, given.evaluations)
    print_table(found, given.evaluations)
    draw(found, given.out / "search-efficiency.png")


def run(name: str, space: RecordedSpace, seeds: int, evaluations: int, log: Path) -> list[Trace]:
    """The traces of a search for the first seeds; those that the log lacks are made and added to it."""
    numbers = {configuration: number for number, configuration in enumerate(PACKED_DGEMM.configurations)}
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for seed in range(len(rows), seeds):
        start = time.monotonic()
        trace = SEARCHES[name](space, seed, evaluations)
        rows.append([None if configuration is None else numbers[configuration] for configuration in trace])
        with log.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(f"{name}, seed {seed}: {len(trace)} evaluations in {time.monotonic() - start:.1f} s", flush=True)
    return [[None if n is None else PACKED_DGEMM.configurations[n] for n in row] for row in rows[:seeds]]


class Outcomes:
    """What the traces of one search reached.

    Attributes:
        best: (seeds, evaluations) the best objective so far, as a share of the space's best.
        qd: (seeds, evaluations) the QD score so far, as a share of the space's.
    """

    def __init__(self, space: RecordedSpace, traces: Sequence[Trace], evaluations: int) -> None:
        objectives = space.recording.gflops
        cells = {c: space.kernels[kernel].cell for kernel, c in space.configurations.items()}
        highest: dict[object, float] = {}
        for configuration, cell in cells.items():
            highest[cell] = max(highest.get(cell, 0.0), objectives[configuration])
        total = sum(highest.values())
        self.best, self.qd = np.zeros((2, len(traces), evaluations))
        for row, trace in enumerate(traces):
            held: dict[object, float] = {}
            for column in range(evaluations):
                configuration = trace[column] if column < len(trace) else None
                if configuration is not None:
                    cell = cells[configuration]
                    held[cell] = max(held.get(cell, 0.0), objectives[configuration])
                self.best[row, column] = max(held.values(), default=0.0) / space.recording.best
                self.qd[row, column] = sum(held.values()) / total

    def evaluations_to(self, goal: float) -> Array:
        """(seeds) evaluations until the best is at least ``goal``; infinite where it never was."""
        reached = self.best >= goal
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)


def interval(values: Array) -> tuple[float, float, float]:
    """The median of the values, and its 95 % bootstrap interval."""
    rng = np.random.default_rng(0)
    ordered = [
        float(np.sort(values[rng.integers(len(values), size=len(values))])[len(values) // 2]) for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(ordered, (0.025, 0.975), method="nearest")
    return float(np.sort(values)[len(values) // 2]), float(low), float(high)


def print_table(found: Mapping[str, Outcomes], evaluations: int) -> None:
    """Prints the table in Markdown, the fastest to 95 % first."""

    def shown(value: float) -> str:
        return f"> {evaluations}" if np.isinf(value) else f"{value:.0f}"

    def column(values: Array) -> str:
        median, low, high = interval(values)
        return f"{shown(median)} [{shown(low)}, {shown(high)}]"

    heads = [f"to {goal:.0%}" for goal in GOALS] + [f"QD score at {at}" for at in AT if at <= evaluations]
    print("\n| search | " + " | ".join(heads) + " |")
    print("|---" * (1 + len(heads)) + "|")
    for name, outcome in sorted(found.items(), key=lambda item: interval(item[1].evaluations_to(GOALS[0]))[0]):
        cells = [column(outcome.evaluations_to(goal)) for goal in GOALS]
        cells += [f"{np.median(outcome.qd[:, at - 1]):.3f}" for at in AT if at <= evaluations]
        print(f"| {name} | " + " | ".join(cells) + " |")


def draw(found: Mapping[str, Outcomes], path: Path) -> None:
    """Draws the median of best and QD score over evaluations; qdkernel in color, the peers in gray with their names."""
    from matplotlib import pyplot

    with style.house_style():
        figure, axes = pyplot.subplots(1, 2, figsize=(13, 6))
        for panel, attribute, label in zip(axes, ("best", "qd"), ("best so far", "QD score"), strict=True):
            for number, (name, outcome) in enumerate(found.items()):
                curve = np.median(getattr(outcome, attribute), axis=0)
                own = name.startswith("qdkernel")
                panel.plot(
                    np.arange(1, len(curve) + 1),
                    curve,
                    color=style.BEST if own else style.LEVELS[number % len(style.LEVELS)],
                    linewidth=2.4 if own else 1.2,
                    linestyle=("-", "--", ":", "-.")[number // len(style.LEVELS) % 4],
                    label=name,
                )
            panel.set_xlabel("evaluations")
            panel.set_ylabel(f"{label}, share of the space's")
            panel.set_ylim(bottom=0.4 if attribute == "best" else 0.0, top=1.01)
        axes[1].legend(loc="lower right", fontsize=8)
        figure.tight_layout(rect=(0, 0, 1, 0.92))
        style.write_title(figure, "Search efficiency on the recorded space\nmedian over seeds")
        figure.savefig(path, dpi=style.DPI)


if __name__ == "__main__":
    main()
