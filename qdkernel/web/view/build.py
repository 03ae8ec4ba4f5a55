"""The view of a run, computed from its log."""

from __future__ import annotations

import datetime
import math
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from qdkernel.analysis import coverage, operator_and_model, operator_stats, qd_score, ratio_to_baseline
from qdkernel.core import AXES, Arm, Cell, Outcome, cell_name, one_line, printable, reachable_cells, size_text
from qdkernel.runs import EventKind, MachineFacts, Record, elites, format_conditions
from qdkernel.web.reading import RunData
from qdkernel.web.view.curves import curves
from qdkernel.web.view.model import (
    SCHEMA,
    BanditRow,
    Budget,
    CellView,
    Failure,
    Figure,
    OperatorRow,
    Roofline,
    RooflinePoint,
    RunView,
    Step,
)
from qdkernel.web.view.noise import noise_bins
from qdkernel.web.view.redundancy import code_groups, repetitions
from qdkernel.web.view.timeline import timeline
from qdkernel.web.wording import duration

FAILURES_SHOWN = 15
_LIVE_S = 120.0  # heuristic: the longest evaluation; after this long without one a run is not called running


def run_view(run: RunData, now: datetime.datetime | None = None) -> RunView:
    """What a page shows of a run.

    Args:
        run: from a ``RunReader``.
        now: to tell a running run from one that was interrupted; default: this moment.
    """
    held = elites(run.records)
    facts = run.facts
    cells = tuple(_cell_views(run, held))
    stages = [event.text for event in run.events if event.kind is EventKind.STAGE]
    status, reason = _status(run, now or datetime.datetime.now(datetime.UTC))
    return RunView(
        schema=SCHEMA,
        name=one_line(run.name),
        problem=one_line(run.problem),
        status=status,
        stop_reason=one_line(reason),
        stage=one_line(stages[-1]) if stages else "",
        facts=_facts(run),
        figures=_figures(run, held),
        budgets=_budgets(run),
        evaluations=len(run.records),
        elapsed_s=run.elapsed_s,
        baseline_name=one_line(facts.baseline_name),
        baseline_gflops=facts.baseline_gflops,
        peak_gflops=facts.peak_gflops,
        cells=cells,
        num_reachable=sum(1 for _ in reachable_cells(facts.simd_widths)),
        steps=_steps(run.records),
        curves=curves(run.records, run.bills),
        roofline=_roofline(held, facts),
        operators=_operators(run),
        failures=_failures(run.records),
        repetition=repetitions(run.records),
        groups=code_groups(run.records),
        bandit=_bandit(run.bandit),
        noise=noise_bins(run.baseline),
        timeline=timeline(run.records, run.bills),
        events=tuple(Figure(one_line(e.kind), one_line(e.text), duration(e.elapsed_s)) for e in run.events[-30:]),
    )


def _status(run: RunData, now: datetime.datetime) -> tuple[str, str]:
    last = run.records[-1].elapsed_s if run.records else 0.0
    stops = [event for event in run.events if event.kind is EventKind.STOPPED and event.elapsed_s >= last]
    if stops:
        return "stopped", stops[-1].text
    at = run.records[-1].finished_at if run.records else run.created_at
    try:
        age_s = (now - datetime.datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):
        return "unknown", ""
    return ("running", "") if age_s < _LIVE_S else ("interrupted", "no reason for the stop is on record")


def _facts(run: RunData) -> tuple[Figure, ...]:
    facts = run.facts
    threads = f"{facts.threads} thread" + ("s" if facts.threads != 1 else "")
    sizes = next((r.evaluation.timings for r in run.records if r.evaluation.timings), ()) or facts.baseline
    compiler = str(facts.compiler.get("version") or facts.compiler.get("command") or "")
    limits = [f"peak {facts.peak_gflops:.1f} GFLOP/s"] if facts.peak_gflops else []
    limits += [f"triad {facts.triad_gbytes_per_s:.1f} GB/s"] if facts.triad_gbytes_per_s else []
    rows = [
        ("problem", f"{run.problem} {facts.dtype}{format_conditions(facts.accuracy, facts.cache)}"),
        ("sizes", "; ".join(size_text(entry.size) for entry in sizes)),
        ("machine", ", ".join([facts.cpu, threads, *(["virtual"] if facts.hypervisor else [])])),
        ("limits", ", ".join(limits)),
        ("compiler", " ".join([compiler, *facts.flags])),
        ("baseline", _baseline(facts)),
        ("accuracy", "componentwise error bound" if facts.accuracy == "componentwise" else facts.accuracy),
        ("seed", str(run.config.get("seed", ""))),
        ("begun", run.created_at[:16].replace("T", " ") + (" UTC" if run.created_at else "")),
        ("version", f"qdkernel {run.harness}" if run.harness else ""),
    ]
    return tuple(Figure(name, one_line(value)) for name, value in rows if value.strip())


