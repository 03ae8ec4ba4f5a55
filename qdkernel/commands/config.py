"""``qdkernel config``: the schema of a configuration, and whether a file is sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from qdkernel.config import config_schema, dump_config, load_config


def schema() -> int:
    """Prints the JSON Schema."""
    print(json.dumps(config_schema(), indent=2))
    return 0


def check(path: Path, overrides: Sequence[str]) -> int:
    """Loads a configuration, checks its names against the registries and prints it resolved."""
    from qdkernel.search import check_names

    config = load_config(path, overrides)
    check_names(config)
    print(dump_config(config), end="")
    return 0
