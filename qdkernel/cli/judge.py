"""Arguments of the commands that judge kernels outside a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qdkernel.cli.options import AsJson, Overrides, Trust


def check(
    kernel: Annotated[Path, typer.Argument(metavar="KERNEL.c", help="A file that defines the problem's function.")],
    problem: Annotated[str, typer.Option(help="The problem, e.g. dgemm.")],
    races: Annotated[
        bool, typer.Option("--races", help="Also watch its threads for races, with ThreadSanitizer and Archer.")
    ] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Also call it far beyond the scored sizes: seconds to a minute.")
    ] = False,
    set_: Overrides = None,
    as_json: AsJson = False,
) -> int:
    """Evaluate one file and explain every step."""
    from qdkernel.commands.judge.check import check as run

    return run(kernel, problem, set_ or [], as_json, races, thorough)


def bench(
    target: Annotated[Path, typer.Argument(metavar="RUN|KERNEL.c", help="A run folder, or a kernel file.")],
    problem: Annotated[str | None, typer.Option(help="The problem of a kernel file.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many of a run's elites, fastest first.")] = 10,
    cell: Annotated[str | None, typer.Option(help="Only the elite of this cell, e.g. packed/512/static/none.")] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="How often, with all others between; all measurements count.")
    ] = 2,
    here: Annotated[
        bool,
        typer.Option("--here", help="Verify and time all elites of RUN on this machine: what carries over, by cell."),
    ] = False,
    set_: Overrides = None,
    as_json: AsJson = False,
    trust: Trust = False,
) -> int:
    """Time elites against the baseline again, in fresh processes, with confidence intervals."""
    if here:
        from qdkernel.commands.judge.bench_here import bench_here

        return bench_here(target, repeats, set_ or [], as_json, trust)
    from qdkernel.commands.judge.bench import bench as run

    return run(target, problem, top, cell, repeats, set_ or [], as_json, trust)


def serve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file: problem, sizes, stages.")],
    host: Annotated[str, typer.Option(help="Address to listen on; one that others reach needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for a free one.")] = 8077,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the bearer token; default: $QDKERNEL_SERVE_TOKEN.")
    ] = None,
    shape: Annotated[str, typer.Option(help="Of rewards: unit, sqd, log, share, rank or cell_rank.")] = "unit",
    archive: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Keep every judged kernel in this run folder.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Accepted jobs; default: in RUN, else serve-PROBLEM.db here.")
    ] = None,
    max_queue: Annotated[int, typer.Option(min=1, help="Kernels that wait; more are answered 429.")] = 1024,
    set_: Overrides = None,
) -> int:
    """Judge kernels over HTTP, as the reward of a trainer on another machine."""
    from qdkernel.commands.judge.serve import serve as command

    return command(config, host, port, token_file, shape, archive, journal, max_queue, set_ or [])
