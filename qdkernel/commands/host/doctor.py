"""``qdkernel doctor``: what works on this machine, and what is weaker without the rest."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from qdkernel.commands.host.model_check import try_model
from qdkernel.config import BudgetConfig, Config, resolve_models
from qdkernel.core import printable
from qdkernel.errors import ContainmentError, QdkernelError
from qdkernel.evaluators.measurement import load_or_measure_peaks
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec, only_by, run_trials
from qdkernel.evaluators.races import lacking_race_runtime
from qdkernel.evaluators.sandbox import Layers
from qdkernel.evaluators.toolchain import Toolchain, find_toolchain
from qdkernel.machine import CoreLock, Machine, this_machine
from qdkernel.problems import find_problem

_PROBLEM = "dgemm"  # any problem will do to test the layers
_WEAKER = {
    Layers.LIMITS: "a kernel could take all memory",
    Layers.LANDLOCK: "a kernel could read and write files and signal other processes (needs Linux 5.13)",
    Layers.SECCOMP: "a kernel could start processes and open sockets",
}


def doctor(as_json: bool, containment: bool = False) -> int:
    """Prints what works here; exit code 1 when kernels cannot be compiled or contained.

    Args:
        as_json: machine-readable output.
        containment: also run hostile kernels, and report which were stopped, and by what.
    """
    machine = this_machine()
    found: dict[str, Any] = {"machine": _machine(machine)}  # Any: JSON
    sound = True
    try:
        config = Config(problem=_PROBLEM, budget=BudgetConfig(evaluations=1))
        toolchain = find_toolchain(config.compiler.command, machine.compiler_flags(config.compiler.flags))
        found["compiler"] = toolchain.version
        found["containment"] = _containment(toolchain)
        sound = all(state == "in force" for state in found["containment"].values())
        if containment:
            found |= _trials(toolchain)
            sound &= all(words.startswith("stopped") for words in found["hostile kernels"].values())
        found["races"] = lacking_race_runtime(toolchain) or "kernels can be watched (qdkernel check --races)"
        peaks = load_or_measure_peaks(machine, toolchain, exclusive=CoreLock().exclusive())
        counts = sorted({1, machine.cores})
        found["peak GFLOP/s"] = {
            f"{dtype}, {simd}, {n} thread{'s' if n > 1 else ''}": round(peaks.peak_gflops(dtype, n, simd), 1)
            for dtype in ("float64", "float32")
            for simd in ("scalar", *map(str, machine.simd_widths))
            for n in counts
        }
        found["triad GB/s"] = {
            f"{n} thread{'s' if n > 1 else ''}": round(peaks.triad_gbytes_per_s(n), 1) for n in counts
        }
    except QdkernelError as error:
        found["problem"] = str(error)
        sound = False
    found["models"] = _models()
    print(json.dumps(found, indent=2) if as_json else printable(_text(found), keep="\n", limit=None))
    return 0 if sound else 1


def _models() -> dict[str, str]:
    """How the model named in the environment answers a real prompt; a machine without one is as good."""
    config = Config(problem=_PROBLEM, budget=BudgetConfig(evaluations=1), models="environment")
    try:
        models = resolve_models(config, os.environ).known_models
        if not models:
            return {"environment": "names none (QDKERNEL_BASE_URL, QDKERNEL_MODEL); none is needed"}
        return {f"{model.name} at {model.base_url}": try_model(model, config) for model in models}
    except QdkernelError as error:
        return {"environment": str(error)}


def _machine(machine: Machine) -> dict[str, Any]:  # Any: JSON
    return {
        "cpu": machine.cpu,
        "cores": machine.cores,
        "instruction-set level": machine.isa or "all that the CPU has",
        "SIMD widths": list(machine.simd_widths),
        "caches": {name: f"{size >> 10} KiB" for name, size in machine.caches.items()},
        "hypervisor": machine.hypervisor,
        "governor": machine.governor,
    }


def _containment(toolchain: Toolchain) -> dict[str, str]:
    """Each layer by itself, tested on a real child."""
    states = {}
    with tempfile.TemporaryDirectory(prefix="qdkernel-doctor-") as folder:
        spec = _spec(toolchain, folder)
        source = find_problem(_PROBLEM).seed_source(find_problem(_PROBLEM).seeds[0])
        for layer, weaker in _WEAKER.items():
            context = EvaluationContext(replace(spec, run=replace(spec.run, layers=layer)))
            try:
                with context.build_folder() as build:
                    made = context.compile(source, Path(build))
                    suite = context.suite
                    with context.start(made, suite.layout, suite.inputs, suite.outputs, 1) as child:
                        child.run(0, 1, 5.0)
                states[_name(layer)] = "in force"
            except ContainmentError as error:
                states[_name(layer)] = f"missing: {weaker} ({error})"
            finally:
                context.close()
    return states


def _trials(toolchain: Toolchain) -> dict[str, dict[str, str]]:
    """What became of each hostile kernel, and what would succeed without each layer."""
    with tempfile.TemporaryDirectory(prefix="qdkernel-doctor-") as folder:
        trials = run_trials(_spec(toolchain, folder))
    fates = {}
    for trial in trials:
        by = "memory layout or deadline" if trial.without else ", ".join(_name(layer) for layer in trial.alone)
        fates[trial.name] = f"stopped ({trial.how}) by {by or 'all layers together'}"
        if not trial.stopped:
            fates[trial.name] = "NOT STOPPED"
    weaker = {}
    for layer in _WEAKER:
        names = only_by(trials, layer)
        weaker[_name(layer)] = (
            f"nothing else stops: {', '.join(names)}" if names else "another layer stops all of these"
        )
    return {
        "hostile kernels": fates,
        "without the layer": weaker | {"namespaces": "not used: no layer depends on them"},
    }


def _spec(toolchain: Toolchain, folder: str) -> EvaluationSpec:
    """For kernels that are run but not timed."""
    return EvaluationSpec(_PROBLEM, folder, CompileSpec(toolchain.command, toolchain.flags))


def _name(layer: Layers) -> str:
    return str(layer.name).lower()


def _text(found: dict[str, Any]) -> str:  # Any: JSON
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines.append(name)
            lines += [f"  {key:28} {entry}" for key, entry in value.items()]
        else:
            lines.append(f"{name:30} {value}")
    return "\n".join(lines)
