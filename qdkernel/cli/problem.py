"""Arguments of the commands about a problem of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The C function's name, and the new folder's.")],
) -> int:
    """Write a small problem to start from."""
    from qdkernel.commands.problem.init import init as run

    return run(name)


def check(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds problem.yaml.")]) -> int:
    """Check a problem before it is searched: seeds, reference, inputs, and that wrong results fail."""
    from qdkernel.commands.problem.check import check as run

    return run(folder)
