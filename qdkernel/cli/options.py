"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a configuration entry, e.g. budget.minutes=1."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder made by evolve.")]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Accept any compiler, flags and library that a run folder's configuration names."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file, e.g. configs/gemm.yaml.")]