def _baseline(facts: MachineFacts) -> str:
    speed = f", {facts.baseline_gflops:.1f} GFLOP/s" if facts.baseline_gflops else ""
    return facts.baseline_name + speed


def _figures(run: RunData, held: Mapping[Cell, Record]) -> tuple[Figure, ...]:
    facts, num = run.facts, len(run.records)
    reachable = sum(1 for _ in reachable_cells(facts.simd_widths))
    rate = f"{num / run.elapsed_s:.2f} per second" if run.elapsed_s > 0 else ""
    best = max(held.values(), key=lambda record: record.evaluation.objective or 0.0, default=None)
    figures = [Figure("best", "none yet")]
    if best is not None and best.evaluation.cell is not None:
        gflops = best.evaluation.objective or 0.0
        peak = f", {gflops / facts.peak_gflops:.0%} of peak" if facts.peak_gflops else ""
        figures = [Figure("best", f"{gflops:.1f} GFLOP/s", cell_name(best.evaluation.cell) + peak)]
        if ratio := ratio_to_baseline(best.evaluation):
            note = f"[{ratio.low:.3f}, {ratio.high:.3f}] of {one_line(facts.baseline_name)}"
            figures.append(Figure("best ratio", f"{ratio.median:.3f}", note))
    ok = sum(record.evaluation.outcome is Outcome.OK for record in run.records)
    figures += [
        Figure("cells", f"{len(held)} of {reachable}", f"{coverage(held, facts.simd_widths):.0%} of those reachable"),
        Figure("QD score", f"{qd_score(held):,.0f}", "GFLOP/s, sum over the elites"),
        Figure("evaluations", f"{num:,}", ", ".join(filter(None, [rate, f"{ok / max(1, num):.0%} ok"]))),
        Figure("active", duration(run.elapsed_s), f"{len(run.bills):,} model replies" if run.bills else ""),
    ]
    return tuple(figures)


def _budgets(run: RunData) -> tuple[Budget, ...]:
    limits = run.config.get("budget")
    used = {
        "evaluations": float(len(run.records)),
        "minutes": run.elapsed_s / 60,
        "requests": float(len(run.bills)),
        "tokens": float(sum(bill.tokens for bill in run.bills)),
        "usd": sum(bill.cost for bill in run.bills),
    }
    found = []
    for name, amount in used.items():
        limit = limits.get(name) if isinstance(limits, dict) else None
        if isinstance(limit, int | float) and 0 < limit <= sys.float_info.max:
            left_s = (limit - amount) / amount * run.elapsed_s if amount > 0 else math.inf
            left = "used up" if amount >= limit else f"about {duration(left_s)} left" if math.isfinite(left_s) else ""
            found.append(Budget(name, amount, float(limit), left))
    return tuple(found)


def _cell_views(run: RunData, held: Mapping[Cell, Record]) -> list[CellView]:
    reachable = set(reachable_cells(run.facts.simd_widths))
    failed = {word for event in run.events if event.kind is EventKind.RETRACTED for word in event.text.split()[1:2]}
    retracted = {r.evaluation.cell for r in run.records if failed and r.evaluation.kernel_id[:12] in failed}
    every = list(reachable_cells([128, 256, 512]))
    every += sorted(set(held) - set(every))
    return [_cell_view(cell, held.get(cell), cell in reachable, cell in retracted) for cell in every]


