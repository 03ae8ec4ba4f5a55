"""``qdkernel bench --here``: the elites of a run, made on another machine, verified and timed on this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qdkernel.analysis import carry_over
from qdkernel.commands.judge.bench import LONGER, together
from qdkernel.config import check_foreign, load_config
from qdkernel.core import Kernel
from qdkernel.errors import RunFolderError
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.runs import RunFolder, elites
from qdkernel.search import open_environment


def bench_here(run: Path, repeats: int, overrides: Sequence[str], as_json: bool, trust: bool) -> int:
    """Prints what of a run's archive carries over to this machine.

    Every elite is compiled with the run's flags and verified here, and timed ``repeats`` times with all others between.
    """
    from qdkernel.reports import carry_over_report, print_view, show_carry_over

    with RunFolder.open(run) as folder:
        config = load_config(folder.path / "config.yaml", overrides, files_must_exist=False)
        if not trust:
            check_foreign(config, overrides, run)
        held, there = list(elites(folder.evaluations.records()).items()), folder.facts.cpu
    if not held:
        raise RunFolderError(f"{run} has no elite yet, so nothing carries over")
    with open_environment(config, lambda _: None) as environment:
        timing = replace(environment.timing.for_every_kernel(), rule=replace(environment.timing.rule, **LONGER))
        spec = replace(environment.spec, timing=timing)
        kernels = [Kernel(record.source) for _, record in held]
        passes = [[perform(EvaluationTask(spec, kernel)) for kernel in kernels] for _ in range(repeats)]
        found = carry_over(held, [together(seen) for seen in zip(*passes, strict=True)])
    if as_json:
        print(json.dumps(carry_over_report(found), indent=2))
    else:
        print_view(show_carry_over(found, there, environment.machine.cpu))
    return 0
