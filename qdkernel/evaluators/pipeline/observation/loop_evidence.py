"""What the code of a kernel's hot loop shows beside its counts: its lines, its bound, why it was not vectorized."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qdkernel.core import SIMD, Cell, Threading
from qdkernel.evaluators.behaviour import MachineLoop, Observed, executed_hot_loop
from qdkernel.evaluators.binary import Disassembly, SharedObject, read_shared_object, source_lines
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.observation.time_sampling import sampled_time
from qdkernel.evaluators.toolchain import (
    CompileError,
    CompileLate,
    LoopBound,
    Remark,
    compile_with_remarks,
    find_llvm_mca,
    loop_bound,
)
from qdkernel.machine import this_machine

_REMARKS = 2  # more were seen to mislead models
_MOST_SHARE = 1.1  # a kernel beyond its bound shows that the model is not this CPU's


def loop_evidence(
    context: EvaluationContext,
    builder: EvaluationBuilder,
    made: Path,
    shared_object: SharedObject,
    disassembly: Disassembly,
    observed: Observed,
    cell: Cell,
) -> Mapping[str, str]:
    """Entries of the evidence: ``hot loop lines``, ``hot loop bound``, ``time split``, ``compiler``.

    What is not known is left out.

    Args:
        context: of this process.
        builder: the kernel and what was measured of it.
        made: its shared object, in the folder that it was compiled in.
        shared_object: its facts.
        disassembly: its code.
        observed: what ran.
        cell: its levels.

    Raises:
        Stop: it fails while it is called.
    """
    hot = executed_hot_loop(disassembly, observed)
    if hot is None:
        return {}
    found: dict[str, str] = {}
    folder = made.parent
    lines, remarks = _located(context, builder, folder, shared_object, hot)
    if lines:
        found["hot loop lines"] = f"lines {lines[0]} to {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"
    if split := sampled_time(context, made, disassembly, hot):
        found["time split"] = split
    if bound := _bound(context, folder, hot):
        found |= _bound_in_words(context, builder, hot, bound, cell)
    if lines and SIMD.levels[cell.simd] == "scalar":
        own = [remark for remark in remarks if lines[0] <= remark.line <= lines[-1]][:_REMARKS]
        if own:
            found["compiler"] = "; ".join(f"gcc, line {remark.line}: {remark.text}" for remark in own)
    return found


def _located(
    context: EvaluationContext, builder: EvaluationBuilder, folder: Path, shared_object: SharedObject, hot: MachineLoop
) -> tuple[list[int], tuple[Remark, ...]]:
    """The source lines of the hot loop and the compiler's remarks; empty where the located object differs."""
    try:
        limits, source = context.spec.compile.limits, builder.kernel.source
        made, remarks = compile_with_remarks(folder, source, context.toolchain, context.built, limits)
        if read_shared_object(made).code_hash != shared_object.code_hash:
            return [], ()
        return source_lines(made, [each.address for each in hot.instructions]), remarks
    except (CompileError, CompileLate, ValueError):
        return [], ()


def _bound(context: EvaluationContext, folder: Path, hot: MachineLoop) -> LoopBound | None:
    tool = find_llvm_mca(this_machine(context.spec.isa).cpu)
    if tool is None:
        return None
    iteration = [f"{each.mnemonic} {each.operands}".strip() for each in hot.instructions]
    return loop_bound(iteration, tool, context.toolchain, context.built, folder)


def _bound_in_words(
    context: EvaluationContext, builder: EvaluationBuilder, hot: MachineLoop, bound: LoopBound, cell: Cell
) -> Mapping[str, str]:
    """The bound, and what share of it the kernel reaches; nothing where it passes the bound."""
    text = (
        f"an iteration takes at least {bound.port_cycles:.3g} cycles by its ports (busiest: {bound.busiest}), "
        f"{bound.cycles:.3g} with its dependencies, by llvm-mca's model of {bound.model}"
    )
    timing = context.timer.spec
    if timing.clock_ghz and builder.measured:
        threads = 1 if cell.threading == Threading.SERIAL else timing.threads
        work = [hot.function.processor.arithmetic(each) for each in hot.instructions]
        flops = sum(each.flops for each in work if each)
        share = builder.measured.objective * bound.cycles / (flops * timing.clock_ghz * threads)
        if share > _MOST_SHARE:
            return {}
        text += f"; the kernel reaches {share:.0%} of that speed"
    return {"hot loop bound": text}
