"""A study's results: a row for each routine and way, and for each way over all routines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from qdkernel.config import StudyConfig
from qdkernel.core import geometric_mean_or_none
from qdkernel.reports import columns_text
from qdkernel.rewards import Ending, Verdict
from qdkernel.study.estimates import bootstrap_interval, eff_at_k, mean_interval, pass_at_k, pass_interval
from qdkernel.study.store import Question, Store

ALL = "all"
"""The problem of a row over all problems."""

_NOT_COMPILED = (Ending.NO_KERNEL, Ending.POLICY_VIOLATION, Ending.COMPILE_ERROR)


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Row:
    """What came of the replies for one problem, asked for in one way.

    Attributes:
        problem: its name, or ``all``.
        way: how the model was asked.
        model: its name.
        samples: replies judged.
        compiled: of these, kernels that were accepted and compiled.
        correct: of these, verified.
        over_reference: speed of the correct ones relative to the naive kernel, geometric mean; ``None`` without any.
        over_baseline: the same relative to the baseline, OpenBLAS where it has the routine.
        best: the highest of these.
        passed: pass@k by k; only for k up to the number of samples.
        efficient: eff@k by k, of the speed relative to the baseline, 0 for a kernel that is not correct.
    """

    problem: str
    way: str
    model: str
    samples: int
    compiled: int
    correct: int
    over_reference: float | None
    over_baseline: float | None
    best: float | None
    passed: dict[int, Estimate]
    efficient: dict[int, Estimate]


def rows_of(config: StudyConfig, models: Sequence[str], store: Store) -> list[Row]:
    """The rows of everything that was judged, in the order of the configuration; then those over all problems."""
    rows, totals = [], []
    for model in models:
        for way in config.ways:
            groups = {}
            for problem in config.problems:
                found = [store.verdicts.get(Question(problem, way, model, sample)) for sample in range(config.samples)]
                if verdicts := [verdict for verdict in found if verdict is not None]:
                    groups[problem] = verdicts
                    rows.append(_row(config, (problem, way, model), {problem: verdicts}, store))
            if len(groups) > 1:
                totals.append(_row(config, (ALL, way, model), groups, store))
    order = {problem: at for at, problem in enumerate(config.problems)}
    return sorted(rows, key=lambda row: order[row.problem]) + totals


def _row(
    config: StudyConfig, names: tuple[str, str, str], groups: Mapping[str, Sequence[Verdict]], store: Store
) -> Row:
    """The row of one problem or of several, of which each counts the same in the estimates."""
    scores = {problem: [_score(verdict) for verdict in verdicts] for problem, verdicts in groups.items()}
    samples = list(scores.values())
    verdicts = [verdict for each in groups.values() for verdict in each]
    ratios = [score for each in samples for score in each if score > 0]
    references = {problem: store.verdicts.get(Question(problem)) for problem in groups}
    over = [
        score / reference.ratio
        for problem, each in scores.items()
        if (reference := references[problem]) and reference.ratio
        for score in each
        if score > 0
    ]
    ks = [k for k in config.k if k <= min(map(len, samples))]
    rng = np.random.default_rng(config.seed)
    return Row(
        *names,
        samples=len(verdicts),
        compiled=sum(verdict.ending not in _NOT_COMPILED for verdict in verdicts),
        correct=len(ratios),
        over_reference=geometric_mean_or_none(over),
        over_baseline=geometric_mean_or_none(ratios),
        best=max(ratios, default=None),
        passed={k: _passed(samples, k) for k in ks},
        efficient={k: _mean(lambda each, k=k: eff_at_k(each, k), samples, rng) for k in ks},  # type: ignore[misc]
    )


def _passed(samples: Sequence[Sequence[float]], k: int) -> Estimate:
    counts = [(len(scores), sum(score > 0 for score in scores)) for scores in samples]
    values = [pass_at_k(n, correct, k) for n, correct in counts]
    intervals = [pass_interval(n, correct, k) for n, correct in counts]
    interval = intervals[0] if len(samples) == 1 else mean_interval(values, intervals)
    return Estimate(float(np.mean(values)), *interval)


def _mean(
    estimate: Callable[[Sequence[float]], float], samples: Sequence[Sequence[float]], rng: np.random.Generator
) -> Estimate:
    return Estimate(float(np.mean([estimate(each) for each in samples])), *bootstrap_interval(estimate, samples, rng))


def _score(verdict: Verdict) -> float:
    """Speed relative to the baseline; 0 for a kernel that is not correct."""
    return verdict.ratio or 0.0 if verdict.ending is Ending.OK else 0.0


def table_text(rows: Sequence[Row]) -> str:
    """The rows in aligned columns; a column of pass@k and of eff@k for each k."""
    ks = sorted({k for row in rows for k in row.passed})
    heads = ["routine", "way", "model", "n", "compiled", "correct", "over reference", "over baseline", "best"]
    heads += [f"pass@{k}" for k in ks] + [f"eff@{k}" for k in ks]
    lines = []
    for row in rows:
        counts = [str(row.samples), str(row.compiled), str(row.correct)]
        speeds = [_number(row.over_reference), _number(row.over_baseline), _number(row.best)]
        estimates = [str(one.get(k, "-")) for one in (row.passed, row.efficient) for k in ks]
        lines.append([row.problem, row.way, row.model, *counts, *speeds, *estimates])
    return columns_text(heads, lines)


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV, intervals in columns of their own."""
    ks = sorted({k for row in rows for k in row.passed})
    plain = [field.name for field in fields(Row) if field.name not in ("passed", "efficient")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = ("", "_low", "_high")
    writer.writerow([*plain, *(f"{name}@{k}{part}" for name in ("pass", "eff") for k in ks for part in parts)])
    nothing = Estimate(math.nan, math.nan, math.nan)
    for row in rows:
        found = [one.get(k, nothing) for one in (row.passed, row.efficient) for k in ks]
        numbers = [number for one in found for number in (one.value, one.low, one.high)]
        writer.writerow([*(getattr(row, name) for name in plain), *("" if math.isnan(x) else x for x in numbers)])
    return text.getvalue()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
