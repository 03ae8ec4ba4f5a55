"""Kernel Tuner's T4 results (schema 1.0.0): a run as the auto-tuning community reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Outcome
from qdkernel.errors import ConfigError
from qdkernel.export.contract import Json, Source
from qdkernel.export.files import must_be_records, write_file
from qdkernel.export.record import ExportRecord
from qdkernel.export.select import chosen

SCHEMA_VERSION = "1.0.0"
_INVALIDITY = {
    Outcome.OK: "correct",
    Outcome.TIMEOUT: "timeout",
    Outcome.COMPILE_ERROR: "compile",
    Outcome.CRASHED: "runtime",
    Outcome.LOST: "runtime",
    Outcome.WRONG: "correctness",
    Outcome.RACE: "correctness",
    Outcome.IMPLAUSIBLE: "correctness",
}


@dataclass(frozen=True)
class T4Format:
    """One JSON file with a result per evaluation."""

    name: str = "t4"
    help: str = "Kernel Tuner's T4 results, one JSON file."

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the results; see ``Format``."""
        if out is None:
            raise ConfigError("export --to t4 writes a file; name it with --out")
        must_be_records(out, b'"schema_version"')
        kept = chosen(source.records, source.selection.only or "all")
        content = {"schema_version": SCHEMA_VERSION, "results": [_result(record) for record in kept]}
        return [write_file(out, (json.dumps(content, indent=1) + "\n").encode())]


def _result(record: ExportRecord) -> Json:
    steps = json.loads(record.step_s)
    correct = record.outcome is Outcome.OK
    measurements = [{"name": "GFLOP/s", "value": record.timing.gflops, "unit": "GFLOP/s"}] if correct else []
    sizes = json.loads(record.timing.per_size)
    return {
        "timestamp": record.ts,
        "configuration": {
            "kernel_id": record.kernel_id,
            "problem": record.task,
            "cell": record.cell,
            **record.descriptors.model_dump(),
            "flags": record.flags,
            "operator": record.operator,
            "run": record.run,
        },
        "objectives": ["GFLOP/s"],
        "times": {
            "compilation_time": 1e3 * steps.get("compile", 0.0),  # milliseconds, as Kernel Tuner writes them
            "runtimes": [1e3 * seconds for size in sizes for seconds in size["samples_s"]],
            "framework": 0.0,
            "search_algorithm": 0.0,
            "validation": 1e3 * steps.get("verify", 0.0),
        },
        "invalidity": _INVALIDITY.get(record.outcome, "constraints"),
        "correctness": 1.0 if correct else 0.0,
        "measurements": measurements,
    }


T4 = (T4Format(),)
