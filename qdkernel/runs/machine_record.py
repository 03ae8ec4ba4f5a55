"""``machine.json``: everything that a run's numbers depend on, in one model for its writer and its readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from qdkernel.machine import Machine, machine_class
from qdkernel.runs.stored_rows import Positive


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SizeSpeed(_Part):
    """GFLOP/s at one scored size."""

    size: Mapping[str, PositiveInt]
    gflops: Positive


class PeaksRecord(_Part):
    """Measured peaks.

    Attributes:
        peak_gflops: GFLOP/s by dtype, number of threads and SIMD level name.
        triad_gbytes_per_s: GB/s of the best triad by number of threads.
    """

    peak_gflops: Mapping[str, Mapping[PositiveInt, Mapping[str, Positive]]]
    triad_gbytes_per_s: Mapping[PositiveInt, Positive]


class CompilerRecord(_Part):
    """The compiler of every kernel of the run."""

    command: str
    version: str
    flags: tuple[str, ...]


class BaselineRecord(_Part):
    """What kernels were measured against, e.g. ``OpenBLAS 0.3.34``, and its speed at each scored size."""

    name: str
    gflops: tuple[SizeSpeed, ...]


class MachineRecord(_Part):
    """The run's problem, machine, peaks, compiler and baseline.

    Attributes:
        schema_version: of this form.
        problem: registry name.
        dtype: name of the problem's type, e.g. ``float64``.
        bandwidth_bound: views report GB/s beside GFLOP/s.
        threads: OpenMP threads while scoring.
        accuracy: the rule by which results were judged, ``componentwise`` or ``normwise``.
        cache: the cache level that inputs were brought into before the clock started; empty: they came from memory.
        behaviour: version of the rules that gave kernels their cells; of runs that did not record it, the first.
        machine: the machine, as it counted in the run.
        peaks: what it can do at most.
        compiler: the compiler with its flags.
        baseline: what kernels were measured against.
        containment: the layers in force around kernels, as bits.
        energy: why the energy of calls is not known; empty where the host reports it.
    """

    schema_version: Literal[1] = 1
    problem: str
    dtype: str
    bandwidth_bound: bool
    threads: PositiveInt
    accuracy: str
    cache: str = ""
    behaviour: str = "behaviour/1"
    machine: Machine
    peaks: PeaksRecord
    compiler: CompilerRecord
    baseline: BaselineRecord
    containment: int = 7  # of records written before this was kept
    energy: str = "not recorded by the version of qdkernel that made the run"

    @property
    def machine_class(self) -> str:
        """16 hexadecimal digits, equal for machines whose measurements compare."""
        return machine_class(self.machine, self.compiler.version, self.compiler.flags, self.containment)


def read_machine_record(text: str) -> MachineRecord:
    """The record in the text of a ``machine.json``.

    Raises:
        ValueError: not JSON, or not a record of this form; the message has one line per mistake.
    """
    try:
        return MachineRecord.model_validate_json(text)
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, entry['loc'])) or 'the file'}: {entry['msg']}, got {entry['input']!r:.60}"
            for entry in error.errors(include_url=False)
        ]
        raise ValueError("\n".join(mistakes)) from error


def write_machine_record(record: MachineRecord) -> str:
    """The text of ``machine.json``, indented; ``read_machine_record`` gives an equal record."""
    return record.model_dump_json(indent=2) + "\n"
