"""How long does a handshake with a contained child take through cffi's API mode and through its ABI mode?

Blocks of zero calls, the two modes in turn (ABBA), in one child each; prints medians and the median ratio of pairs.

    python benchmarks/handshake.py            # about 5 s
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from qdkernel.config import BudgetConfig, Config
from qdkernel.core import Kernel
from qdkernel.evaluators.sandbox import DECLARATIONS, Child, Native
from qdkernel.evaluators.toolchain import cffi_module
from qdkernel.search import open_environment

ROUNDS, BLOCKS = 200, 50


def main() -> None:
    """Measures and prints."""
    config = Config(problem="dgemm", sizes=(64,), threads=1, budget=BudgetConfig(evaluations=1))
    with open_environment(config, print) as environment, tempfile.TemporaryDirectory() as folder:
        from qdkernel.evaluators.pipeline import EvaluationContext

        context = EvaluationContext(environment.spec)
        made = context.compile(
            Kernel(environment.problem.seed_source(environment.problem.seeds[0])).source, Path(folder)
        )
        api = Native(
            cffi_module.load_module(context.toolchain, "_qd_supervisor", DECLARATIONS, '#include "supervisor.c"')
        )
        with mock.patch("sysconfig.get_paths", return_value={"include": folder}):
            abi = Native(
                cffi_module.load_module(context.toolchain, "_qd_supervisor", DECLARATIONS, '#include "supervisor.c"')
            )
        suite = context.suite
        with context.start(made, suite.layout, suite.inputs, suite.outputs, 1) as child:
            times = {mode: [] for mode in ("api", "abi")}  # type: dict[str, list[float]]
            for i in range(ROUNDS):
                order = ("api", "abi", "abi", "api") if i % 2 else ("abi", "api", "api", "abi")
                for mode in order:
                    times[mode].append(_blocks(child, api if mode == "api" else abi))
        context.close()
    ratios = np.divide(times["abi"], times["api"])
    for mode, values in times.items():
        print(f"{mode}: median {np.median(values):.2f} us per handshake")
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    print(f"abi / api: {middle:.3f} (quartiles {low:.3f}, {high:.3f})")


def _blocks(child: Child, native: Native) -> float:
    child._native = native
    before = native.busy_ns
    for _ in range(BLOCKS):
        child.run(0, 0, 5.0)
    return (native.busy_ns - before) / BLOCKS / 1e3


if __name__ == "__main__":
    main()
