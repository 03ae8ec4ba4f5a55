"""Processes and buffers of timed kernels: kernels in their children, scored sizes, the memory of their calls."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qdkernel.core import Array, Arrays, Problem, size_text
from qdkernel.evaluators.measurement.allocation import keep_freed_memory
from qdkernel.evaluators.measurement.generators import new_generator
from qdkernel.evaluators.measurement.unannounced_cases import near_case, respelled_case, smaller_case
from qdkernel.evaluators.sandbox import (
    BufferAlignment,
    Child,
    ChildFailed,
    Layout,
    MemoryFile,
    PlacedCall,
    Region,
    poison,
)

_INPUT_THREADS = 2  # make fresh inputs
_LEAST_ROUNDS = 2  # in both orders
_WARM_BELOW_S = 5e-3  # calls shorter than this are preceded by an untimed one: waking a pool costs up to 0.1 ms


class WrongResult(Exception):
    """A timed call left a wrong result; the message names the call, ``process`` the kernel."""

    def __init__(self, message: str, process: str) -> None:
        super().__init__(message)
        self.process = process


@dataclass(frozen=True)
class TimingRule:
    """When a measurement is long enough.

    Attributes:
        block_ms: aimed length of a timed block; one wake-up (10-50 us) is in every block.
        rounds_min: fewest pairs of blocks, also for a slow kernel: the true median lies outside the whole range of
            five samples in 6 % of the cases, of six in 3 %.
        rounds_max: pairs of blocks that are enough.
        half_width: stop when the ratio's 95 % interval is narrower than this, relative.
        budget_s: stop after this long even if it is wider.
        disturbed: a round in which the reference is this many times slower than on quiet cores does not count. If the
            ratio's interval is still wider than that, rounds are added, up to four budgets. Slow drift cancels in the
            ratio; a disturbance of one block of a pair does not.
        tie: when set, stop also as soon as the interval lies on one side of ``1 + tie``: the duel is decided.
        decisive: when set, stop also after two rounds, in both orders, of which each ratio is above this factor (no
            disturbance that leaves a block undelayed explains it twice), and when the challenger is behind: slower in
            all rounds, or at the median of the fewest.
        hopeful: when set, stop also after two rounds or more whose median is below this.
        most_s: when set, stop after this long also with fewer rounds than the fewest.
        quiet_s: how long to wait for quiet cores altogether, when rounds are disturbed.
    """

    block_ms: float = 1.5
    rounds_min: int = 6
    rounds_max: int = 8
    half_width: float = 0.025
    budget_s: float = 0.12
    disturbed: float = 1.15
    tie: float | None = None
    decisive: float | None = None
    hopeful: float | None = None
    most_s: float | None = None
    quiet_s: float = 10.0

    def within_budget(self, round_s: float) -> TimingRule:
        """The same, with fewer rounds where they would not fit the budget: two at least.

        Args:
            round_s: what the blocks of both kernels take; fresh inputs and checks take about as long again.
        """
        fitting = max(_LEAST_ROUNDS, int(self.budget_s / (2 * round_s)))
        return replace(self, rounds_min=min(self.rounds_min, fitting))


@dataclass(frozen=True)
class TimedProcess:
    """A kernel in its child, and the name of its output file; ``trusted`` outputs are not checked."""

    name: str
    child: Child
    trusted: bool = False

    @contextlib.contextmanager
    def attributing_failures(self, size: Mapping[str, int]) -> Iterator[None]:
        """Adds this kernel's name, and the size that is being timed, to a failure of its child."""
        try:
            yield
        except ChildFailed as error:
            error.process, error.size = self.name, size_text(size)
            raise


@dataclass(frozen=True)
class TimedCase:
    """A kernel with the calls of its block, and its speed on quiet cores if known.

    Attributes:
        process: the kernel.
        warm: untimed calls at the start of a block.
        timed: timed calls.
        quiet_ns: nanoseconds of one call on quiet cores.
    """

    process: TimedProcess
    warm: int
    timed: int
    quiet_ns: float | None = None


