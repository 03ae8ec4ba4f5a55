"""Arguments of the commands that read runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from qdkernel.cli.options import AsJson, RunArgument, Trust


def show(
    run: RunArgument,
    cell: Annotated[str | None, typer.Argument(help="A cell, e.g. packed/512/static/none.")] = None,
) -> int:
    """Print a run's status, or the elite of one cell."""
    from qdkernel.commands.read.show import show as command

    return command(run, cell)


def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another one of the same problem.")],
    by: Annotated[str, typer.Option(help="Equal cost in evaluations, minutes, tokens or usd.")] = "evaluations",
    as_json: AsJson = False,
) -> int:
    """Compare two runs at equal cost."""
    from qdkernel.commands.read.diff import diff as command

    return command(first, second, by, as_json)


def plot(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to; default: plots/ in the run.")] = None,
) -> int:
    """Draw the archive, its projections, the progress and the roofline."""
    from qdkernel.commands.read.plot import plot as command

    return command(run, out)


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="A run folder; several are compared.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Default: report.html in the run, or comparison.html."),
    ] = None,
) -> int:
    """Write one self-contained HTML file about a run, or about several side by side."""
    from qdkernel.commands.read.report import report as command

    return command(runs, out)


def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of runs; default: runs.")
    ] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the loopback interface; 0: any free one.")] = 0,
) -> int:
    """Serve the pages of runs live to a browser on this machine; read-only."""
    from qdkernel.commands.read.watch import watch as command

    return command(folder, port)


class ListsFormats(TyperCommand):
    """Ends its help with the export formats, which are imported only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # Any: click's own, which typer may or may not vendor
        """Writes the help."""
        from qdkernel.commands.read.export import formats_text

        self.epilog = formats_text()
        super().format_help(ctx, formatter)


def export(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders; several become one export.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="One of the formats below.")],
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File or folder; default of jsonl: standard output.")
    ] = None,
    only: Annotated[
        Literal["elites", "improvements", "all"] | None,
        typer.Option(help="Which kernels; default: what the format is for."),
    ] = None,
    split: Annotated[
        float | None, typer.Option(min=0.01, max=0.99, help="Share for training; whole lineages are held out.")
    ] = None,
    max_chars: Annotated[int | None, typer.Option(min=1, help="Longest prompt and completion together.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="The same in tokens, estimated as 3.2 characters each.")
    ] = None,
    failure_share: Annotated[
        float, typer.Option(min=0, max=1, help="Largest share of preference pairs whose rejected kernel failed.")
    ] = 0.3,
    stages: Annotated[
        Path | None, typer.Option(metavar="CONFIG", help="Prompts for every stage and cell of this configuration.")
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Of the data, for the dataset card.")] = "other",
    speed_tag: Annotated[
        bool, typer.Option("--speed-tag", help="End prompts for supervised training with the speed that is reached.")
    ] = False,
    revalidate: Annotated[
        bool,
        typer.Option(
            "--revalidate",
            help="Time elites again first and call them far beyond the scored sizes; seconds to a minute each.",
        ),
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked", help="Export code (c, library, python) without calling it far beyond the scored sizes first."
        ),
    ] = False,
    trust: Trust = False,
) -> int:
    """Write the evaluations or elites of runs for trainers and other programs."""
    from qdkernel.commands.read.export import export as command
    from qdkernel.export import Selection

    selection = Selection(
        only, split, max_chars, max_tokens, failure_share, license_, speed_tag, revalidate, unchecked, trust
    )
    return command(runs, to, out, selection, stages)


SkillFolders = Annotated[
    list[Path] | None,
    typer.Option("--folder", metavar="DIR", help="A folder of skills beside those that come with qdkernel."),
]


def list_skills(folder: SkillFolders = None) -> int:
    """List the skills: what each is for."""
    from qdkernel.commands.read.skills import list_skills as command

    return command(folder or [])


def show_skill(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As listed.")], folder: SkillFolders = None
) -> int:
    """Print a skill."""
    from qdkernel.commands.read.skills import show_skill as command

    return command(name, folder or [])


def mine_skills(
    run: RunArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to; files that are there stay.")] = Path("skills"),
    most: Annotated[int, typer.Option(min=1, help="Steps at most, the largest gains first.")] = 10,
) -> int:
    """Write the steps of a run that made kernels faster as skills, a file each, to be read and edited."""
    from qdkernel.commands.read.skills import mine_skills as command

    return command(run, out, most)
