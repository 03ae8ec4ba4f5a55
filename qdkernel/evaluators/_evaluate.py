"""Evaluating one kernel: eight steps, cheap to dear; each failure is an outcome with text one can act on."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from qdkernel.evaluators._bench import Bench
from qdkernel.evaluators._child import Child, ChildCrashed, ChildGreedy, ChildLate
from qdkernel.evaluators._compile import CompileError, CompileLate
from qdkernel.evaluators._disassembly import Disassembly, disassemble
from qdkernel.evaluators._kernel import Cell, Duel, Evaluation, Kernel, KernelId, Outcome, Proof, Timing
from qdkernel.evaluators._normal_form import normal_hash
from qdkernel.evaluators._object_policy import refuse_object
from qdkernel.evaluators._race import Busy, Laps, Racer, TimingRule, WrongResult, probe, race
from qdkernel.evaluators._shared_object import SharedObject, read_shared_object
from qdkernel.evaluators._shelf import Holder
from qdkernel.evaluators._source_policy import refuse_source
from qdkernel.evaluators._statistics import geometric_mean, median_ratio
from qdkernel.evaluators._verify import Sheet

WORTH_A_DUEL = 0.97
"""A kernel measured below this share of its holder's objective cannot have been slowed by noise alone, 1 to 3 %."""

_LOOK_BUDGETS = 2  # by thought: what a look at an elite may cost while it waits for quiet cores

_PEAK_MARGIN = 1.02  # best window of the peak benchmark against a median: 2 % above it is no measurement error
_TRIAD_MARGIN = 1.25  # triad itself varies by 20 % between runs, and other mixes of reads and writes can beat it


