"""Timing: buffers, paired blocks, machine peaks, the baseline."""

from qdkernel.evaluators.measurement.baseline import Baseline, BaselineChoice, kernel_environment, prepare_baseline
from qdkernel.evaluators.measurement.blocks import Busy, CpuPlacement, checked_call, probe
from qdkernel.evaluators.measurement.buffers import (
    ScoredSize,
    TimedCase,
    TimedProcess,
    TimingBuffers,
    TimingRule,
    WrongResult,
    write_call,
)
from qdkernel.evaluators.measurement.calibration import calibrate, time_baseline
from qdkernel.evaluators.measurement.core_facts import CoreFacts, load_or_measure_core
from qdkernel.evaluators.measurement.generators import new_generator
from qdkernel.evaluators.measurement.paired import PairedSamples, time_pairs
from qdkernel.evaluators.measurement.peaks import MachinePeaks, Peak, Triad, load_or_measure_peaks, renew_peaks
from qdkernel.evaluators.measurement.quiet import QuietCores
from qdkernel.evaluators.measurement.unannounced import check_unannounced
from qdkernel.evaluators.measurement.unannounced_cases import respelled_case, smaller_case

__all__ = [
    "Baseline",
    "BaselineChoice",
    "Busy",
    "CoreFacts",
    "CpuPlacement",
    "MachinePeaks",
    "PairedSamples",
    "Peak",
    "QuietCores",
    "ScoredSize",
    "TimedCase",
    "TimedProcess",
    "TimingBuffers",
    "TimingRule",
    "Triad",
    "WrongResult",
    "calibrate",
    "check_unannounced",
    "checked_call",
    "kernel_environment",
    "load_or_measure_core",
    "load_or_measure_peaks",
    "new_generator",
    "prepare_baseline",
    "probe",
    "renew_peaks",
    "respelled_case",
    "smaller_case",
    "time_baseline",
    "time_pairs",
    "write_call",
]
