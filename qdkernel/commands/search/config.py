"""``qdkernel config``: the schema of a configuration, and whether a run of it can start on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from qdkernel.config import config_schema, dump_config


def schema() -> int:
    """Prints the JSON Schema."""
    print(json.dumps(config_schema(), indent=2))
    return 0


def check(path: Path, overrides: Sequence[str]) -> int:
    """Does what ``evolve`` does before its first evaluation, and prints the configuration resolved.

    A configuration of several problems is resolved for each of them, and their names are printed.
    """
    from qdkernel.commands.search.evolve import sound_config
    from qdkernel.commands.search.series import is_series, member_configs
    from qdkernel.commands.search.session import say
    from qdkernel.search import open_cluster, open_environment

    if is_series(path):
        for name in member_configs(path, overrides):
            print(name)
        return 0
    config = sound_config(path, overrides)
    if config.evaluators.distributed:
        with open_cluster(config, say) as groups:
            for group in groups:
                machine = group.environment(config).machine
                say(f"class {group.machine_class}: {machine.cpu}, {machine.cores} cores, {group.workers} workers")
    else:
        with open_environment(config, say):
            pass
    print(dump_config(config), end="")
    return 0
