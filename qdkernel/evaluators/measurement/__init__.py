"""Timing: buffers, paired blocks, machine peaks, the baseline."""

from qdkernel.evaluators.measurement.baseline import Baseline, BaselineChoice, kernel_environment, prepare_baseline
from qdkernel.evaluators.measurement.buffers import Arena, Entry, Racer, ScoredSize, TimingRule, WrongResult
from qdkernel.evaluators.measurement.paired import Busy, Laps, Track, probe, race, unforeseen
from qdkernel.evaluators.measurement.peaks import Ceilings, load_or_measure_ceilings

__all__ = [
    "Arena",
    "Baseline",
    "BaselineChoice",
    "Busy",
    "Ceilings",
    "Entry",
    "Laps",
    "Racer",
    "ScoredSize",
    "TimingRule",
    "Track",
    "WrongResult",
    "kernel_environment",
    "load_or_measure_ceilings",
    "prepare_baseline",
    "probe",
    "race",
    "unforeseen",
]
