"""What views read of ``machine.json``: peaks for the run's own type and threads, speeds, compiler."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from qdkernel.runs import MachineRecord
from qdkernel.runs.machine_facts import machine_facts
from tests.fake_runs import BASELINE, MACHINE, PEAKS, RECORD, SIZES


def changed(part: str, **values: Any) -> MachineRecord:  # Any: JSON values
    machine = copy.deepcopy(MACHINE)
    machine[part].update(values)
    return MachineRecord.model_validate(machine)


def test_all_facts_of_a_record_are_read() -> None:
    facts = machine_facts(RECORD)
    assert (facts.problem, facts.dtype, facts.threads, facts.cpu, facts.cores) == (
        "dgemm",
        "float64",
        2,
        "Imaginary 9000",
        2,
    )
    assert facts.simd_widths == (128, 256, 512)
    assert facts.peaks == PEAKS
    assert facts.peak_gflops == 108.0
    assert facts.triad_gbytes_per_s == 24.0
    assert [(speed.size, speed.gflops) for speed in facts.baseline] == list(zip(SIZES, BASELINE, strict=True))
    assert facts.baseline_gflops == pytest.approx(91.91, abs=0.01)
    assert facts.compile_command == "gcc -O3 -march=native -fopenmp"


def test_a_type_without_measured_peaks_has_none() -> None:
    facts = machine_facts(RECORD.model_copy(update={"dtype": "float32"}))
    assert (facts.peaks, facts.peak_gflops) == ({}, None)


@pytest.mark.parametrize(("threads", "peak"), [(1, 50.0), (3, 150.0), (7, 300.0), (8, 300.0), (99, 300.0)])
def test_peaks_between_the_measured_thread_counts_are_scaled(threads: int, peak: float) -> None:
    record = changed("peaks", peak_gflops={"float64": {"1": {"512": 50.0}, "8": {"512": 300.0}}})
    assert machine_facts(record.model_copy(update={"threads": threads})).peak_gflops == peak


def test_a_machine_without_vectors_reaches_scalar_cells_only() -> None:
    assert machine_facts(changed("machine", simd_widths=[])).simd_widths == ()


def test_the_fingerprint_changes_with_machine_and_compiler() -> None:
    records = [RECORD, changed("compiler", version="gcc 13"), changed("machine", cpu="other")]
    assert len({machine_facts(record).fingerprint for record in records}) == 3
