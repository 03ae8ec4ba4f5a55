"""Arguments of the commands about a run to be made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qdkernel.cli.options import ConfigArgument, Overrides, Trust


def evolve(
    config: ConfigArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folder; default: a new one below runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out (or the newest run of this problem).")
    ] = False,
    set_: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the resolved configuration and what it would cost.")
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Evaluate again what RUN proposed, from its stored replies; asks no model."),
    ] = None,
    seed_from: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Start from RUN's elites, made elsewhere, and report what carried over."),
    ] = None,
    trust: Trust = False,
) -> int:
    """Breed kernels into an archive until the budget is spent."""
    from qdkernel.commands.search import evolve as command
    from qdkernel.commands.search.series import evolve_series, is_series

    overrides = set_ or []
    if is_series(config):
        return evolve_series(config, out, resume, overrides, dry_run, replay or seed_from)
    if dry_run:
        return command.dry_run(config, overrides)
    options = command.EvolveOptions(out, resume, overrides, replay, seed_from, trust)
    return command.evolve(command.sound_config(config, overrides), config, options)


def prompt(
    config: ConfigArgument,
    show: Annotated[bool, typer.Option("--show", help="Print the whole text, not only its size.")] = False,
    operator: Annotated[str | None, typer.Option(help="One that asks a model, e.g. edit; default: all.")] = None,
    run: Annotated[Path | None, typer.Option(metavar="RUN", help="With the elites and lessons of this run.")] = None,
    set_: Overrides = None,
) -> int:
    """Print what a model would be sent."""
    from qdkernel.commands.search.prompt import prompt as command

    return command(config, show, operator, run, set_ or [])


def study(
    config: ConfigArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the study; default: studies/ and the file's name.")
    ] = None,
    set_: Overrides = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="STUDY", help="Judge the replies of this study; asks no model.")
    ] = None,
) -> int:
    """Ask models for routines in several ways and report how often and how fast; goes on where it stopped."""
    from qdkernel.commands.search.study import study as command

    return command(config, out, set_ or [], replay)


def config_schema() -> int:
    """Print the JSON Schema of a configuration file."""
    from qdkernel.commands.search.config import schema

    return schema()


def config_check(config: ConfigArgument, set_: Overrides = None) -> int:
    """Check a configuration, and print it resolved."""
    from qdkernel.commands.search.config import check as run

    return run(config, set_ or [])