@dataclass(frozen=True)
class ScoredSize:
    """One scored size and its calls in the buffers.

    Attributes:
        size: e.g. ``{"m": 512, "n": 512, "k": 512}``.
        flops: floating-point operations of a call.
        least_flops: operations that the most frugal admitted algorithm needs.
        bytes: bytes a call streams.
        least_bytes: bytes any implementation must move.
        written_bytes: size of the arrays that are written.
        first: index of its first call.
        warm: untimed calls at the start of a block.
        timed: timed calls of a block, at most.
    """

    size: Mapping[str, int]
    flops: float
    least_flops: float
    bytes: float
    least_bytes: float
    written_bytes: int
    first: int
    warm: int
    timed: int

    @property
    def calls(self) -> range:
        """Indices of all its calls."""
        return range(self.first, self.first + self.warm + self.timed)

    def timed_case(self, process: TimedProcess, call_ns: float, rule: TimingRule) -> TimedCase:
        """Blocks of the aimed length for a kernel this fast; slow kernels need one call and no warm-up."""
        timed = int(np.clip(np.ceil(rule.block_ms * 1e6 / call_ns), 1, self.timed))
        return TimedCase(process, min(self.warm, _warm_calls(call_ns * 1e-9)), timed)


def _warm_calls(call_s: float) -> int:
    return 1 if call_s < _WARM_BELOW_S else 0


