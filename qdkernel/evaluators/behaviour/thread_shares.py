"""What a parallel body does with its thread's number, and with the share of a loop that the runtime deals to it."""

from __future__ import annotations

import enum
import functools
import re
from typing import NamedTuple

from qdkernel.evaluators.binary import Function, Instruction

_REGISTER_BITS = {
    "ax": "a", "bx": "b", "cx": "c", "dx": "d", "si": "si", "di": "di", "bp": "bp", "sp": "sp",
}  # fmt: skip
_REGISTER = re.compile(r"\b(?:[re]?([abcd]x|si|di|bp|sp)|r(\d+)[dwb]?|([xyz]mm\d+))\b")
_STACK = re.compile(r"\[r[sb]p(?: [+-] (?:0x[0-9a-f]+|\d+))?\]")
_VECTOR_COPY = re.compile(r"v?mov(?:[dq]|dqa|apd|aps)\b")  # the compiler also spills into vector registers
CLOBBERED = frozenset({"a", "c", "d", "si", "di", "8", "9", "10", "11"})
"""Registers that a call may change (System V ABI); those of its arguments are among them."""
_MAX_EFFECTS = 1_000_000  # followed: about a second; blocks are usually visited three times
_IGNORED = frozenset({"cmp", "test", "push", "pop", "cdq", "cqo", "cdqe", "nop"})


class Split(enum.Enum):
    """How a share of work becomes two-dimensional."""

    GRID = "thread's number"
    """The thread's own number is divided: threads form a grid."""
    MERGED = "share of a merged loop"
    """A share of iterations is divided: two loops became one, as by ``collapse(2)``."""


class Effect(NamedTuple):
    """What an instruction does to places (registers and stack slots).

    ``kind`` is ``set`` (target from sources), ``copy`` (the same, unchanged), ``address`` (sources are slots whose
    address is taken), ``call`` (``symbol`` is called), or ``divide`` (the accumulator by a source).
    """

    kind: str
    address: int
    target: str = ""
    sources: frozenset[str] = frozenset()
    symbol: str = ""


class _Places(NamedTuple):
    """Which places may hold what at some point of the code."""

    share: frozenset[str] = frozenset()  # depends on the thread's number or on the share dealt to it
    number: frozenset[str] = frozenset()  # is the thread's number
    threads: frozenset[str] = frozenset()  # is the number of threads

    def joined(self, other: _Places) -> _Places:
        return _Places(self.share | other.share, self.number | other.number, self.threads | other.threads)


def find_split(function: Function) -> tuple[Split, int] | None:
    """Where a body divides something of the thread's own by anything but the number of threads, and what.

    That is how one number becomes two: ``collapse(2)``, ``number / columns``, ``block / blocks_per_row``. A
    one-dimensional share divides too, but by the number of threads: ``n / threads``, ``n * number / threads``.
    Places are followed through the blocks until nothing changes, as data-flow analyses do.
    """
    calls = {r.address: r.symbol for r in function.references if r.symbol}
    if not any(symbol.startswith(("omp_get_thread_num", "GOMP_loop")) for symbol in calls.values()):
        return None
    flow = function.flow
    blocks = [[e for i in function.instructions[a:b] if (e := effect_of(i, calls))] for a, b in flow.ranges]
    addressed = frozenset(slot for block in blocks for e in block if e.kind == "address" for slot in e.sources)
    at_entry: dict[int, _Places] = {0: _Places()}
    pending = [0]
    left = _MAX_EFFECTS
    while pending and left > 0:  # usually ends when nothing is pending: the sets only grow
        block = pending.pop()
        left -= 1 + len(blocks[block])
        places = at_entry[block]
        for effect in blocks[block]:
            if effect.kind == "divide" and "a" in places.share and not effect.sources & places.threads:
                return (Split.GRID if "a" in places.number else Split.MERGED), effect.address
            places = _after(effect, places, addressed)
        for follow in flow.successors[block]:
            before = at_entry.get(follow)
            joined = places if before is None else before.joined(places)
            if joined != before:
                at_entry[follow] = joined
                pending.append(follow)
    return None


def _after(effect: Effect, places: _Places, addressed: frozenset[str]) -> _Places:
    share, number, threads = places
    if effect.kind == "call":
        share, number, threads = share - CLOBBERED, number - CLOBBERED, threads - CLOBBERED
        if effect.symbol.startswith("GOMP_loop"):
            share |= addressed  # the runtime writes begin and end of the share
        if effect.symbol == "omp_get_thread_num":
            share, number = share | {"a"}, number | {"a"}
        if effect.symbol == "omp_get_num_threads":
            threads |= {"a"}
        return _Places(share, number, threads)
    if effect.kind == "divide":
        results = frozenset("ad")
        return _Places(share | results if "a" in share else share - results, number - results, threads - results)
    target, copy = frozenset({effect.target}), effect.kind == "copy"
    return _Places(
        share | target if effect.sources & share and effect.kind != "address" else share - target,
        number | target if copy and effect.sources & number else number - target,
        threads | target if copy and effect.sources & threads else threads - target,
    )


def effect_of(instruction: Instruction, calls: dict[int, str]) -> Effect | None:
    """What an instruction does to registers and stack slots; ``None`` for nothing that matters here."""
    address, _, mnemonic, operands = instruction
    if mnemonic == "call":
        return Effect("call", address, symbol=calls.get(address, ""))
    if mnemonic in ("idiv", "div"):
        return Effect("divide", address, sources=_places(operands))
    if mnemonic in _IGNORED or mnemonic[0] == "j" or ("mm" in operands and not _VECTOR_COPY.match(mnemonic)):
        return None
    first, _, rest = operands.partition(", ")
    targets = _places(first)
    if len(targets) != 1 or not rest:
        return None
    (target,) = targets
    if mnemonic == "xor" and first == rest:
        return Effect("set", address, target)
    if mnemonic == "lea":
        slot = _STACK.fullmatch(rest)
        kind, sources = ("address", frozenset({slot[0]})) if slot else ("set", registers_in(rest))
        return Effect(kind, address, target, sources)
    if "mov" in mnemonic and not mnemonic.startswith("cmov"):
        return Effect("copy", address, target, _places(rest))
    sources = registers_in(rest) if mnemonic == "imul" and ", " in rest else _places(rest) | targets
    return Effect("set", address, target, sources)


@functools.lru_cache(4096)
def _places(operand: str) -> frozenset[str]:
    """The register or stack slot that an operand is; nothing for other memory."""
    if "[" in operand:
        slot = _STACK.search(operand)
        return frozenset({slot[0]} if slot else ())
    return registers_in(operand)


@functools.lru_cache(4096)
def registers_in(operand: str) -> frozenset[str]:
    """The registers that an operand names, by names that do not depend on their width."""
    names = (_REGISTER_BITS[m[1]] if m[1] else m[2] or "v" + m[3][1:] for m in _REGISTER.finditer(operand))
    return frozenset(names)
