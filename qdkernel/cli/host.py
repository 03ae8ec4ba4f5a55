"""Arguments of the commands about this machine and this installation."""

from __future__ import annotations

from typing import Annotated

import typer

from qdkernel.cli.options import AsJson


def doctor(
    as_json: AsJson = False,
    containment: Annotated[
        bool, typer.Option("--containment", help="Also run hostile kernels and report which defences hold here.")
    ] = False,
) -> int:
    """Report what works here: compiler, instruction sets, containment, peaks."""
    from qdkernel.commands.host.doctor import doctor as run

    return run(as_json, containment)


def problems(as_json: AsJson = False) -> int:
    """List the problems: what each computes, its sizes, its baseline, and what its kernels must keep to."""
    from qdkernel.commands.host.problems import problems as command

    return command(as_json)
