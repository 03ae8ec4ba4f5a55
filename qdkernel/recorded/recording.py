"""The measurements of a finite space on one machine, in files that other tuners read.

T4 is the results format of the auto-tuning community (https://github.com/odgaard/TuningSchema); the cache is what
Kernel Tuner replays in its simulation mode. Both hold all samples, in milliseconds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qdkernel.core import write_atomically
from qdkernel.errors import RecordingError
from qdkernel.problems import find_problem
from qdkernel.recorded.space import Configuration
from qdkernel.runs import MachineRecord, read_machine_record

_VERSION = "1.0.0"  # of T4


@dataclass(frozen=True)
class Samples:
    """Milliseconds of one call in each block of a configuration, and of the baseline in the block beside it."""

    kernel_ms: tuple[float, ...]
    baseline_ms: tuple[float, ...]

    @property
    def time_ms(self) -> float:
        """The time in the fastest block: few blocks were timed, and disturbances only slow down."""
        return min(self.kernel_ms)


@dataclass(frozen=True)
class Recording:
    """What was measured at one size on one machine.

    Attributes:
        parameters: names of the parameters, in the order of a configuration's values.
        machine: where, and against what.
        samples: of each configuration.
    """

    parameters: tuple[str, ...]
    machine: MachineRecord
    samples: Mapping[Configuration, Samples]

    @cached_property
    def gflops(self) -> Mapping[Configuration, float]:
        """The objective of each configuration."""
        return {configuration: self.flops / each.time_ms / 1e6 for configuration, each in self.samples.items()}

    @property
    def best(self) -> float:
        """The highest objective."""
        return max(self.gflops.values())

    @property
    def flops(self) -> float:
        """Operations of one call."""
        (baseline,) = self.machine.baseline.gflops
        problem = find_problem(self.machine.problem)
        return problem.flops(problem.scored_case(baseline.size))

    def to_t4(self) -> dict[str, Any]:  # Any: JSON
        """The recording as T4, the machine among its metadata."""
        results = [
            {
                "configuration": dict(zip(self.parameters, configuration, strict=True)),
                "objectives": ["time"],
                "times": {"runtimes": list(samples.kernel_ms)},
                "invalidity": "correct",
                "correctness": 1,
                "measurements": [
                    {"name": "time", "value": samples.time_ms, "unit": "ms"},
                    {"name": "baseline", "value": list(samples.baseline_ms), "unit": "ms"},
                ],
            }
            for configuration, samples in self.samples.items()
        ]
        metadata = {"timeunit": "milliseconds", "machine": self.machine.model_dump(mode="json")}
        return {"schema_version": _VERSION, "metadata": metadata, "results": results}

    def to_cache(self) -> dict[str, Any]:  # Any: JSON
        """The recording as a cache of Kernel Tuner, complete for its simulation mode."""
        values = [list(dict.fromkeys(sorted(column))) for column in zip(*self.samples, strict=True)]
        rows = {
            ",".join(map(str, configuration)): {
                **dict(zip(self.parameters, configuration, strict=True)),
                "time": samples.time_ms,
                "times": list(samples.kernel_ms),
            }
            for configuration, samples in self.samples.items()
        }
        return {
            "device_name": self.machine.machine.cpu,
            "kernel_name": self.machine.problem,
            "problem_size": list(self.machine.baseline.gflops[0].size.values()),
            "tune_params_keys": list(self.parameters),
            "tune_params": dict(zip(self.parameters, values, strict=True)),
            "objective": "time",
            "cache": rows,
        }


def read_t4(path: Path) -> Recording:
    """The recording in a compressed T4 file.

    Raises:
        RecordingError: not a file that ``Recording.to_t4`` gives; nothing is said of a file that cannot be opened.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            content = json.load(file)
        results = content["results"]
        parameters = tuple(results[0]["configuration"])
        machine = read_machine_record(json.dumps(content["metadata"]["machine"]))
        samples = {tuple(result["configuration"][name] for name in parameters): _samples(result) for result in results}
    except (gzip.BadGzipFile, zlib.error, ValueError, LookupError, TypeError, EOFError) as error:
        raise RecordingError(
            f"{path}: expected compressed T4 with the machine in its metadata, as benchmarks/record_space.py writes; "
            f"got {type(error).__name__}: {error}"
        ) from error
    return Recording(parameters, machine, samples)


def write_compressed(content: Mapping[str, Any], path: Path) -> None:  # Any: JSON
    """Writes JSON; the same content gives the same bytes."""
    text = json.dumps(content, separators=(",", ":"))
    write_atomically(path, gzip.compress(text.encode(), mtime=0))


def _samples(result: Mapping[str, Any]) -> Samples:  # Any: JSON
    measured = {entry["name"]: entry["value"] for entry in result["measurements"]}
    return Samples(tuple(result["times"]["runtimes"]), tuple(measured["baseline"]))
