"""Whether a parallel body takes its share of the work from an atomic counter, or only counts as barriers do."""

from __future__ import annotations

from qdkernel.evaluators.behaviour.thread_shares import CLOBBERED, effect_of, registers_in
from qdkernel.evaluators.binary import Function, Instruction

_DRAW = "lock xadd"
_MAX_STEPS = 300_000  # instructions followed: a third of a second; blocks are usually visited twice


def draws_share(function: Function) -> bool:
    """Whether a value that an atomic addition returned becomes part of an address, or an argument of a call.

    The value is followed through registers and the stack, as data-flow analyses do. A barrier compares it with the
    number of threads and does no more; shares are where a thread works.
    """
    if all(instruction.mnemonic != _DRAW for instruction in function.instructions):
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
            if drawn and (_addresses(instruction, drawn) or (instruction.address in own and drawn & CLOBBERED)):
                return True
            drawn = _after(instruction, drawn, calls)
        for follow in flow.successors[block]:
            before = at_entry.get(follow)
            joined = drawn if before is None else before | drawn
            if joined != before:
                at_entry[follow] = joined
                pending.append(follow)
    return False


def _addresses(instruction: Instruction, drawn: frozenset[str]) -> bool:
    """Whether a memory operand's address depends on a drawn value."""
    _, opening, inside = instruction.operands.partition("[")
    if not opening or instruction.mnemonic in ("lea", "nop"):
        return False
    return bool(registers_in(inside.partition("]")[0]) & drawn)


def _after(instruction: Instruction, drawn: frozenset[str], calls: dict[int, str]) -> frozenset[str]:
    if instruction.mnemonic == _DRAW:
        return drawn | registers_in(instruction.operands.rpartition(", ")[2])
    effect = effect_of(instruction, calls)
    if effect is None or not drawn:
        return drawn
    if effect.kind == "call":
        return drawn - CLOBBERED
    if effect.kind == "divide":
        results = frozenset("ad")
        return drawn | results if "a" in drawn else drawn - results
    target = frozenset({effect.target})
    return drawn | target if effect.sources & drawn and effect.kind != "address" else drawn - target
