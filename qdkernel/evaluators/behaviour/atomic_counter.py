"""Whether a parallel body takes its share of the work from an atomic counter, or only counts as barriers do."""

from __future__ import annotations

import re

from qdkernel.evaluators.behaviour.effects import CLOBBERED, effects_of, registers_of
from qdkernel.evaluators.binary import Function, Instruction, Processor

# What returns the counter before the addition: LSE's ldadd; without it a load that a later store must follow.
_DRAWS = {"x86_64": re.compile(r"lock xadd"), "aarch64": re.compile(r"ldadd(?:a?l?)|ldaxr|ldxr")}
_MAX_STEPS = 300_000  # instructions followed: a third of a second; blocks are usually visited twice


def draws_share(function: Function) -> bool:
    """Whether a value that an atomic addition returned becomes part of an address, or an argument of a call.

    The value is followed through registers and the stack, as data-flow analyses do. A barrier compares it with the
    number of threads and does no more; shares are where a thread works.
    """
    processor = function.processor
    draws, arguments = _DRAWS[processor.name], CLOBBERED[processor.name]
    if not any(draws.fullmatch(instruction.mnemonic) for instruction in function.instructions):
        return False
    calls = {r.address: r.symbol or "" for r in function.references if r.symbol or r.function is not None}
    own = {r.address for r in function.references if r.function is not None}
    flow = function.flow
    at_entry: dict[int, frozenset[str]] = {0: frozenset()}
    pending, left = [0], _MAX_STEPS
    while pending and left > 0:
        block = pending.pop()
        drawn = at_entry[block]
        begin, end = flow.ranges[block]
        left -= 1 + end - begin
        for instruction in function.instructions[begin:end]:
            if drawn and (
                _addresses(instruction, drawn, processor) or (instruction.address in own and drawn & arguments)
            ):
                return True
            drawn = _after(instruction, drawn, calls, processor)
        for follow in flow.successors[block]:
            before = at_entry.get(follow)
            joined = drawn if before is None else before | drawn
            if joined != before:
                at_entry[follow] = joined
                pending.append(follow)
    return False


def _addresses(instruction: Instruction, drawn: frozenset[str], processor: Processor) -> bool:
    """Whether a memory operand's address depends on a drawn value."""
    _, opening, inside = instruction.operands.partition("[")
    if not opening or instruction.mnemonic in ("lea", "nop"):
        return False
    return bool(registers_of(inside.partition("]")[0], processor) & drawn)


def _after(
    instruction: Instruction, drawn: frozenset[str], calls: dict[int, str], processor: Processor
) -> frozenset[str]:
    if _DRAWS[processor.name].fullmatch(instruction.mnemonic):
        return drawn | _drawn_register(instruction, processor)
    effect = effects_of(processor)(instruction, calls)
    if effect is None or not drawn:
        return drawn
    if effect.kind == "call":
        return drawn - effect.targets
    if effect.kind == "divide":
        return drawn | effect.targets if effect.value in drawn else drawn - effect.targets
    return drawn | effect.targets if effect.sources & drawn and effect.kind != "address" else drawn - effect.targets


def _drawn_register(instruction: Instruction, processor: Processor) -> frozenset[str]:
    """The register that the counter's value is returned in: the last one before or after the memory operand."""
    operands = instruction.operands
    if processor.name == "aarch64":
        return registers_of(operands.partition(", [")[0].rpartition(", ")[2], processor)
    return registers_of(operands.rpartition(", ")[2], processor)
