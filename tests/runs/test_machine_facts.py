"""``machine.json`` is read tolerantly: what is missing stays unknown."""

from __future__ import annotations

import pytest

from qdkernel.runs import MachineFacts
from qdkernel.runs.machine_facts import machine_facts
from tests.fake_runs import BASELINE, MACHINE, PEAKS, SIZES


def test_all_facts_of_a_whole_file_are_read() -> None:
    facts = machine_facts(MACHINE)
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


def test_an_empty_file_leaves_everything_unknown() -> None:
    facts = machine_facts({})
    assert facts == MachineFacts(fingerprint=facts.fingerprint)
    assert (facts.peak_gflops, facts.baseline_gflops, facts.triad_gbytes_per_s) == (None, None, None)


@pytest.mark.parametrize(("threads", "peak"), [(1, 50.0), (3, 150.0), (7, 300.0), (8, 300.0), (99, 300.0)])
def test_peaks_between_the_measured_thread_counts_are_scaled(threads: int, peak: float) -> None:
    peaks = {"peak_gflops": {"float64": {"1": {"512": 50.0}, "8": {"512": 300.0}}}}
    facts = machine_facts({"threads": threads, "dtype": "float64", "peaks": peaks})
    assert facts.peak_gflops == peak


def test_a_machine_without_vectors_reaches_scalar_cells_only() -> None:
    assert machine_facts({"machine": {"simd_widths": []}}).simd_widths == ()


def test_the_fingerprint_changes_with_machine_and_compiler() -> None:
    prints = [
        machine_facts(MACHINE).fingerprint,
        machine_facts({**MACHINE, "compiler": {"version": "gcc 13"}}).fingerprint,
        machine_facts({**MACHINE, "machine": {"cpu": "other"}}).fingerprint,
    ]
    assert len(set(prints)) == 3
    assert machine_facts({**MACHINE, "fingerprint": "abc"}).fingerprint == "abc"