class Stop(Exception):
    """Ends an evaluation at a step, with its outcome."""

    def __init__(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.duplicate_of = duplicate_of


@dataclass
class Draft:
    """What is known of a kernel so far."""

    kernel: Kernel
    cell: Cell | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()
    proof: Proof | None = None
    duel: Duel | None = None
    normal_hash: str | None = None
    assembly_hash: str | None = None
    object_hash: str | None = None
    detail: str = ""
    step_s: dict[str, float] = field(default_factory=dict)
    began_s: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the step's."""
        start = self.began_s[name] = time.monotonic()
        try:
            yield
        finally:
            self.step_s[name] = self.step_s.get(name, 0.0) + time.monotonic() - start

    def finish(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> Evaluation:
        """The finished evaluation."""
        objective = geometric_mean([t.gflops for t in self.timings]) if outcome is Outcome.OK else None
        return Evaluation(
            kernel_id=self.kernel.id,
            outcome=outcome,
            detail=detail,
            cell=self.cell,
            evidence=self.evidence,
            objective=objective,
            timings=self.timings,
            proof=self.proof,
            duel=self.duel,
            duplicate_of=duplicate_of,
            normal_hash=self.normal_hash,
            assembly_hash=self.assembly_hash,
            object_hash=self.object_hash,
            step_s=self.step_s,
            began_s=self.began_s,
        )


Admit = Callable[[Cell, Mapping[str, str]], str | None]
"""``admit(cell, evidence)``: why a kernel that behaves so may not compete; ``None`` when it may."""


def evaluate(bench: Bench, kernel: Kernel, admit: Admit | None = None) -> Evaluation:
    """What happened to a kernel on the way through the eight steps.

    A kernel that looks at least as fast as the holder of its cell is also timed against it; one that is clearly
    slower is dropped after a call or two.

    Args:
        bench: the place of work; its shelf tells known hashes and holders.
        kernel: the candidate.
        admit: asked once the behaviour is known; a refusal ends the evaluation as ``outside_stage``.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
        ToolchainError: the project's own C or the baseline cannot be built.
    """
    draft = Draft(kernel)
    busy_before_ns = bench.native.busy_ns
    try:
        with bench.build_folder() as folder:
            with _held(draft, bench.lock.shared()):
                check_source(bench, draft)
                made = compile_step(bench, draft, Path(folder))
                shared_object, disassembly = check_object(bench, draft, made)
                with draft.step("behaviour"):
                    draft.cell, draft.evidence = bench.spec.describe(
                        kernel.source, shared_object, disassembly, bench.extent, bench.problem.nest_depth
                    )
                if admit and (reason := admit(draft.cell, draft.evidence)):
                    raise Stop(Outcome.OUTSIDE_STAGE, reason)
                with draft.step("verify"):
                    verify(bench, draft, made)
            time_and_duel(bench, draft, made)
            shutil.move(made, bench.shelf.object_path(kernel.id))
    except Stop as stop:
        return draft.finish(stop.outcome, stop.detail, stop.duplicate_of)
    finally:
        draft.step_s["kernels"] = (bench.native.busy_ns - busy_before_ns) * 1e-9  # part of verify and time
    return draft.finish(Outcome.OK, draft.detail)


def look_again(bench: Bench, kernel: Kernel) -> Evaluation:
    """A further timing of an elite in a fresh process; it was proven before, and its timed results are checked again.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    draft = Draft(kernel)
    try:
        made = _object_of(bench, draft, kernel)
        baseline = bench.baseline_racer
        with _held(draft, bench.alone()), draft.step("time"):
            racer = bench.start_racer("challenger", made)
            with racer.child, _outcomes(lambda _: " while being timed"):
                paces = look(bench, racer, None)
                rule = replace(bench.spec.rule, budget_s=_LOOK_BUDGETS * bench.spec.rule.budget_s)
                draft.timings = tuple(time_size(bench, i, racer, ns, baseline, rule) for i, ns in enumerate(paces))
                check_plausible(bench, draft.timings)
    except Stop as stop:
        return draft.finish(stop.outcome, stop.detail)
    return draft.finish(Outcome.OK, "")


def prove(bench: Bench, kernel: Kernel, folder: Path) -> tuple[Path | None, str]:
    """The shared object of a kernel that passes policy and verification here; otherwise ``None`` and the reason.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    draft = Draft(kernel)
    try:
        with bench.lock.shared():
            check_source(bench, draft)
            made = compile_step(bench, draft, folder)
            check_object(bench, draft, made)
            verify(bench, draft, made)
    except Stop as stop:
        return None, f"{stop.outcome.value}: {stop.detail}"
    return made, ""


@contextlib.contextmanager
def _held(draft: Draft, lock: contextlib.AbstractContextManager[None]) -> Iterator[None]:
    """Holds a lock; the time it took to get it is the step ``wait``."""
    with contextlib.ExitStack() as stack:
        with draft.step("wait"):
            stack.enter_context(lock)
        yield


def check_source(bench: Bench, draft: Draft) -> None:
    """Steps 1 and 4a: the source policy, and whether an earlier kernel has the same normal form."""
    with draft.step("source policy"):
        raw = draft.kernel.source.encode("utf-8", "surrogateescape")
        if reason := refuse_source(raw, bench.problem.name):
            raise Stop(Outcome.REFUSED, reason)
        draft.normal_hash = normal_hash(draft.kernel.source)
        _stop_if_known(bench, draft.kernel, draft.normal_hash, "the same source up to names, comments and spacing")


def compile_step(bench: Bench, draft: Draft, folder: Path) -> Path:
    """Step 2: the shared object; and once more without optimisation, for the hash that published work groups by."""
    with draft.step("compile"):
        try:
            made = bench.compile(draft.kernel.source, folder)
        except CompileError as error:
            raise Stop(Outcome.COMPILE_ERROR, str(error)) from None
        except CompileLate as error:
            raise Stop(Outcome.TIMEOUT, str(error)) from None
    with draft.step("assembly"):
        draft.assembly_hash = bench.assembly_hash(draft.kernel.source, folder)
    return made


def check_object(bench: Bench, draft: Draft, made: Path) -> tuple[SharedObject, Disassembly]:
    """Steps 3 and 4b: the object policy, and whether an earlier kernel compiled to the same code."""
    with draft.step("object policy"):
        try:
            shared_object = read_shared_object(made)
            disassembly = disassemble(shared_object)
        except ValueError as error:
            raise Stop(Outcome.REFUSED, f"the object cannot be read: {error}") from None
        if reason := refuse_object(shared_object, disassembly, bench.problem.name):
            raise Stop(Outcome.REFUSED, reason)
        draft.object_hash = shared_object.code_hash
        _stop_if_known(bench, draft.kernel, draft.object_hash, "the same machine code")
        return shared_object, disassembly


def _stop_if_known(bench: Bench, kernel: Kernel, code: str, what: str) -> None:
    earlier = bench.shelf.known(code)
    if earlier is not None and earlier != kernel.id:
        raise Stop(Outcome.DUPLICATE, f"{what} as kernel {earlier[:12]}", earlier)


def verify(bench: Bench, draft: Draft, made: Path) -> None:
    """Step 6: every case of the sheet with 1, 2 and all threads, in contained children; with all threads twice."""
    sheet, all_threads = bench.sheet, bench.verify_threads[-1]
    for threads in bench.verify_threads:
        with bench.start(made, sheet.layout, sheet.inputs, sheet.outputs, threads) as child:
            proof = _prove(bench, draft, child, threads)
            if threads == all_threads:
                first = sheet.outputs.bytes.copy()
                proof = _prove(bench, draft, child, threads)
                draft.proof = replace(proof, deterministic=np.array_equal(first, sheet.outputs.bytes))


def _prove(bench: Bench, draft: Draft, child: Child, threads: int) -> Proof:
    """One pass over the sheet, and the proof as far as it has come."""
    sheet = bench.sheet
    sheet.reset()
    with _outcomes(partial(_where, sheet, threads)):
        child.go_on()
        child.run(0, len(sheet.layout.calls), bench.spec.run_s, freeze=True)
    if child.changed_float_control:
        raise Stop(
            Outcome.WRONG, "a call left another rounding or flush-to-zero mode behind; restore it, or do without"
        )
    verdict = sheet.judge()
    before = draft.proof or Proof(0.0, bench.problem.error_limit, 0)
    worst = max(before.error_ratio, verdict.error_ratio)
    draft.proof = replace(before, error_ratio=worst, calls=before.calls + len(sheet.layout.calls))
    if verdict.complaint:
        raise Stop(Outcome.WRONG, f"{verdict.complaint}, {threads} thread{'s' if threads > 1 else ''}")
    return draft.proof


def _where(sheet: Sheet, threads: int, call: int) -> str:
    return f" (in case {sheet.describe_case(call)}, {threads} thread{'s' if threads > 1 else ''})"


@contextlib.contextmanager
def _outcomes(where: Callable[[int], str]) -> Iterator[None]:
    """Turns what can happen to a contained child into outcomes."""
    try:
        yield
    except ChildCrashed as error:
        raise Stop(Outcome.CRASHED, f"{error}{where(error.finished)}") from None
    except ChildLate as error:
        raise Stop(Outcome.TIMEOUT, f"{error}{where(error.finished)}") from None
    except ChildGreedy as error:
        raise Stop(Outcome.IMPLAUSIBLE, f"{error}{where(error.finished)}") from None
    except WrongResult as error:
        raise Stop(Outcome.WRONG, str(error)) from None
    except Busy as error:
        raise Stop(Outcome.LOST, f"the machine was too busy to time a kernel: {error}") from None


def time_and_duel(bench: Bench, draft: Draft, made: Path) -> None:
    """Steps 7 and 8: timing against the baseline and, when it may win, against the holder of its cell; plausibility."""
    assert draft.cell is not None
    holder = bench.shelf.holder(draft.cell)
    if holder and holder.kernel_id == draft.kernel.id:
        holder = None  # evaluated again: it cannot challenge itself
    rival = _object_of(bench, draft, Kernel(bench.shelf.source(holder.kernel_id))) if holder else None
    baseline = bench.baseline_racer  # started outside the exclusive lock
    with _held(draft, bench.alone()), draft.step("time"):
        racer = bench.start_racer("challenger", made)
        with racer.child, _outcomes(lambda _: " while being timed"):
            paces = look(bench, racer, holder)
            if holder and _hopeless(bench, paces, holder):
                draft.timings = tuple(_rough_timing(bench, i, ns) for i, ns in enumerate(paces))
                draft.detail = "dropped after two calls: clearly slower than the holder of its cell"
            else:
                rule = bench.spec.rule
                draft.timings = tuple(time_size(bench, i, racer, ns, baseline, rule) for i, ns in enumerate(paces))
            check_plausible(bench, draft.timings)
            objective = geometric_mean([t.gflops for t in draft.timings])
            if holder and rival and objective > WORTH_A_DUEL * holder.objective:
                draft.duel = duel(bench, racer, paces, holder, rival)


def _object_of(bench: Bench, draft: Draft, elite: Kernel) -> Path:
    """The shared object of an elite; compiled again if a restart has lost it."""
    path = bench.shelf.object_path(elite.id)
    if not path.exists():
        with _held(draft, bench.lock.shared()), bench.build_folder() as folder:
            shutil.move(bench.compile(elite.source, Path(folder)), path)
    return path


def look(bench: Bench, racer: Racer, holder: Holder | None) -> list[float]:
    """Nanoseconds of one call at each scored size; the better of two calls where the first looks hopeless.

    The first call also creates the kernel's threads and touches its buffers, so it alone does not condemn.
    """
    sizes = bench.arena.sizes
    paces = [probe(bench.arena, scored, racer, bench.track) for scored in sizes]
    if holder and _hopeless(bench, paces, holder):
        again = [probe(bench.arena, scored, racer, bench.track) for scored in sizes]
        paces = [min(pair) for pair in zip(paces, again, strict=True)]
    return paces


def _hopeless(bench: Bench, paces: list[float], holder: Holder) -> bool:
    speeds = [scored.flops / ns for scored, ns in zip(bench.arena.sizes, paces, strict=True)]
    return geometric_mean(speeds) * bench.spec.drop_ratio < holder.objective


def time_size(bench: Bench, index: int, racer: Racer, call_ns: float, baseline: Racer, rule: TimingRule) -> Timing:
    """One scored size against the baseline."""
    scored = bench.arena.sizes[index]
    challenger = scored.entry(racer, call_ns, rule)
    reference = bench.baseline_entry(index, baseline)
    laps = race(bench.arena, scored, challenger, reference, rule, bench.track, bench.rng)
    return _timing(bench, index, challenger.timed, laps)


def _rough_timing(bench: Bench, index: int, call_ns: float) -> Timing:
    """A single call as a timing, against the baseline's run-long speed."""
    baseline_ns = bench.arena.sizes[index].flops / bench.spec.baseline_gflops[index]
    return _timing(bench, index, 1, Laps((call_ns,), (baseline_ns,)))


def _timing(bench: Bench, index: int, timed: int, laps: Laps) -> Timing:
    scored, ratio = bench.arena.sizes[index], median_ratio([laps.ratios], bench.rng)
    return Timing(
        size=scored.size,
        flops=scored.flops,
        bytes=scored.bytes,
        block_calls=timed,
        kernel_ns=laps.kernel_ns,
        reference_ns=laps.reference_ns,
        ratio=ratio.median,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        gflops=ratio.median * bench.spec.baseline_gflops[index],
    )


def duel(bench: Bench, racer: Racer, paces: list[float], holder: Holder, rival: Path) -> Duel:
    """The challenger against the holder of its cell, interleaved, over all scored sizes.

    The two are about equally fast, or there would be no duel: their blocks have the same number of calls. The holder
    has one call first, as the challenger had: a first call creates threads and touches memory, and a holder that does
    so in the race loses its first round by a tenth.
    """
    opponent = bench.start_racer("holder", rival)
    rule = bench.spec.duel_rule
    with opponent.child:
        laps = []
        for scored, call_ns in zip(bench.arena.sizes, paces, strict=True):
            probe(bench.arena, scored, opponent, bench.track)
            challenger, reference = (scored.entry(each, call_ns, rule) for each in (racer, opponent))
            laps.append(race(bench.arena, scored, challenger, reference, rule, bench.track, bench.rng))
    found = median_ratio([lap.ratios for lap in laps], bench.rng)
    return Duel(holder.kernel_id, found.median, found.low, found.high)


def check_plausible(bench: Bench, timings: tuple[Timing, ...]) -> None:
    """Step 8: no kernel computes or streams faster than this machine was measured to.

    A speed that only the drift-cancelled figure puts above the peak says that the reference was disturbed, not the
    kernel fast. Traffic is bounded only where the data exceeds the last-level cache, and by what *any* implementation
    must move.
    """
    for timing, scored in zip(timings, bench.arena.sizes, strict=True):
        median_ns = float(np.median(timing.kernel_ns))
        gflops, gbytes = scored.least_flops / median_ns, scored.least_bytes / median_ns
        size = ", ".join(f"{name}={value}" for name, value in scored.size.items())
        if gflops > _PEAK_MARGIN * bench.spec.peak_gflops:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size} is above the measured peak of {bench.spec.peak_gflops:.1f}",
            )
        if timing.gflops * scored.least_flops / scored.flops > _PEAK_MARGIN * bench.spec.peak_gflops:
            raise Stop(
                Outcome.LOST, f"the machine was too busy to time a kernel: a ratio of {timing.ratio:.2f} at {size}"
            )
        if scored.least_bytes > 2 * bench.spec.llc_bytes and gbytes > _TRIAD_MARGIN * bench.spec.triad_gbytes_per_s:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gbytes:.1f} GB/s at {size} is above the measured triad of {bench.spec.triad_gbytes_per_s:.1f}",
            )