def _cell_view(cell: Cell, record: Record | None, reachable: bool, retracted: bool) -> CellView:
    name = cell_name(cell)
    if record is None:
        state = "retracted" if retracted else "empty" if reachable else "unreachable"
        return CellView(cell, name, state)
    ratio = ratio_to_baseline(record.evaluation)
    return CellView(
        cell,
        name,
        "filled",
        record.number,
        record.evaluation.objective,
        ratio.median if ratio else None,
        ratio.low if ratio else None,
        ratio.high if ratio else None,
        one_line(record.proposal.operator),
        one_line(record.model or ""),
        one_line(record.proposal.idea, 300),
        record.evaluation.kernel_id[:12],
    )


def _steps(records: tuple[Record, ...]) -> tuple[Step, ...]:
    steps = []
    for record in records:
        evaluation = record.evaluation
        if record.placed and evaluation.cell is not None and evaluation.objective is not None:
            ratio = ratio_to_baseline(evaluation)
            median = ratio.median if ratio else None
            steps.append(Step(record.number, record.elapsed_s, evaluation.cell, evaluation.objective, median))
    return tuple(steps)


def _roofline(held: Mapping[Cell, Record], facts: MachineFacts) -> Roofline:
    simd = next(number for number, axis in enumerate(AXES) if axis.name == "simd")
    points = tuple(
        RooflinePoint(timing.flops / timing.bytes, timing.gflops, size_text(timing.size), cell[simd], held[cell].number)
        for cell in held
        for timing in held[cell].evaluation.timings
        if timing.bytes > 0 and timing.gflops > 0
    )
    intensity = {point.size: point.intensity for point in points}
    baseline = tuple(
        RooflinePoint(intensity[size_text(speed.size)], speed.gflops, size_text(speed.size), 0, None)
        for speed in facts.baseline
        if size_text(speed.size) in intensity
    )
    return Roofline(points, baseline, dict(facts.peaks), facts.triad_gbytes_per_s)


def _operators(run: RunData) -> tuple[OperatorRow, ...]:
    stats = operator_stats(run.records, operator_and_model)
    outcomes: dict[Arm, Counter[str]] = {}
    for record in run.records:
        outcomes.setdefault(operator_and_model(record), Counter())[record.evaluation.outcome.value] += 1
    rows = []
    for arm in [*stats, *(arm for arm in run.endings if arm not in stats)]:
        earned, endings = stats.get(arm), run.endings.get(arm, Counter())
        rows.append(
            OperatorRow(
                operator=one_line(arm[0]),
                model=one_line(arm[1]),
                proposals=earned.proposals if earned else 0,
                ok=earned.ok if earned else 0,
                won=earned.won if earned else 0,
                held=earned.held if earned else 0,
                conversations=sum(endings.values()),
                unreadable=endings["nothing"],
                failed=endings["failed"],
                outcomes={o.value: outcomes[arm][o.value] for o in Outcome if arm in outcomes and outcomes[arm][o]},
            )
        )
    return tuple(rows)


def _failures(records: tuple[Record, ...]) -> tuple[Failure, ...]:
    failed = [r for r in records if r.evaluation.outcome not in (Outcome.OK, Outcome.DUPLICATE)]
    return tuple(
        Failure(
            record.number,
            one_line(record.proposal.operator),
            one_line(record.model or ""),
            record.evaluation.outcome.value,
            one_line(record.proposal.idea, 300),
            printable(record.evaluation.detail, keep="\n\t"),
        )
        for record in reversed(failed[-FAILURES_SHOWN:])
    )


def _bandit(arms: tuple[Mapping[str, Any], ...]) -> tuple[BanditRow, ...]:  # Any: JSON of the run's state
    rows = []
    for arm in arms:
        operator, model = str(arm.get("operator") or ""), str(arm.get("model") or "")
        numbers = (float(arm.get(key) or 0) for key in ("plays", "wins", "total_earned", "total_cost"))
        plays, wins, earned, cost = numbers
        total = int(arm.get("total_plays") or 0)
        rows.append(BanditRow(one_line(operator), one_line(model), total, plays, wins, earned, cost))
    return tuple(sorted(rows, key=lambda row: -row.plays))
