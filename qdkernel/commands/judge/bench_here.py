"""``qdkernel bench --here``: the elites of a run, made on another machine, verified and timed on this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from qdkernel.analysis import carry_over
from qdkernel.config import check_foreign, load_config
from qdkernel.core import Kernel
from qdkernel.errors import RunFolderError
from qdkernel.runs import RunFolder, elites
from qdkernel.search import longer_spec, open_environment, time_again


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
        again = time_again(longer_spec(environment), [Kernel(record.source) for _, record in held], repeats)
        found = carry_over(held, again)
    if as_json:
        print(json.dumps(carry_over_report(found), indent=2))
    else:
        print_view(show_carry_over(found, there, environment.machine.cpu))
    return 0
