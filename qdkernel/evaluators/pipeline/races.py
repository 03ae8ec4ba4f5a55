"""Step 7c: whether the threads of a kernel that may take a cell race.

A race can leave right results in every pass of the verification and wrong ones later. ThreadSanitizer reports it from
one run in which the two accesses occur, whatever their order was.
"""

from __future__ import annotations

from qdkernel.core import Cell, Outcome, Threading
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.observation import Compiled
from qdkernel.evaluators.pipeline.spec import RaceChecks
from qdkernel.evaluators.races import (
    NotWatched,
    RaceExecutable,
    WatchedCalls,
    build_race_runner,
    compile_watched,
    find_race_runtime,
    lacking_race_runtime,
    watch_races,
)
from qdkernel.evaluators.toolchain import CompileError, CompileLate

_THREADS = 4  # more than a tile deals evenly; a race shows with two, but not in every split of the work
_SUITE_S = 30.0  # 0.5 to 3 s is usual
_SCORED_S = 10.0  # a call at a scored size takes 5 to 100 times as long as without the sanitizer
_MEMORY_FACTOR = 2  # heuristic: the sanitizer's own share of resident memory


def races_wanted(context: EvaluationContext, builder: EvaluationBuilder, cell: Cell) -> bool:
    """Whether a kernel that may take a cell is watched for races: one with threads, by the run's setting."""
    checks, verification = context.spec.races, builder.verification
    suspected = verification is not None and verification.deterministic is False
    wanted = checks is RaceChecks.ALWAYS or (checks is RaceChecks.SUSPECTED and suspected)
    return wanted and cell.threading != Threading.SERIAL


def check_races(context: EvaluationContext, builder: EvaluationBuilder, compiled: Compiled) -> str:
    """Watches the calls of the verification and one call at each scored size; returns a sentence for the evidence.

    Raises:
        Stop: two threads race; the detail names both lines.
    """
    if lacking := lacking_race_runtime(context.toolchain):
        return f"not checked: {lacking}"
    with builder.holding(context.lock.shared()), builder.step("races"):
        try:
            executable = _executable(context, builder, compiled)
        except (CompileError, CompileLate) as error:
            return f"not checked: the instrumented copy does not compile: {error}"
        try:
            calls = _watch_suite(context, builder, executable)
        except NotWatched as error:
            return f"not checked: the instrumented copy was stopped: {error}"
        try:
            calls += _watch_scored(context, builder, executable)
        except NotWatched as error:
            return f"none in {calls} small calls with {_THREADS} threads; not checked at the scored sizes: {error}"
    return f"none in {calls} calls with {_THREADS} threads, scored sizes included"


def _executable(context: EvaluationContext, builder: EvaluationBuilder, compiled: Compiled) -> RaceExecutable:
    runtime = find_race_runtime()
    assert runtime is not None  # `lacking_race_runtime` has looked
    limits = context.spec.compile.limits
    return RaceExecutable(
        runner=build_race_runner(context.toolchain, context.problem, runtime),
        runtime=runtime,
        object=compile_watched(compiled.folder, builder.kernel.source, context.toolchain, context.built, limits),
        symbol=context.problem.name,
        threads=_THREADS,
        layers=context.spec.run.layers,
    )


def _watch_suite(context: EvaluationContext, builder: EvaluationBuilder, executable: RaceExecutable) -> int:
    """Watches the calls of the verification; returns how many."""
    suite, number = context.suite, len(context.suite.layout.calls)
    suite.reset()
    calls = WatchedCalls(suite.layout, number, suite.inputs, suite.outputs, _SUITE_S, _memory_mb(context))
    _watch(builder, executable, calls)
    return number


def _watch_scored(context: EvaluationContext, builder: EvaluationBuilder, executable: RaceExecutable) -> int:
    """Watches one call at each scored size, for code that runs at large sizes only; returns how many."""
    buffers = context.timer.single_calls
    number = buffers.near.start
    buffers.refresh(range(number), ["challenger"], unchecked=number)
    outputs = buffers.outputs("challenger")
    calls = WatchedCalls(buffers.layout, number, buffers.inputs, outputs, _SCORED_S, _memory_mb(context))
    _watch(builder, executable, calls)
    return number


def _memory_mb(context: EvaluationContext) -> int:
    return _MEMORY_FACTOR * context.spec.run.memory_mb


def _watch(builder: EvaluationBuilder, executable: RaceExecutable, calls: WatchedCalls) -> None:
    """Watches a run.

    Raises:
        Stop: two threads race.
        NotWatched: the run ended before the last call, for another reason.
    """
    if race := watch_races(executable, calls):
        raise Stop(Outcome.RACE, race.describe(builder.kernel.source))
