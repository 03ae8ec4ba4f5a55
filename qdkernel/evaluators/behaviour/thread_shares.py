"""What a parallel body does with its thread's number, and with the share of a loop that the runtime deals to it."""

from __future__ import annotations

import enum
from typing import NamedTuple

from qdkernel.evaluators.behaviour.effects import Effect, effects_of
from qdkernel.evaluators.binary import Function

_MAX_EFFECTS = 1_000_000  # followed: about a second; blocks are usually visited three times


class Split(enum.Enum):
    """How a share of work becomes two-dimensional."""

    GRID = "thread's number"
    """The thread's own number is divided: threads form a grid."""
    MERGED = "share of a merged loop"
    """A share of iterations is divided: two loops became one, as by ``collapse(2)``."""


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
    effect_of = effects_of(function.processor)
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
            if effect.kind == "divide" and effect.value in places.share and not effect.sources & places.threads:
                return (Split.GRID if effect.value in places.number else Split.MERGED), effect.address
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
    targets = effect.targets
    if effect.kind == "call":
        share, number, threads = share - targets, number - targets, threads - targets
        result = frozenset({effect.value})
        if effect.symbol.startswith("GOMP_loop"):
            share |= addressed  # the runtime writes begin and end of the share
        if effect.symbol == "omp_get_thread_num":
            share, number = share | result, number | result
        if effect.symbol == "omp_get_num_threads":
            threads |= result
        return _Places(share, number, threads)
    if effect.kind == "divide":
        share = share | targets if effect.value in share else share - targets
        return _Places(share, number - targets, threads - targets)
    copy = effect.kind == "copy"
    return _Places(
        share | targets if effect.sources & share and effect.kind != "address" else share - targets,
        number | targets if copy and effect.sources & number else number - targets,
        threads | targets if copy and effect.sources & threads else threads - targets,
    )