class TimingBuffers:
    """Memory for the timed calls of all scored sizes: one input file, one output file per kernel.

    Attributes:
        near: indices of one call near each scored size and one below each (see ``unannounced``).
        respelled: indices of one call at each scored size, with other scalars, strides and alignment.

    Args:
        problem: what is computed.
        sizes: the scored sizes.
        expected_s: a guess of one call's time for each size; decides how many calls make a block.
        rule: how long blocks should be.
        cache_bytes: what the arrays of a block's calls may take together.
    """

    _CALLS_MAX = 16  # more would push the working set of a block out of the last-level cache
    _SMALL_CALLS_MAX = 64  # of calls that stream at most _SMALL_BYTES: a block of 16 would be shorter than a wake-up
    _SMALL_BYTES = 1 << 14
    _BYTES_MAX = 1 << 29  # of all calls of a block: every child maps them when it starts; 1.5 ms at 350 GB/s

    def __init__(
        self,
        problem: Problem,
        sizes: Sequence[Mapping[str, int]],
        expected_s: Sequence[float],
        rule: TimingRule,
        cache_bytes: float = math.inf,
    ) -> None:
        self.problem = problem
        keep_freed_memory()
        # Made before a benchmark confines its thread to one core: fresh inputs come from two cores, between blocks.
        self._secret_rngs = tuple(new_generator() for _ in range(_INPUT_THREADS))
        self._hands = ThreadPoolExecutor(_INPUT_THREADS)
        everybody = threading.Barrier(_INPUT_THREADS)
        for _ in self._hands.map(lambda _: everybody.wait(), range(_INPUT_THREADS)):
            pass  # each task waits for the others, so each got a thread of its own
        scored: list[ScoredSize] = []
        for size, call_s in zip(sizes, expected_s, strict=True):
            case = problem.scored_case(size)
            most = self._SMALL_CALLS_MAX if problem.bytes(case) <= self._SMALL_BYTES else self._CALLS_MAX
            most = max(1, int(min(most, min(cache_bytes, self._BYTES_MAX) / problem.bytes(case))))
            timed = int(np.clip(np.ceil(rule.block_ms * 1e-3 / call_s), 1, most))
            scored.append(
                ScoredSize(
                    size=dict(size),
                    flops=problem.flops(case),
                    least_flops=(problem.least_flops or problem.flops)(case),
                    bytes=problem.bytes(case),
                    least_bytes=problem.least_bytes(case),
                    written_bytes=sum(
                        math.prod(argument.shape(case)) * problem.dtype_of(argument).itemsize
                        for argument in problem.arrays
                        if argument.is_written
                    ),
                    first=scored[-1].calls.stop if scored else 0,
                    warm=_warm_calls(call_s),
                    timed=timed,
                )
            )
        self.sizes = tuple(scored)
        calls = [(problem.scored_case(s.size), BufferAlignment.FRONT) for s in scored for _ in s.calls]
        rng = new_generator()
        others = [make(problem, s.size, rng) for make in (near_case, smaller_case, respelled_case) for s in scored]
        self.near = range(len(calls), len(calls) + 2 * len(scored))
        self.respelled = range(self.near.stop, self.near.stop + len(scored))
        self.layout = Layout(problem, [*calls, *((case, BufferAlignment.SHIFTED) for case in others)])
        self.inputs = MemoryFile("timed-inputs", self.layout.input_bytes)
        self._outputs: dict[str, MemoryFile] = {}
        self._sketches: dict[int, Any] = {}  # Any: private to the problem

    def outputs(self, process: str) -> MemoryFile:
        """The output file of a timed kernel; made on first use and reused for the next kernel of that name."""
        if process not in self._outputs:
            self._outputs[process] = MemoryFile(f"timed-outputs-{process}", self.layout.output_bytes)
        return self._outputs[process]

    def refresh(self, calls: range, processes: Sequence[str], unchecked: int = 0) -> None:
        """Fresh random inputs for ``calls``, initial outputs for each process, and the sketches to check them by.

        The first ``unchecked`` calls get no sketch: they only warm up, nothing is claimed of them.
        """
        outputs = [self.outputs(process) for process in processes]

        def share(hand: int) -> None:
            shown_rng = new_generator()
            for index in calls[hand::_INPUT_THREADS]:
                arrays = self._refresh_call(index, outputs, shown_rng)
                if index >= calls.start + unchecked:
                    case = self.layout.calls[index].case
                    self._sketches[index] = self.problem.sketch(case, arrays, self._secret_rngs[hand])

        for _ in self._hands.map(share, range(_INPUT_THREADS)):
            pass  # waits, and raises what a thread raised

    def _refresh_call(
        self, index: int, outputs: Sequence[MemoryFile], shown_rng: np.random.Generator
    ) -> dict[str, Array]:
        call = self.layout.calls[index]
        arrays = self.problem.make_inputs("uniform", call.case, shown_rng)
        write_call(self.layout, call, arrays, self.inputs, outputs, shown_rng)
        return arrays

    def refresh_one(self, index: int, process: str) -> dict[str, Array]:
        """Like ``refresh`` for one call; returns what the arrays that a kernel reads hold."""
        arrays = self._refresh_call(index, [self.outputs(process)], new_generator())
        self._sketches[index] = self.problem.sketch(self.layout.calls[index].case, arrays, self._secret_rngs[0])
        return arrays

    def change_in_place(self, index: int, process: str, arrays: dict[str, Array]) -> None:
        """Changes one element of each floating-point input of a call, off the edges, and prepares the call again.

        Args:
            index: of the call.
            process: whose outputs get their initial contents.
            arrays: what ``refresh_one`` returned; changed.
        """
        call, rng = self.layout.calls[index], new_generator()
        for array in (arrays[placed.argument.name] for placed in call.arrays if placed.argument.is_read):
            if array.dtype.kind == "f" and array.size:
                at = tuple(int(rng.integers(1, n - 1)) if n > 2 else int(rng.integers(n)) for n in array.shape)
                if not np.isnan(array[at]):  # NaN marks what is not read
                    array[at] = rng.uniform(2.0, 3.0)  # larger than all others, so that an old result shows
        write_call(self.layout, call, arrays, self.inputs, [self.outputs(process)], rng)
        self._sketches[index] = self.problem.sketch(call.case, arrays, self._secret_rngs[0])

    def check(self, calls: range, process: str, what: str = "a timed call") -> None:
        """Compares what a kernel left in its outputs with the sketches; ``what`` names the calls in the message.

        Raises:
            WrongResult: a call's result is wrong.
        """
        for index in calls:
            call = self.layout.calls[index]
            arrays = {
                placed.argument.name: self.layout.view(
                    self.inputs if placed.region is Region.INPUT else self.outputs(process), placed
                )
                for placed in call.arrays
            }
            error = self.problem.sketch_error(call.case, arrays, self._sketches[index], self.problem.error_limit)
            if not error <= 1.0:
                case = ", ".join(
                    f"{name}={value:g}"
                    for name, value in call.case.items()
                    if index >= self.near.start or name in self.problem.size_names
                )
                raise WrongResult(
                    f"the result of {what} ({case}) is wrong: {error:.3g} times the error allowed", process
                )

    def close(self) -> None:
        """Gives the memory back."""
        self._hands.shutdown()
        self.inputs.close()
        for file in self._outputs.values():
            file.close()


def write_call(
    layout: Layout,
    call: PlacedCall,
    arrays: Arrays,
    inputs: MemoryFile,
    outputs: Sequence[MemoryFile],
    rng: np.random.Generator,
) -> None:
    """Puts the contents of a call in place: its inputs, and in each output file what is there before it.

    Args:
        layout: of the call.
        call: where its arrays are.
        arrays: what those that a kernel reads hold.
        inputs: the input file.
        outputs: output files.
        rng: draws the poison of integer arrays that are only written.
    """
    for placed in call.arrays:
        for file in [inputs] if placed.region is Region.INPUT else outputs:
            contents = arrays[placed.argument.name] if placed.argument.is_read else poison(placed.dtype, rng)
            layout.view(file, placed)[...] = contents
