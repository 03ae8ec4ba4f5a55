"""What a problem must show before a search may trust it; each check that fails states what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdkernel.core import Array, Expected, Kernel, LibraryBaseline, Problem
from qdkernel.core.problem import Kind, check_prototype
from qdkernel.errors import QdkernelError
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.evaluators.registration.wrong_results import (
    Damage,
    JudgedResults,
    constant,
    last_element_skipped,
    lower_precision,
    rounded,
    untouched,
    wrong_at_odd_sizes,
)
from qdkernel.evaluators.sandbox import ChildFailed

_SIZE = 24  # of the calls that the check of timed calls is tried with
_ELEMENTS = 8  # of each array that are made wrong, one at a time
_SEED = 2026


@dataclass(frozen=True)
class Finding:
    """One check: ``advice`` states what to change and is empty when it passed."""

    what: str
    advice: str = ""


def check_problem(problem: Problem, context: EvaluationContext, folder: Path) -> Iterator[Finding]:
    """The checks of a problem, one after the other.

    Args:
        problem: what is computed.
        context: that judges its kernels.
        folder: an empty folder to compile in.
    """
    for seed in problem.seeds:
        yield _seed(problem, seed, context, folder)
    yield _baseline(problem, context)
    yield _inputs_matter(problem)
    yield from _wrong_results(problem)
    yield _timed_calls(problem)


def _seed(problem: Problem, seed: str, context: EvaluationContext, folder: Path) -> Finding:
    place = folder / seed
    place.mkdir()
    made, complaint = verify_only(context, Kernel(problem.seed_source(seed)), place)
    what = f"the seed {seed} passes"
    if made is not None:
        return Finding(what)
    return Finding(
        what, f"{complaint}; correct the seed or the reference, or raise terms or error_limit if it only rounds"
    )


def _baseline(problem: Problem, context: EvaluationContext) -> Finding:
    own = problem.baseline
    name = own.symbol if isinstance(own, LibraryBaseline) else own.file
    what = f"the baseline {name} passes"
    try:
        suite = context.suite
        suite.reset()
        with context.start_baseline(suite.layout, suite.inputs, suite.outputs) as child:
            child.run(0, len(suite.layout.calls), context.spec.run.run_s)
        complaint = suite.judge().complaint
    except (QdkernelError, ChildFailed) as error:
        complaint = str(error)
    return Finding(what, "" if complaint is None else f"{complaint}; correct the entry baseline")


def _inputs_matter(problem: Problem) -> Finding:
    """Whether every array and floating-point scalar that a kernel may read changes some result."""
    rng = np.random.default_rng(_SEED)
    cases = [case for case, family in problem.verify_cases(rng) if family == "uniform"]
    idle = {a.name for a in problem.arrays if a.is_read}
    idle |= {p.name for p in check_prototype(problem).parameters if p.kind in (Kind.FLOAT32, Kind.FLOAT64)}
    for case in cases:
        arrays = problem.make_inputs("uniform", case, rng)
        expected = problem.reference(case, arrays)
        for name in sorted(idle):
            if name in arrays:
                other = problem.make_inputs("uniform", case, rng)[name]
                changed = problem.reference(case, arrays | {name: other})
            else:
                changed = problem.reference({**case, name: 1.5 * case[name] + 0.25}, arrays)
            if _differ(expected, changed):
                idle.discard(name)
    advice = f"no result depends on {', '.join(sorted(idle))}; use it in the reference, or remove it" if idle else ""
    return Finding("results depend on every input", advice)


def _differ(first: dict[str, Expected], second: dict[str, Expected]) -> bool:
    return any(
        bool(np.any((first[name].value != second[name].value) & np.isfinite(first[name].magnitude))) for name in first
    )


def _wrong_results(problem: Problem) -> Iterator[Finding]:
    judged = JudgedResults(problem, np.random.default_rng(_SEED))
    try:
        complaint = judged.complaint()
        advice = f"{complaint}; the reference does not leave what it should" if complaint else ""
        yield Finding("right results pass", advice)
        damages: list[tuple[str, Damage]] = [
            ("outputs left as they were", untouched),
            ("zeros", constant(0)),
            ("a constant", constant(1)),
            ("results of earlier inputs", judged.stale),
            ("a last element left out", last_element_skipped),
            ("elements left out at odd sizes", wrong_at_odd_sizes(problem.size_names)),
        ]
        if any(problem.dtype_of(a).kind == "f" and a.is_written for a in problem.arrays):
            damages.append(("half of the digits", lower_precision))
        for name, damage in damages:
            refused = judged.complaint(damage) is not None
            yield Finding(
                f"{name} fail",
                ""
                if refused
                else "they pass: give outputs that differ from their first contents and from one "
                "another, sizes with remainders, and a smaller error_limit or terms",
            )
    finally:
        judged.suite.close()


def _timed_calls(problem: Problem) -> Finding:
    """Whether the check of timed calls takes the right results and refuses one wrong element of each array."""
    what = "the check of timed calls accepts right results and refuses a wrong element"
    rng = np.random.default_rng(_SEED)
    case = problem.scored_case(problem.size_from_int(_SIZE))
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    expected = problem.reference(case, arrays)
    right = rounded(expected, arrays, problem)
    error = problem.sketch_error(case, arrays | right, secret, problem.error_limit)
    if not error < 1:
        return Finding(what, f"right results err by {error:.3g} times what is allowed; raise terms or error_limit")
    for name, result in right.items():
        checked = np.flatnonzero(np.isfinite(expected[name].magnitude))
        for at in rng.choice(checked, min(_ELEMENTS, checked.size), replace=False):
            wrong = arrays | right | {name: _off(result, int(at))}
            if problem.sketch_error(case, wrong, secret, problem.error_limit) <= 1:
                return Finding(what, f"a wrong element of {name} passes; lower terms or error_limit")
    return Finding(what)


def _off(result: Array, at: int) -> Array:
    wrong = result.copy()
    flat = wrong.reshape(-1)
    flat[at] += 1 if result.dtype.kind != "f" else 1e-2 * max(1.0, float(np.abs(flat).max()))
    return wrong
